#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A zone's console carries 100 KiB each way and loses nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

use constant SIZE => 102400;

my $m = Machine->boot(name => 'console');
serve($m, 'linux1');

# Types a command, then a file once the zone has its terminal as it must be (what comes before is a line for its shell).
$m->must(<<'END');
cat >/run/through <<'SCRIPT'
said() {
	for i in $(seq 600); do
		grep -aq "^$1" /run/got && return
		sleep 0.2
	done
	echo "no $1 came in two minutes" >&2
	exit 1
}
rm -f /run/got
{
	printf '\n%s\n' "$1"
	said READY
	cat "$2"
	said DONE
} | hvsh console --back 0 linux1/hvc0 >/run/got
SCRIPT
END
sub through {
	my ($command, $file) = @_;
	$m->must("sh /run/through '$command' $file 2>&1", 300);
}

# Linux takes Ctrl-O from its console away: the next byte is a SysRq command.
$m->must("tr -d '\\017' </dev/urandom | head -c ${\ SIZE} >/tmp/data");
my $sum = $m->must('sha256sum </tmp/data');
through(qq{stty raw -echo; echo; echo RE""ADY; head -c ${\ SIZE} >/tmp/in; stty sane; echo DO""NE}, '/tmp/data');
is(in_zone($m, 'linux1', sub { $m->must('sha256sum </tmp/in') }), $sum, '100 KiB arrive in the zone as they were sent');

through('stty raw -echo; echo; echo RE""ADY; echo BE""GIN; cat /tmp/in; echo; echo DO""NE; stty sane', '/dev/null');
$m->must(q{hvsh -e 'local s = assert(io.open("/run/got", "rb")):read("a"); local _, at = s:find("BEGIN\n", 1, true); } .
	q{assert(io.open("/run/out", "wb")):write(s:sub(at + 1, at + 102400)):close()'});
is($m->must('sha256sum </run/out'), $sum, '100 KiB arrive in zone0 as they were sent');
like(in_zone($m, 'linux1', sub { $m->must('uname -n') }), qr/^linux1$/, 'the console goes on as before');
$m->finish;
