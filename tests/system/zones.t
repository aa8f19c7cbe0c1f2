#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Zones are started, listed, stopped, two beside each other; their end is seen, however it comes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;
use Zones;

my $m = Machine->boot(name => 'zones');

serve($m, 'linux1', 'linux2');
my $list = $m->must('hvsh list');
like($list, qr/^ *1 +linux1 +running +2 /m, 'a zone is started and listed');
like($list, qr/^ *2 +linux2 +running +3 /m, 'and another one beside it');
for my $n (1, 2) {
	like(in_zone($m, "linux$n", sub { $m->must('uname -n; cat /proc/cmdline; mount') }),
		qr{^linux$n\n.*hvsh\.name=linux$n .*/dev/vda on / type ext4}s,
		"linux$n has its root on our disk and its shell on our console");
}

$m->must('hvsh stop linux2', 60);
$list = $m->must('hvsh list');
unlike($list, qr/linux2 +running/, 'one is stopped');
like($list, qr/linux1 +running/, 'and the other one runs on');
is(in_zone($m, 'linux1', sub { $m->must('uname -n') }), 'linux1', 'as its shell says');
$m->must('hvsh start linux2', 60);
life($m, 'linux2', 2);
pass('the stopped one is started again');

# ---- the guest ends by itself

my $before = () = service_log($m) =~ /linux2/g;
in_zone($m, 'linux2', sub { $m->type("poweroff\n") });
$m->until_says('hvsh list', qr/\A(?!.*linux2 +running)/s, 60, 'linux2 to be gone');
pass('a guest that powers off is seen to be gone');
$m->until_says('cat /run/service.log', qr/linux2/, 30, 'the service to say so');
like(service_log($m), qr/linux2.*(ended|gone|off|stopped)/, 'the service says so');
$m->must('hvsh start linux2', 60);
life($m, 'linux2', 3);
pass('and it can be started again');

in_zone($m, 'linux2', sub { $m->type("echo c >/proc/sysrq-trigger\n") });
$m->until_says('cat /run/linux2.log', qr/Kernel panic/, 60, 'the panic');
pass("a guest's panic is in its console's log");
$m->until_says('hvsh list', qr/\A(?!.*linux2 +running)/s, 60, 'linux2 to be gone');
pass('and the zone is seen to be gone');
like($m->must('hvsh list'), qr/linux1 +running/, 'while the other one runs on');
$m->must('hvsh start linux2', 60);
life($m, 'linux2', 4);
pass('it can be started again');

$m->must('kill $(cat /run/service.pid)');
$m->until_says('kill -0 $(cat /run/service.pid) 2>&1 || echo over', qr/over/, 60, 'the service to end');
diag($_) for split /\n/, service_log($m);
$m->finish;
