# SPDX-License-Identifier: GPL-2.0-or-later
# policy.supervise over zones of the simulated machine: order, readiness, failures, watchdogs, the ways to stop.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
. "$HVSH_TESTS/lib/supervised.sh"
trap 'stop_held "$work"/m/lock; kill $(cat "$work"/pids 2>/dev/null) 2>/dev/null; rm -rf "$work"' EXIT

# ---- order and readiness

script <<'LUA'
local s = supervise {
  {two, after = "one"},
  {one, ready = {expect = "one> ", within = "60s"}},
  backoff = quick, stop = {type = "poweroff\r", within = "60s"},
}
print("all", s:wait {timeout = "60s"})
print("start", path())
print("as text", (tostring(s):gsub("\n", "/")))
for _, row in ipairs(zones.list()) do if row.supervised then print("list", row.name, row.state, row.supervised.state) end end
reborn(s, "one", function() tell(one, "panic") end)
print("crash", path())
print("stop", s:stop())
print("down", path())
print(zones.list())
LUA
is 0 "two zones under a supervisor"
out_has "all	true" "are ready"
out_has "start	one:starting one:running one:ready two:starting two:running two:ready" "the one that is waited for comes first"
out_has "as text	one: ready/two: ready" "its object prints as a table"
out_has "list	two	running	ready" "zones.list has what it says"
out_has "crash	one:stopping one:backoff one:waiting one:starting one:running one:ready" "a crash is repaired"
out_has "stop	true"
out_has "down	two:stopping two:stopped one:stopping one:stopped" "they stop in the reverse order"
out_has "stopped: was asked to stop" "the list says why"
err_has "warn: zone one: backoff: it crashed; starts again in 0.001 s" "what happens is in the log"

script <<'LUA'
local s = supervise {
  {one, ready = {file = "mark", within = "60s"}},
  {two, ready = function(z) return z:device "hvc0".stats.write_bytes > 0 end},
  backoff = quick,
}
io.open("mark", "w"):close()
until_(s, "two", "ready")
until_(s, "one", "running")
-- The mark was there before the start, and is not there any more.
print("stale", io.open "mark" == nil, s:wait {timeout = "1ms"})
io.open("mark", "w"):close()
print("fresh", s:wait {timeout = "60s"})
LUA
is 0 "readiness by a file and by a function"
out_has "stale	true	nil	ETIMEDOUT: not all zones are ready in time" "a file of an earlier life does not count"
out_has "fresh	true"

script <<'LUA'
local reasons
local s = supervise {
  {one, ready = {expect = "never said", within = "50ms"}, budget = {count = 1, within = "1h"},
   on_failure = function(name, state, reason) reasons = {name, state, reason} end},
  {two, after = one},
  backoff = quick,
}
print("wait", s:wait {timeout = "60s"})
print("action", table.unpack(reasons))
print(s)
print("runs", one:state())
LUA
is 0 "a zone that does not become ready"
out_has "wait	nil	ECANCELED: zone one is failed: it was not ready within 0.05 s; that was failure 2 within 3600 s, and 1 are allowed	ECANCELED"
out_has "action	one	failed	it was not ready within 0.05 s" "is reported"
out_has "two: waiting: waits for one (failed)" "and what waits for it says so"
out_has "runs	absent" "it is not left half started"

# ---- what people do beside it

script <<'LUA'
local s = supervise {one, two, backoff = quick}
assert(s:wait {timeout = "60s"})
assert(one:stop())
print("stopped", until_(s, "one", "stopped"))
sleep "20ms"
print("stays", is(s, "one", "stopped"))
assert(one:start())
print("started", until_(s, "one", "ready"))
reborn(s, "one", function() tell(one, "panic") end)
tell(two, "poweroff")
print("ended", until_(s, "two", "stopped"))
print("again", s:start "two", until_(s, "two", "ready"))
print("name", pcall(s.start, s, "tow"))
local said
two:on("supervise", function(e) said = e.from .. ">" .. e.what end)
s:stop "two"
for _ = 1, 6000 do if said == "stopping>stopped" then break end sleep "10ms" end
print("said", said)
s:start "two"
until_(s, "two", "ready")
s:close()
print("closed", zones.list()[2].supervised, s:wait())
local always = supervise {{two, restart = "always"}, backoff = quick}
print("kept", until_(always, "two", "ready"))
print("always", reborn(always, "two", function() tell(two, "poweroff") end))
LUA
is 0 "a supervisor and people"
out_has "stopped	somebody stopped it" "what a person stops"
out_has "stays	true" "stays stopped"
out_has "ended	it ended, by itself or by another program" "a zone that ends by itself is let go"
out_has "again	true"
out_has "start: tow is not supervised here (did you mean two?)"
out_has "said	stopping>stopped" "zone:on tells its states"
out_has "closed	nil	nil	ECANCELED: zone one is not supervised any more"
out_has "kept	it ran already" "zones that run are taken over"
out_has "always	true" "restart = always brings back also what ended by itself"

# ---- watchdogs

script <<'LUA'
local s = supervise {
  {one, watchdog = {silence = "3s"}}, {two, watchdog = {kicks = "100ms"}},
  backoff = {from = "1h", to = "1h"},
}
s:wait {timeout = "60s"}
local talk = every("20ms", function() if one:device "hvc0" then tell(one, "echo still here") end end)
print("two", until_(s, "two", "backoff"))
print("one lives", is(s, "one", "ready"))
talk:cancel()
print("one", until_(s, "one", "backoff"))
s:stop()
s:close()
local beat, n = 0, 0
local beater = every("10ms", function() n = n + 1 if n < 40 then beat = n end end)
s = supervise {
  {one, watchdog = {heartbeat = "tick", within = "3s"}},
  {two, watchdog = {heartbeat = function(z) assert(z == two) return beat end, within = "2s"}},
  backoff = {from = "1h", to = "1h"},
}
s:wait {timeout = "60s"}
for _ = 1, 20 do tell(one, "echo tick") sleep "20ms" end
print("ticks", is(s, "one", "ready"))
print("one stops", until_(s, "one", "backoff"))
print("two stops", until_(s, "two", "backoff"), beat)
LUA
is 0 "watchdogs"
out_has "two	it used none of its devices for 0.1 s; starts again in 3600 s"
out_has "one lives	true"
out_has "one	its console hvc0 was silent for 3 s"
out_has "ticks	true"
out_has "one stops	its heartbeat did not come for 3 s"
out_has "two stops	its heartbeat did not come for 2 s; starts again in 3600 s	39"

# ---- stopping

script <<'LUA'
local s = supervise {{one, stop = {type = "echo I will not\r", within = "50ms"}}, {two, stop = function() error "cannot" end}}
assert(s:wait {timeout = "60s"})
print("stop", s:stop())
print(s)
LUA
is 0 "zones that do not end when they are asked"
out_has "stop	true" "are taken down"
err_has "warn: zone one did not end within 0.05 s of being asked to: it is taken down"
err_has "warn: zone two cannot be asked to end: script.lua:2: cannot"

cat >stuck.lua <<'LUA'
dofile "zones.lua"
local s = supervise {one, two, backoff = quick, on_failure = "stop"}
assert(s:wait {timeout = "60s"})
tell(one, "panic")
print("reason", until_(s, "one", "quarantined"))
print("others", until_(s, "two", "stopped"))
print("start", s:start "one")
print("stop", s:stop())
print("release", s:release "one", s:start "one")
print("refused", until_(s, "one", "failed"))
os.exit(0)
LUA
run timeout 120 "$HVSH" --sim --sim-fault=stuck-cpu:2 stuck.lua
is 0 "a zone whose CPU does not stop"
out_has "reason	whether it has stopped is not known, so it is not started again" "is quarantined"
out_has "others	was asked to stop" "on_failure = stop takes down the others"
out_has "start	nil	EBUSY: zone one: whether it has stopped" "a start is refused"
out_has "stop	nil	EBUSY: zone one:" "a stop says that it is not sure"
out_has "release	true	true" "until somebody releases it"
out_has "refused	it cannot be started:" "and then hvisor says what it thinks of it"

# ---- the service

cat >service.lua <<'LUA'
dofile "zones.lua"
local s = supervise {
  {one, ready = {expect = "one> "}}, {two, after = one}, on_exit = "stop", stop = {type = "poweroff\r", within = "60s"},
}
assert(s:wait {timeout = "60s"})
io.stdout:write "ready\n"
io.stdout:flush()
LUA
run "$HVSH" --sim="$work/m" check service.lua
is 0 "reading a script with a supervisor starts nothing"
bounded 100 "$HVSH" --sim="$work/m" service.lua >service.txt 2>service.err &
service=$!
echo $service >pids
for ((i = 0; i < 600; i++)); do
	grep -q ready service.txt && break
	sleep 0.1
done
run "$HVSH" --sim="$work/m" list
out_has "SUPERVISED" "hvsh list has a column for it"
[[ $out =~ two\ +running\ .*ready ]]
tap $? "and says the state of each zone"
run "$HVSH" --sim="$work/m" list --json
[[ ${out//[[:space:]]/} == *'"name":"two","state":"running","supervised":{"state":"ready"}'* ]]
tap $? "so does --json"
# The script is over, and what the process may do is less; a restart is within it.
for ((i = 0; i < 300; i++)); do
	printf 'panic\r' | timeout 60 "$HVSH" --sim="$work/m" console one >/dev/null 2>&1
	grep -q "zone one: backoff: it crashed" service.err && break
	sleep 0.1
done
for ((i = 0; i < 600; i++)); do
	run "$HVSH" --sim="$work/m" list
	[[ $out =~ one\ +running\ .*ready ]] && break
	sleep 0.1
done
[[ $out =~ one\ +running\ .*ready ]]
tap $? "a zone that crashes later is started again by the service"
kill -TERM $service
wait $service
code=$? out=$(cat service.txt) err=$(cat service.err)
is 0 "SIGTERM ends it"
run "$HVSH" --sim="$work/m" list
out_lacks "two" "and on_exit = stop stops the zones"

# ---- a thousand lives

script <<'LUA'
log.level "error"
local s = supervise {
  {one, ready = {expect = "one> ", within = "60s"}, watchdog = {silence = "1m", heartbeat = "tick", within = "1m"}},
  budget = false, backoff = {from = 0, to = 0},
}
local function size()
  collectgarbage()
  collectgarbage()
  local fds = 0
  for _ in io.popen "ls /proc/$PPID/fd":lines() do fds = fds + 1 end
  return collectgarbage "count", fds
end
local kib, fds
until_(s, "one", "ready")
for life = 1, 1000 do
  reborn(s, "one", function() tell(one, "panic") end)
  if life == 100 then
    changes = {}
    until_(s, "one", "ready")
    kib, fds = size()
  end
end
changes = {}
local _, one_now = until_(s, "one", "ready")
local kib_now, fds_now = size()
print("lives", one_now.starts)
-- One or two are those of a life that is just ending or beginning.
print("growth", kib_now - kib < 64 or kib_now - kib, math.abs(fds_now - fds) < 10 or fds_now - fds)
LUA
is 0 "1000 crashes"
out_has "lives	1001" "and as many starts"
out_has "growth	true	true" "leave nothing behind"
finish
