#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# zone0's clocks are listed as its kernel has them, and those that its tree lends are switched through the module.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use Test::More;

my $m = Machine->boot(name => 'clock');
my $list = $m->must(q{hvsh -e 'for _, c in ipairs(clock.list()) do print(c.name, c.parent, c.rate) end'});
like($list, qr/^clk24mhz\s+false\s+24000000$/m, 'the oscillator');
like($list, qr/^pll\s+clk24mhz\s+960000000$/m, 'what is made of it');
like($list, qr/^bus\s+pll\s+120000000$/m, 'and of that');
like($m->must(q{hvsh -e 'print(clock.list())'}), qr/^clk24mhz +24 ?M.*\n  pll +960 ?M.*\n    bus +120 ?M/m, 'it prints as a tree');
like($m->must(q{hvsh -e 'print(clock.find{consumer = "9000000.pl011"} or clock.find{ref = "/pl011@9000000:uartclk"})'}),
	qr/^clk24mhz: 24 ?M/, 'the clock of the UART is found');
is($m->must(q{hvsh -e 'print(clock.find("pll"):lent(), clock.find("bus"):lent(), (clock.find("clk24mhz"):lent()))'}), "0\t1\tnil",
	"the module lends what zone0's tree says");
is($m->must(q{hvsh -e 'local b = clock.find("bus"); local was = b.enable_count; assert(b:enable()); local on = b.enable_count; } .
	q{assert(b:disable()); print(was, on, b.enable_count, clock.find("pll").enable_count)'}), "0\t1\t0\t0",
	'one is switched on through the module, and off');
my ($status, $text) = $m->run(q{hvsh -e 'assert(clock.find("clk24mhz"):enable())' 2>&1});
isnt($status, 0, 'one that is not lent is not switched');
diag($text);
$m->finish;
