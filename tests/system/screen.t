#!/usr/bin/env perl
# SPDX-License-Identifier: GPL-2.0-or-later
# A Linux zone with a screen and two keyboards: a script types at its console, and so does one of zone0's own. What the zone
# writes there is on zone0's display and in a screenshot, pixel for pixel.
use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use FindBin;
use lib "$FindBin::Bin/lib";
use Machine;
use MIME::Base64;
use Picture;
use Test::More;
use Zones;

my $m = Machine->boot(name => 'screen', display => [1280, 800]);
my $cards = $m->must('for module in $(cat /modules/display); do insmod /modules/$module.ko || echo $module; done; ls /dev/dri');
like($cards, qr/^card0\b/, "zone0's kernel has a graphics card");

# A keyboard of zone0's: keys go into /run/keys, lights come out of /run/keyboard.
$m->must('for module in $(cat /modules/keyboard); do insmod /modules/$module.ko || echo $module; done; mkfifo /run/keys');
sub plug {
	$m->must('keyboard plug "a real keyboard" /run/keys >/run/keyboard & echo $! >/run/keyboard.pid');
	return $m->until_says('cat /run/keyboard', qr{^/dev/input/event\d+$}, 30, 'the keyboard') =~ s/\n.*//sr;
}
# Codes of linux/input-event-codes.h.
my %code = (
	a => 30, b => 48, c => 46, e => 18, h => 35, k => 37, l => 38, o => 24, r => 19, ' ' => 57, "\n" => 28,
	shift => 42, caps => 58,
);
sub hold { $m->must("echo '$code{$_[0]} $_[1]' >/run/keys") }
sub press { $m->must(join '; ', map { "echo '$code{$_} 1' >/run/keys; echo '$code{$_} 0' >/run/keys" } @_) }
sub press_text { press(split //, $_[0]) }
my $node = plug();
is($m->must("keyboard grab $node"), 'it can', "zone0 has a keyboard at $node");
$m->must("export HVSH_KEYBOARD=$node");

serve_script($m, 'boot_screen.lua', 'panel');
life($m, 'panel', 1);

# Lua in the service, at once.
sub lua {
	my ($code) = @_;
	return $m->must("hvsh attach <<'END'\ndo local screen, keys = zones.panel:device 'screen', zones.panel:device 'keys'; $code end\nEND", 120);
}

sub zone {
	my ($command) = @_;
	return in_zone($m, 'panel', sub { $m->must($command) });
}

sub screenshot {
	$m->must('hvsh screenshot panel /tmp/panel.png', 60);
	return Picture->from_png(decode_base64($m->must('base64 /tmp/panel.png', 120)));
}

# What is on the terminal, as the zone's kernel has it.
sub terminal { map { s/ +\z//r } unpack '(a160)*', decode_base64(zone('base64 /dev/vcs1')) }

# The first screenshot with the text of the terminal, once that has such a line.
my $font = Picture::font(zone('vt font /dev/tty1'));
sub shows {
	my ($line) = @_;
	my ($picture, @terminal);
	for (1 .. 60) {
		@terminal = terminal();
		$picture = screenshot();
		return $picture if grep({ $_ =~ $line } @terminal) && join("\n", $picture->text($font)) eq join("\n", @terminal);
	}
	diag(join "\n", 'the terminal:', @terminal, 'the screenshot:', $picture->text($font));
	$m->fail_now("no screenshot shows what the zone's terminal has, with a line like $line");
}

# Whether a picture comes to the display: commits are shown in their own time.
sub displayed {
	my ($picture, $seconds) = @_;
	for (1 .. $seconds // 60) {
		my $display = Picture->from_ppm($m->display);
		return 1 if !grep { $picture->{$_} ne $display->{$_} } qw(width height rgb);
		$m->must('sleep 1');
	}
	return 0;
}

is(lua('print(screen.output, screen.screens[1].shown_width, screen.screens[1].shown_height)'), "drm\t1280\t800",
	'the zone shows its console in the mode of the display');
ok(shows(qr/^~ #$/), 'its prompt can be read in a screenshot');

# Colours, so that no part of a pixel can be in another's place.
zone(q{printf '\\033[31mred \\033[32mgreen \\033[34mblue\\033[m\\n' >/dev/tty1});
lua('assert(keys:text("echo hello >/tmp/typed; cat >>/tmp/typed\n", {timeout = "60s"}))');
lua('local t = {} for c = 33, 126 do t[#t + 1] = string.char(c) end ' .
	'assert(keys:text(table.concat(t) .. "\n", {timeout = "60s"})) assert(keys:key {"KEY_LEFTCTRL", "KEY_D"})');
shows(qr/^~ #$/);
# Small changes far from each other. Debian's 6.12 flushes the whole screen for each; frames in parts are test_gpu_drm's.
zone(q{printf '\\0337' >/dev/tty1; for i in 25 30 35 40 45; do printf "\\033[$i;${i}H$i" >/dev/tty1; usleep 100000; done; } .
	q{printf '\\0338' >/dev/tty1});
my $picture = shows(qr/^ {44}45$/);
my $printable = join '', map { chr } ord '!' .. ord '~';
is(zone('cat /tmp/typed'), "hello\n$printable", 'what a script types arrives in the zone, every character of it');
ok((grep { $_ eq $printable } $picture->text($font)), 'and can be read in a screenshot');
is(zone('sha256sum </dev/fb0'), sha256_hex($picture->bgrx) . '  -', "which is what the zone's frame buffer holds");
ok(displayed($picture), "and what is on zone0's display");

is(lua('local d = zones.panel:device "real" print(d.kind, d.model, d.evdev)'), "evdev\ta real keyboard\t$node",
	"zone0's own keyboard is the zone's");
like(($m->run("keyboard grab $node"))[1], qr/Device or resource busy/, 'and nobody else has it');
press_text('echo ');
hold('shift', 1);
press('r');
hold('shift', 0);
press_text("eal\n");
ok(shows(qr/^Real$/), 'what is typed at it can be read on the screen');
press('caps');
$m->until_says('cat /run/keyboard', qr/^light 1 1$/m, 60, 'its light of caps lock');
pass("the zone lights its caps lock");
press('caps');
$m->until_says('cat /run/keyboard', qr/^light 1 0$/m, 60, 'its light to go out');

# It is pulled out while shift is held: that key comes up, and what is typed elsewhere is not changed by it.
hold('shift', 1);
$m->must('kill $(cat /run/keyboard.pid)');
$m->until_says(q{hvsh attach -e 'print(zones.panel:device("real").gone)'}, qr/^true$/, 60, 'the service to miss the keyboard');
lua('assert(keys:text("echo pulled out\n", {timeout = "60s"}))');
ok(shows(qr/^pulled out$/), 'a keyboard that is pulled out lets go of its keys');
is(plug(), $node, 'another one of its kind is plugged in');
$m->until_says(q{hvsh attach -e 'print(zones.panel:device("real").gone)'}, qr/^false$/, 60, 'the service to find the keyboard');
press_text("echo back\n");
ok($picture = shows(qr/^back$/), 'and is used in its place');

# Killed: the next service shows what there was, and the zone writes on.
$m->must('kill -9 $(cat /run/service.pid); wait $(cat /run/service.pid) 2>/dev/null; true');
serve_script($m, 'boot_screen.lua', 'panel');
unlike(service_log($m), qr/and they wait|left alone|begin anew/, 'a new service goes on where a killed one was');
ok(displayed($picture), 'and shows what the zone has written before');
lua('assert(keys:text("echo survived\n", {timeout = "60s"}))');
ok($picture = shows(qr/^survived$/), 'the zone writes on');
ok(displayed($picture), 'on the display as well');
press_text("echo look\n");
ok($picture = shows(qr/^look$/), "and zone0's keyboard is still its own");
is(lives($m, 'panel'), 1, 'all of it in one life');

# The display lent to others: the zone writes on, unseen.
lua('assert(screen:release())');
lua('assert(keys:text("echo later\n", {timeout = "60s"}))');
my $later = shows(qr/^later$/);
ok(displayed($picture), 'a display that is given away does not change');
lua('assert(screen:take())');
ok(displayed($later), 'once it is taken back it shows what the zone has written meanwhile');

lua('assert(screen:size(1024, 768))');
$m->until_says(q{hvsh attach -e 'print(zones.panel:device("screen").screens[1].shown_width)'}, qr/^1024$/, 60,
	'the zone to show another size');
my $small = screenshot();
is("$small->{width} x $small->{height}", '1024 x 768', 'a zone follows when its screen changes its size');
ok(displayed($small), 'and so does the display');

is(lua('print(keys.leds.caps)'), 'false', 'no light is lit');
lua('assert(keys:key "KEY_CAPSLOCK")');
$m->until_says(q{hvsh attach -e 'print(zones.panel:device("keys").leds.caps)'}, qr/^true$/, 60, 'the light of caps lock');
pass('the zone lights that of caps lock');

# From its sandbox, where the service may do less than when it started.
$m->must('hvsh restart panel', 90);
life($m, 'panel', 2);
ok(displayed(shows(qr/^~ #$/)), 'a zone that is started anew has the display again');
lua('assert(screen:release()) assert(screen:take())');
pass('which is lent as before');
$m->must('hvsh stop panel', 60);

# Started on a terminal of zone0's: who switches to another one has the display.
$m->until_says('kill -0 $(cat /run/service.pid) 2>&1 || echo it has ended', qr/it has ended/, 60, 'the service to end');
$m->must(q{openvt -c 8 -s -- sh -c 'hvsh boot_screen.lua >/run/service.log 2>&1'});
life($m, 'panel', 3);
ok(displayed(shows(qr/^~ #$/)), 'a service on a terminal has the display');
is($m->must('vt master /dev/dri/card0'), 'taken', 'for itself');
$m->must('chvt 9', 60);
is($m->must('vt master /dev/dri/card0'), 'free', 'until another terminal is looked at');
lua('assert(keys:text("echo unseen\n", {timeout = "60s"}))');
my $unseen = shows(qr/^unseen$/);
ok(!displayed($unseen, 1), 'what the zone writes then is not seen');
$m->must('chvt 8', 60);
ok(displayed($unseen), 'until its own terminal is');
is($m->must('vt master /dev/dri/card0'), 'taken', 'and has the display again');
lua('assert(screen:release())');
$m->must('chvt 9; chvt 8', 60);
is($m->must('vt master /dev/dri/card0'), 'free', 'what a script gives away stays away');
$m->must('hvsh stop panel', 60);
$m->finish;
