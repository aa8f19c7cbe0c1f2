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

# The input waits until the zone has its terminal as it must be: what is sent before is a line for the shell.
sub through {
	my ($first, $ready, $file, $seconds) = @_;
	return "rm -f /run/got; touch /run/got; { echo; echo '$first'; until grep -q $ready /run/got; do sleep 0.2; done; " .
		"cat $file; until grep -q ^DONE /run/got; do sleep 0.2; done; } | timeout $seconds hvsh console --back 0 linux1/hvc0 >/run/got 2>/dev/null";
}

$m->must('dd if=/dev/urandom of=/tmp/data bs=1k count=100 status=none');
my $sum = $m->must('sha256sum </tmp/data');
$m->must(through("stty raw -echo; echo RE\"\"ADY; head -c ${\ SIZE} >/tmp/in; stty sane; echo DO\"\"NE", 'READY', '/tmp/data', 120), 150);
is(in_zone($m, 'linux1', sub { $m->must('sha256sum </tmp/in') }), $sum, '100 KiB arrive in the zone as they were sent');

$m->must(through('stty raw -echo; echo RE""ADY; echo BE""GIN; cat /tmp/in; echo; echo DO""NE; stty sane', 'READY', '/dev/null', 120), 150);
$m->must(q{hvsh -e 'local f = assert(io.open("/run/got", "rb")); local s = f:read("a"); local _, at = s:find("BEGIN\n", 1, true); } .
	q{assert(io.open("/run/out", "wb")):write(s:sub(at + 1, at + 102400)):close()'});
is($m->must('sha256sum </run/out'), $sum, '100 KiB arrive in zone0 as they were sent');
like(in_zone($m, 'linux1', sub { $m->must('uname -n') }), qr/^linux1$/, 'the console goes on as before');
$m->stop;
done_testing;
