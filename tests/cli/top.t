# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh top: rates between two looks, as text, as JSON and on a terminal, which is as before when it leaves.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"
. "$HVSH_TESTS/lib/terminal.sh"
trap 'stop_held "$work"/m/lock; kill $(cat "$work"/load 2>/dev/null) 2>/dev/null; T kill-server 2>/dev/null; rm -rf "$work"' EXIT

sim top
is 1 "without a service"
err_has "no service"
sim top --sort request
is 2 "a key that is none"
err_has "there is no key request (did you mean requests?)"
sim top --interval soon
is 2 "an interval that is none"
err_has '--interval: "soon" is no duration'
sim top --interval 1ms
is 2 "one that is too short"

sim -d boot_zones.lua
is 0 "a service"
# One guest that reads all the time, until it is ended.
cat >load.sh <<'EOS'
while [ -S "$1/m/control" ]; do
	(for _ in {1..100}; do printf 'sum 0 64K\r'; sleep 0.02; done) | timeout 60 "$HVSH" --sim="$1/m" console linux2 >/dev/null 2>&1
done
EOS
bash load.sh "$work" &
echo $! >load
cat >find.lua <<'LUA'
local o = assert(require("hvsh.json").decode(io.open("out.json"):read "a"))
local function device(zone, name)
	for _, d in ipairs(o.devices) do if d.zone == zone and d.device == name then return d end end
end
local busy, idle = device("linux2", "root"), device("linux1", "root")
print("busy", busy.rates.requests > 0, busy.rates.read_bytes >= 65536, busy.rates.p50 > 0, busy.rates.p99 >= busy.rates.p50, busy.queues_ready)
local queue = busy.queue_rates[1]
print("queue", #busy.queue_rates, queue.queue, queue.ready, queue.size > 0,
	-- What is answered in between is counted at the one and not yet at the other.
	math.abs(queue.rates.requests - busy.rates.requests) * o.interval < 0.1 * busy.rates.requests * o.interval + 32,
	queue.rates.interrupts > 0)
print("idle", idle.rates.requests, idle.rates.read_bytes, idle.rates.p50)
for _, z in ipairs(o.zones) do if z.name == "linux2" then print("zone", z.devices, z.rates.requests >= busy.rates.requests) end end
LUA
# Between two readers the guest may rest for a while, and the other one may still come up.
for ((i = 0; i < 100; i++)); do
	sim top --once --json --interval 500ms
	sample=$out
	printf '%s' "$sample" >out.json
	run hvsh find.lua
	[[ $out == *"busy	true"*"idle	0.0	0.0	nil"* ]] && break
done
found=$out out=$sample
is 0 "top --once --json"
json_is '#o.zones .. #o.devices' 36
json_is 'o.interval >= 0.5 and o.process.memory > 0 and o.bridge.registers > 0' true
out=$found
out_has "busy	true	true	true	true	1" "a device that works"
out_has "queue	1	0	true	true	true	true" "and its queue, which has all of its requests"
out_has "idle	0.0	0.0	nil" "one that does not"
out_has "zone	3	true" "a zone is the sum of its devices"
sim top --once --interval 500ms --queues
is 0 "top --once --queues"
[[ $out =~ linux1/eth0\ +net\ [^$'\n']*$'\n'\ \ queue\ 0\ +ready[^$'\n']*$'\n'\ \ queue\ 1 ]]
tap $? "queues stand below their device"
for ((i = 0; i < 100; i++)); do
	sim top --once --interval 500ms --sort requests
	[[ $out =~ DEVICE\ +TYPE[^$'\n']*$'\n'[^$'\n']*linux2/ ]] && break
done
is 0 "top --once"
out_lacks "queue 0" "which has no lines for queues"
out_has "SIMULATED"
out_has "bridge: "
[[ $out =~ ID\ +ZONE.*DEVICE\ +TYPE.*linux2/[a-z0-9]+\ .*linux1/ ]]
tap $? "sorted: the busy zone's devices first"
[[ $out != *$'\33'* ]]
tap $? "without colour"
# writes_twice PATTERN FILE COMMAND…: runs it until FILE has two lines with that.
writes_twice() {
	local pattern=$1 file=$2 i
	shift 2
	bounded 300 "$@" >"$file" 2>err.txt &
	for ((i = 0; i < 1200; i++)); do
		[ "$(grep -c "$pattern" "$file")" -ge 2 ] && break
		sleep 0.1
	done
	kill -TERM $!
	wait $! 2>/dev/null
}
writes_twice . lines.json "$HVSH" --sim="$work/m" top --json --interval 200ms
cat >lines.lua <<'LUA'
local n = 0
for line in io.open("lines.json"):read "a":gmatch "([^\n]*)\n" do assert(require("hvsh.json").decode(line)) n = n + 1 end
print(n >= 2 and "lines" or n)
LUA
run hvsh lines.lua
out_is lines "--json without --once: an object on each line"
writes_twice ^bridge: lines.txt "$HVSH" --sim="$work/m" top --interval 200ms
[ "$(grep -c '^bridge:' lines.txt)" -ge 2 ] && ! grep -q $'\33' lines.txt
tap $? "to a file: table after table"

# ---- on a terminal

T new-session -d -x 80 -y 24 "bash --norc --noprofile"
type_line "PS1='ready$ '; clear"
sees 'ready$'
type_line "echo was here"
sees $'\nwas here'
top() { type_line "'$HVSH' --sim='$work/m' top --interval 500ms $1; echo code=\$?"; }
# The screen as it was before, with the code of the command.
left() {
	sees "code=$1" "$2"
	out=$(screen)
	[[ $out == *"was here"* && $out != *"bridge:"* ]]
	tap $? "the screen is as it was"
	out=$(T display-message -p '#{cursor_flag} #{alternate_on}')
	[ "$out" = "1 0" ]
	tap $? "with its cursor ($out)"
	# Typed letters show: the terminal is no longer raw.
	T send-keys -l "echo sh''own"
	sees "echo sh''own" "what is typed shows"
	T send-keys Enter
	T send-keys -l "clear; echo was here"
	T send-keys Enter
	sees $'was here\nready$'
}
top
sees "linux2/root" "the table"
sees "q quit"
out=$(T display-message -p '#{cursor_flag} #{alternate_on}')
[ "$out" = "0 1" ]
tap $? "on a screen of its own, without a cursor ($out)"
out=$(screen | perl -CS -ne 'chomp; print if length > 80')
[ -z "$out" ]
tap $? "no line is longer than the terminal"
T pipe-pane "cat >'$work/bytes'"
for ((i = 0; i < 600; i++)); do
	[ "$(grep -o 'bridge' bytes 2>/dev/null | wc -l)" -ge 4 ] && break
	sleep 0.1
done
T pipe-pane
[ "$(grep -o 'bridge' bytes | wc -l)" -ge 4 ] && ! grep -q 'root-linux\|DEVICE\|linux1/eth0\|q quit' bytes
tap $? "only lines that have changed are written"
[ "$(($(wc -c <bytes) / $(grep -o 'bridge' bytes | wc -l)))" -lt 1000 ]
tap $? "so that a slow line is enough"
T send-keys r
for ((i = 0; i < 600; i++)); do
	out=$(T capture-pane -p -e | grep -a DEVICE)
	[[ $out == *$'\33[7mREQ/S'* || $out == *';7mREQ/S'* ]] && break
	sleep 0.1
done
[[ $out == *'7mREQ/S'* ]]
tap $? "a key sorts, and its column is marked"
for ((i = 0; i < 600; i++)); do
	out=$(screen | grep -A1 DEVICE | tail -1)
	[[ $out == linux2/* ]] && break
	sleep 0.1
done
[[ $out == linux2/* ]]
tap $? "the busy device is the first"
T resize-window -x 40 -y 10
for ((i = 0; i < 600; i++)); do
	out=$(screen)
	[[ $(printf '%s\n' "$out" | sed -n 10p) == "q quit"* ]] && break
	sleep 0.1
done
[[ $(printf '%s\n' "$out" | sed -n 10p) == "q quit"* && $out == *"REQ/S"* && $out == *"more"* ]]
tap $? "40 columns and 10 lines: what has room"
T resize-window -x 20 -y 3
sleep 0.1
T resize-window -x 100 -y 30
sees "KICK/S" "100 columns: more columns"
sees "linux1/hvc0"
T send-keys q
left 0 "q leaves"
T resize-window -x 80 -y 24
top
sees "linux2/root"
T send-keys C-c
left 130 "Ctrl-C leaves"
top
sees "linux2/root"
T send-keys C-z
sees "Stopped" "Ctrl-Z stops it"
out=$(T display-message -p '#{cursor_flag} #{alternate_on}')
[ "$out" = "1 0" ]
tap $? "on the screen as it was ($out)"
type_line 'fg; echo code=$?'
sees "linux2/root" "and it goes on"
kill -TERM "$(pgrep -P "$(T display-message -p '#{pane_pid}')" -f 'top --interval' | head -1)"
left 143 "SIGTERM leaves"
type_line "TERM=dumb '$HVSH' --sim='$work/m' top --once --interval 500ms; echo code=\$?"
sees "code=0" "TERM=dumb: plain lines"
[[ $out == *"bridge:"* ]]
tap $? "in the terminal's own screen"
type_line "clear; echo was here"
sees $'was here\nready$'
type_line "NO_COLOR=1 '$HVSH' --sim='$work/m' top --interval 500ms; echo code=\$?"
sees "linux2/root"
[[ $(T capture-pane -p -e) != *$'\33[3'* ]]
tap $? "NO_COLOR: none"
kill "$(cat load)" 2>/dev/null
rm load
sim stop
is 0 "the service ends"
left 1 "and with it top"
finish
