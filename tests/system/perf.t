#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What serving costs in this machine, as ratios of one boot. Nothing here fails for being slow.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

my $m = Machine->boot(name => 'perf');

# KiB/s of reads. fio's terse output: field 7.
sub fio {
	my ($file, $mode, $size, $more) = @_;
	my $line = $m->must("fio --name=x --filename=$file --readonly --rw=$mode --bs=$size --size=256m --runtime=5 --time_based " .
		"--ioengine=psync --minimal $more", 60);
	return (split /;/, $line)[6];
}

serve($m, 'linux1');
$m->must('cat root1.ext4 >/dev/null', 60);
my @cases = (['4 KiB, random', 'randread', '4k'], ['1 MiB, in order', 'read', '1m']);
for my $case (@cases) {
	my ($name, $mode, $size) = @$case;
	my $own = fio('/disk/root1.ext4', $mode, $size, '');
	my $zone = in_zone($m, 'linux1', sub { fio('/dev/vda', $mode, $size, '--direct=1') });
	diag(sprintf 'reads of %s: zone %d KiB/s, zone0 from its cache %d KiB/s, ratio %.2f', $name, $zone, $own, $zone / $own);
	ok($zone > 0, "a zone reads its disk: $name");
}

my $pid = service_pid($m);
my $stat = "cat /proc/$pid/stat; cat /proc/$pid/task/*/status | grep ^voluntary_ctxt";
my @idle = map { $_ ? $m->must("sleep 10; $stat", 60) : $m->must($stat) } 0, 1;
my ($ticks, $switches) = map {
	my $at = $_;
	[map { my $text = $_; my @f = split ' ', ($text =~ /\) (.*)/)[0]; my $n = 0; $n += $1 while $text =~ /switches:\s*(\d+)/g; $at ? $n : $f[11] + $f[12] } @idle]
} 0, 1;
diag(sprintf 'the service while its zone idles: %.2f %% of a CPU, %.1f wake-ups a second',
	($ticks->[1] - $ticks->[0]) / 10, ($switches->[1] - $switches->[0]) / 10);
ok(1, 'the service idles');
$m->stop;
done_testing;
