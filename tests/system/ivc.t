#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A channel between zone0 and a Linux zone: bytes and interrupts both ways, none lost; what may be unloaded when.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

plan skip_all => "zone0's channel is minivisor's" if $ENV{HVISOR};

my $m = Machine->boot(name => 'ivc', options => 'ivc=on');

like($m->must('hvsh -e "print(ivc.open(0))"'), qr{^nil\tENOENT: /dev/hivc0: no such channel.*module ivc is not loaded}m,
	'without the module there is no channel');
$m->must('insmod /modules/ivc.ko');
is($m->must('hvsh -e "print(ivc.list(), ivc.open(0))"'), "ivc 0\tivc 0 (peer 0 of 2)", 'with it there is, and zone0 is peer 0');
like($m->must('hvsh -e "print(ivc.open(1))"'), qr/^nil\tENOENT: .*hvisor gives this zone no such channel/, 'and no other one');

$m->must('ivc_peer /dev/hivc0 hold >/run/held & echo $! >/run/holder');
$m->until_says('cat /run/held', qr/ready/, 30, 'the holder');
my ($status, $text) = $m->run('rmmod ivc 2>&1');
like($text, qr/temporarily unavailable/, 'the module is not unloaded while a program has the channel mapped');
$m->must('kill $(cat /run/holder); wait $(cat /run/holder) 2>/dev/null; rmmod ivc && insmod /modules/ivc.ko', 60);
pass('but when it is closed, and loaded again');

serve_script($m, 'boot_ivc.lua', 'ivc');
life($m, 'ivc', 1);
in_zone($m, 'ivc', sub {
	$m->must('insmod /modules/ivc.ko');
	$m->must('ivc_peer /dev/hivc0 >/tmp/peer & until grep -q ready /tmp/peer; do sleep 0.1; done', 60);
	is($m->must('cat /tmp/peer'), 'ready: channel 0, peer 1 of 2', 'the zone is peer 1');
});
my $client = $m->must('timeout 100 hvsh ivc_client.lua', 120);
diag($_) for split /\n/, $client;
like($client, qr/^opened\tivc 0 \(peer 0 of 2\)\t1$/m, 'zone0 opens its end while the zone runs');
like($client, qr/^answer\tHELLO FROM ZONE0$/m, 'bytes and interrupts go both ways');
like($client, qr/^idle\tETIMEDOUT$/m, 'a wait ends in time when nothing comes');
like($client, qr/^questions\t1001$/m, 'a thousand questions have a thousand answers');
like($client, qr/^refused\tEACCES\tERANGE$/m, 'what hvisor would not allow is refused');
like($client, qr/^kept\ttrue$/m, 'an interrupt that nobody waits for is kept');
in_zone($m, 'ivc', sub {
	$m->must('until grep -q over /tmp/peer; do sleep 0.1; done', 60);
	$m->must('rmmod ivc && insmod /modules/ivc.ko');
	pass("the zone's module is unloaded, too, when it is closed");
});
$m->until_says('cat /run/service.log', qr/in the sandbox \([^)]*seccomp[^)]*\): ivc 0 \(peer 0 of 2\), 1 in the list/, 60,
	'the service to open the channel that its script names');
pass('the service opens the channel from its sandbox');

$m->must('hvsh stop ivc', 60);
$m->until_says('kill -0 $(cat /run/service.pid) 2>&1 || echo over', qr/over/, 60, 'the service to end');
$m->finish;
