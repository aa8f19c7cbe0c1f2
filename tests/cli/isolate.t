# SPDX-License-Identifier: GPL-2.0-or-later
# Policies that nobody trusts, over the disk of a guest: in a state and in a process of their own.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
trap 'stop_held "$work"/*/lock; rm -rf "$work"' EXIT

script() {
	{
		cat "$HVSH_TESTS/lib/until.lua"
		cat <<'LUA'
dofile "boot_zones.lua"
local z = zones.linux1
local root = z:device "root"
local con = assert(z:device "hvc0":open {back = "all"})
con:expect("%w+> ", {timeout = "60s"})
function guest(line)
	assert(con:write(line .. "\r"))
	return (con:expect("\n([^\n]*)\r\n%w+> ", {timeout = "60s"}))
end
function write(name, text)
	local f = assert(io.open(name, "w"))
	f:write(text)
	f:close()
	return name
end
-- Threads, descriptors and processes that there are because of this one.
function count(folder)
	local n = 0
	local pipe = io.popen("ls /proc/" .. hv_pid() .. "/" .. folder .. " | wc -l")
	n = pipe:read "n"
	pipe:close()
	return n
end
function hv_pid()
	local f = io.open "/proc/self/stat"
	local pid = f:read "n"
	f:close()
	return pid
end
function children()
	local pipe = io.popen("pgrep -c -P " .. hv_pid() .. " -x hvsh-keeper")
	local n = pipe:read "n"
	pipe:close()
	return n
end
function policy(isolate, text, more)
	local options = {ops = {"write"}, file = write("policy.lua", text), isolate = isolate, timeout = "30s"}
	for key, value in pairs(more or {}) do options[key] = value end
	if options.on_overload == "stall" then options.timeout = nil end
	return root:policy(options)
end
LUA
		cat
	} >script.lua
	run timeout 400 "$HVSH" --sim script.lua
}

# ---- what a file may be

script <<'LUA'
log.level "info"
for _, isolate in ipairs {"state", "process"} do
	local g = assert(policy(isolate, [[
		local allowed, more = ...
		print("serving", more.name)
		return {decide = function(r) if r.sector == allowed then return end return "deny", "unsupp" end}
	]], {args = {16, {name = "a \"b\"\n"}}}))
	print(isolate, guest "write 8K x", "|", guest "write 0 x", g)
	local s = g:stats()
	print(isolate, "stats", s.state, s.asked, s.answered, s.denied, s.failures, s.reason)
	print(isolate, "closed", g:close(), g.state, guest "write 0 x")
	print(isolate, "missing", root:policy {file = "none.lua", isolate = isolate})
	print(isolate, "folder", root:policy {file = "images", isolate = isolate})
	print(isolate, "text", policy(isolate, "return 1 +"))
	print(isolate, "code", policy(isolate, string.dump(function() end)))
	print(isolate, "value", policy(isolate, "return 7"))
	print(isolate, "exit", policy(isolate, "os.exit(3)"))
	print(isolate, "open", policy(isolate, "io.open '/etc/passwd'"))
	print(isolate, "script", policy(isolate, "zones.linux1:stop()"))
	print(isolate, "loads for ever", policy(isolate, "while true do end"))
	print(isolate, "takes all", policy(isolate, "return ('x'):rep(1 << 30)"))
	print(isolate, "large", policy(isolate, "return 1" .. (" "):rep(1 << 18)))
end
for _, isolate in ipairs {"state", "process"} do
	local g = assert(policy(isolate, [[return function()
		if os.time {year = 2026, month = 1, day = 2, hour = 12} > 0 and os.date "*t".year > 2000 then return "deny", "unsupp" end
	end]]))
	print(isolate, "clock", guest "write 0 x", g.state)
	g:close()
end
print("bomb while loading", policy("process", "(('a'):rep(100000)):match '.-.-.-.-.-.-.-b'"))
for _, options in ipairs {
	{decide = print, file = "x"}, {}, {decide = print, memory = "1M"}, {file = 7}, {file = "x", isolate = "jail"},
	{file = "x", memory = "1K"}, {file = "x", memory = "1G"}, {file = "x", deadline = "1h"}, {file = "x", args = {print}},
	{file = "x", args = "x"}, {file = "x", args = {("x"):rep(20000)}}, {file = "x", isolated = "process"},
} do
	print(select(2, pcall(root.policy, root, options)))
end
print("untouched", guest "write 0 x")
assert(zones.stop())
LUA
is 0 "files that are policies, and others"
for isolate in state process; do
	out_has "$isolate	clock	write: Operation not supported	active" "$isolate: knows the time"
	out_has "$isolate	1 bytes written at 8192	|	write: Operation not supported	policy of linux1/root: active" "$isolate: decides"
	out_has "$isolate	stats	active	2	2	1	0	nil"
	out_has "$isolate	closed	true	closed	1 bytes written at 0"
	out_has "$isolate	missing	nil	ENOENT: none.lua: No such file or directory	ENOENT"
	out_has "$isolate	folder	nil	EINVAL: images: a policy is read from a file	EINVAL"
	out_has "$isolate	text	nil	EINVAL: policy.lua:1: unexpected symbol near <eof>	EINVAL"
	out_has "$isolate	code	nil	EINVAL: policy.lua: attempt to load a binary chunk (mode is 't')	EINVAL"
	out_has "$isolate	value	nil	EINVAL: policy.lua returns no function, and no table with a function decide	EINVAL"
	out_has "$isolate	exit	nil	EINVAL: policy.lua:1: attempt to call a nil value (field 'exit')	EINVAL"
	out_has "$isolate	open	nil	EINVAL: policy.lua:1: attempt to index a nil value (global 'io')	EINVAL"
	out_has "$isolate	script	nil	EINVAL: policy.lua:1: attempt to index a nil value (global 'zones')	EINVAL"
	out_has "$isolate	loads for ever	nil	EINVAL: policy.lua:1: it has used up its 250ms of processor time	EINVAL"
	out_has "$isolate	takes all	nil	EINVAL: policy.lua: it has used up its 4M of memory	EINVAL"
	out_has "$isolate	large	nil	EFBIG: policy.lua: a policy's file has 131072 bytes at most	EFBIG"
done
out_has "bomb while loading	nil	ETIMEDOUT: policy.lua: its process was killed: it has not answered in 5000 ms	ETIMEDOUT"
out_has "untouched	1 bytes written at 0"
out_has "policy: file is given besides decide; one of them decides"
out_has 'policy: decide is missing: a function, or file = "policy.lua"'
out_has 'policy: memory is for a policy from a file (file = "policy.lua")'
out_has 'policy: file is 7; it is the name of a script, as "policy.lua"'
out_has 'policy: isolate is jail; it is "state" or "process"'
out_has "policy: memory is 1K; with isolate = \"state\" it is 256K to 4M"
out_has "policy: deadline is 1h; it is 10s at most"
out_has "policy: args has a function; it is data"
out_has "policy: args is larger than 16384 bytes"
out_has "policy has no option isolated (did you mean isolate?)"
err_has 'linux1/root: its policy: serving a "b"' "what it prints is in the log"

# ---- policies that do harm: each is stopped and told, and the disk goes on as declared

script <<'LUA'
log.level "error"
assert(policy("process", "return function() end")):close()
local before = {threads = count "task", fds = count "fd", processes = children()}
local bodies = {
	{"loops", "while true do end"},
	{"catches", "while true do pcall(function() while true do end end) end"},
	{"allocates", "local t = {} while true do t[#t + 1] = {} end"},
	{"repeats", "return ('x'):rep(1 << 30)"},
	{"recurses", "local function f(...) return 1 + f(1, ...) end f()"},
	{"raises", "error 'out of order'"},
	{"answers", "return 7"},
	{"opens", "io.open '/etc/passwd'"},
	{"handles", "xpcall(error, function() while true do end end)"},
}
for _, isolate in ipairs {"state", "process"} do
	for _, body in ipairs(bodies) do
		local text = ("return function(r) if r.sector ~= 0 then %s end end"):format(body[2])
		local g = assert(policy(isolate, text, {on_error = "deny", memory = "1M"}))
		print(isolate, body[1], guest "write 8K x", guest "write 0 x", g.state)
		g = assert(policy(isolate, text, {on_overload = "pass", memory = "1M"}))
		print(isolate, body[1], "passes", guest "write 8K x")
		for _ = 1, 9 do guest "write 8K x" end
		until_(function() return g.state == "failed" end)
		print(isolate, body[1], g, g:stats().failures, guest "write 8K x")
		g:close()
	end
end
-- In C, where no hook is called.
local bomb = "return function(r) if r.sector ~= 0 then return (('a'):rep(100000)):match '.-.-.-.-.-.-b' end end"
local g = assert(policy("state", bomb))
print("bomb", guest "write 8K x", guest "write 0 x", g.state)
g = assert(policy("process", bomb, {timeout = "50ms"}))
print("bomb late", guest "write 8K x")
until_(function() return g.state == "failed" end)
print("bomb", g, guest "write 0 x")
-- Killed by somebody.
g = assert(policy("process", "return function() end", {on_overload = "pass"}))
print("killed before", guest "write 0 x", g.state)
os.execute("pkill -KILL -x hvsh-cell -s $(pgrep -x hvsh-keeper -P " .. hv_pid() .. ")")
until_(function() return g.state == "failed" end)
print("killed", g, g:stats().reason, guest "write 0 x")
-- One that waits for ever is replaced, and what waits is put to its successor.
g = assert(policy("process", "return function() while true do end end", {on_overload = "stall", deadline = "10s"}))
assert(con:write "write 0 stalled\r")
until_(function() return g:stats().waiting == 1 end)
local second = assert(policy("state", "return function() return 'deny' end", {on_overload = "stall"}))
print("replaced", (con:expect("\n([^\n]*)\r\n%w+> ", {timeout = "60s"})), g.state, second.state)
second:close()
-- Its device goes.
g = assert(policy("process", "return function() end"))
local net = assert(z:device "eth0":policy {file = "policy.lua"})
assert(z:device "root":detach())
assert(z:device "eth0":detach())
until_(function() return children() == before.processes and count "task" <= before.threads end)
print("gone", g.state, net.state, count "fd" <= before.fds, children())
assert(zones.stop())
LUA
is 0 "policies that do harm"
reason="it has failed 10 times in a row"
for isolate in state process; do
	for body in loops catches allocates repeats recurses raises answers opens; do
		out_has "$isolate	$body	write: Input/output error	1 bytes written at 0	active" "$isolate: one that $body"
		out_has "$isolate	$body	passes	1 bytes written at 8192" "$isolate: one that $body, with pass"
		out_has "$isolate	$body	policy of linux1/root: failed: $reason	10	1 bytes written at 8192" "$isolate: is given up"
	done
done
out_has "bomb	write: Input/output error	1 bytes written at 0	active" "there are no patterns where nobody can be killed"
out_has "bomb late	write: Input/output error" "the guest does not wait for the bomb"
out_has "bomb	policy of linux1/root: failed: its process was killed: it has not answered in 2010 ms	write: Input/output error"
out_has "killed before	1 bytes written at 0	active"
out_has "killed	policy of linux1/root: failed: its process was killed by signal 9 (Killed)"
out_has "replaced	write: Input/output error	closed	active"
out_has "gone	closed	closed	true	0" "nothing is left of them"
err_has "linux1/root: its policy failed, and a request was denied: policy.lua:1: it has used up its 10ms of processor time"
err_has "its policy is not asked any more, until it is closed or replaced: its process was killed by signal 9 (Killed); the requests it was for are allowed"

# ---- in a service whose sandbox is closed

cat >inside.lua <<'LUA'
dofile "boot_zones.lua"
spawn(function()
	while not tostring(hv.sandbox):find "^capabilities" do sleep "20ms" end
	local z = zones.linux1
	local con = assert(z:device "hvc0":open {back = "all"})
	con:expect("%w+> ", {timeout = "60s"})
	for _, isolate in ipairs {"state", "process"} do
		local g, why = z:device "root":policy {file = "deny.lua", ops = {"write"}, isolate = isolate}
		assert(con:write "write 0 x\r")
		print(isolate, (con:expect("\n([^\n]*)\r\n%w+> ", {timeout = "30s"})), g or why)
	end
	print("unnamed", z:device "root":policy {file = "/etc/hostname"})
	assert(zones.stop())
end)
LUA
echo 'return function() return "deny" end' >deny.lua
run timeout 400 "$HVSH" --sim=i inside.lua
is 0 "a service in its sandbox"
out_has "state	write: Input/output error	policy of linux1/root: active"
out_has "process	write: Input/output error	policy of linux1/root: active" "its opener starts the process"
out_has "unnamed	nil	E"

# ---- the service ends: by a signal, and killed

cat >ends.lua <<'LUA'
dofile "boot_zones.lua"
local root = zones.linux1:device "root"
local con = assert(zones.linux1:device "hvc0":open {back = "all"})
con:expect("%w+> ", {timeout = "60s"})
local hang = assert(io.open("hang.lua", "w"))
hang:write "return function() while true do end end"
hang:close()
local g = assert(root:policy {file = "hang.lua", ops = {"write"}, isolate = "process", deadline = "10s"})
assert(zones.linux2:device "root":policy {file = "hang.lua", isolate = "state", deadline = "10s"})
assert(con:write "write 0 x\r")
while g:stats().waiting == 0 do sleep "5ms" end
local pipe = io.popen("pgrep -P $(pgrep -P $PPID -x hvsh-keeper)")
print(pipe:read "n")
io.stdout:flush()
pipe:close()
if arg[1] == "exit" then os.exit(0) end
if arg[1] == "kill" then os.execute "kill -KILL $PPID" end
LUA
for how in exit close kill; do
	rm -f pid
	timeout 300 "$HVSH" --sim ends.lua $how >pid 2>/dev/null &
	service=$!
	for ((i = 0; i < 1200; i++)); do
		[ -s pid ] && break
		sleep 0.1
	done
	pid=$(cat pid 2>/dev/null)
	# timeout hands it on.
	[ $how != close ] || kill $service
	wait $service
	for ((i = 0; i < 600; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	[ -n "$pid" ] && ! kill -0 "$pid" 2>/dev/null
	tap $? "the process of a policy ends with its service ($how)"
done
finish
