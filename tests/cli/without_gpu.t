# SPDX-License-Identifier: GPL-2.0-or-later
# A program built with VIRTIO_GPU=n: what differs is compiled anew, the rest is that of the build under test.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
root=$HVSH_TESTS/..
flags=$(cat "$HVSH_BUILD/flags" 2>"$work/.err")
if [[ $flags != *-DHVSH_VIRTIO_GPU=1* ]] || ! [ -e "$HVSH_BUILD/libhvcore.a" ]; then
	echo "1..0 # SKIP there is no build with graphics cards to compare with"
	exit
fi

cd "$root" || exit 1
run make -n V=1 O="$work/none" VIRTIO_GPU=n all
is 0 "make VIRTIO_GPU=n knows what to do"
out_lacks "/dev/gpu" "it compiles nothing of the graphics card"
[[ $out == *-DHVSH_VIRTIO_GPU=0* ]]
tap $? "and says so to the rest"

without=$(sed -E 's/-DHVSH_VIRTIO_GPU=1/-DHVSH_VIRTIO_GPU=0/; s/-DHVSH_(VERSION|PREFIX)=([^ ]*)/-DHVSH_\1=\x27"\2"\x27/g' <<<"$flags")
mapfile -t differ < <(grep -rlw --include='*.c' HVSH_VIRTIO_GPU core lua)
[ ${#differ[@]} -gt 1 ]
tap $? "sources differ: ${differ[*]}"
objects=()
while read -r file; do
	object=$HVSH_BUILD/${file%.c}.o
	if [[ " ${differ[*]} " == *" $file "* ]]; then
		object=$work/$(basename "$file" .c).o
		run bash -c "$without $([[ $file == core/* ]] && echo -Wconversion -Wno-sign-conversion) -c -o '$object' '$file'"
		is 0 "$file compiles without graphics cards"
	fi
	objects+=("$object")
done < <(find core lua -name '*.c' ! -path 'core/virtio/dev/gpu*' ! -name static.c)
# The libraries come behind what needs them.
run bash -c "$without -o '$work/hvsh' ${objects[*]} '$HVSH_BUILD/embed.o' $(grep -oE -- ' -l[^ ]+' <<<"$without" | tr -d '\n')"
is 0 "everything links"

HVSH=$work/hvsh
cp -R examples "$work/"
cd "$work/examples" || exit 1
"$HVSH" images/make.lua >/dev/null || exit 1
for command in check plan apply; do
	run "$HVSH" --sim $command screen.lua
	is 1 "$command refuses a zone with a screen"
	out_has "error: this hvsh was built without graphics cards (VIRTIO_GPU=n)" "that is said"
	out_has "panel  gpu screen  screen.lua:19  devices.screen" "with the line"
	out_has "leave the device out, or build hvsh with VIRTIO_GPU=y" "and what would be right"
done
run "$HVSH" --sim screen.lua
is 1 "and so does the script itself"
err_has "panel  gpu screen  screen.lua:19  devices.screen" "with the line"
run "$HVSH" --sim -e 'dofile "boot_zones.lua" print(#zones.list()) zones.stop()'
is 0 "zones without one are as ever"
out_is 3 "both of them run, beside zone0"
finish
