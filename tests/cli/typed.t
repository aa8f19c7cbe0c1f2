# SPDX-License-Identifier: GPL-2.0-or-later
# A script types at a zone's keyboard, and a screenshot shows what was typed and what the zone answered. The glyphs are
# learnt from a screenshot of text that has come another way: over the console.
. "$HVSH_TESTS/lib/tap.sh"
if ! perl -MCompress::Zlib -MDigest::SHA -e 1 2>"$work/.err"; then
	echo "1..0 # SKIP perl has no Compress::Zlib or no Digest::SHA"
	exit
fi
. "$HVSH_TESTS/lib/examples.sh"
run "$HVSH" --sim -e 'dofile "screen.lua" zones.stop()'
if [[ $err == *"VIRTIO_GPU=n"* ]]; then
	tap 0 "a zone shows what is typed at it # SKIP built without graphics cards"
	finish
fi

# read.pl FONT.png PLACE SHOT.png PLACE: the text on the second picture. A place is what the guest says of its text.
cat >read.pl <<'PERL'
use strict;
use warnings;
use Digest::SHA 'sha256_hex';
use lib "$ENV{HVSH_TESTS}/system/lib";
use Picture;

# The cells of a screen, as rows of dots. The first dot above a glyph and the one below are for the caret.
sub cells {
	my ($file, $place) = @_;
	open my $in, '<:raw', $file or die "$file: $!\n";
	my $picture = Picture->from_png(do { local $/; <$in> });
	my ($cols, $rows, $w, $h, $left, $top) = $place =~ /text of (\d+) x (\d+) in cells of (\d+) x (\d+) from (\d+),(\d+)/
		or die "no place of text: $place\n";
	my $dot = $h / 10;
	my ($ground) = $picture->part($left - 1, $top - 1, 1, 1);
	return map {
		my $y = $top + $_ * $h;
		[map {
			my @lines = $picture->part($left + $_ * $w, $y + $dot, $w - $dot, 8 * $dot);
			join "\n", map { join '', map { $_ eq $ground ? '.' : '#' } (/.../gs)[map { $_ * $dot } 0 .. 4] }
				@lines[map { $_ * $dot } 0 .. 7];
		} 0 .. $cols - 1];
	} 0 .. $rows - 1;
}

my ($font_file, $font_place, $file, $place) = @ARGV;
my %character;
for my $row (cells($font_file, $font_place)) {
	my %seen = map { $row->[$_] => chr(32 + $_) } 0 .. 94;
	%character = %seen if keys %seen == 95;
}
die "no line has 95 different characters\n" if !%character;
if (!$file) {
	my %glyph = reverse %character;
	print "$glyph{$_}\n" for split //, 'g7#';
	print sha256_hex(join "\n", map { $glyph{chr()} } 32 .. 126), "\n";
	exit;
}
for my $row (cells($file, $place)) {
	my $line = join '', map { $character{$_} // "\x7f" } @$row;
	print $line =~ s/ +\z//r, "\n";
}
PERL

# Every character once, in an order that nothing else knows.
nonce=$(perl -MList::Util=shuffle -e 'my @c = shuffle map { chr } 33 .. 126; splice @c, 40, 0, " "; print @c')
cat >script.lua <<'LUA'
dofile "screen.lua"
local z = zones.panel
local con <close> = assert(z:device "hvc0":open {back = "all"})
local keys, screen = z:device "keys", z:device "screen"
local function ask(line, answer)
	assert(con:write(line .. "\r"))
	return assert(con:expect(answer, {timeout = "60s"}))
end
-- By the second answer what has arrived before the first question is on the screen.
local asked = 0
local function settle()
	for _ = 1, 2 do
		asked = asked + 1
		ask("echo settled " .. asked, "\nsettled " .. asked .. "\r\n")
	end
end
local function shoot(name)
	settle()
	assert(screen:screenshot(name .. ".png"))
end
-- The guest hears of the last key's end last.
local function typed(text)
	assert(keys:text(text, {timeout = "60s"}))
	assert(keys:key "KEY_F12")
	assert(con:expect("input: key 88 0\r\n", {timeout = "60s", plain = true}))
end

assert(con:expect("> ", {timeout = "60s"}))
print("large " .. ask("card", "\n1280 x 800, (text of [^\r]+)"))
shoot "boot"
local all = ""
for c = 32, 126 do all = all .. string.char(c) end
ask("screen", "> ")
ask("screen " .. all, "> ")
shoot "font"

typed "\n"
settle()
local before = screen.stats.write_bytes
typed "x"
settle()
print("a key moves " .. screen.stats.write_bytes - before)
typed "\b"

typed("echo " .. os.getenv "NONCE" .. "\n")
typed "echo wrogn\b\b\bong\n"
typed(("w"):rep(120))
shoot "full"
-- Back over the beginning of a row.
typed(("\b"):rep(130) .. "echo back\n")
assert(keys:key "KEY_CAPSLOCK")
typed "echo 1aB"
assert(keys:key {"KEY_RIGHTCTRL", "KEY_C"})
assert(keys:key "KEY_CAPSLOCK")
typed "free\n"
shoot "edited"

typed "help\nhelp\nhelp\n"
shoot "scrolled"
print("help " .. ask("help", "\n(help: .-)panel> "))
assert(screen:size(640, 480))
for _ = 1, 6000 do
	if screen.screens[1].shown_width == 640 then break end
	sleep "10ms"
end
print("small " .. ask("card", "\n640 x 480, (text of [^\r]+)"))
shoot "small"
typed "echo small\n"
shoot "last"
zones.stop()
LUA
NONCE=$nonce run timeout 200 "$HVSH" --sim script.lua
is 0 "a script types at a zone"
# place NAME: what the guest has said of its text
place() { sed -n "s/^$1 //p" <<<"$script_out"; }
script_out=${out//$'\r'/}
large=$(place large)
cols=$(sed -E 's/text of ([0-9]+) .*/\1/' <<<"$large")
[ "$cols" -ge 96 ] 2>/dev/null
tap $? "its screen has room for text"
moved=$(sed -E 's/.* cells of ([0-9]+) x ([0-9]+) .*/\1 * \2 * 4 * 2/' <<<"$large")
[[ $script_out == *"a key moves $((moved))"$'\n'* ]]
tap $? "a key costs the pixels of its cell, and of the caret's, and no others"

read_screen() { run perl read.pl font.png "$large" "$@"; }
read_screen
is 0 "all characters look different"
out_is ".....
.....
.####
#...#
#...#
.####
....#
.###.
#####
....#
...#.
..#..
.#...
.#...
.#...
.....
.#.#.
.#.#.
#####
.#.#.
#####
.#.#.
.#.#.
.....
13bf7cb52016e63bf5d23f35762e903a4bac6f6dc285b2b50b74e16645b605d7" "as they were drawn"

read_screen boot.png "$large"
out_has "hvsh guest: zone panel (id 1), CPU 2, 384M of RAM" "what is said while it boots is on the screen, too"
out_has "
panel>" "and a prompt"
out_lacks "card" "but not what is typed at the console"
wrapped=$(printf '%s\n' "panel> echo $nonce" | fold -w "$cols")
read_screen full.png "$large"
echo "nonce: $nonce" >>"$work/.err"
out_has "$wrapped
$nonce
panel> echo wrong
wrong
" "every key types its character, and a command is obeyed"
out_has "$(printf 'panel> %0120d' 0 | tr 0 w | fold -w "$cols")" "a line that is too long goes on below"
read_screen edited.png "$large"
out_has "wrong
panel> echo back
back
panel> ECHO 1Ab^C
panel> free
free: no such command; help lists them
panel>" "backspace, caps lock and control"
out_lacks "ww" "nothing of what was taken back stays"

# What the font does not have is a box.
help=$(sed -n '/^help help: /,/^panic/p' <<<"$script_out" | sed '1s/^help //' | perl -CS -pe 's/[^\0-\x7e]/\x7f/g')
lines() { printf '%s\n' "panel> help" "$help" "panel> help" "$help" "panel>"; }
read_screen scrolled.png "$large"
[ -n "$help" ] && [ "$out" = "$(lines | tail -n "$(wc -l <<<"$out")")" ]
tap $? "full, the screen scrolls"
scrolled=$out
read_screen small.png "$(place small)"
[[ $out == "$scrolled"* ]]
tap $? "on another screen the text is the same, in smaller letters"
read_screen last.png "$(place small)"
out_has "panel> echo small
small
panel>" "and goes on"
finish
