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

# ---- and another one started: the zone notices nothing, whatever it was at

serve_only($m, 'linux1');
unlike(service_log($m), qr/and they wait|left alone/, 'a new service goes on where the killed one was');
in_zone($m, 'linux1', sub {
	$m->must('kill %1; (until [ -e /enough ]; do fio --name=verify --filename=/verify --size=48m --rw=randwrite --bs=4k ' .
		'--ioengine=libaio --iodepth=16 --verify=crc32c --do_verify=1 --verify_fatal=1 --direct=1 >/fio.log 2>&1; ' .
		'failed=$?; [ $failed = 0 ] || break; done; echo "fio: $failed" >>/fio.log) & true');
});
for my $time (1 .. 5) {
	$pid = service_pid($m);
	my $how = $time == 3 ? 'TERM' : '9';
	$m->must("kill -$how $pid; wait $pid 2>/dev/null; true");
	like(service_log($m), qr/wait for the next service/, 'a service that is asked to end says what becomes of the zone') if $how eq 'TERM';
	serve_only($m, 'linux1');
}
in_zone($m, 'linux1', sub {
	unlike($m->must('cat /fio.log'), qr/^fio: /m, 'its disk was written all the time');
	$m->must('touch /enough');
	$m->until_says('tail -n 1 /fio.log', qr/^fio: /, 300, 'fio to end');
	like($m->must('cat /fio.log'), qr/err= 0.*^fio: 0/ms, "and fio's verification finds nothing wrong");
	is($m->must('dmesg | grep -ciE "i/o error|virtio.*(error|invalid)" || true'), '0', 'its kernel has nothing to say about it');
});
is(lives($m, 'linux1'), 1, 'all of it in one life');

# ---- what was left is damaged

$pid = service_pid($m);
$m->must("kill -9 $pid; wait $pid 2>/dev/null; true");
$m->must('echo nonsense | dd of=/run/hvsh/devices/1-a003c00-200 conv=notrunc 2>/dev/null');
($status, $text) = $m->run('HVSH_ZONES=linux1 hvsh boot_zones.lua </dev/null 2>&1', 60);
isnt($status, 0, 'a damaged state is refused');
like($text, qr/1-a003c00-200: this is no state of a device.*linux1 is left alone.*hvsh restart linux1/s, 'and what it means is said');
$m->must('rm /run/hvsh/devices/1-*');
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
