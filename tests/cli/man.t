# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages say what this hvsh has, and are in order for man.
. tests/lib/tap.sh

run hvsh scripts/reference.lua man
is 0 "hvsh-lua(7) is written"
same "$work/.out" docs/man/hvsh-lua.7 "docs/man/hvsh-lua.7 is up to date (scripts/reference.sh writes it)"
for page in hvsh.1 hvsh-zone.5; do
	run hvsh scripts/manual.lua "docs/man/$page.in"
	is 0 "$page is written"
	same "$work/.out" "docs/man/$page" "docs/man/$page is up to date (scripts/reference.sh writes it)"
done

# What people look for is in the page as they see it.
for page in docs/man/*.[1-9]; do
	name=${page##*/}
	if command -v groff >/dev/null; then
		run env LC_ALL=C.UTF-8 groff -ww -Tutf8 -P-cbou -rLL=78n -man "$page"
		is 0 "$name: groff"
		[ -z "$err" ]
		tap $? "$name: groff warns of nothing"
		cp "$work/.out" "$work/$name.txt"
	fi
	# A page has no date of its own: it is made anew with each change.
	if command -v mandoc >/dev/null; then
		run sh -c 'mandoc -Tlint -W warning "$1" | grep -v "missing date"' - "$page"
		out_is "" "$name: mandoc warns of nothing"
	fi
done
if command -v groff >/dev/null; then
	text=$(cat "$work/hvsh.1.txt")
	missing=
	for command in $("$HVSH" help | sed -n '/^Commands/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p'); do
		[[ $text == *"hvsh $command"* ]] || missing+=" $command"
	done
	[ -z "$missing" ]
	tap $? "hvsh(1) has every command of help${missing:+; missing:$missing}"
	for heading in "EXIT STATUS" SIGNALS ENVIRONMENT FILES EXAMPLES "SEE ALSO"; do
		out=$text
		out_has $'\n'"$heading" "hvsh(1) has $heading"
	done
	out=$(cat "$work/hvsh-zone.5.txt")
	out_has "passthrough (a list of devices, or a table)" "hvsh-zone(5) has the fields of zones"
	out_has "queue_size (a whole number, 4 to 1024)" "of devices"
	out_has "wakeup_irq" "and of boards"
else
	tap 0 "as people see them # SKIP no groff here"
fi

# The example of hvsh-zone(5).
cp -R examples/. "$work"
cp docs/man/zone.lua "$work/zone.lua"
cd "$work" || exit 1
"$HVSH" images/make.lua >/dev/null || exit 1
run hvsh --sim check zone.lua
is 0 "the example of hvsh-zone(5) is right"
out_has "1 zone, nothing wrong"
out_lacks "warning"

# Those of hvsh(1), in its order.
run hvsh --sim check boot_zones.lua
is 0 "hvsh(1): check"
run hvsh --sim plan boot_zones.lua
is 2 "hvsh(1): plan"
run hvsh -d --sim=machine boot_zones.lua
is 0 "hvsh(1): in the background"
run hvsh --sim=machine list
is 0 "hvsh(1): list"
run hvsh --sim=machine stop linux1 linux2
is 0 "hvsh(1): stop"
run hvsh import imported/zone1.json imported/virtio.json -o zone1.lua
is 0 "hvsh(1): import"
finish
