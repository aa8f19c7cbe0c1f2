#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs made for upstream's module run on ours: its ioctls, and what it refuses.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

my $m = Machine->boot(name => 'ioctl');
my ($status, $text) = $m->run('ioctl_probe --ram 0x50000000 2>&1', 60);
diag($_) for split /\n/, $text;
is($status, 0, 'the probe finds nothing wrong');
unlike($text, qr/^not ok/m, 'nor says so');
$m->stop;
done_testing;
