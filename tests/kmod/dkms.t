#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `make install` puts into /usr/src builds as dkms builds it: with the command lines of dkms.conf, where only that
# tree is, against a distribution's headers.
. "$HVSH_TESTS/lib/tap.sh"
top=$(dirname "$HVSH_TESTS")
cd "$top" || exit 1
unset MAKEFLAGS MFLAGS ARCH CROSS_COMPILE O

run make -C kmod dkms DESTDIR="$work/root"
is 0 "the tree is installed"
run find "$work/root" -name dkms.conf -printf '%P\n'
version=$(sed -n 's/^VERSION := //p' Makefile)
out_is "usr/src/hvsh-$version/dkms.conf" "dkms finds it by hvsh's name and version"
tree=$work/root/usr/src/hvsh-$version
[ -r "$tree/dkms.conf" ] || finish
run bash -c '. "$1" && echo "$PACKAGE_NAME-$PACKAGE_VERSION"' - "$tree/dkms.conf"
out_is "hvsh-$version" "dkms.conf says the same"
run grep -o 'dkms install [^`]*' README.md
out_is "dkms install hvsh/$version" "and so does what README.md tells to type"

for name in amd64-6.1 amd64-6.12; do
	run scripts/kernels.sh -p "$name"
	is 0 "$name: headers and compiler are there"
	[ "$code" = 0 ] || continue
	eval "$out"
	# What dkms sets for dkms.conf.
	kernelver=$release kernel_source_dir=$KDIR
	. "$tree/dkms.conf"
	cp -R "$tree" "$work/$name"
	cd "$work/$name" || exit 1
	# dkms puts these words of its own behind "make". It runs natively: an amd64 kernel's compiler is gcc.
	line=${MAKE[0]/make/make -j2 KERNELRELEASE=$kernelver ARCH=$ARCH ${CROSS_COMPILE:+CROSS_COMPILE=$CROSS_COMPILE}}
	PATH=$TOOLS:$PATH run bash -c "$line"
	is 0 "$name: $line"
	for i in 0 1; do
		[ -f "${BUILT_MODULE_LOCATION[i]}/${BUILT_MODULE_NAME[i]}.ko" ]
		tap $? "$name: ${BUILT_MODULE_NAME[i]}.ko is where dkms.conf says"
		run bash -c 'tr "\\0" "\\n" <"$1" | sed -n s/^version=//p' - "${BUILT_MODULE_LOCATION[i]}/${BUILT_MODULE_NAME[i]}.ko"
		out_is "$version" "$name: its version is dkms.conf's"
	done
	PATH=$TOOLS:$PATH run bash -c "$CLEAN"
	is 0 "$name: $CLEAN"
	run diff -r "$tree" "$work/$name"
	out_is "" "$name: after cleaning nothing is left of it"
	cd "$top" || exit 1
done
finish
