# SPDX-License-Identifier: GPL-2.0-or-later
# A service in the background, and commands that bring scripts to it: its hypervisor, its devices.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
trap 'stop_held "$work"/m/lock; rm -rf "$work"' EXIT
mkdir elsewhere

sim() { run timeout 120 "$HVSH" --sim="$work/m" "$@"; }
# Types a line at a zone's guest; the answer is in $out.
guest() {
	local i
	for ((i = 0; i < 300; i++)); do
		printf '%s\r' "$2" >typed
		"$HVSH" --sim="$work/m" console --back 0 "$1" <typed >.out 2>.err
		code=$? out=$(cat .out) err=$(cat .err)
		[[ $out == *"$3"* ]] && break
		sleep 0.1
	done
	[[ $out == *"$3"* ]]
	tap $? "$4"
}

sim -d boot_zones.lua
is 0 "a service"

# ---- the script it runs by

cd elsewhere || exit 1
sim check ../boot_zones.lua
is 0 "check, from another folder"
out_is "../boot_zones.lua: 2 zones, nothing wrong"
sim plan ../boot_zones.lua
is 0 "plan finds nothing to do"
out_has "linux1  id 1  runs as written"
sim apply ../boot_zones.lua
is 0 "so does apply"
out_has "linux2 (2): runs as written (simulated)"
sim start ../boot_zones.lua linux2
is 0 "and start"
cd ..
# More findings than anybody reads, and than an answer holds.
cat >clashes.lua <<'LUA'
local board = require "board.qemu_virt"
for i = 1, 30 do
	local devices = {}
	for k = 1, 20 do
		devices[k] = console("c" .. k) { at = 0xa003800, irq = 75, log = "/nonexistent/" .. ("x"):rep(180) .. "/" .. k }
	end
	zone("z" .. i) {
		id = i, cpus = {2}, board = board, ram = {at = 0x50000000, size = "384M"}, kernel = false, devices = devices,
	}
end
LUA
run timeout 120 "$HVSH" --sim check clashes.lua
here=$(printf '%s\n' "$out" | wc -l)
[[ $code == 1 && $out =~ and\ [0-9]{4,}\ errors\ more.*30\ zones,\ [0-9]{5,}\ errors$ ]]
tap $? "of thousands of errors the first are shown, and how many more there are"
for command in check plan apply; do
	sim $command clashes.lua
	[[ $code == 1 && $out =~ and\ [0-9]{4,}\ errors\ more.*30\ zones,\ [0-9]{5,}\ errors$ ]]
	tap $? "the service says the same to $command"
	[ "$(printf '%s\n' "$out" | wc -l)" -le $((here + 20)) ]
	tap $? "at the same length"
done
sim check --json clashes.lua
[[ ${out//[[:space:]]/} =~ \"errors\":[0-9]{5,}.*\"left_out\":\{\"error\":[0-9]{5,} ]]
tap $? "as data with the numbers"
sim map boot_zones.lua
is 0 "map"
out_has "SIMULATED hypervisor (arm64, layout 6)"
out_has "ram 384M"
sim map
out_has "ram (running) 384M"
sim map --json boot_zones.lua
is 0 "map as data"
[[ ${out//[[:space:]]/} == *'"ranges":['*'"kind":"ram"'*'"zone":"linux1"'* ]]
tap $? "from the service"
sim map --svg map.svg boot_zones.lua
is 0 "map as a drawing"
grep -q '<svg' map.svg
tap $? "is written here"
sim hv
out_has "layout          6" "hv"

# ---- changes

guest linux1 "echo kept" $'\nkept' "a guest answers"
sed 's/root=.dev.vda rw"/" .. (name == "linux2" and "quiet" or "root=\/dev\/vda rw")/' boot_zones.lua >changed.lua
sim plan changed.lua
is 2 "a change is seen"
out_has "linux2  id 2  changed, left as it runs"
sim apply changed.lua
is 1 "and needs to be asked for"
err_has "hvsh apply --restart takes it down"
out_has "linux1 (1): runs as written"
sim apply --restart changed.lua
is 0 "then it is made"
out_has "linux2 (2): restarted (simulated)"
guest linux2 "echo anew" $'\nanew' "its devices are served"
run "$HVSH" --sim="$work/m" console --back all linux1
out_has $'\nkept' "the other zone ran on"
sim stop linux2
sim start linux2
is 0 "the service knows the new definition"
sim plan changed.lua
is 0 "and starts the zone by it"

sed -n '/linux("linux2"/,/^})/!p' boot_zones.lua | sed 's/linux1/linux3/g; s/id = 1/id = 3/; s/cpus = { 2 }/cpus = { 3 }/; s/at = 0x50000000/at = 0x48000000/;
	s/a003c00/a003000/; s/a003600/a002e00/; s/a003800/a002c00/; s/tap0/tap3/; s/10:10:10/10:10:13/; s/"384M"/"64M"/; s,rootfs1,rootfs2,' >third.lua
cp images/linux1.dtb images/linux3.dtb
sim check third.lua
is 1 "a zone that collides with one that runs"
out_has "linux2  cpus (running)" "with whom"
sim stop linux2
sed -i 's/dtb = .*/dtb = false,/; /cmdline =/d' third.lua
sim apply third.lua
is 0 "a zone that the service's script does not have"
sim list
out_has "linux3/root" "is served as well"
sim stop linux3
is 0

# ---- a service that was killed is taken over

sim start linux2
is 0 "a zone that collides with one that no longer runs"
kill -KILL "$(cat m/lock)"
for ((i = 0; i < 300; i++)); do
	sim plan boot_zones.lua
	[[ $out == *"nobody serves"* ]] && break
	sleep 0.1
done
out_has "linux1  id 1  runs as written, but nobody serves its devices" "zones without their service"
out_has "changed, left as it runs"
sim -d apply boot_zones.lua
is 1 "apply says what it leaves"
out_has "linux2 (2): changed, left as it runs"
out_has "linux1 (1): runs as written, its devices are served again" "and serves what it can"
guest linux1 "echo back" $'\nback' "as before"
sim -d apply --restart boot_zones.lua
is 0 "and the rest when it is told to"
guest linux2 "echo back" $'\nback' "is served as well"

# ---- scripts that are wrong change nothing

sed 's,images/rootfs1.ext4,images/none.ext4,' boot_zones.lua >missing.lua
for verb in check plan apply "start" "restart"; do
	sim $verb missing.lua
	is 1 "$verb: a missing disk"
	[[ $out$err == *"none.ext4: No such file or directory"*"missing.lua:36"* ]]
	tap $? "$verb: which, and where"
done
echo 'zone "x" {' >broken.lua
sim apply broken.lua
is 1 "a script that is none"
err_has "broken.lua:2"
printf '%s\n' 'zone "odd" {id = 9, cpus = {3}, arch = "riscv64", ram = {at = 0x90000000, size = "32M"},' \
	'  board = require "board.qemu_virt":extend {cpus = 6}}' >odd.lua
sim check odd.lua
is 1 "another machine"
guest linux1 "echo still" $'\nstill' "the service goes on"
sim boot_zones.lua
is 1 "the script itself, once more"
err_has "hvsh apply hands it those of a script"

# ---- what is no client

perl -MIO::Socket::UNIX -e '
	my @all;
	srand 7;
	for my $n (1 .. 100) {
		my $s = IO::Socket::UNIX->new(Peer => "m/control") or next;
		$s->blocking(0);
		# Nothing, noise, an endless frame, a frame of 4 GiB, half a greeting.
		syswrite $s, ("", pack("C*", map { int rand 256 } 1 .. 400), pack("V C C v", 1 << 20, 2, 0, 0) . "{" x 9000,
			pack("V C C v", 0xffffffff, 1, 0, 0), pack("V C C v", 100, 1, 0, 0) . "{\"ver")[$n % 5];
		push @all, $s;
	}
	exit 1 if !@all;
'
tap $? "a hundred clients that talk nonsense"
sim list
is 0 "do not keep others from being served"
out_has "linux1/root"

# One that asks and never reads.
perl -MIO::Socket::UNIX -e '
	$SIG{PIPE} = "IGNORE";
	my $s = IO::Socket::UNIX->new(Peer => "m/control") or exit 1;
	my $hello = q({"protocol":1,"program":"a test"});
	print $s pack("V C C v", length $hello, 1, 0, 0) . $hello;
	$s->flush;
	$s->blocking(0);
	my $ask = pack("V", 1) . q({"request":"list"});
	my $frame = pack("V C C v", length $ask, 2, 0, 0) . $ask;
	for (1 .. 20000) { defined syswrite $s, $frame or last }
	print "asked\n";
	$| = 1;
	sleep 60;
' >asked &
deaf=$!
for ((i = 0; i < 300; i++)); do
	[ -s asked ] && break
	sleep 0.1
done
sim list
is 0 "one that asks and does not read"
kill "$deaf"
wait "$deaf" 2>/dev/null
out_has "linux1/root"
[ "$(stat -c %a m/control) $(stat -c %a m)" = "600 700" ]
tap $? "socket and folder are for their owner alone"

# Wrong requests, each by one that speaks the protocol.
cat >ask.lua <<'LUA'
local core, json = require "hvsh.core", require "hvsh.json"
local remote = assert(core.control_connect())
for _, text in ipairs {
	"", "[]", "null", "{", '{"request":7}', '{"request":"fly"}', '{"request":"stop"}', '{"request":"stop","zone":[]}',
	'{"request":"stop","zone":0}', '{"request":"start","zones":{"a":1}}', '{"request":"start","zones":["nobody"]}',
	'{"request":"console"}', '{"request":"console","name":"linux1","back":-1e300}', '{"request":"apply"}',
	'{"request":"apply","specs":7}', '{"request":"apply","specs":[7]}', '{"request":"apply","specs":[{}]}',
	'{"request":"apply","specs":[{"spec":{"v":{"name":"x"}},"origins":{}}]}',
	'{"request":"check","specs":[{"spec":{"v":{"name":"x","id":"one","cpus":{"v":[-1]}}},"origins":{"":7}}]}',
	'{"request":"map","specs":[],"width":-5}', ("[" ):rep(1000), '{"request":"' .. ("x"):rep(1048550) .. '"}',
} do
	local reply, why = remote:call(text)
	local answer = reply and json.decode(reply)
	print(text:sub(1, 60), answer and (answer.error or answer.channel and "a channel" or "done") or why)
end
LUA
sim ask.lua
is 0 "wrong requests are answered"
out_has '{"request":"fly"}	the service knows no request fly'
out_has '"zone":0}	zone 0 is the root zone'
out_has '["nobody"]}	there is no zone nobody'
out_has '{"request":"apply"}	apply needs specs'
out_has '"specs":[{}]}	the specs of this request cannot be read'
out_has 'xxx	the answer is larger than 1 MiB'
grep -q 'the answer to xxx.* bytes is larger than 1 MiB' m/service.log
tap $? "the log says of which request the answer was too large"
out_lacks "	nil" "all of them"
sim list
out_has "linux1/root" "and the service goes on"
sim stop
is 0 "until its zones have stopped"
out_has "linux1 (1): stopped"
for _ in $(seq 300); do [ -S "$work/m/control" ] || break; sleep 0.1; done
if [ ! -e /etc/hvsh/boot_zones.lua ]; then
	sim restart linux1
	is 1 "then nobody knows a zone by its name"
	err_has "no service runs that knows zones"
fi
finish
