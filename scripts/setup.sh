#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# setup.sh PURPOSE…: finds which Debian packages are missing for the purposes (build, demo, test, bench, kmod, cross,
# system, long) and installs them: as root, or with sudo when that needs no password or somebody is there to type it.
# Otherwise prints the one line to run.
#
#   scripts/setup.sh build test
set -eu

build="gcc make pkg-config libc6-dev liblua5.4-dev libfdt-dev libreadline-dev zlib1g-dev libjansson-dev liburing-dev libseccomp-dev libpng-dev libdrm-dev linux-libc-dev"
demo="device-tree-compiler"
test="device-tree-compiler libcmocka-dev perl clang procps tmux lua-check gzip util-linux xz-utils iproute2 groff-base"
# What debian.sh and the other scripts take that get more of Debian than is installed.
packages="debian-archive-keyring tar xz-utils util-linux findutils patchelf perl"
kmod="$packages sparse binutils"
cross="$packages device-tree-compiler"
system="$packages qemu-system-arm gcc-aarch64-linux-gnu device-tree-compiler cpio e2fsprogs binutils"
long="$packages device-tree-compiler"
bench="lua5.4 device-tree-compiler fio libcmocka-dev"

want=
for purpose in "$@"; do
	case $purpose in
	build) want="$want $build" ;;
	demo) want="$want $demo" ;;
	test) want="$want $test" ;;
	bench) want="$want $bench" ;;
	kmod) want="$want $kmod" ;;
	cross) want="$want $cross" ;;
	system) want="$want $system" ;;
	long) want="$want $long" ;;
	*) echo "setup.sh: unknown purpose $purpose" >&2; exit 2 ;;
	esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "hvsh: this is no Debian; needed are the equivalents of:$want" >&2
	exit 0
fi

# Of this machine's own architecture: a foreign one may be there for cross builds.
native=$(dpkg --print-architecture)
missing_of() {
	for package in "$@"; do
		dpkg-query -W -f '${db:Status-Status} ${Architecture}\n' "$package" 2>/dev/null |
			grep -qE "^installed ($native|all)\$" || printf ' %s' "$package"
	done
}

# clang's sanitizer runtime is a package of its own, named after clang's version.
case " $want " in
*" clang "*)
	if command -v clang >/dev/null 2>&1; then
		major=$(clang -dumpversion | cut -d. -f1)
		want="$want libclang-rt-$major-dev"
	fi ;;
esac

missing=$(missing_of $want)
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	become=
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
	become=sudo
else
	echo "hvsh: packages are missing. Run:  apt-get install$missing" >&2
	exit 1
fi
echo "hvsh: installing$missing"
install() {
	$become env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install $missing; then
	# A machine that never fetched the package lists, or whose lists are old.
	$become apt-get update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	install $missing || { cat "$log" >&2; exit 1; }
fi
case " $missing " in
*" clang "*) exec "$0" "$@" ;;
esac
