# SPDX-License-Identifier: GPL-2.0-or-later
# policy.supervise while something else happens: people and guests who do not wait for it, and what is asked of it then.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
. "$HVSH_TESTS/lib/supervised.sh"
limit=40

# ---- while a guest is asked to end

script <<'LUA'
local s = supervise {{one, stop = {type = "x\r", within = "1h"}}, backoff = quick}
assert(s:wait {timeout = "60s"})
local answer
local function ask()
  answer = nil
  spawn(function() answer = table.pack(s:stop()) end)
  until_(s, "one", "stopping")
end
local function answered(what)
  for _ = 1, 6000 do if answer then break end sleep "5ms" end
  print(what, table.unpack(answer or {"no answer"}))
end
ask()
assert(one:stop())
print("stopped", until_(s, "one", "stopped"))
answered "stop"
assert(one:start())
until_(s, "one", "ready")
ask()
assert(one:stop())
assert(one:start())
print("again", until_(s, "one", "ready"))
answered "again stop"
print("runs", one:state())
ask()
tell(one, "panic")
print("crashed", until_(s, "one", "stopped"))
answered "crashed stop"
LUA
is 0 "what happens while a guest is asked to end"
out_has "stopped	was asked to stop" "a person who stops it meanwhile has stopped it"
out_has "stop	true"
out_has "again	" "one whom a person has started again is looked after"
out_has "again stop	nil	ECANCELED: zone one was started again meanwhile	ECANCELED" "and the stop says so"
out_has "runs	same" "it is not taken down"
out_has "crashed	was asked to stop" "one that crashes is not waited for"
out_has "crashed stop	true"
err_has "warn: zone one crashed when it was asked to end: it is taken down"

# ---- a start while zones are being stopped

script <<'LUA'
local s = supervise {one, two, stop = {type = "x\r", within = "1h"}, backoff = quick}
assert(s:wait {timeout = "60s"})
local stopping = spawn(function() s:stop() end)
until_(s, "two", "stopping")
print("all", s:start())
print("later", s:start "one")
stopping:cancel()
until_(s, "two", "stopping")
tell(two, "poweroff")
until_(s, "two", "stopped")
print("cancelled", s:start())
until_(s, "two", "ready")
print("one", is(s, "one", "ready"))
print("crash", reborn(s, "one", function() tell(one, "panic") end))
LUA
is 0 "a start while zones are being stopped"
out_has "all	nil	EBUSY: zone one is being stopped	EBUSY" "says that they are"
out_has "later	nil	EBUSY: zone one is being stopped	EBUSY" "also of one whose turn has not come"
out_has "cancelled	true" "a stop that is cancelled is over"
out_has "crash	true" "and zones whose turn had not come are looked after"

# ---- calls that are not meant so

script <<'LUA'
local s = supervise {one, two, watchdog = {silence = "1h", console = "hvc7"}}
assert(s:wait {timeout = "60s"})
local function try(f, ...) print(select(2, pcall(f, ...))) end
local nothing
try(function() s.stop "one" end)
try(function() s.close() end)
try(function() s:stop(nothing) end)
try(function() s:start(nothing) end)
try(function() s:release() end)
try(function() s:stop "onee" end)
try(function() s:stop {} end)
try(function() s:wait "1s" end)
try(function() s:wait {timout = "1s"} end)
try(function() s:wait {timeout = "5 sec"} end)
print((tostring(s):gsub("\n", "/")))
LUA
is 0 "calls that are not meant so"
out_has "script.lua:6: call it with a colon: supervisor:stop()" "a forgotten colon"
out_has "script.lua:7: call it with a colon: supervisor:close()"
out_has "script.lua:8: stop: argument 1 is nil, not a zone or its name" "nil is not all of them"
out_has "script.lua:9: start: argument 1 is nil, not a zone or its name"
out_has "script.lua:10: release: argument 1 is nil, not a zone or its name"
out_has "script.lua:11: stop: onee is not supervised here (did you mean one?)"
out_has "script.lua:12: stop: argument 1 is a table, not a zone or its name"
out_has 'script.lua:13: wait takes a table of options: {timeout = "10s"}'
out_has "script.lua:14: wait has no option timout (did you mean timeout?)"
out_has 'script.lua:15: wait: timeout: "5 sec" is no duration' "a time that is none"
out_has "one: ready/two: ready" "and nothing is stopped by them"
err_has "error: zone one: nothing watches it: zone one has no device hvc7" "a console that is not there is said in words"

# ---- a supervisor that is closed

script <<'LUA'
local s = supervise {one, two, stop = {type = "x\r", within = "1h"}, backoff = quick}
assert(s:wait {timeout = "60s"})
local answer
spawn(function() answer = table.pack(s:stop()) end)
until_(s, "two", "stopping")
print("close", s:close(), s:close())
for _ = 1, 6000 do if answer then break end sleep "5ms" end
print("stop", table.unpack(answer))
for _, method in ipairs {"stop", "start", "release", "status"} do print(select(2, pcall(function() s[method](s, "one") end))) end
print("text", s)
print("runs", one:state(), two:state(), zones.list()[2].supervised)
LUA
is 0 "a supervisor that is closed"
out_has "close	true	true" "may be closed again"
out_has "stop	nil	ECANCELED: the supervisor was closed	ECANCELED" "ends a stop that waits"
for method in stop start release status; do
	out_has "script.lua:10: $method: the supervisor is closed"
done
out_has "text	supervisor (closed)" "says that it is closed"
out_has "runs	same	same	nil" "and leaves its zones alone"

# ---- a zone that is defined anew

script <<'LUA'
local s = supervise {one, watchdog = {silence = "1h"}, backoff = quick}
assert(s:wait {timeout = "60s"})
-- The prompt allows it.
require("hvsh.core").mode "repl"
dofile "zones.lua"
print("crash", reborn(s, "one", function() tell(one, "panic") end))
assert(s:stop())
one = guest("one", 3, 0x50000000, 0xa003800, 2)
print("start", s:start(), until_(s, "one", "ready"))
print("id", one.id, one:state(), reborn(s, "one", function() tell(one, "panic") end))
LUA
is 0 "a zone that is defined anew"
out_has "crash	true" "is started again after a crash as it is now"
out_has "start	true" "and when it is asked for"
out_has "id	3	same	true" "also under another id"

# ---- a zone that is started anew before its supervisor hears that it has ended

script <<'LUA'
local once = one:on("exit", function() one:start() end)
local s = supervise {{one, watchdog = {silence = "3s"}}, backoff = {from = "1h", to = "1h"}}
assert(s:wait {timeout = "60s"})
path()
tell(one, "poweroff")
for _ = 1, 6000 do if #changes >= 2 then break end sleep "5ms" end
print("path", path())
print("state", until_(s, "one", "ready"))
once:close()
for _ = 1, 200 do
  tell(one, "echo still here")
  sleep "20ms"
end
print("alive", is(s, "one", "ready"))
print("silent", until_(s, "one", "backoff"))
LUA
is 0 "a zone that another listener starts anew"
out_has "path	one:running one:ready" "begins a new life"
out_has "alive	true" "its watchdog looks at the new console"
out_has "silent	its console hvc0 was silent for 3 s" "and takes notice of it"

# ---- what a script's function does

script <<'LUA'
local function never() sleep "1h" return 1 end
local s = supervise {
  {one, watchdog = {heartbeat = never, within = "1h", silence = "200ms"}},
  {two, watchdog = {heartbeat = never, within = "300ms"}},
  backoff = {from = "1h", to = "1h"},
}
print("one", until_(s, "one", "backoff"))
print("two", until_(s, "two", "backoff"))
LUA
is 0 "a heartbeat function that waits"
out_has "one	its console hvc0 was silent for 0.2 s" "holds up no other sign"
out_has "two	its heartbeat did not come for 0.3 s" "and is missed"
finish
