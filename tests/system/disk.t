#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A zone's disk: what is written is read back, and the file system is clean afterwards.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

my $m = Machine->boot(name => 'disk');
serve($m, 'linux1');
my ($written, $read);
in_zone($m, 'linux1', sub {
	$m->must('dd if=/dev/urandom of=/big bs=1M count=64 conv=fsync status=none', 180);
	$written = $m->must('sha256sum </big', 120);
	$m->must('sync; echo 3 >/proc/sys/vm/drop_caches');
	$read = $m->must('sha256sum </big', 120);
	like($m->must('fio --name=verify --filename=/verify --size=8m --rw=randwrite --bs=4k --ioengine=psync --iodepth=1 ' .
		'--verify=crc32c --do_verify=1 --verify_fatal=1 --direct=1 2>&1', 240), qr/err= 0/, "fio's verification finds nothing wrong");
	like($m->must('fio --name=depth --filename=/verify --size=16m --rw=randrw --bsrange=512-64k --ioengine=libaio --iodepth=16 ' .
		'--verify=crc32c --do_verify=1 --verify_fatal=1 --direct=1 2>&1', 240), qr/err= 0/, 'nor with many requests at once');
	like($m->must('fstrim -v / 2>&1 || true'), qr/trimmed|not supported/, 'unused space can be given back');
	$m->type("poweroff\n");
});
is($read, $written, '64 MiB are read back as they were written');
$m->until_says('hvsh list', qr/\A(?!.*linux1 +running)/s, 90, 'linux1 to be gone');
$m->until_says('kill $(cat /run/service.pid) 2>/dev/null; kill -0 $(cat /run/service.pid) 2>&1 || echo over', qr/over/, 60,
	'the service to end');
like($m->must('e2fsck -fn /disk/root1.ext4 2>&1', 120), qr/^\/disk\/root1\.ext4: .* files/m, "zone0's e2fsck finds its file system clean");
my $debug = $m->must('mkdir -p /tmp/root; mount -o loop,ro /disk/root1.ext4 /tmp/root 2>/dev/null && sha256sum </tmp/root/big || echo no loop device', 120);
ok($debug eq $written || $debug eq 'no loop device', "and what it wrote is in zone0's image");
$m->finish;
