# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced, with the scripts' folder in $here, by the scripts that work with Debian's packages: what they have in common.
# Sourcing it does nothing.

fail() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# The comment at the head of the script is its help.
usage() {
	sed -n '3,${/^#/!q; s/^# \{0,1\}//p}' "$here/${0##*/}" >&2
	exit 2
}

# Where everything fetched is kept: HVSH_CACHE, absolute from here on.
cache_folder() {
	HVSH_CACHE=${HVSH_CACHE:-$here/../build/cache}
	mkdir -p "$HVSH_CACHE" || fail "HVSH_CACHE=$HVSH_CACHE cannot be used"
	HVSH_CACHE=$(cd "$HVSH_CACHE" && pwd)
	export HVSH_CACHE
}

# architecture NAME: NAME is anybody's word for it. Sets everybody's: debian, make (ARCH of our Makefile), kernel (ARCH of
# the kernel's), emulator (of qemu-user), triplet; and suite, the oldest from trixie on that has it.
architecture() {
	suite=trixie
	case $1 in
	arm64 | aarch64) debian=arm64 make=arm64 kernel=arm64 emulator=aarch64 ;;
	riscv64 | riscv) debian=riscv64 make=riscv64 kernel=riscv emulator=riscv64 ;;
	loong64 | loongarch64 | loongarch)
		debian=loong64 make=loongarch64 kernel=loongarch emulator=loongarch64 suite=forky ;;
	amd64 | x86_64) debian=amd64 make=x86_64 kernel=x86_64 emulator=x86_64 ;;
	*) fail "${1:-nothing} is no architecture; there are arm64, riscv64, loong64, amd64" ;;
	esac
	triplet=$emulator-linux-gnu
}

# own_libc FOLDER: lets the programs of another suite, unpacked there, run on this machine. They cannot use its C
# library, so they get their own by absolute path: the folder must stay where it is.
own_libc() {
	interpreter=$(find "$1/usr/lib64" "$1/usr/lib" -maxdepth 2 -name 'ld-linux*.so.*' 2>/dev/null | head -n 1)
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
