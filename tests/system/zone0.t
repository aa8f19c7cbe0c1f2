#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# The hypervisor lets Debian's kernel come up as zone0, with what the other tests need.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;

my $m = Machine->boot(name => 'zone0');
pass('zone0 comes up and has a shell');
is($m->must('nproc'), "2", 'it has two of the four CPUs');
like($m->must('cat /proc/iomem'), qr/^50000000-7fffffff : reserved/mi, "what zones get is not zone0's memory");
like($m->must('dmesg'), qr/Linux version/, 'its messages can be read');
like($m->must('ls -l /dev/hvisor'), qr/^crw-------/, '/dev/hvisor is there, for root alone');
like($m->must('hvsh list'), qr/^ *0 .* root /m, 'hvsh reaches the hypervisor');
like($m->must('hvsh check boot_zones.lua'), qr/2 zones, nothing wrong/, 'the zones of boot_zones.lua are right on this machine');
my ($status, $text) = $m->run('hvsh stop 0');
isnt($status, 0, 'zone0 cannot be stopped');
$m->finish;
