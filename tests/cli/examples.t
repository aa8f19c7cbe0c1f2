# SPDX-License-Identifier: GPL-2.0-or-later
# The examples as a person uses them: the placeholders are made, every script is checked, and runs on the simulated
# hypervisor.
. tests/lib/tap.sh

cp -R examples "$work/examples"
ex=$work/examples

run hvsh "$ex/images/make.lua"
is 0 "make.lua makes the placeholders"
mkdir "$work/elsewhere"
run hvsh "$ex/images/make.lua" "$work/elsewhere"
[ -s "$work/elsewhere/linux1.dtb" ] && [ -s "$work/elsewhere/Image" ]
tap $? "make.lua DIR makes them there"

for script in "$ex"/*.lua "$ex"/imported/*.lua; do
	name=${script#"$ex"/}
	board=()
	# Old files do not say which board they are for.
	[[ $name == imported/* ]] && board=(--board qemu_virt)
	run hvsh --sim "${board[@]}" check "$script"
	is 0 "$name: check"
	out_has "nothing wrong" "$name: nothing is wrong with it"
	out_lacks "warning" "$name: no warning"
	run hvsh --sim plan "$script"
	is 2 "$name: plan has something to do"
	run hvsh --sim --no-serve "$script"
	is 0 "$name: runs"
	err_has "simulated" "$name: says that it was simulated"
done

# Paths follow the script, not the working directory.
here=$PWD
cd "$work" || exit 1
run hvsh --sim check examples/boot_zones.lua
is 0 "boot_zones.lua: checked from another folder"
cd "$ex" || exit 1
run hvsh --sim check boot_zones.lua
is 0 "boot_zones.lua: checked from its own folder"
cd "$here" || exit 1

run hvsh --sim plan "$ex/boot_zones.lua"
out_has linux1 "boot_zones.lua starts linux1"
out_has linux2 "boot_zones.lua starts linux2"

# Without the placeholders each file that is missing is named, with the line.
rm "$ex/images/Image" "$ex/images/linux2.dtb"
run hvsh --sim check "$ex/boot_zones.lua"
is 1 "missing images are an error"
out_has "images/Image"
out_has "images/linux2.dtb"
out_has "boot_zones.lua:"

# The same zone from its JSON files and from the script made of them: the same bytes.
run hvsh "$ex/images/make.lua"
run hvsh import "$ex/imported/zone1.json" "$ex/imported/virtio.json"
is 0 "imported/: the JSON files convert"
printf '%s\n' "$out" >"$ex/imported/again.lua"
for layout in 4B 5A 6; do
	run hvsh encode "$ex/imported/zone1.lua" --abi "$layout" -o "$work/a"
	is 0 "imported/zone1.lua encodes for $layout"
	run hvsh encode "$ex/imported/again.lua" --abi "$layout" -o "$work/b"
	same "$work/a" "$work/b" "imported/: conversion and script give the same bytes for $layout"
done
finish
