# SPDX-License-Identifier: GPL-2.0-or-later
# Scripts at a console that goes at its own speed: a guest that prints without end, or takes no input.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

script() {
	{
		printf '%s\n' 'dofile "boot_zones.lua"' 'local z = zones.linux1' 'local hvc = z:device "hvc0"'
		cat
		printf '%s\n' 'assert(zones.stop())'
	} >script.lua
	run timeout 120 "$HVSH" --sim script.lua
}

# ---- the keyboard, when a write ends before all is typed

script <<'LUA'
local con, other = assert(hvc:open {back = "all"}), assert(hvc:open())
con:expect("linux1> ", {timeout = "60s"})
assert(hvc:pause())
local waits = spawn(function() con:write(("x"):rep(100000)) end)
repeat sleep(0) until hvc.ports[1].input > 0
print("has it", hvc.ports[1].writer)
waits:cancel()
print("cancelled", hvc.ports[1].writer)
print("late", select(3, con:write(("x"):rep(100000), {timeout = "10ms"})), hvc.ports[1].writer)
local co = coroutine.create(function() con:write(("x"):rep(100000)) end)
waits = spawn(coroutine.resume, co)
repeat sleep(0) until hvc.ports[1].writer
print("coroutine", coroutine.close(co), hvc.ports[1].writer)
waits = spawn(function() con:write "x" end)
repeat sleep(0) until hvc.ports[1].writer
con:close()
waits:wait()
print("closed", hvc.ports[1].writer)
assert(hvc:resume())
assert(other:write("\recho from another\r", {timeout = "60s"}))
print("types", other:expect("\nfrom (%a+)", {timeout = "60s"}))
LUA
is 0 "writes that end while they wait"
out_has "has it	a script"
out_has "cancelled	nil" "one that is cancelled gives the keyboard back"
out_has "late	ETIMEDOUT	nil" "so does one that is too late"
out_has "coroutine	true	nil" "one whose coroutine is closed"
out_has "closed	nil" "one whose reader is closed"
out_has "types	another" "and somebody else types"

sim -d boot_zones.lua
is 0 "a service"
sim attach -e 'con = zones.linux1:device "hvc0":open {back = "all"} con:expect("linux1> ", {timeout = "60s"}) zones.linux1:device "hvc0":pause()'
is 0
# A statement that types more than is taken is ended by a signal to its prompt, when the guest's input is full.
ended_by() {
	local prompt i
	"$HVSH" --sim="$work/m" attach -e 'con:write(("x"):rep(100000))' >/dev/null 2>&1 &
	prompt=$!
	for ((i = 0; i < 600; i++)); do
		sim attach -e 'zones.linux1:device "hvc0".ports[1].writer'
		[ "$out" = "a script" ] && break
		sleep 0.1
	done
	tap $? "a statement has the keyboard"
	kill -"$1" $prompt
	wait $prompt 2>/dev/null
	for ((i = 0; i < 600; i++)); do
		sim attach -e 'zones.linux1:device "hvc0".ports[1].writer'
		[ "$out" = nil ] && break
		sleep 0.1
	done
	[ "$out" = nil ]
	tap $? "$2"
}
ended_by INT "Ctrl-C takes it back"
ended_by KILL "and so does the end of its prompt"
sim attach -e 'zones.linux1:device "hvc0":resume()'
sim stop linux1 linux2
is 0
finish
