# SPDX-License-Identifier: GPL-2.0-or-later
# IVC in scripts: channels of the simulated machine between zone0 and zones, and between two zones.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/page.sh"
replayed docs/ivc.md
. "$HVSH_TESTS/lib/examples.sh"

script() {
	{
		cat "$HVSH_TESTS/lib/until.lua"
		cat <<'LUA'
dofile "ivc.lua"
z = zones.linux1
function ready()
  local con = assert(z:device "hvc0":open {back = "all"})
  assert(con:expect("linux1> ", {timeout = "60s"}))
  return con
end
function ask(con, line, answer)
  assert(con:write(line .. "\r"))
  assert(con:expect("\n", {timeout = "60s"}))
  local found = assert(con:expect(answer, {timeout = "60s"}))
  assert(con:expect("linux1> ", {timeout = "60s"}))
  return found
end
function raises(f, ...)
  local ok, message = pcall(f, ...)
  print(ok and "no error" or message)
end
LUA
		cat
		printf '%s\n' 'os.exit(0)'
	} >script.lua
	run timeout 100 "$HVSH" --sim script.lua
}

# ---- sections

script <<'LUA'
local con = ready()
local c <close> = assert(ivc.open(0))
print("channel", c, c.id, c.peer, c.peers, c.shared, c.out)
print("list", #ivc.list(), ivc.list()[1].id, ivc.list())
for _, grant in ipairs(require("hvsh.sandbox").names(require("hvsh.operate").specs())) do print("grant", grant[1], grant[2]) end
print("guest", ask(con, "ivc list", "ivc 0:[^\r\n]+"))
assert(c:write("shared", 100, "from zone0"))
print("read there", ask(con, "ivc read 0 shared 100 10", "[^\r\n]+"))
assert(c:write(0, 4090, "\0\1last"))
print("own", ask(con, "ivc read 0 0 4090 6", "[^\r\n]+"))
print("theirs", ask(con, "ivc write 0 1 8 their own", "ivc: %w+"), c:read(1, 8, 9))
print("shared", ask(con, "ivc write 0 shared 200 everybody's", "ivc: %w+"), c:read("shared", 200, 11))
print("not theirs", ask(con, "ivc write 0 0 8 x", "ivc: [^\r\n]+"))
print("nothing", #c:read("shared", 4096, 0))
print("beyond", c:read("shared", 4095, 2))
print("far beyond", select(3, c:read("shared", math.maxinteger, math.maxinteger)))
print("no peer", c:read(2, 0, 1))
print("not mine", c:write(1, 0, "x"))
for _, size in ipairs {1, 2, 4, 8} do
  local value = size == 8 and -2 or (1 << 8 * size) - 2
  assert(c:store("shared", 64, size, value))
  print("integer", size, c:load("shared", 64, size) == value, c:load("shared", 64, 1))
end
print("float", c:store("shared", 64, 4, 3.0), math.type(c:load("shared", 64, 4)))
print("load beyond", select(3, c:load(1, 4096, 4)))
print("store not mine", select(3, c:store(1, 0, 4, 1)))
raises(c.load, c, "shared", 2, 4)
raises(c.load, c, "shared", 0, 3)
raises(c.store, c, "shared", 0, 1, 256)
raises(c.store, c, "shared", 0, 4, -1)
raises(c.store, c, "shared", 0, 4, "much")
raises(c.read, c, "everything", 0, 1)
raises(c.read, c, -1, 0, 1)
raises(c.read, c, "shared", -1, 1)
raises(c.write, c, "shared", 0, 5)
raises(c.wait, c, {timeout = "soon"})
raises(c.wait, c, {timeuot = 1})
raises(c.notify, c, "linux1")
raises(ivc.open, "linux1")
raises(c.read, {})
raises(function() return c.size end)
LUA
is 0 "sections"
out_has "channel	ivc 0 (peer 0 of 2)	0	0	2	4096	4096"
out_has "list	1	0	ivc 0"
out_has "grant	write	/dev/hivc0" "a service may open zone0's end of what its script names"
out_has "guest	ivc 0: peer 1 of 2, 4096 bytes shared, 4096 of each, 0 interrupts"
out_has "read there	from zone0" "what zone0 writes the guest reads"
out_has 'own	\x00\x01last' "its own section, too"
out_has "theirs	ivc: written	their own" "and the reverse"
out_has "shared	ivc: written	everybody's"
out_has "not theirs	ivc: Permission denied"
out_has "nothing	0"
out_has "beyond	nil	ERANGE: IVC 0: the shared section has 4096 bytes, and not all of the 2 from 4095 on are in it	ERANGE"
out_has "far beyond	ERANGE"
out_has "no peer	nil	ERANGE: IVC 0 has peers 0 to 1, and no peer 2	ERANGE"
out_has "not mine	nil	EACCES: IVC 0: only peer 1 writes its section; here is peer 0	EACCES"
out_has "integer	1	true	254"
out_has "integer	2	true	254"
out_has "integer	4	true	254"
out_has "integer	8	true	254"
out_has "float	true	integer"
out_has "load beyond	ERANGE"
out_has "store not mine	EACCES"
out_has "load: the offset 2 is no multiple of the size 4" "misuse is an error at once"
out_has "load: an integer has 1, 2, 4 or 8 bytes, not 3"
out_has "store: 256 does not fit into 1 bytes, which hold 0 to 255"
out_has "store: -1 does not fit into 4 bytes"
out_has "store takes an integer, not much"
out_has 'read: a section is "shared" or the number of a peer, not everything'
out_has 'a section is "shared" or the number of a peer, not -1'
out_has "read: the offset is a whole number from 0 on, not -1"
out_has "write takes bytes as a string, not a number"
out_has "wait: timeout: "
out_has "wait has no option timeuot"
out_has "notify: a peer is a whole number from 0 on, not linux1"
out_has "ivc.open: the number of a channel is a whole number from 0 on, not linux1"
out_has "call it with a colon: channel:read()"
out_has "ivc_channel has no field size"

# ---- interrupts

script <<'LUA'
local con = ready()
local c = assert(ivc.open(0))
local second <close> = assert(ivc.open(0))
print("idle", c:wait {timeout = "10ms"})
print("there", c:notify(1), until_(function() return c:load(1, 0, 4) == 1 end))
print("no peer", select(3, c:notify(2)), c:notify(0))
c:wait()
print("ping", ask(con, "ivc ping 0 0", "ivc: %w+"), c:wait {timeout = "60s"}, second:wait {timeout = "60s"})
print("told once", select(3, c:wait {timeout = 0}))
-- It came while nobody waited, and more than once.
for _ = 1, 20 do ask(con, "ivc ping 0 0", "ivc: %w+") end
sleep "20ms"
print("kept", c:wait {timeout = "60s"}, select(3, c:wait {timeout = "10ms"}))
ask(con, "ivc answer 0 0", "ivc: %w+")
local before = c:load(1, 0, 4)
for _ = 1, 1000 do
  assert(c:notify())
  assert(c:wait {timeout = "60s"})
end
print("answers", c:load(1, 0, 4) - before)
-- Not all are waited for.
for i = 1, 300 do
  assert(c:notify())
  if i % 3 == 0 then sleep(0) end
  if i % 7 == 0 then assert(c:wait {timeout = "60s"}) end
end
while c:wait {timeout = "50ms"} do end
assert(c:notify())
print("still heard", c:wait {timeout = "60s"})
local both = 0
local tasks = {}
for i = 1, 2 do tasks[i] = spawn(function() if c:wait {timeout = "60s"} then both = both + 1 end end) end
sleep "10ms"
c:notify()
for _, task in ipairs(tasks) do task:wait() end
print("all who wait", both)
local waiter = spawn(function() return c:wait() end)
sleep "10ms"
c:close()
print("closed", c, waiter:wait())
print("after", c:close(), select(3, c:read("shared", 0, 1)), select(3, c:notify()), select(3, c:wait()), select(3, c:load(0, 0, 4)),
  select(3, c:write(0, 0, "")), select(3, c:store(0, 0, 4, 0)))
LUA
is 0 "interrupts"
out_has "idle	nil	ETIMEDOUT: IVC 0: no interrupt in time	ETIMEDOUT"
out_has "there	true	true" "the guest takes them"
out_has "no peer	ERANGE	true"
out_has "ping	ivc: interrupted	true	true" "zone0 hears them, at each of its ends"
out_has "told once	ETIMEDOUT"
out_has "kept	true	ETIMEDOUT" "those that nobody waited for count once"
out_has "answers	1000" "none is lost"
out_has "still heard	true"
out_has "all who wait	2"
out_has "closed	ivc 0 (peer 0 of 2, closed)	nil	EBADF: IVC 0: this end is closed	EBADF"
out_has "after	nil	EBADF	EBADF	EBADF	EBADF	EBADF	EBADF"

# ---- zones come and go

script <<'LUA'
ready()
local c <close> = assert(ivc.open(0))
assert(c:store(0, 512, 4, 77))
assert(z:stop())
print("stays", c:load(0, 512, 4), c:notify())
assert(z:start())
local con = ready()
print("again", ask(con, "ivc read 0 0 512 4", "[^\r\n]+"))
print("no channel", ivc.open(5))
print("order", c:store("shared", 0, 4, 1), c:notify())
until_(function() return z:state() ~= "running" and z:state() ~= "same" end)
print(con:expect("powering off, as told over ivc 0", {timeout = "60s"}))
LUA
is 0 "zones that come and go"
out_has "stays	77	true" "zone0's end stays when the zone has gone"
out_has "again	M\\x00\\x00\\x00" "and has the same memory with the next one"
out_has "no channel	nil	ENOENT: IVC 5: no such channel; the simulated machine has those of the zones that were started	ENOENT"
out_has "powering off, as told over ivc 0" "a guest ends when it is told to"

cat >pair.lua <<'LUA'
local function guest(id, peer, window)
  return zone("z" .. id) {
    id = id, cpus = {id + 1}, board = require "board.qemu_virt", ram = {at = 0x50000000 + id * 0x4000000, size = "64M"},
    kernel = {image = "images/unikernel-arm64.bin", at = 0x50000000 + id * 0x4000000}, irqs = {60 + id},
    dtb = "auto", devices = {console "hvc0" {at = window}},
    ivc = {{id = 9, peer = peer, peers = 2, control = 0x70000000, shared = 0x70001000, rw_size = "4K", out_size = "4K", irq = 60 + id}},
  }
end
local a, b = guest(1, 0, 0xa003800), guest(2, 1, 0xa003200)
assert(zones.start())
local function open(zone)
  local con = assert(zone:device "hvc0":open {back = "all"})
  assert(con:expect("z%d> ", {timeout = "60s"}))
  return con
end
local ca, cb = open(a), open(b)
assert(ca:write "ivc write 9 0 8 good morning\r")
assert(ca:expect("written", {timeout = "60s"}))
assert(cb:write "ivc read 9 0 8 12\r")
print(cb:expect("good morning", {timeout = "60s"}))
for _ = 1, 3 do
  assert(ca:write "ivc ping 9 1\r")
  assert(ca:expect("interrupted", {timeout = "60s"}))
end
repeat
  assert(cb:write "ivc list\r")
  local n = tonumber(cb:expect("(%d+) interrupts", {timeout = "60s"}))
until n > 0
print("heard")
print("zone0", ivc.open(9))
print("list", #ivc.list())
os.exit()
LUA
run timeout 60 "$HVSH" --sim pair.lua
is 0 "two zones on a channel"
out_has "good morning" "read what each other wrote"
out_has "heard" "and are interrupted"
out_has "zone0	nil	ENOENT: IVC 9: all of its 2 peers are zones, and none is zone0	ENOENT"
out_has "list	0"

# ---- supervision

script <<'LUA'
local s = dofile "policies/ivc_heartbeat.lua" (z, {channel = 0, peer = 1, within = "10s"})
print("ready", s:wait {timeout = "60s"})
ready()
local c <close> = assert(ivc.open(0))
until_(function() return c:load(1, 0, 4) >= 2 end)
print("beats", s:status()[1].state, s:status()[1].failures)
local con = ready()
print("stop", s:stop())
print("asked", con:expect("powering off, as told over ivc 0", {timeout = "60s"}), s:status()[1].state)
s:close()
s = require "policy.supervise" {
  {z, watchdog = {heartbeat = function() return assert(c:load(1, 0, 4)) end, within = "200ms"}},
  backoff = {from = "1h", to = "1h"},
}
until_(function() return s:status()[1].state == "backoff" end)
print("silent", s:status()[1].reason)
s:close()
assert(z:start())
s = require "policy.supervise" { {z, stop = function() return c:notify(5) end} }
s:wait()
print("stop", s:stop(), s:status()[1].state)
LUA
is 0 "supervision"
out_has "ready	true"
out_has "beats	ready	0" "interrupts that are counted are a heartbeat"
out_has "stop	true"
out_has "asked	powering off, as told over ivc 0	stopped" "a guest is asked to end over the channel"
out_has "silent	its heartbeat did not come for 0.2 s" "a count that stands still is none"
err_has "zone linux1 cannot be asked to end: IVC 0 has peers 0 to 1, and no peer 5" "one that cannot be asked is taken down"
out_has "stop	true	stopped"

# ---- without a machine

cat >reads.lua <<'LUA'
dofile "ivc.lua"
local c <close> = assert(ivc.open(0))
error "not reached"
LUA
run "$HVSH" --sim check reads.lua
is 0 "a script that opens a channel can be checked"
out_has "1 zone, nothing wrong"
if [ ! -e /dev/hivc0 ]; then
	run "$HVSH" -e 'print(ivc.open(0)) print(#ivc.list())'
	is 0 "without --sim"
	out_has "nil	ENOENT: /dev/hivc0: no such channel; hvisor gives this zone none, or the kernel module ivc is not loaded	ENOENT"
	out_has "0"
fi
finish
