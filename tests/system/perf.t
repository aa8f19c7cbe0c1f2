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
	my $line = $m->must("fio --name=x --filename=$file --readonly --rw=$mode --bs=$size --size=256m --runtime=3 --time_based " .
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

# CPU time in ticks (100 a second), and how often its threads went to sleep.
sub used {
	my ($pid) = @_;
	my @stat = split ' ', $m->must("sed 's/.*) //' /proc/$pid/stat");
	my @sleeps = split ' ', $m->must("sed -n 's/^voluntary_ctxt_switches:\\s*//p' /proc/$pid/task/*/status");
	my $sleeps = 0;
	$sleeps += $_ for @sleeps;
	return ($stat[11] + $stat[12], $sleeps);
}

my $pid = service_pid($m);
my @before = used($pid);
$m->must('sleep 10');
my @after = used($pid);
diag(sprintf 'the service while its zone idles: %.1f %% of a CPU, %.1f wake-ups a second', ($after[0] - $before[0]) / 10,
	($after[1] - $before[1]) / 10);
pass('the service idles');
$m->finish;
