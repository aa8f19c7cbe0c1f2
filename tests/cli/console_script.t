# SPDX-License-Identifier: GPL-2.0-or-later
# Scripts at a console that goes at its own speed: a guest that prints without end, or takes no input.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

script() {
	{
		printf '%s\n' 'dofile "long.lua"' 'local z = zones.linux1' 'local hvc = z:device "hvc0"'
		cat
		printf '%s\n' 'assert(zones.stop())'
	} >script.lua
	run timeout 120 "$HVSH" --sim script.lua
}

# linux1 keeps more of its output than a reader keeps of what it looks through.
sed '/"hvc0" { at = 0xa003800 }/s/ }/, scrollback = "4M" }/' boot_zones.lua >long.lua
grep -q 4M long.lua
tap $? "a long scrollback"

# ---- output that is there whenever somebody looks

script <<'LUA'
local con, end_ = assert(hvc:open {back = "all"}), assert(hvc:open())
con:expect("linux1> ", {timeout = "60s"})
local function rest()
	local n = 0
	for text in function() return (con:read {timeout = 0}) end do n = n + #text end
	return n
end
assert(con:write(("help\n"):rep(10000) .. "echo the end\n", {timeout = "60s"}))
assert(end_:expect("\nthe end", {timeout = "60s"}))
local turn, reads = false, 0
spawn(function() turn = true end)
repeat
	local text = con:read()
	reads = reads + 1
	local start = os.clock()
	repeat until os.clock() - start > 0.05
until turn
print("turn", reads < 10)
print("gsub", ("x"):gsub("x", function() return #con:read() > 0 and "read" end))
print("expect", select(3, con:expect("never", {timeout = 0})))
print("rest", rest() > 2 << 20)
-- What is typed and taken back is printed, in one line.
assert(con:write(("x\b"):rep(550000) .. "\necho the next\n", {timeout = "60s"}))
assert(end_:expect("\nthe next", {timeout = "60s"}))
print("lines", con:lines {timeout = 0}())
print("rest", rest() > 2 << 20)
assert(con:write(("x\b"):rep(300000) .. "\necho 1\n", {timeout = "60s"}))
local line = con:lines {timeout = "60s"}()
print("long line", #line > 1000000 and #line <= 1 << 20)
print("later", con:expect("\n(1)", {timeout = "60s"}))
LUA
is 0 "a guest that prints faster than it is read"
out_has "turn	true" "leaves other tasks their turn"
out_has "gsub	read" "is read where nothing can wait"
out_has $'expect	ETIMEDOUT\nrest	true' "expect ends when its time is over"
out_has $'lines\nrest	true' "so do lines"
out_has "long line	true" "a line has a largest size"
err_has "warn: linux1/hvc0: a line is longer than 1M: its beginning is lost" "which is said"
out_has "later	1" "and the reader goes on"

# ---- output that is overwritten before somebody looks

script <<'LUA'
hvc = zones.linux2:device "hvc0"
local function open() return assert(hvc:open {back = "all"}) end
local typist = open()
typist:expect("linux2> ", {timeout = "60s"})
local function type(text)
	assert(typist:write(text .. "\n", {timeout = "60s"}))
	assert(typist:expect("\n" .. text:match "%w+$" .. "\r", {timeout = "60s"}))
end
type "echo before"
local reader, seeker, liner = open(), open(), open()
print("nothing missing", select("#", reader:read {timeout = "60s"}))
print("kept", select(3, seeker:expect("never", {timeout = 0})))
for _ = 1, 2 do
	type(("help\n"):rep(1000) .. "echo after")
	local text, missing = reader:read()
	print("missing", math.type(missing), missing > 0, select("#", reader:read()))
	print("sought", seeker:expect({"before.*\nafter", "\n(after)", timeout = 0}))
	print("none since", select("#", seeker:read {timeout = "60s"}))
	local text = ""
	for line in liner:lines {timeout = 0} do text = text .. line .. "\n" end
	print("lines", #text > 1000, text:sub(-6))
end
LUA
is 0 "readers that are too slow"
out_has "nothing missing	1"
out_has "missing	integer	true	1" "a read says how much is missing, once"
out_has $'kept	ETIMEDOUT' "a text from before a gap"
out_has "sought	2	after" "is not joined to what is behind it"
out_has "none since	1"
out_has $'lines	true	after\n' "lines go on behind the gap"
# The typist is one more where it was too slow itself.
n=$(grep -c 'warn: linux2/hvc0: a script reads its output too slowly: [1-9][0-9]* bytes are lost to it so far' <<<"$err")
[ "$n" = 3 ] || [ "$n" = 4 ]
tap $? "each reader is told of once"

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
