# SPDX-License-Identifier: GPL-2.0-or-later
# What a service says to who started it (sd_notify): a perl script plays the service manager.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
cat >manager.pl <<'P'
# manager.pl LINES COMMAND...: starts COMMAND, prints what it is told until it has been told WATCHDOG=1 LINES times, or
# the command has ended; then SIGTERM, and the rest. Exits as the command does.
use strict; use warnings; use Socket; use POSIX ();
$| = 1;
my $want = shift;
my $path = "$ENV{PWD}/notify";
unlink $path;
socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($s, pack_sockaddr_un($path)) or die $!;
$ENV{NOTIFY_SOCKET} = $path;
my $pid = fork // die $!;
if (!$pid) { open STDIN, '<', '/dev/null'; exec @ARGV; die $! }
my ($seen, $ended, $told, $until) = (0, 0, !$want, time + 120);
while (time < $until) {
	my $in = '';
	vec($in, fileno $s, 1) = 1;
	if (select($in, undef, undef, 0.1) > 0) {
		recv($s, my $text, 4096, 0);
		$text =~ s/MAINPID=$pid\b/MAINPID=itself/;
		for my $line (split /\n/, $text) {
			if ($line eq 'WATCHDOG=1') { next if ++$seen > 1 }
			print "$line\n";
		}
		kill TERM => $pid if !$told && ($told = $seen == $want);
		next;
	}
	last if $ended;
	$ended = 1 + $? if waitpid($pid, POSIX::WNOHANG()) == $pid;
}
kill KILL => $pid unless $ended;
exit($ended ? ($ended - 1) >> 8 : 99);
P
WATCHDOG_USEC=200000 run perl manager.pl 3 "$HVSH" --sim boot_zones.lua
is 0 "a service under a manager"
out_is "$(printf '%s\n' READY=1 MAINPID=itself WATCHDOG=1 STOPPING=1)" "says when it serves, that it lives, when it stops"
run perl manager.pl 0 "$HVSH" --sim -e 'print(1)'
is 0
out_has "READY=1" "so does a script that serves nothing"
run perl manager.pl 0 "$HVSH" --sim -e 'error "no"'
is 1
out_lacks "READY" "but not one that fails"
${CC:-cc} -o hold_thread "$HVSH_TESTS/cli/hold_thread.c" || exit 1
mkfifo hold
NOTIFY_SOCKET=/nowhere WATCHDOG_USEC=200000 "$HVSH" --sim boot_zones.lua 2>stuck.err >/dev/null </dev/null &
service=$!
until_has() { for _ in $(seq 600); do grep -qs "$1" "$2" && return; sleep 0.1; done; return 1; }
until_has serving stuck.err
./hold_thread $service bridge <hold >held &
exec 3>hold
until_has held held
tap $? "the bridge thread stands still"
until_has "hvsh: error: the bridge thread does not move; the watchdog is not fed" stuck.err
tap $? "the watchdog is not fed then, and why is in the log"
exec 3>&-
kill $service
wait $service
grep -q "closing . devices" stuck.err
tap $? "it ends in order when the thread goes on"
NOTIFY_SOCKET=/nowhere run hvsh --sim -e 'print "done"'
is 0 "nobody listens"
out_has "done"
err_has 'hvsh: warn: who started this is not told "READY=1": NOTIFY_SOCKET=/nowhere: No such file or directory'
finish
