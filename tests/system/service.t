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
$m->must("kill -9 $pid");
$m->until_says("kill -0 $pid 2>&1 || echo over", qr/over/, 30, 'the service to be dead');
like($m->must('hvsh list'), qr/linux1 +running/, 'the zone is still there');
diag($_) for split /\n/, $m->must('hvsh list');

# What happens to it: its devices are gone, so it cannot go on; a new service says so, and starts it anew.
($status, $text) = $m->run('HVSH_ZONES=linux1 hvsh boot_zones.lua </dev/null >/run/service.log 2>&1 & sleep 5; cat /run/service.log; hvsh list', 60);
diag($_) for "status $status", split /\n/, $text;
$m->stop;
done_testing;
