# SPDX-License-Identifier: GPL-2.0-or-later
# All device trees of Debian's kernel packages: fetched once, kept in build/cache, never part of the source.
. "$HVSH_TESTS/lib/tap.sh"
folder=${HVSH_TREES:-build/trees}
mkdir -p "$folder"
if ! scripts/trees.sh "$folder" >"$work/list" 2>"$work/why"; then
	echo "1..0 # SKIP the trees cannot be fetched: $(tail -n 1 "$work/why")"
	exit 0
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

# dtc's own view of cells and phandles: reading its output again gives the same tree.
code=0 err=
for tree in $(awk 'NR % 50 == 0' "$work/list"); do
	dtc -q -I dtb -O dts "$tree" 2>/dev/null | dtc -q -f -I dts -O dtb -o "$work/again.dtb" - 2>/dev/null
	"$HVSH" dt diff "$tree" "$work/again.dtb" >"$work/diff" 2>&1 || { code=1; err+="$tree: $(head -n 3 "$work/diff")"$'\n'; }
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
run hvsh -e 'for _, p in ipairs(assert(fdt.open(arg[1])).shared_pages) do io.write(("%x "):format(p.start)) end' "$c4"
[ "$out" = "ff634000 ff638000 ff63c000 ff660000 ff800000 ffd0f000 " ] || [ "$out" = "ff634000 ff638000 ff63c000 ff660000 ff800000 ffd0f000" ]
tap $? "six pages have several owners"
finish
