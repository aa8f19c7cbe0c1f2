# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh attach: a prompt inside the service, by hand, from a pipe and on a terminal.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
. "$HVSH_TESTS/lib/service.sh"
. "$HVSH_TESTS/lib/terminal.sh"
trap 'stop_held "$work"/m/lock; T kill-server 2>/dev/null; rm -rf "$work"' EXIT

e() { sim attach -e "$1"; }
# Statements through a pipe.
piped() {
	printf '%s\n' "$@" | timeout 120 "$HVSH" --sim="$work/m" attach >.out 2>.err
	code=$? out=$(cat .out) err=$(cat .err)
}
# Runs a statement, and when FILE is there sends a signal to who typed it.
signalled() {
	local signal=$1 file=$2 i
	rm -f "$file"
	"$HVSH" --sim="$work/m" attach -e "$3" >.out 2>.err &
	for ((i = 0; i < 600; i++)); do
		[ -e "$file" ] && break
		sleep 0.1
	done
	kill -"$signal" $!
	wait $! 2>/dev/null
	code=$? out=$(cat .out) err=$(cat .err)
}
# Waits until the log of the service has a line.
logged() {
	local i
	for ((i = 0; i < 300; i++)); do
		grep -q -- "$1" m/service.log && break
		sleep 0.1
	done
	code=- out=$(tail -5 m/service.log) err=
	grep -q -- "$1" m/service.log
	tap $? "${2:-logs $1}"
}

sim attach -e 1
is 1 "without a service"
err_has "no service runs"
sim --allow "$work" -d boot_zones.lua
is 0 "a service"
service=$(cat m/lock)

# ---- one statement

e '6 * 7, "text"'
is 0 "a statement"
out_is $'42\ntext'
e 'io.open("/proc/self/stat"):read "n"'
out_is "$service" "runs in the service"
e 'print("a", 1, nil) io.write("b ", 2, "\n") io.stdout:write "c\n" io.stderr:write "d\n"'
out_is $'a\t1\tnil\nb 2\nc\nd' "what it prints comes here, in order"
e 'kept = 5 local lost = 6 _G._ = nil'
e 'kept, lost, _'
out_is $'5\nnil\nnil' "globals are the service's, results are not"
e 'error "bad thing"'
is 1 "one that fails"
out_has "stdin:1: bad thing"
e 'for i = 1, 2 do'
is 1 "half of one"
err_has "not whole"
e 'coroutine.wrap(function() print "before" sleep "10ms" print "behind" end)()'
out_is $'before\nbehind' "coroutines that wait"
e 'spawn(function() coroutine.wrap(function() print "from the task" end)() end):wait()'
out_is "from the task" "tasks print where they were begun"
e 'os.exit(3)'
is 1 "os.exit"
out_has "would end the service"
e 'io.read()'
out_has "standard input is the service's" "io.read"
e 'io.stdin:read "a"'
out_has "standard input is the service's" "io.stdin"
e 'debug.debug()'
out_has "debug.debug reads standard input, which is the service's" "debug.debug"
sim attach -e '.console linux1'
is 0 "a console, opened here" || :
err_has "linux1: attached"

# ---- a lot of output

e 'for i = 1, 100000 do print(i) end'
is 0 "a statement waits for its terminal"
[ "$(wc -l <.out) $(tail -1 .out)" = "100000 100000" ]
tap $? "and nothing is lost"
e 'do io.write(("x"):rep(3000000)) end'
[ "$(wc -c <.out)" = 3000000 ]
tap $? "nor of one that is long"
e 'table.sort({3, 2, 1}, function(a, b) print "compared" return a < b end)'
out_has "compared" "where nothing can wait"
e 'table.sort({2, 1}, function(a, b) io.write(("x"):rep(1000000)) return a < b end) print "end"'
out_has "bytes of output lost: this terminal was too slow]" "what there is no room for is counted"
out_has $'\nend'

# ---- a pipe

piped 'x = 20' 'for i = 1, 2 do' 'print(i)' 'end' 'x + 1' '_ + 1'
is 0 "statements of a pipe"
out_is $'1\n2\n21\n22'
piped 'error "first"' '"second"'
is 1 "one that fails"
out_has second "does not stop the others"
piped '1' 'for i = 1, 2 do'
is 1 "half a statement at the end"
piped '"one"' '.quit' '"two"'
is 0 ".quit"
out_is one
head -c 300000 /dev/zero | tr '\0' x | timeout 120 "$HVSH" --sim="$work/m" attach >.out 2>.err
code=$? out=$(cat .out) err=$(cat .err)
is 1 "a statement without measure"
err_has "at most 256 KiB"
"$HVSH" --sim="$work/m" attach -e 'for i = 1, 1e6 do print(i) end' 2>.err | head -1 >.out
out=$(cat .out) err=$(cat .err)
out_is 1 "a reader that leaves"
err_lacks "error"

# ---- interruptions

touch_now() { printf 'io.open("%s", "w"):close() ' "$work/$1"; }
signalled INT begun "$(touch_now begun) sleep '1h'"
is 130 "Ctrl-C where a statement waits"
out_has "hvsh: interrupted"
signalled INT begun "$(touch_now begun) while true do end"
is 130 "where it computes"
out_has "stdin:1: interrupted"
signalled INT begun "$(touch_now begun) while true do pcall(function() while true do end end) end"
is 130 "where it catches errors"
signalled INT begun "$(touch_now begun) while true do coroutine.wrap(function() local n = 0 while n < 50 do n = n + 1 end end)() end"
is 130 "in coroutines"
signalled INT begun "$(touch_now begun) local x <close> = setmetatable({}, {__close = function() print 'closed' end}) sleep '1h'"
is 130 "variables are closed"
out_has "closed"
signalled INT begun "$(touch_now begun) while true do pcall(sleep, 0) end"
is 130 "a loop that waits and catches"
signalled INT begun "$(touch_now begun) while true do print 'much' end"
is 130 "one that prints"
signalled KILL begun "$(touch_now begun) while true do end"
e '"alive"'
out_is alive "whoever vanishes takes the statement along"
signalled KILL begun "local x <close> = setmetatable({}, {__close = function() io.open('$work/over', 'w'):close() end}) $(touch_now begun) sleep '1h'"
for ((i = 0; i < 300; i++)); do [ -e over ] && break; sleep 0.1; done
[ -e over ]; tap $? "also one that waits"
signalled KILL begun "local x <close> = setmetatable({}, {__close = function() while true do end end}) $(touch_now begun) sleep '1h'"
e '"alive"'
out_is alive "one that does not end when it is ended"
# Its wait is over and whoever typed it has vanished when the service looks.
rm -f begun
"$HVSH" --sim="$work/m" attach -e "$(touch_now begun) sleep '1s' while true do end" >.out 2>.err &
for ((i = 0; i < 600; i++)); do [ -e begun ] && break; sleep 0.1; done
kill -STOP "$service"
{ kill -KILL $! && wait $!; } 2>/dev/null
sleep 1.1
kill -CONT "$service"
e '"alive"'
out_is alive "and one that was about to go on"
signalled INT begun "local t = os.time() + 3 while os.time() < t do end $(touch_now begun) while true do end"
is 130
logged "kept the service from everything else" "who keeps the service busy is named"
e 'spawn(function() while os.remove "'"$work"'/begun" == nil do sleep "10ms" end print "not seen" io.open("'"$work"'/after", "w"):close() end)'
touch begun
for ((i = 0; i < 300; i++)); do [ -e after ] && break; sleep 0.1; done
[ -e after ]; tap $? "tasks outlive the prompt they were begun at"

e 'spawn(function() error "oops" end) sleep "50ms" local t <close> = every("10ms", function() error "not again" end) sleep "1s"'
out_has "hvsh: error: task stdin:1: stdin:1: oops" "what a task fails with is told whoever made it"
out_has "not again"
logged "error: task stdin:1: stdin:1: oops" "and the log"

# Statements and interruptions of them that are read together: a client of its own prints what becomes of each.
cat >raw.pl <<'PERL'
use IO::Socket::UNIX;
alarm 60;
my $s = IO::Socket::UNIX->new(Peer => "m/control") or die;
sub frame { my ($type, $channel, $bytes) = @_; pack("VCCv", length $bytes, $type, 0, $channel) . $bytes }
sub bytes { my $got = ""; while (length $got < $_[0]) { sysread $s, $got, $_[0] - length $got, length $got or exit } $got }
sub get { my ($size, $type, undef, $channel) = unpack "VCCv", bytes(8); ($type, bytes($size)) }
syswrite $s, frame(1, 0, q({"protocol":1,"oldest":1})) . frame(2, 0, pack("V", 1) . q({"request":"shell","cols":80}));
my ($type, $text, $channel);
until ($channel) { ($type, $text) = get; ($channel) = $text =~ /"channel": ?(\d+)/ if $type == 3 }
syswrite $s, frame(6, $channel, pack("V", 65536));
until ($type == 6) { ($type) = get }
sub statement { my ($n, $code) = @_; frame(5, $channel, $code) . frame(4, $channel, qq({"event":"run","statement":$n})) }
my $interrupt = frame(4, $channel, q({"event":"interrupt","statement":1}));
syswrite $s, statement(1, q(print "began" sleep "10m")) . $interrupt . $interrupt;
for my $n (1, 2) {
	do { ($type, $text) = get; print $text if $type == 5 } until $type == 4 && $text =~ /"done"/;
	print $text =~ /"statement": ?$n\b/ ? "done $n" : $text, $text =~ /"interrupted": ?true/ ? " interrupted\n" : "\n";
	syswrite $s, statement(2, q(print "next")) if $n == 1;
}
PERL
run timeout 120 perl raw.pl
out_is $'hvsh: interrupted\ndone 1 interrupted\nnext\ndone 2' "an interruption that comes with its statement"

# ---- one that does not read

mkfifo pipe
sleep 600 <pipe &
deaf=$!
"$HVSH" --sim="$work/m" attach -e 'while true do print(("x"):rep(1000)) end' 2>/dev/null >pipe &
writer=$!
for n in 1 2 3; do
	e '"still here"'
	out_is "still here" "others are served while one does not read"
done
kill "$deaf"
wait "$deaf" "$writer" 2>/dev/null

# ---- the log's level

sim log
out_is warn "the level"
e 'log.info "too low"'
sim log info
is 0 "sets it"
out_is "info (was warn)"
e 'log.info "high enough", log.level()'
out_has info
logged "high enough"
! grep -q "too low" m/service.log; tap $? "not what was said before"
sim log --json warn
out_has '"was": "info"'
sim log loud
is 1 "no such level"
err_has "loud is none of error, warn, info, debug"

# ---- callbacks

sim log info
e 'zones.linux2:on("exit", function() print "of another prompt" end)'
e 'local heard zones.linux2:on("exit", function() print "of this one" heard = true end) zones.linux2:stop()
	while not heard do sleep "5ms" end print(zones.linux2:start())'
is 0 "a callback"
out_has "of this one" "prints where it was made"
out_lacks "of another prompt" "and only there"
logged "which has gone: of another prompt" "that of a prompt that has gone prints to the log"
sim log warn

e 'zone "typed" {id = 5, cpus = {3}, arch = "arm64", ram = {at = 0x60000000, size = "16M"},
	kernel = {image = "'"$work"'/images/Image", at = 0x60400000}}'
is 0 "a zone is defined in the service"
sim list
out_has "typed" "and known to others"

# ---- what a service manager is told

JOURNAL_STREAM=$(: >journal; stat -c %d:%i journal) "$HVSH" --log debug -e 'log.error "e" log.warn "w" log.info "i\nj" log.debug "d"' 2>journal
out=$(cat journal)
out_is $'<3>e\n<4>w\n<6>i\n<6>j\n<7>d' "levels are told to the journal"
JOURNAL_STREAM=1:1 "$HVSH" -e 'log.error "e"' 2>plain
out=$(cat plain)
out_is "hvsh: error: e" "but not when standard error is another"

# ---- a terminal

begin() { T new-session -d -x 100 -y 50 "trap : INT; '$HVSH' --sim='$work/m' attach 2>&1; echo left with \$?; while :; do sleep 1; done"; }
begin
sees "service(sim)> " "the prompt says where it is"
type_line '6 * 7'
sees $'\n42' "expressions print their values"
type_line '_ + 1'
sees $'\n43' "results are kept"
type_line 'for i = 1, 2 do'
sees ">> " "a statement goes on over lines"
type_line 'print("line " .. i) end'
sees $'line 1\nline 2' "and runs when it is whole"
T send-keys -l 'zones.linux'
T send-keys Tab
sees "linux2" "Tab completes what the service knows"
T send-keys C-c
# Ctrl-C throws away what was typed and not read yet.
type_line 'spawn(function() print("sp" .. "ins") local t = os.clock() while os.clock() - t < 1 do end print("in be" .. "tween") end)'
sees $'\nspins'
T send-keys -l 'zon'
T send-keys Tab
sees $'\nin between'
T send-keys -l 's.list'
sees $'\nservice(sim)> zones.list' "what is said during a completion leaves the line whole"
T send-keys C-c
type_line 'print("lo" .. "ops") while true do end'
sees $'\nloops'
T send-keys C-c
sees "interrupted" "Ctrl-C"
type_line 'spawn(function() sleep "300ms" print "from behind" end) print "begun"'
type_line '"typed " .. "meanwhile"'
sees "typed meanwhile"
sees "from behind" "tasks print above the line"
type_line 'zones.linux2:stop()'
sees "linux2" "a zone stops"
sees "stopped" "and its event is told"
type_line '.console linux1'
sees "attached (Ctrl-] ends)" ".console"
T send-keys Enter
T send-keys C-]
sees "detached"
type_line '"back " .. "again"'
sees "back again" "leads back to the prompt"
T send-keys C-d
sees "left with 0" "Ctrl-D leaves"
T kill-session
kill -0 "$service"; tap $? "the service goes on"
# What ends the prompt leaves the terminal as it was.
cat >ended.sh <<SH
sh -c 'echo \$\$ >prompt.pid; exec "$HVSH" --sim="$work/m" attach' 2>&1
echo "left with \$?: \$(stty -a | tr -s ' ;' '\n' | grep -xE -- '-?(icanon|echo)' | tr '\n' ' ')"
sleep 60
SH
for state in idle typing running; do
	T new-session -d -x 100 -y 50 ". '$work/ended.sh'"
	sees "service(sim)> "
	case $state in
	typing)
		T send-keys -l 'half a line'
		sees "> half a line"
		;;
	running)
		type_line 'print("lo" .. "ops") while true do end'
		sees $'\nloops'
		;;
	esac
	kill -TERM "$(cat prompt.pid)"
	sees 'left with 143: icanon echo' "SIGTERM while the prompt is $state"
	T kill-session
done
begin
sees "service(sim)> "
type_line 'print("be" .. "gun"); (("a"):rep(5000)):find((".-"):rep(9) .. "b")'
sees "begun" "nothing reaches into a function of C"
# Two that arrive together count once.
for ((i = 0; i < 200; i++)); do
	T send-keys C-c
	[[ $(screen) == *"left with"* ]] && break
	sleep 0.1
done
sees "left with 130" "three times leaves also where nothing can be interrupted"
T kill-session
kill -KILL "$service"
for ((i = 0; i < 300; i++)); do kill -0 "$service" 2>/dev/null || break; sleep 0.1; done
rm -rf m
sim --allow "$work" -d boot_zones.lua
service=$(cat m/lock)
begin
sees "service(sim)> "
kill -STOP "$service"
T send-keys -l 'zon'
sees "> zon"
T send-keys Tab
for ((i = 0; i < 300; i++)); do
	[ "$(screen | grep -c "service(sim)> ")" -ge 2 ] && break
	T send-keys C-c
	sleep 0.1
done
[ "$(screen | grep -c "service(sim)> ")" -ge 2 ]
tap $? "Ctrl-C is heard while Tab waits for an answer"
kill -CONT "$service"
T kill-session
begin
sees "service(sim)> "
type_line '"ready " .. "now"'
sees "ready now"
kill -KILL "$service"
type_line '1'
sees "has gone" "a service that goes"
sees "left with 1" "ends the prompt"
finish
