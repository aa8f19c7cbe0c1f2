# SPDX-License-Identifier: GPL-2.0-or-later
# Events of real zones on the simulated machine: in scripts, which go on for them, and followed by `hvsh events`.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

script() {
	{
		printf '%s\n' 'dofile "boot_zones.lua"' 'local z = zones.linux1'
		cat
	} >script.lua
	run timeout 120 "$HVSH" --sim script.lua
}
# Until the file has the text; 60 s at most.
until_file() {
	local i
	for ((i = 0; i < 600; i++)); do
		grep -qF -- "$2" "$1" 2>/dev/null && break
		sleep 0.1
	done
	out=$(cat "$1")
}
# Types a line at a guest's console once it answers.
guest() {
	local i
	for ((i = 0; i < 300; i++)); do
		printf '%s\r' "$2" | timeout 60 "$HVSH" --sim="$work/m" console --back all "$1" >.typed 2>&1
		grep -q "$2" .typed && return
		sleep 0.1
	done
}

# ---- a script that waits for a zone

script <<'LUA'
local function try(...) print(select(2, pcall(...))) end
assert(zones.stop())
print("before", z:wait("exit", {timeout = "60s"}))
print("not yet", z:wait("start", {timeout = "20ms"}))
spawn(function() sleep "50ms" assert(zones.start()) end)
print("started", z:wait("start", {timeout = "60s"}))
print("still", z:wait {timeout = 0})
local con = assert(z:device "hvc0":open {back = "all"})
assert(con:expect("linux1> ", {timeout = "60s"}))
spawn(function() con:write "panic\r" end)
print("end", z:wait {timeout = "60s"})
print("listed", z:wait("exit", {timeout = 0}))
local both = spawn(function() return z:wait({"exit", "start"}, {timeout = "60s"}) end)
local cut = spawn(function() return z:wait("start", {timeout = "60s"}) end)
sleep(0)
cut:cancel()
assert(z:stop())
print("both", both:wait())
local other = zones.linux2:device "hvc0":open {back = "all"}
assert(other:expect("linux2> ", {timeout = "60s"}))
spawn(function() other:write "poweroff\r" end)
print("by itself", zones.linux2:wait())
try(function() z:wait "exits" end)
try(function() z:wait("exit", "1s") end)
try(function() z:wait {timout = "1s"} end)
try(function() z:wait("exit", {timeout = "1 sec"}) end)
try(function() z.wait "exit" end)
LUA
is 0 "a script that waits for a zone"
out_has "before	exit" "what is so is not waited for"
out_has "not yet	nil	ETIMEDOUT: zone linux1 does not run	ETIMEDOUT"
out_has "started	start" "its start"
out_has "still	nil	ETIMEDOUT: zone linux1 runs	ETIMEDOUT"
out_has "end	error" "a crash is an end"
out_has "listed	nil	ETIMEDOUT: zone linux1 has crashed	ETIMEDOUT"
out_has "both	exit" "one of a list"
out_has "by itself	exit" "an end that nobody tells of"
out_has "script.lua:25: wait: there is nothing called exits to wait for (did you mean exit?)"
out_has 'script.lua:26: wait takes a table of options: {timeout = "10s"}'
out_has "script.lua:27: wait has no option timout (did you mean timeout?)"
out_has 'script.lua:28: wait: timeout: "1 sec" is no duration'
out_has "script.lua:29: call it with a colon: zone:wait()"

# ---- in a script

script <<'LUA'
local began, heard = os.time(), {}
local function note(e) heard[#heard + 1] = ("%s:%s"):format(e.event, e.what or "-") end
local function wait(word)
	for _ = 1, 3000 do
		for _, h in ipairs(heard) do if h == word then return true end end
		sleep "10ms"
	end
	return false
end
local function ready()
	local con = assert(z:device "hvc0":open {back = "all"})
	con:expect("> ", {timeout = "30s"})
	return con
end
ready()
heard = {}
z:on("start", note)
z:on("exit", note)
z:on("error", function(e)
	note(e)
	print("message", e.message, e.zone, e.id, e.device, e.time >= began and e.time < os.time() + 1)
end)
assert(z:restart())
print("restart", wait "start:-", heard[1], heard[2], #heard)
heard = {}
assert(ready():write("panic\r"))
print("panic", wait "error:-", #heard)
heard = {}
assert(z:stop())
print("stop", wait "exit:stopped", #heard)
assert(z:start())
wait "start:-"
heard = {}
assert(ready():write("poweroff\r"))
print("poweroff", wait "exit:ended", #heard)
heard = {}
assert(z:start())
print("again", wait "start:-")
-- Of another zone nothing was heard.
heard = {}
assert(zones.linux2:stop())
sleep(0)
sleep(0)
print("other", #heard)
-- A device by itself, and all of a zone.
local root, all = z:device "root", {}
local on_root = root:on(function(e) all[#all + 1] = e.device .. ":" .. e.what .. ":" .. e.message end)
local eth = {}
local on_zone = z:on("device", function(e) if e.device == "eth0" then eth[#eth + 1] = e.what .. ":" .. e.message end end)
assert(z:device "eth0":link(false))
-- Its driver may get ready before or after.
local function link_of(list)
	for _, line in ipairs(list) do if line:find "^link" then return line end end
end
for _ = 1, 3000 do if link_of(eth) then break end sleep "10ms" end
print("link", link_of(eth))
on_root:close()
on_zone:close()
-- Said 400 times; told at once, and then how often.
local links = {}
local on_link = z:device "eth0":on(function(e) if e.what == "link" then links[#links + 1] = e end end)
for i = 1, 400 do assert(z:device "eth0":link(i % 2 == 1)) end
local function said()
	local n = 0
	for _, e in ipairs(links) do n = n + 1 + (e.left_out or 0) end
	return n
end
for _ = 1, 3000 do if said() == 400 then break end sleep "10ms" end
print("flood", said(), #links < 40, links[#links].message)
on_link:close()
-- Its driver agrees on features before it is ready.
local lives = {}
local on_life = z:on("device", function(e)
	if e.device == "root" and e.what ~= "reset" then lives[#lives + 1] = e end
end)
assert(z:restart())
for _ = 1, 3000 do if #lives >= 2 then break end sleep "10ms" end
print("life", lives[1].what, lives[2].what, lives[1].message)
on_life:close()
root = z:device "root"
-- As many frames as its queue has entries, of which one a second goes on.
local con, eth0, full = ready(), z:device "eth0", nil
local on_full = eth0:on(function(e) if e.what == "full" then full = e.message end end)
assert(eth0:limit {iops = 1, burst = 1})
con:write(("say ff:ff:ff:ff:ff:ff x\r"):rep(66))
for _ = 1, 3000 do if full then break end sleep "10ms" end
print("full", full)
on_full:close()
assert(eth0:limit {})
root:detach()
print("gone", root:on(print))
assert(z:stop())
LUA
is 0 "a script hears of its zone"
out_has "restart	true	exit:stopped	start:-	2" "a restart is an end and a beginning, in this order"
out_has "message	zone linux1 (1) has crashed; it stays in hvisor's list until it is stopped	linux1	1	nil	true"
out_has "panic	true	1" "a crash is an error, once"
out_has "stop	true	1" "what hvsh stopped has not ended by itself"
out_has "poweroff	true	1" "a zone that ends by itself is noticed"
out_has "again	true"
out_has "other	0" "zones are told apart"
out_has "link	link:linux1/eth0: link down"
out_has "flood	400	true	linux1/eth0: link down" "a flood is told in a few events, the last one included"
out_has "life	negotiated	ready	linux1/root: its driver takes the features 0x" "features come first"
out_has "full	linux1/eth0: queue 1 is full: 64 requests wait in it" "a queue without a free entry is said"
out_has "gone	nil	ENODEV: the device is gone	ENODEV"

# A supervisor without devices: it is there for as long as its zone is.
cat >watch.lua <<'LUA'
local image = assert(io.open("image.bin", "wb"))
image:write(("x"):rep(4096))
image:close()
local z = zone "plain" {
  id = 3, cpus = {2}, ram = {at = 0x50000000, size = "32M"}, kernel = {image = "image.bin", at = 0x50000000},
  board = require "board.qemu_virt",
}
local n = 0
z:on("exit", function(e)
  n = n + 1
  print("exit", n, e.what)
  if n == 3 then print("enough") return end
  assert(z:start())
  after("1ms", function() assert(z:stop()) end)
end)
assert(z:start())
after("1ms", function() assert(z:stop()) end)
print "the script is over"
LUA
run timeout 120 "$HVSH" --sim watch.lua
is 0 "a script goes on for a zone that it listens to"
out_has $'the script is over\nexit	1	stopped\nexit	2	stopped\nexit	3	stopped\nenough' "and its callback starts it again"

# Nothing of the script's own is left to do; what runs is the zone.
cat >alone.lua <<'LUA'
local z = zone "plain" {
  id = 3, cpus = {2}, ram = {at = 0x50000000, size = "32M"}, kernel = {image = "image.bin", at = 0x50000000},
  board = require "board.qemu_virt",
}
z:on("exit", function(e) print("exit", e.what) end)
assert(z:start())
io.stdout:write "the script is over\n"
io.stdout:flush()
LUA
bounded 100 "$HVSH" --sim="$work/m5" alone.lua >alone.txt 2>alone.err &
alone=$!
echo $alone >pids
until_file alone.txt "the script is over"
kill -TERM $alone
wait $alone
code=$? err=$(cat alone.err)
is 143 "a script without devices and tasks is there for as long as the zone runs"

cat >fails.lua <<'LUA'
dofile "boot_zones.lua"
zones.linux1:on("exit", function() error "a bad callback" end)
zones.linux1:on("exit", function() print "a good one" os.exit(0) end)
after("1ms", function() zones.linux1:stop() end)
LUA
run timeout 120 "$HVSH" --sim fails.lua
is 0 "a callback that fails"
err_has "fails.lua:2: a bad callback" "is in the log"
out_has "a good one" "and keeps nobody else from being called"

cat >reads.lua <<'LUA'
dofile "boot_zones.lua"
local h <close> = zones.linux1:on("exit", function() error "not to be called" end)
event.listen(function() error "not to be called" end)
h:close()
LUA
run hvsh --sim check reads.lua
is 0 "check of a script that listens"
out_has "2 zones, nothing wrong"

# ---- followed from elsewhere

sim events
is 1 "without a service"
err_has "no service"
sim -d boot_zones.lua
is 0 "a service"
guest linux1 "echo it answers"
guest linux2 "echo it answers"
bounded 100 "$HVSH" --sim="$work/m" events >events.txt 2>events.err &
text=$!
bounded 100 "$HVSH" --sim="$work/m" events --json >events.json 2>json.err &
objects=$!
echo "$text $objects" >pids
comes() {
	until_file events.txt "$1"
	out_has "$1" "${2:-shows $1}"
}
# They listen once something that is done again and again is heard of by both.
for ((i = 0; i < 100; i++)); do
	sim restart linux2
	grep -q "has started" events.txt && grep -q "has started" events.json && break
done
guest linux2 "echo it answers"
guest linux1 panic
comes "  error   zone linux1 (1) has crashed" "a crash is shown"
comes "  exit    zone linux2 (2) was stopped"
comes "  start   zone linux2 (2) has started"
comes "  ready   linux2/root: its driver is ready"
guest linux2 poweroff
comes "  exit    zone linux2 (2) has ended, by itself or by another program"
for word in '"ready"' '"reset"' '"ended"'; do until_file events.json "$word"; done
kill -INT $text
wait $text
code=$? out= err=$(cat events.err)
is 130 "Ctrl-C ends it"
[ ! -s events.err ]
tap $? "without a word"
kill -TERM $objects
wait $objects 2>/dev/null
cat >read.lua <<'LUA'
local json, n, kinds = require "hvsh.json", 0, {}
for line in io.lines "events.json" do
	local e = assert(json.decode(line))
	assert(math.type(e.time) and e.zone and e.id and e.message and e.event)
	assert((e.event == "device") == (e.device ~= nil))
	kinds[e.event .. (e.what and ":" .. e.what or "")], n = true, n + 1
end
for _, kind in ipairs {"start", "error", "exit:stopped", "exit:ended", "device:ready", "device:reset"} do
	print(kind, kinds[kind])
end
LUA
run hvsh read.lua
is 0 "one object on each line"
out_lacks "nil" "of every kind: $out"

# One that goes while what it asks for waits behind the requests of others: nothing is sent to it.
cat >gone.pl <<'PERL'
use IO::Socket::UNIX;
alarm 60;
$SIG{PIPE} = "IGNORE";
sub frame { my ($type, $bytes) = @_; pack("VCCv", length $bytes, $type, 0, 0) . $bytes }
my @s = map { IO::Socket::UNIX->new(Peer => "m/control") or die } 1 .. 3;
for (@s) {
	syswrite $_, frame(1, q({"protocol":1,"oldest":1})) . frame(2, pack("V", 99) . q({"request":"log"}));
	sysread $_, my $reply, 4096;
}
kill STOP => $ARGV[0];
for my $s (@s[0, 1]) { syswrite $s, join "", map { frame(2, pack("V", $_) . q({"request":"list"})) } 1 .. 64 }
syswrite $s[2], frame(2, pack("V", 1) . q({"request":"events"}));
close $s[2];
kill CONT => $ARGV[0];
PERL
cat >lost.lua <<'LUA'
do
	local core, event, lost, heard = require "hvsh.core", require "hvsh.event", 0, false
	local send, stop = core.control_event, event.listen(function() heard = true end)
	core.control_event = function(...)
		local there = send(...)
		if not there then lost = lost + 1 end
		return there
	end
	event.emit {event = "device", what = "ready", zone = "linux1", device = "root"}
	while not heard do sleep "1ms" end
	stop()
	core.control_event = send
	print(lost)
end
LUA
for ((i = 0; i < 5; i++)); do perl gone.pl "$(cat m/lock)"; done
for ((i = 0; i < 50; i++)); do
	sim attach -e "$(cat lost.lua)"
	[ "$out" = 0 ] && break
	sleep 0.1
done
out_is 0 "who has gone before its turn is told nothing"

# One that never reads: the service goes on, and the events of all others with it.
perl -MIO::Socket::UNIX -e '
	my $s = IO::Socket::UNIX->new(Peer => "m/control") or exit 1;
	my $hello = q({"protocol":1,"program":"a test"});
	my $ask = pack("V", 1) . q({"request":"events"});
	print $s pack("V C C v", length $hello, 1, 0, 0) . $hello . pack("V C C v", length $ask, 2, 0, 0) . $ask;
	$s->flush;
	open my $ready, ">", "deaf";
	print $ready "asked\n";
	close $ready;
	sleep 90;
' &
deaf=$!
echo $deaf >pids
until_file deaf asked
for ((i = 0; i < 5; i++)); do sim restart linux1; done
is 0 "with one that does not read them"
kill $deaf
wait $deaf 2>/dev/null
sim restart linux1
is 0 "and after it has gone"
bounded 100 "$HVSH" --sim="$work/m" events >last.txt 2>last.err &
last=$!
echo $last >pids
for ((i = 0; i < 100; i++)); do
	sim restart linux1
	[ -s last.txt ] && break
done
sim stop
wait $last
code=$? out=$(cat last.txt) err=$(cat last.err)
is 1 "it ends with the service"
err_has "the service ended" "and says so"

# Made to happen by what a prompt has left behind: that is gone for good while the callback computes. Memory that is
# given back is filled.
cat >long.lua <<'LUA'
dofile "boot_zones.lua"
zones.linux1:on("exit", function()
	collectgarbage()
	collectgarbage()
	local till = os.clock() + 0.5
	while os.clock() < till do end
	io.stderr:write "the callback is over\n"
end)
LUA
export MALLOC_PERTURB_=165
serve long.lua linux2
unset MALLOC_PERTURB_
sim attach -e 'spawn(function() while not left do sleep "10ms" end zones.linux1:stop() end)'
is 0 "a prompt that leaves a task behind"
sim attach -e 'left = true'
until_file service.log "the callback is over"
out_has "the callback is over" "a callback may compute after the prompt behind its event has gone"
sim attach -e '6 * 7'
is 0 "and the service goes on"
out_is 42
sim stop
wait $service
finish
