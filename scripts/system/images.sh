#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# images.sh OUT HVSH MODULES
#
# Builds in OUT what QEMU is given to boot zone0, from Debian's packages: Image, zone0.dtb, initrd0.cpio, and disk.img,
# zone0's disk, which holds what zones are booted from. HVSH is hvsh built for arm64; MODULES a folder with hvisor.ko
# for Debian's kernel (it may lack it: then zone0 boots without). Root is not needed.
#
# SUITE (trixie) is the Debian suite of kernel and programs.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$1 hvsh=$2 modules=$3
suite=${SUITE:-trixie}
from=tests/system
export PATH=$PATH:/usr/sbin:/sbin

fail() {
	echo "images.sh: $*" >&2
	exit 1
}

mkdir -p "$out"
userland=$out/userland
scripts/debian.sh -d "$suite" arm64 "$userland" busybox-static fio e2fsprogs liblua5.4-0 libfdt1 libjansson4 libdrm2 \
	libpng16-16t64 libreadline8t64 libseccomp2 liburing2 zlib1g

# The name of the newest kernel is what linux-image-arm64 depends on.
scripts/debian.sh "$suite" arm64 "$out/meta" linux-image-arm64
version=$(awk '$1 == "linux-image-arm64" { print $2 }' "$out/meta/.packages" | tail -n 1)
cached=${HVSH_CACHE:-build/cache}/debian/$suite-arm64/archives/linux-image-arm64_${version//:/%3a}_arm64.deb
kernel=$(dpkg-deb -f "$cached" Depends | sed 's/[ ,].*//')
scripts/debian.sh "$suite" arm64 "$out/kernel" "$kernel"
release=${kernel#linux-image-}
ko=$out/kernel/lib/modules/$release/kernel
[ -d "$ko" ] || fail "$kernel holds no modules for $release"

# ---- pieces

# load TREE ORDER MODULE…: unpacks modules and what they depend on into TREE/modules; TREE/modules/ORDER says how to load them.
load() {
	local tree=$1 order=$2 name file depends
	shift 2
	mkdir -p "$tree/modules"
	touch "$tree/modules/$order"
	for name; do
		! grep -qx "$name" "$tree/modules/$order" || continue
		file=$(find "$ko/" -name "$name.ko.xz" -o -name "${name//_/-}.ko.xz" | head -n 1)
		[ -n "$file" ] || fail "$kernel has no module $name"
		xz -dc "$file" >"$tree/modules/$name.ko"
		depends=$(tr '\0' '\n' <"$tree/modules/$name.ko" | sed -n 's/^depends=//p' | tr ',-' ' _')
		# shellcheck disable=SC2086
		load "$tree" "$order" $depends
		echo "$name" >>"$tree/modules/$order"
	done
}

# The other applets are links that the tree makes itself when it comes up.
busybox() {
	local tree=$1 applet
	mkdir -p "$tree"/{bin,sbin,usr/bin,usr/sbin,etc,proc,sys,dev,run,tmp,root}
	cp "$userland/usr/bin/busybox" "$tree/bin/"
	for applet in sh init; do ln -sf busybox "$tree/bin/$applet"; done
}

# needs FILE: the shared libraries and the loader it names
needs() {
	readelf -dl "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p; s/.*program interpreter: .*\/\(.*\)\]/\1/p'
}

# libraries TREE NAME…: copies shared libraries with those that they need.
libraries() {
	local lib=$1/usr/lib/aarch64-linux-gnu queue name found
	mkdir -p "$lib"
	[ -e "$1/lib" ] || ln -s usr/lib "$1/lib"
	[ -e "$1/usr/lib/ld-linux-aarch64.so.1" ] || ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$1/usr/lib/"
	shift
	queue=("$@")
	while [ ${#queue[@]} -gt 0 ]; do
		name=${queue[0]}
		queue=("${queue[@]:1}")
		[ ! -e "$lib/$name" ] || continue
		found=$(find "$userland/usr/lib/aarch64-linux-gnu" -name "$name" | head -n 1)
		[ -n "$found" ] || fail "$name is needed, which is in none of the packages"
		cp -L "$found" "$lib/$name"
		mapfile -t -O ${#queue[@]} queue < <(needs "$lib/$name")
	done
}

# program TREE FILE [NAME]: copies a program with the libraries that it needs.
program() {
	local needed
	mapfile -t needed < <(needs "$2")
	libraries "$1" "${needed[@]}"
	install -m755 "$2" "$1/usr/bin/${3:-$(basename "$2")}"
}

# As root would own it, whoever builds it.
cpio_of() {
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R +0:+0)
}

# ext4_of TREE FILE SIZE
ext4_of() {
	rm -f "$2"
	mke2fs -q -q -t ext4 -E root_owner=0:0 -d "$1" "$2" "$3" 2>&1 | { grep -v "^Creating regular file" || true; } >&2
}

fresh() {
	rm -rf "${1:?}"
	mkdir -p "$1"
}

# ---- what zones are booted from

fresh "$out/zone-initrd"
busybox "$out/zone-initrd"
load "$out/zone-initrd" order virtio_mmio virtio_blk virtio_net crc32c_generic ext4
install -m755 $from/zone1/initrd-init "$out/zone-initrd/init"

fresh "$out/zone-panel"
busybox "$out/zone-panel"
load "$out/zone-panel" order virtio_mmio virtio_gpu virtio_input
[ ! -e "$out/extra/vt" ] || install -m755 "$out/extra/vt" "$out/zone-panel/usr/bin/"
install -m755 $from/panel/init "$out/zone-panel/init"
install -m644 $from/panel/inittab "$out/zone-panel/etc/inittab"
ln -sf ../bin/busybox "$out/zone-panel/sbin/init"

fresh "$out/zone-ivc"
busybox "$out/zone-ivc"
load "$out/zone-ivc" order virtio_mmio
[ ! -e "$modules/ivc.ko" ] || cp "$modules/ivc.ko" "$out/zone-ivc/modules/"
[ ! -e "$out/extra/ivc_peer" ] || install -m755 "$out/extra/ivc_peer" "$out/zone-ivc/usr/bin/"
install -m755 $from/ivc/init "$out/zone-ivc/init"
install -m644 $from/ivc/inittab "$out/zone-ivc/etc/inittab"
ln -sf ../bin/busybox "$out/zone-ivc/sbin/init"

fresh "$out/zone-root"
busybox "$out/zone-root"
program "$out/zone-root" "$userland/usr/bin/fio"
install -m755 $from/zone1/rc "$out/zone-root/etc/rc"
install -m644 $from/zone1/inittab "$out/zone-root/etc/inittab"
ln -sf ../bin/busybox "$out/zone-root/sbin/init"

fresh "$out/disk"
install -m644 "$out/kernel/boot/vmlinuz-$release" "$out/Image"
ln "$out/Image" "$out/disk/Image"
cpio_of "$out/zone-initrd" | gzip -1 >"$out/disk/initrd.gz"
cpio_of "$out/zone-panel" | gzip -1 >"$out/disk/panel.gz"
cpio_of "$out/zone-ivc" | gzip -1 >"$out/disk/ivc.gz"
ext4_of "$out/zone-root" "$out/disk/root1.ext4" 384M
cp --sparse=always "$out/disk/root1.ext4" "$out/disk/root2.ext4"
for zone in linux1 linux2; do
	dtc -q -I dts -O dtb -o "$out/disk/$zone.dtb" examples/images/$zone.dts
done
install -m644 $from/boot_zones.lua $from/boot_screen.lua $from/boot_ivc.lua $from/ivc_client.lua "$out/disk/"
ext4_of "$out/disk" "$out/disk.img" 1280M

# ---- zone0

fresh "$out/zone0"
busybox "$out/zone0"
load "$out/zone0" order virtio_mmio virtio_blk crc32c_generic ext4 loop tun
# A graphics card is there in one test only.
load "$out/zone0" display virtio_gpu
# So is a keyboard.
load "$out/zone0" keyboard evdev uinput
[ ! -e "$modules/hvisor.ko" ] || {
	for_kernel=$(tr '\0' '\n' <"$modules/hvisor.ko" | sed -n 's/^vermagic=\([^ ]*\).*/\1/p')
	[ "$for_kernel" = "$release" ] || fail "$modules/hvisor.ko is for kernel $for_kernel, this one is $release"
	cp "$modules/hvisor.ko" "$out/zone0/modules/"
	echo hvisor >>"$out/zone0/modules/order"
}
# A test loads it, and unloads it.
[ ! -e "$modules/ivc.ko" ] || cp "$modules/ivc.ko" "$out/zone0/modules/"
program "$out/zone0" "$hvsh" hvsh
# hvsh loads them when there is a prompt, and when a screen is shown.
libraries "$out/zone0" libreadline.so.8 libdrm.so.2 libpng16.so.16
program "$out/zone0" "$userland/usr/sbin/e2fsck"
program "$out/zone0" "$userland/usr/bin/fio"
for file in "$out"/extra/*; do
	[ ! -e "$file" ] || program "$out/zone0" "$file"
done
mkdir -p "$out/zone0/usr/share/hvsh"
cp -R examples "$out/zone0/usr/share/hvsh/"
install -m755 $from/zone0/rc "$out/zone0/etc/rc"
install -m644 $from/zone0/inittab $from/zone0/profile "$out/zone0/etc/"
ln -sf bin/busybox "$out/zone0/init"
cpio_of "$out/zone0" >"$out/initrd0.cpio"

dtc -q -I dts -O dtb -o "$out/zone0.dtb" $from/zone0/zone0.dts
fdtput -t x "$out/zone0.dtb" /chosen linux,initrd-end \
	"$(printf %x $((0xb0000000 + $(stat -c %s "$out/initrd0.cpio"))))"
echo "images.sh: $release, $(du -h "$out/initrd0.cpio" | cut -f1) for zone0, $(du -h "$out/disk.img" | cut -f1) of disk"
