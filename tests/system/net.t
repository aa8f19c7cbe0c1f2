#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A zone's network: ping, and 16 MiB each way through a TAP, checksummed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

my $m = Machine->boot(name => 'net');
serve($m, 'linux1');
$m->must('ip addr add 192.168.77.1/24 dev tap0; ip link set tap0 up');
$m->until_says('ping -c 1 -W 2 192.168.77.2', qr/1 packets received/, 60, 'the first answer');
like($m->must('ping -c 20 -i 0.1 -W 5 192.168.77.2', 60), qr/20 packets transmitted, 20 packets received/, 'no ping is lost');
like($m->must('ping -c 5 -s 60000 -W 5 192.168.77.2', 60), qr/5 packets received/, 'nor large ones, in fragments');

$m->must('dd if=/dev/urandom of=/tmp/out bs=1M count=16 status=none', 60);
my $sum = $m->must('sha256sum </tmp/out', 60);
# busybox's nc leaves as soon as the other end has no more to say: the listening one must not come to its own end first.
my $listen = 'mkfifo /tmp/silence; nc -l -p 5000 <>/tmp/silence >%s & listener=$!; until netstat -ltn | grep -q :5000; do sleep 0.1; done';
in_zone($m, 'linux1', sub { $m->must(sprintf($listen, '/tmp/in'), 30) });
$m->must('nc 192.168.77.2 5000 </tmp/out', 120);
my $got = in_zone($m, 'linux1', sub { $m->must('wait $listener; sha256sum </tmp/in', 120) });
is($got, $sum, '16 MiB arrive in the zone as they were sent');

$m->must(sprintf($listen, '/tmp/back'), 30);
in_zone($m, 'linux1', sub { $m->must('nc 192.168.77.1 5000 </tmp/in', 120) });
is($m->must('wait $listener; sha256sum </tmp/back', 120), $sum, 'and back');
unlike($m->must('hvsh list'), qr/broken/, 'no device is broken');
$m->finish;
