#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels.sh [NAME…]     builds hvisor.ko and ivc.ko for Debian kernels into build/kmod/NAME; without a NAME, for all
# kernels.sh -p NAME     prepares one and prints, as shell assignments, what building against it takes:
#                        release, KDIR, ARCH, CROSS_COMPILE, TOOLS (a folder for the front of PATH)
#
# Headers, compiler and the kernel's own build programs all come from the suite that has the kernel, unpacked by
# debian.sh, and run with that suite's C library: nothing of it is installed. Needed here: make, patchelf.
# HVSH_CACHE keeps it all (default: build/cache); MAKEFLAGS goes through (W=1, C=2, V=1, -j2).
set -eu

#       name          suite    arch     ARCH       triplet
kernels="
	arm64-6.1     bookworm arm64    arm64      aarch64-linux-gnu
	arm64-6.12    trixie   arm64    arm64      aarch64-linux-gnu
	riscv64-6.12  trixie   riscv64  riscv      riscv64-linux-gnu
	amd64-6.1     bookworm amd64    x86_64     x86_64-linux-gnu
	amd64-6.12    trixie   amd64    x86_64     x86_64-linux-gnu
	loong64       forky    loong64  loongarch  loongarch64-linux-gnu
"

fail() {
	echo "kernels.sh: $*" >&2
	exit 1
}

here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
mkdir -p "${HVSH_CACHE:-$top/build/cache}"
HVSH_CACHE=$(cd "${HVSH_CACHE:-$top/build/cache}" && pwd)
export HVSH_CACHE
host=$(dpkg --print-architecture)

for program in make patchelf; do
	command -v $program >/dev/null || fail "$program is missing: apt-get install $program"
done

# Sets suite, arch, ARCH and triplet.
choose() {
	line=$(echo "$kernels" | awk -v name="$1" '$1 == name')
	[ -n "$line" ] || fail "no kernel $1; there are:$(echo "$kernels" | awk '{ printf " %s", $1 }')"
	read -r _ suite arch ARCH triplet <<-END
		$line
	END
}

# The programs of another suite cannot use this machine's C library: they get theirs by absolute path.
use_own_libc() {
	interpreter=$(find "$1/usr/lib64" "$1/usr/lib" -maxdepth 2 -name 'ld-linux*.so.*' | head -n 1)
	libraries=$(dirname "$(find "$1/usr/lib" -maxdepth 2 -name libc.so.6 | head -n 1)")
	[ -n "$interpreter" ] || fail "$1 has no dynamic loader"
	find "$1/usr/bin" "$1/usr/libexec" "$1/usr/lib/gcc" "$1"/usr/lib/gcc-cross "$1"/usr/lib/linux-kbuild* \
		"$1"/usr/*-linux-gnu*/bin -type f -perm /111 2>/dev/null | while read -r file; do
		old=$(patchelf --print-interpreter "$file" 2>/dev/null) || continue
		[ "$old" != "$interpreter" ] || continue
		patchelf --set-interpreter "$interpreter" --force-rpath --set-rpath "$libraries" "$file" ||
			fail "cannot adapt $file"
	done
}

# Sets root, release, KDIR, TOOLS and CROSS_COMPILE.
prepare() {
	choose "$1"
	root=$HVSH_CACHE/kernels/$1
	TOOLS=$root/usr/bin
	mkdir -p "$root"
	exec 8>"$root.lock"
	flock 8
	if [ ! -e "$root/.ready" ]; then
		package=$("$here/debian.sh" -l $suite $arch "^linux-headers-[0-9.]+[0-9+a-z-]*-$arch\$" |
			grep -v -e -rt- -e -cloud- | tail -n 1)
		[ -n "$package" ] || fail "$suite has no kernel headers for $arch"
		release=${package#linux-headers-}
		"$here/debian.sh" $suite $arch "$root" "$package" "${package%-"$arch"}-common"
		KDIR=$root/usr/src/$package
		kbuild=$(basename "$(dirname "$(readlink "$KDIR/scripts")")")
		gcc=$(sed -n 's/.*CROSS_COMPILE)\(gcc-[0-9]*\).*/\1/p' "$KDIR/.kernelvariables")
		[ "$host" = "$arch" ] || gcc=$gcc-$(echo $triplet | tr _ -)
		"$here/debian.sh" -d $suite "$host" "$root" "$kbuild" "$gcc"
		use_own_libc "$root"
		# The headers name each other by absolute path.
		sed -i "s,/usr/src/,$root/usr/src/,g" "$KDIR/Makefile"
		# With it, the build wants to add type information, which takes pahole.
		rm -f "$KDIR/vmlinux"
		echo "$release" >"$root/.ready"
	fi
	exec 8>&-
	release=$(cat "$root/.ready")
	KDIR=$root/usr/src/linux-headers-$release
	CROSS_COMPILE=$triplet-
	[ "$host" != "$arch" ] || CROSS_COMPILE=
}

build() {
	prepare "$1"
	out=$top/build/kmod/$1
	mkdir -p "$out"
	PATH=$TOOLS:$PATH make --no-print-directory -C "$top/kmod" O="$out" KDIR="$KDIR" ARCH=$ARCH \
		CROSS_COMPILE=$CROSS_COMPILE >"$out/log" 2>&1 || {
		cat "$out/log" >&2
		fail "$1: the modules do not build against $release"
	}
	# What the compiler or modpost has to say is nothing to hide.
	grep -i -e warning -e error: "$out/log" >&2 || true
	echo "$release" >"$out/release"
	echo "$1: hvisor.ko and ivc.ko for $release in ${out#"$top"/}"
}

case ${1:-} in
-p)
	[ $# = 2 ] || fail "-p takes one name"
	prepare "$2"
	for variable in release KDIR ARCH CROSS_COMPILE TOOLS; do
		eval "echo \"$variable='\$$variable'\""
	done
	exit ;;
-*) sed -n '3,5s/^# //p' "$0" >&2; exit 2 ;;
esac
[ $# -gt 0 ] || set -- $(echo "$kernels" | awk '{ print $1 }')
for name; do
	build "$name"
done
