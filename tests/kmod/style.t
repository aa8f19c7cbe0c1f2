#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sparse and the kernel's checkpatch have nothing to say. checkpatch comes out of Debian's kernel sources.
. "$HVSH_TESTS/lib/tap.sh"
top=$(dirname "$HVSH_TESTS")
cd "$top" || exit 1
cache=${HVSH_CACHE:-$top/build/cache}

run sparse --version
is 0 "sparse is installed"

# Not for riscv64 and loong64: Debian 12's sparse does not know riscv's -march, and Debian's headers for loong64
# lack the script that starts it.
for name in arm64-6.12 amd64-6.12; do
	run scripts/kernels.sh -p "$name"
	is 0 "$name: headers and compiler are there"
	eval "$out"
	rm -rf "$work/$name"
	export PATH=$TOOLS:$PATH
	run make -C kmod O="$work/$name" KDIR="$KDIR" ARCH="$ARCH" CROSS_COMPILE="$CROSS_COMPILE" C=2
	is 0 "$name: builds under sparse"
	out_has "CHECK   $work/$name/kmod/main.c" "$name: sparse ran"
	[[ $out$err != *warning:* && $out$err != *error:* ]]
	tap $? "$name: sparse has nothing to say"
done

tools=$cache/checkpatch
if [ ! -e "$tools/scripts/const_structs.checkpatch" ]; then
	run scripts/debian.sh trixie "$(dpkg --print-architecture)" "$work/source" linux-source-6.12
	is 0 "the kernel's sources are there"
	mkdir -p "$tools"
	for file in spelling.txt checkpatch.pl const_structs.checkpatch; do
		echo "linux-source-6.12/scripts/$file"
	done | xargs tar -xf "$work"/source/usr/src/linux-source-6.12.tar.xz --strip-components=1 --occurrence=1 -C "$tools"
fi
# What is ignored is about code inside the kernel's own tree, and the names of bindings that are there.
run perl "$tools/scripts/checkpatch.pl" --root="$tools" --no-tree --no-summary --strict --terse --file --max-line-length=100 \
	--ignore LINUX_VERSION_CODE,CONSTANT_COMPARISON,UNDOCUMENTED_DT_STRING kmod/*.c kmod/*.h kmod/Makefile kmod/Kbuild
out_is "" "checkpatch has nothing to say"
is 0 "and ran to its end"
finish
