#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The service is killed while a zone runs, and started again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

my $m = Machine->boot(name => 'service');
serve($m, 'linux1');
my $pid = service_pid($m);
my ($status, $text) = $m->run('HVSH_ZONES=linux2 hvsh boot_zones.lua </dev/null 2>&1', 60);
isnt($status, 0, 'a second service is refused');
like($text, qr/\b$pid\b/, 'and told who is there');

# ---- killed

in_zone($m, 'linux1', sub { $m->must('while :; do cat /dev/vda >/dev/null; done >/dev/null 2>&1 & true') });
$m->must("kill -9 $pid; wait $pid 2>/dev/null; true");
like($m->must('hvsh list'), qr/linux1 +running/, 'the zone is still there');
unlike($m->must('hvsh list'), qr/DEVICE/, 'but nobody serves it');
($status, $text) = $m->run('hvsh console linux1/hvc0 </dev/null 2>&1', 60);
isnt($status, 0, 'its console does not answer');
like($text, qr/hvsh: .*(service|serve)/, 'and hvsh says why');
diag($text);

# What its drivers had agreed with that service went with it: a new one cannot go on where it was, and says so.
serve_only($m, 'linux1');
like(service_log($m), qr/linux1 ran before this service .* hvsh restart linux1/, 'a new service says what the zone needs');
$m->must('hvsh restart linux1', 60);
life($m, 'linux1', 2);
pass('which brings it up again');
is(in_zone($m, 'linux1', sub { $m->must('uname -n') }), 'linux1', 'and it can be worked with');

# ---- killed, and no other one started

in_zone($m, 'linux1', sub { $m->must('while :; do cat /dev/vda >/dev/null; done >/dev/null 2>&1 & true') });
$pid = service_pid($m);
$m->must("kill -9 $pid; wait $pid 2>/dev/null; true");
$m->must('hvsh stop linux1', 60);
unlike($m->must('hvsh list'), qr/linux1/, 'the zone is stopped without a service, whatever its CPU waits for');
$m->finish;
