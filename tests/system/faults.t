#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# What hvsh does and says when the hypervisor or a zone misbehaves. Another zone runs on, whatever happens.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

plan skip_all => 'only minivisor can be told to misbehave' if $ENV{HVISOR};

# The numbers and arguments are in minivisor/README.md.
my %fault = (late => 1, 'late-answer' => 2, 'late-drain' => 3, 'lose-drain' => 4, 'lose-wake' => 5, nostop => 6, die => 7, hang => 8,
	refuse => 9, version => 10, slots => 11);

my $m = Machine->boot(name => 'faults', options => 'fault=version:9');

sub call {
	my ($code, $arg0, $arg1) = @_;
	my $result = $m->must(sprintf 'devmem 0xb000008 64 %d; devmem 0xb000010 64 %d; devmem 0xb000000 32 0x%x; devmem 0xb000018 64',
		$arg0 // 0, $arg1 // 0, $code);
	$m->fail_now("minivisor refuses its private call: $result") if $result !~ /^0x0+$/m;
}
sub fault { my ($name, @args) = @_; call(0x4d560100 + $fault{$name}, @args) }
sub no_fault { call(0x4d560002) }

my $lives = 1;
sub comes_up {
	my ($command, $name) = @_;
	$m->must("hvsh $command linux1", 90);
	life($m, 'linux1', ++$lives);
	pass($name);
}

# ---- an hvisor that is not known

my ($status, $text) = $m->run('hvsh boot_zones.lua </dev/null 2>&1', 60);
isnt($status, 0, 'nothing is started in a layout that is not known');
like($text, qr/version 9/, 'and hvsh says which it was');
diag($text);
no_fault();

serve($m, 'linux1', 'linux2');

# ---- slow and forgetful, but not wrong: zones come up all the same

for my $case (
	['late', 10, 'requests that come late'],
	['late-answer', 10, 'CPUs that go on late'],
	['lose-wake', 3, 'lost wake-ups'],
	['lose-drain', 2, 'interrupts that are forgotten'],
	['slots', 1, 'one request at a time'],
) {
	my ($name, $arg, $text) = @$case;
	fault($name, $arg);
	comes_up('restart', "a zone comes up with $text");
	no_fault();
}

# ---- a start that is refused

fault('refuse', 12);
($status, $text) = $m->run('hvsh restart linux1 2>&1', 60);
isnt($status, 0, 'a start that hvisor refuses fails');
like($text, qr/hvsh: zone linux1: start: .*ENOMEM; hvisor's own memory is used up; zone linux1 had been stopped and stays so/,
	'the message says what hvisor lacks, and how the zone is left');
unlike($m->must('hvsh list'), qr/linux1 +(running|FAILED)/, 'the zone does not run');
comes_up('start', 'it can be started later');

# ---- a zone that dies

fault('die', 1, 100);
$m->until_says('hvsh list', qr/linux1 +FAILED/, 30, 'the crash');
pass('a zone that crashes is listed as failed');
($status, $text) = $m->run('hvsh start linux1 2>&1', 60);
isnt($status, 0, 'it is not started as if it were gone');
like($text, qr/zone linux1 has crashed and is still listed/, 'and hvsh says that it is still there');
comes_up('restart', 'restart takes it down and starts it');

# ---- a zone that hangs

fault('hang', 1, 100);
$m->must('hvsh list');
like($m->must('hvsh list'), qr/linux1 +running/, 'a zone that hangs looks as if it ran');
comes_up('restart', 'and is restarted');

# ---- a CPU that does not stop

fault('nostop', 600_000);
$m->run('hvsh stop linux1 2>&1', 60);
($status, $text) = $m->run('hvsh start linux1 2>&1', 60);
isnt($status, 0, 'a zone is not started on a CPU that did not stop');
like($text, qr/EBUSY.*CPU/s, 'and hvsh says that its CPU is not free');
diag($text);
no_fault();
comes_up('start', 'when it has stopped after all, the zone is started');

like($m->must('hvsh list'), qr/linux2 +running/, 'the other zone has been there all the time');
is(in_zone($m, 'linux2', sub { $m->must('uname -n; cat /dev/vda >/dev/null') }), 'linux2', 'and works');
is(lives($m, 'linux2'), 1, 'it never went down');
$m->finish;
