# SPDX-License-Identifier: GPL-2.0-or-later
# Exit codes, how errors are shown, interruption, and output that cannot be written.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1

run hvsh -e ''
is 0 "nothing wrong"
run hvsh -e 'os.exit(7)'
is 7 "os.exit"
run hvsh -e 'os.exit(true)'
is 0 "os.exit(true)"
run hvsh -e 'os.exit("x")'
is 1 "os.exit of a text"
err_has "(command line):1: os.exit takes a status: a whole number, true or false"
run hvsh -e 'os.exit(1.5)'
is 1 "os.exit of a part"
err_has "os.exit takes a status"
run hvsh -e 'os.exit("3")'
is 3 "os.exit of a number's text"

# ---- errors
cat >deep.lua <<'LUA'
local function inner() error "deep" end
local function outer() inner() end
local ok = pcall(outer)
outer()
LUA
run hvsh deep.lua
is 1 "an error"
err_has "hvsh: deep.lua:1: deep" "message with the place first"
err_has "at deep.lua:2" "then the places that led there"
err_has "at deep.lua:4, main chunk"
err_lacks "[C]" "no C frames"
printf 'local x = nil\nx.y = 1\n' >flat.lua
run hvsh flat.lua
[ "$err" = "hvsh: flat.lua:2: attempt to index a nil value (local 'x')
    2 | x.y = 1
      | ^" ]; tap $? "one place: the line itself, and the word"
printf 'x = = 1\n' >syntax.lua
run hvsh syntax.lua
is 1 "a syntax error"
err_has "
      |     ^" "the mark is below the second sign"
err_has "hvsh: syntax.lua:1:"
run hvsh -e 'error({hvsh_report = "as it is"})'
is 1 "a report"
[ "$err" = "as it is" ]; tap $? "is printed as it is"
run hvsh -e 'error({})'
is 1 "an error that is a table"
err_has "table value"
run hvsh -e 'error(setmetatable({}, {__tostring = function() return "own words" end}))'
err_has "hvsh: own words"
run hvsh -e 'error(setmetatable({}, {__tostring = function() error "x" end}))'
is 1 "an error that cannot be printed"
run hvsh -e 'error()'
is 1 "error(nil)"
run hvsh -e 'local c <close> = setmetatable({}, {__close = function() print "closed" end}) error "x"'
is 1
out_is closed "what is to be closed is, when the script fails"
run hvsh -e 'coroutine.yield()'
is 1 "a yield of the main script"
err_has "yielded"
run hvsh -e 'local function f() return f() + 1 end f()'
is 1 "endless recursion"
err_has "stack overflow"
err_has "more" "a long traceback is cut"
run hvsh -e 'local t = {} for i = 1, 60 do t = {t, t} end print(string.rep("x", 1 << 60))'
is 1 "too large a string"

# ---- coroutines behave as in lua
cat >co.lua <<'LUA'
local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error({b}) end)
assert(select("#", coroutine.resume(co, 1)) == 2)
local ok, e = coroutine.resume(co, 5)
assert(ok == false and e[1] == 5 and coroutine.status(co) == "dead")
assert(select(2, coroutine.resume(co)) == "cannot resume dead coroutine")
local closed = false
local w = coroutine.wrap(function()
	local c <close> = setmetatable({}, {__close = function() closed = true end})
	coroutine.yield(1, 2, 3)
	error "in wrap"
end)
assert(select("#", w()) == 3)
ok, e = pcall(w)
assert(not ok and e:find "in wrap" and closed, e)
closed = false
co = coroutine.create(function() local c <close> = setmetatable({}, {__close = function() closed = true end})
	coroutine.yield() end)
coroutine.resume(co)
assert(coroutine.close(co) == true and closed)
co = coroutine.create(function() local c <close> = setmetatable({}, {__close = function() error "oops" end})
	coroutine.yield() end)
coroutine.resume(co)
ok, e = coroutine.close(co)
assert(ok == false and e:find "oops")
assert(not pcall(coroutine.close, coroutine.running()))
assert(not pcall(coroutine.resume, 1) and not pcall(coroutine.wrap, 1))
local function range(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local sum = 0
for i in range(100) do sum = sum + i end
assert(sum == 5050)
print "as in lua"
LUA
run hvsh co.lua
out_is "as in lua" "coroutines"

# ---- Ctrl-C. The script says when it loops; a loop that does not stop is ended.
interrupt() {
	local what=$1
	shift
	mkfifo ready
	bounded 60 "$HVSH" "$@" >ready 2>.err &
	local pid=$!
	read -r out <ready
	kill -INT $pid
	code=0
	wait $pid || code=$?
	rm ready
	err=$(cat .err)
	is 130 "$what"
}
# Without job control, what runs in the background ignores SIGINT.
set -m
interrupt "a hot loop" -e 'print "go" while true do end'
err_has "interrupted"
err_lacks "cannot be had"
interrupt "a loop that catches errors" -e 'print "go" while true do pcall(function() while true do end end) end'
interrupt "a loop in coroutines" -e 'print "go" coroutine.wrap(function() while true do
	coroutine.resume(coroutine.create(function() while true do end end)) end end)()'
interrupt "coroutines that die and are made anew" -e 'print "go" while true do
	coroutine.resume(coroutine.create(function() end)) end'
interrupt "coroutines that are made anew after one was interrupted" -e 'print "go"
	coroutine.resume(coroutine.create(function() while true do end end))
	while true do coroutine.resume(coroutine.create(function() end)) end'
interrupt "__close handlers still run" -e 'pcall(function()
		local c <close> = setmetatable({}, {__close = function()
			local n = 0 for i = 1, 1000 do n = n + i end io.stderr:write("closed ", n, "\n") end})
		print "go" while true do end
	end) while true do end'
err_has "closed 500500"
set +m

# ---- output
code=0; "$HVSH" -e 'print(1)' >/dev/full 2>.err || code=$?; err=$(cat .err) out=
is 1 "print to a full device"
err_has "No space left on device"
[ "$(grep -c . .err)" = 1 ]; tap $? "said once"
code=0; "$HVSH" -e 'io.write(1)' >/dev/full 2>.err || code=$?; err=$(cat .err)
is 1 "io.write to a full device, found at the end"
err_has "No space left on device"
code=0; "$HVSH" -e 'io.write(1) os.exit(0)' >/dev/full 2>.err || code=$?; err=$(cat .err)
is 1 "and through os.exit"
code=0; "$HVSH" --help >/dev/full 2>.err || code=$?; err=$(cat .err)
is 1 "--help to a full device"
code=0; "$HVSH" --version >/dev/full 2>.err || code=$?; err=$(cat .err)
is 1 "--version to a full device"
for write in print 'io.write("\n",'; do
	end=; [ "$write" = print ] || end=')'
	{ code=0; "$HVSH" -e "while true do $write${end:+ 1}${end:-(1)} end" 2>.err || code=$?; echo $code >.code; } | head -n 1 >/dev/null
	code=$(cat .code) err=$(cat .err)
	is 1 "a reader that goes away ends $write"
	[ -z "$err" ]; tap $? "quietly"
done
run hvsh -e 'print(os.execute("yes | head -n 1 >/dev/null; exit 3"))'
out_has 3 "programs a script starts get SIGPIPE as usual"

# A signal while output waits for its reader, and nothing else of the script is there any more. Memory that is given back
# is filled.
cat >full.pl <<'PERL'
use Fcntl;
my ($signal, @command) = @ARGV;
pipe(my $reader, my $writer) or die;
fcntl($writer, F_SETFL, O_NONBLOCK);
my $full = 0;
for my $n (4096, 1) { while (my $wrote = syswrite $writer, "-" x $n) { $full += $wrote } }
fcntl($writer, F_SETFL, 0);
my $pid = fork;
if (!$pid) {
	$SIG{$signal} = "DEFAULT";
	open STDOUT, ">&", $writer or die;
	exec @command or die;
}
close $writer;
# Ten times in a row.
sub becomes {
	my ($pattern) = @_;
	my $times = 0;
	for (my $i = 0; $i < 1200 && $times < 10; $i++) {
		open my $status, "<", "/proc/$pid/status" or return;
		$times = join("", <$status>) =~ $pattern ? $times + 1 : 0;
		select undef, undef, undef, 0.05;
	}
}
becomes(qr/^State:\tS/m);
kill $signal, $pid;
becomes(qr/^State:\tZ|^State:\tS.*^SigPnd:\t0+\nShdPnd:\t0+\n/ms);
my $text = do { local $/; <$reader> };
waitpid $pid, 0;
printf "%s, signal %d, exit code %d\n", substr($text, $full), $? & 127, $? >> 8;
PERL
while_full() {
	run env MALLOC_PERTURB_=165 timeout 120 perl full.pl "$1" "$HVSH" -e "$2"
	out_is "all of it, signal 0, exit code 0" "$3"
}
while_full INT 'io.write "all of it"' "Ctrl-C while output waits for its reader"
while_full INT 'io.write "all of it" os.exit(0, true)' "and behind os.exit that closes the state"
while_full INT 'io.write "all of it" os.exit(0)' "and that does not"
while_full USR2 'event.signal("USR2", function() end) io.write "all of it"' "a signal that a script has listened to"
run hvsh -e 'event.signal("USR2", print):close() os.execute("kill -USR2 $PPID") print "still here"'
is 0 "one that comes after its listener was closed"
out_is "still here"

# ---- the old tool's name
ln -s "$HVSH" hvisor
run ./hvisor --sim zone list
is 0 "called as hvisor it takes the old commands"
out_has "zone_id" "with the old columns"
run ./hvisor nonsense
tap $((code == 0)) "an unknown one is a failure"

finish
