# SPDX-License-Identifier: GPL-2.0-or-later
# What a zone's screen shows, as a file: from Lua and by the command. The simulated guest draws a test card.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/service.sh"

# without graphics cards there is nothing to test
run "$HVSH" --sim -e 'dofile "screen.lua" zones.stop()'
if [[ $err == *"VIRTIO_GPU=n"* ]]; then
	tap 0 "a script with a gpu gets a clear error # SKIP built without graphics cards"
	finish
	exit
fi

# width and height of a PNG file
size_of() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }'; }
is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }

cat >script.lua <<'LUA'
dofile "screen.lua"
local z = zones.panel
local con <close> = assert(z:device "hvc0":open {back = "all"})
con:expect("> ", {timeout = "30s"})
local function ask(line, answer)
	assert(con:write(line .. "\r"))
	return assert(con:expect(answer, {timeout = "30s"}))
end
local d = z:device "screen"
ask("cursor 300 200", "at 300 200")
local s = d.screens[1]
print("shows", d.output, #d.screens, s.on, s.shown_width, s.shown_height, s.cursor_x, s.cursor_y)
print("saved", d:screenshot "card.png")
print("other", d:screenshot("x.png", {screen = 1}))
print("option", pcall(d.screenshot, d, "x.png", {scren = 1}))
print("console", z:device "hvc0":screenshot "x.png")
-- The cursor is drawn over the picture: without it, and somewhere else, the file is another one.
ask("cursor -100 -100", "at %-100 %-100")
print("saved", d:screenshot "bare.png")
ask("rect 10 10 20 20 123456", "drawn")
print("saved", d:screenshot "rect.png")
-- Another screen: the guest hears of it and draws anew.
print("size", d:size(640, 480))
for _ = 1, 300 do
	if d.screens[1].shown_width == 640 and d.screens[1].frames > 0 then break end
	sleep "100ms"
end
ask("card", "640 x 480")
print("saved", d:screenshot "small.png")
print("wrong", d:size(20000, 10))
print("release", d:release())
zones.stop()
print("gone", d:screenshot "x.png")
LUA
run timeout 100 "$HVSH" --sim script.lua
is 0 "a script looks at a screen"
out_has "shows	memory	1	true	1280	800	300	200" "what is shown, and where the cursor is"
out_has "saved	true" "a screenshot is taken"
is_png card.png && [ "$(size_of card.png)" = "1280 800" ]
tap $? "it is a PNG file of the screen's size"
! cmp -s card.png bare.png
tap $? "the cursor is in it"
! cmp -s bare.png rect.png
tap $? "and what was drawn in a part of the screen"
out_has "there is no screen 1: it has 1, counted from 0	EINVAL" "a screen that is not there"
out_has "screenshot has no option scren" "a mistyped option"
out_has "panel/hvc0 is a console device: only gpu can do this	EOPNOTSUPP" "a console has no screen"
out_has "size	true" "another screen is plugged in"
[ "$(size_of small.png)" = "640 480" ]
tap $? "the guest shows that size"
out_has "a screen of 20000 x 10 pixels; each side is 1 to 16384	EINVAL" "a size no screen has"
out_has "its output is memory: there is no display to give	EOPNOTSUPP" "memory cannot be given away"
out_has "gone	nil	ENODEV" "the device has gone with its zone"
[ ! -e x.png ]
tap $? "what failed left no file"

# libpng is loaded when there is a screen: a service without pictures goes on without
mkdir broken
: >broken/libpng16.so.16
cat >without.lua <<'LUA'
dofile "screen.lua"
while not zones.panel:device "screen".screens[1].on do sleep "50ms" end
print(zones.panel:device "screen":screenshot "x.png")
zones.stop()
LUA
LD_LIBRARY_PATH=$PWD/broken run timeout 100 "$HVSH" --sim without.lua
is 0 "a zone with a screen runs without libpng"
out_has "panel/screen: a screenshot needs libpng16.so.16, which cannot be loaded" "a screenshot says that it is missing"
out_has "install libpng16" "and what to do"

# ---- the command

run "$HVSH" -d --sim=m screen.lua
is 0 "served in the background"
for ((i = 0; i < 300; i++)); do
	run "$HVSH" --sim=m screenshot panel shot.png
	[ "$code" = 0 ] && break
	sleep 0.1
done
is 0 "hvsh screenshot ZONE FILE"
is_png shot.png && [ "$(size_of shot.png)" = "1280 800" ]
tap $? "writes a PNG file, in the folder of who asks"
run "$HVSH" --sim=m screenshot panel/screen "$work/again.png"
is 0 "hvsh screenshot ZONE/DEVICE FILE"
run "$HVSH" --sim=m screenshot pannel x.png
is 1 "a zone that is not there"
err_has "there is no screen pannel" "says so"
run "$HVSH" --sim=m screenshot panel/hvc0 x.png
is 1 "a device without a screen"
run "$HVSH" --sim=m screenshot --screen 4 panel x.png
err_has "there is no screen 4" "a screen that is not there"
run "$HVSH" --sim=m screenshot panel "$work/no/such/x.png"
is 1 "a folder that is not there"
err_has "no/such/x.png: cannot be written: No such file or directory" "says so, with the path"
run "$HVSH" --sim=m screenshot panel
is 2 "without a file it is misused"
"$HVSH" --sim=m stop panel >/dev/null 2>&1
finish
