#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# Programs made for upstream's module run on ours; what is wrong is refused; it cannot be unloaded under its users.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;

my $m = Machine->boot(name => 'ioctl', cmdline => 'iomem=relaxed');

# Runs a program that prints TAP in zone0, as one test here.
sub passes {
	my ($command, $name) = @_;
	my ($status, $text) = $m->run("$command 2>&1", 120);
	diag($_) for split /\n/, $text;
	ok($status == 0 && $text !~ /^not ok/m && $text =~ /^1\.\.\d+$/m, $name);
}

# ---- nobody uses it yet

$m->must('rmmod hvisor && insmod /modules/hvisor.ko', 60);
pass('a module that nobody uses is unloaded, and loaded again');
my ($status, $text) = $m->run('hvsh list && rmmod hvisor && hvsh list 2>&1', 60);
isnt($status, 0, 'without it there is nothing to list');
like($text, qr/hvisor/, 'and hvsh says what is missing');
diag($text =~ /(hvsh: .*)/s ? $1 : $text);
$m->must('insmod /modules/hvisor.ko', 60);

# ---- its users

$m->must('mkfifo /run/end; ioctl_probe --hold --ram 0x50000000 <>/run/end >/run/held & echo $! >/run/holder');
$m->until_says('cat /run/held', qr/holding/, 30, 'the holder');
($status, $text) = $m->run('rmmod hvisor 2>&1');
like($text, qr/temporarily unavailable/, 'it is not unloaded while a program has it open and mapped');
$m->must('kill -9 $(cat /run/holder); wait $(cat /run/holder) 2>/dev/null; true');
($status, $text) = $m->run('rmmod hvisor 2>&1');
like($text, qr/temporarily unavailable/, 'nor once hypervisors know its page, into which they would go on to write');

passes('upstream_zone 0x60000000 2', "a service that knows only upstream's requests runs a zone from start to end");
passes('ioctl_probe --ram 0x50000000 --gicd 0x8000000', 'every request, right and wrong');
passes('upstream_zone 0x60000000 3', 'and none of that leaves a trace');
$m->finish;
