# SPDX-License-Identifier: GPL-2.0-or-later
# All device trees of Debian's kernel packages: fetched once, kept in build/cache, never part of the source.
. "$HVSH_TESTS/lib/tap.sh"
folder=${HVSH_TREES:-build/trees}
mkdir -p "$folder"
folder=$(realpath "$folder")
if ! scripts/trees.sh "$folder" >"$work/list" 2>"$work/why"; then
	echo "Bail out! the trees cannot be fetched: $(tail -n 1 "$work/why")"
	exit 1
fi

"$HVSH" "$HVSH_TESTS/long/trees.lua" 40 "$work" <"$work/list" >"$work/out" 2>"$work/err"
code=$? out=$(cat "$work/out") err=$(cat "$work/err")
is 0 "every tree is read, decoded and planned"
sed 's/^/# /' "$work/out"
[ "$(wc -l <"$work/list")" -ge 1000 ]
tap $? "there are at least 1000 of them"

# What dtc says of a guest's tree, it says of the host's as well.
warnings() { dtc -I dtb -O dtb -o /dev/null "$1" 2>&1 | sed -n 's/^[^:]*: \(Warning .*\)/\1/p' | sort -u; }
code=0 out= err=
for guest in "$work"/guest-*.dtb; do
	host=${guest/guest-/host-}
	new=$(comm -23 <(warnings "$guest") <(warnings "$host"))
	[ -z "$new" ] || { code=1; err+="$guest: $new"$'\n'; }
done
is 0 "dtc finds nothing in the guests' trees that it does not find in the host's"

# dtc's own view of cells and phandles: reading its output again gives the same tree. dtc prints a NUL before a digit
# as one octal number, so that such a property comes back as another.
cat >"$work/diff.lua" <<'LUA'
local a, b = assert(fdt.open(arg[1])), assert(fdt.open(arg[2]))
for _, d in ipairs(fdt.diff(a, b)) do
	local node = a:find(d.path)
	local bytes = node and d.property and node:prop(d.property, "bytes") or ""
	if not bytes:find "%z[0-7]" then print(d.path, d.property, d.only, d.a, d.b) os.exit(1) end
end
LUA
code=0 out= err=
for tree in $(awk 'NR % 20 == 0' "$work/list"); do
	dtc -q -I dtb -O dts "$tree" 2>/dev/null | dtc -q -f -I dts -O dtb -o "$work/again.dtb" - 2>/dev/null
	"$HVSH" "$work/diff.lua" "$tree" "$work/again.dtb" >"$work/diff" 2>&1 || { code=1; err+="$tree: $(head -n 3 "$work/diff")"$'\n'; }
done
is 0 "decompiled and compiled again by dtc they are the same trees"

# The board whose driver zone was written by hand: the plan says what that has.
c4=$(grep /meson-sm1-odroid-c4.dtb "$work/list")
run hvsh dt passthrough "$c4" /soc/vpu@ff900000 /soc/gpu@ffe40000 /soc/bus@ffd00000/i2c@1f000 \
	/soc/bus@ff800000/serial@3000 /soc/bus@ff600000/hdmi-tx@0 /soc/mmc@ffe05000 /soc/mmc@ffe07000 \
	/soc/ethernet@ff3f0000 /soc/bus@ffd00000/interrupt-controller@f080
is 0 "Odroid C4"
for irq in 35:edge 194:level 193:level 192:level 53:edge 225:edge 89:edge 222:level 223:level 40:level; do
	grep -qE "^ *${irq%:*}  ${irq#*:}" <<<"$out"
	tap $? "interrupt $irq"
done
for irq in 96 97 98 99 100 101 102 103; do
	grep -qE "^ *$irq  unknown .*interrupt-controller@f080" <<<"$out"
	tap $? "channel $irq, its trigger unknown"
done
for region in "0xff900000 +1M" "0xffe40000 +256K" "0xffd1f000 +4K" "0xff803000 +4K" "0xff600000 +64K" "0xffe05000 +4K" \
	"0xffe07000 +4K" "0xff3f0000 +64K" "0xff634000 +4K" "0xffd0f000 +4K"; do
	grep -qE "^  $region  " <<<"$out"
	tap $? "pages $region"
done
controller=/soc/bus@ff600000/bus@3c000/system-controller@0/clock-controller
for clock in "ethernet@ff3f0000 .* 38" "ethernet@ff3f0000 .* 2" "ethernet@ff3f0000 .* 13" "mmc@ffe05000 .* 34" "mmc@ffe05000 .* 61" \
	"mmc@ffe07000 .* 35" "mmc@ffe07000 .* 62" "gpu@ffe40000 .* 175"; do
	grep -qE "/${clock% *}$controller ${clock##* }  " <<<"$out"
	tap $? "clock ${clock% .*} ${clock##* }"
done
out_has "/soc/bus@ffd00000/reset-controller@1004"

# The examples with the boards' own trees.
cp -R examples "$work/examples"
"$HVSH" "$work/examples/images/make.lua" >/dev/null
run hvsh --sim check "$work/examples/odroid_c4.lua" "$c4"
is 0 "odroid_c4.lua with the board's tree"
out_lacks "warning" "nothing is wrong"
evb=$(grep /rk3588-evb1-v10.dtb "$work/list")
echo 'assert(assert(fdt.open(arg[1])):overlay(arg[2]))' >"$work/apply.lua"
for example in "odroid_c4 drivers $c4" "rk3588_uart uart $evb"; do
	set -- $example
	run hvsh --sim --no-serve "$work/examples/$1.lua" "$3" "$work"
	is 0 "$1.lua with the board's tree"
	out=$(comm -23 <(warnings "$work/$2.dtb") <(warnings "$3"))
	out_is "" "$1.lua: dtc says nothing of the zone's tree that it does not say of the board's"
	dtc -q -@ -I dts -O dtb -o "$work/root.dtbo" "$work/root.dts"
	tap $? "$1.lua: the root zone's overlay compiles"
	run hvsh "$work/apply.lua" "$3" "$work/root.dtbo"
	is 0 "$1.lua: and applies"
done
echo 'for _, p in ipairs(assert(fdt.open(arg[1])).shared_pages) do io.write(("%x "):format(p.start)) end' >"$work/pages.lua"
run hvsh "$work/pages.lua" "$c4"
[ "$out" = "ff634000 ff638000 ff63c000 ff660000 ff800000 ffd0f000 " ] || [ "$out" = "ff634000 ff638000 ff63c000 ff660000 ff800000 ffd0f000" ]
tap $? "six pages have several owners"
finish
