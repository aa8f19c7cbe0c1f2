#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A zone is restarted many times in a row and comes up each time.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

use constant RESTARTS => 20;

my $m = Machine->boot(name => 'restart', bound => 600);
serve($m, 'linux1');
for my $n (1 .. RESTARTS) {
	$m->must('hvsh restart linux1', 60);
	life($m, 'linux1', $n + 1);
}
is(lives($m, 'linux1'), RESTARTS + 1, "it comes up each of ${\ RESTARTS} times");
$m->finish;
