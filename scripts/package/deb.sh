#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# deb.sh ARCH PROGRAM STRIP [ROOT]
#
# Makes build/deb/hvsh_VERSION_ARCH.deb with PROGRAM, which `make` has built, and hvsh-dkms_VERSION_all.deb with the sources
# of the kernel modules. `make deb` calls this. STRIP is the compiler's strip; ROOT the sysroot it was linked against, of
# scripts/sysroot.sh, whose packages say what the program depends on; without it this machine's do.
#
# The same source gives the same bytes: times are those of SOURCE_DATE_EPOCH, or of the last commit, or of the newest file.
# DEBFULLNAME and DEBEMAIL are who made the package. Needed: dpkg-deb, readelf.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/lib.sh"
fail() { echo "deb.sh: $*" >&2; exit 1; }
cd "$here/.."
[ $# -ge 3 ] || { sed -n '3,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
architecture "$1"
program=$2 strip=$3 root=${4:-}
umask 022
export LC_ALL=C

for tool in dpkg-deb readelf gzip; do
	command -v $tool >/dev/null || fail "$tool is missing: packages of Debian are made on Debian (apt-get install dpkg binutils gzip)"
done
version=$(sed -n 's/^VERSION := //p' Makefile)
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
	SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null ||
		find Makefile core docs examples kmod lua modules scripts -type f -printf '%T@\n' | sort -n | sed -n '$s/\..*//p')
fi
export SOURCE_DATE_EPOCH
maintainer="${DEBFULLNAME:-hvsh} <${DEBEMAIL:-root@localhost}>"
out=build/deb
stage=$out/stage-$debian
rm -rf "$stage"
mkdir -p "$stage"
trap 'rm -rf "$stage"' EXIT

# ---- what a program depends on

# shlibs SONAME…: "libfdt 1 libfdt1 (>= 1.6.1)", which package each library is in, and from which version on.
shlibs() {
	if [ -z "$root" ]; then
		for name; do dpkg-query --search "*/$name"; done 2>/dev/null | sed -n "s/^\([a-z0-9.+-]*:$debian\): .*/\1/p" | sort -u |
			while read -r package; do cat "$(dpkg-query --control-path "$package" shlibs)"; done
		return
	fi
	[ -r "$root/.packages" ] || fail "ROOT=$root has no list of packages: it is none that scripts/sysroot.sh made"
	cache_folder
	# Lines of udebs have a type before the name.
	while read -r name package_version arch; do
		[ "$arch" != all ] || continue
		file=$(find "$HVSH_CACHE/debian" -name "${name}_$(echo "$package_version" | sed 's/:/%3a/g')_$arch.deb" | head -n 1)
		[ -n "$file" ] || fail "$name $package_version of ROOT=$root is no longer in $HVSH_CACHE: scripts/sysroot.sh fetches it"
		dpkg-deb --ctrl-tarfile "$file" | tar -xO --wildcards './shlibs' 2>/dev/null || true
	done <"$root/.packages"
}

depends() {
	sonames=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
	[ -n "$sonames" ] || return 0
	# Loaded for the prompt. What only a screen needs is recommended below.
	sonames="$sonames $(grep -ao 'libreadline\.so\.[0-9]*' "$1" | head -n 1)"
	shlibs $sonames >"$stage/shlibs"
	for soname in $sonames; do
		line=$(awk -v name="${soname%.so.*}" -v version="${soname##*.so.}" \
			'$1 == name && $2 == version { print substr($0, index($0, $3)); exit }' "$stage/shlibs")
		[ -n "$line" ] || fail "$1 needs $soname, which no package has"
		echo "$line" >>"$stage/depends"
	done
	sort -u "$stage/depends" | paste -sd, | sed 's/,/, /g'
	rm "$stage/shlibs" "$stage/depends"
}

# ---- packages

# pack NAME ARCH: $stage/NAME with its control file on standard input.
pack() {
	tree=$stage/$1
	install -d "$tree/DEBIAN"
	sed "/^Installed-Size:/s/\$/ $(du -k -s --apparent-size "$tree" | cut -f1)/; /: *\$/d" >"$tree/DEBIAN/control"
	(cd "$tree" && find . -type f ! -path './DEBIAN/*' -printf '%P\n' | sort | xargs -d '\n' md5sum) >"$tree/DEBIAN/md5sums"
	for script in postinst prerm postrm; do
		[ ! -e "scripts/package/$1.$script" ] || {
			sed "s/@VERSION@/$version/g" "scripts/package/$1.$script" >"$tree/DEBIAN/$script"
			chmod 755 "$tree/DEBIAN/$script"
		}
	done
	chmod -R u=rwX,go=rX "$tree"
	find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$tree" "$out/${1}_${version}_$2.deb" >/dev/null
	echo "$out/${1}_${version}_$2.deb: $(($(wc -c <"$out/${1}_${version}_$2.deb") / 1024)) KiB"
}

# document NAME: what every package must have.
document() {
	doc=$stage/$1/usr/share/doc/$1
	install -d "$doc"
	install -m644 scripts/package/copyright "$doc/copyright"
	printf '%s (%s) unstable; urgency=medium\n\n  * hvsh %s.\n\n -- %s  %s\n' "$1" "$version" "$version" "$maintainer" \
		"$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
}

tree=$stage/hvsh
make -s --no-print-directory install-program DESTDIR="$tree" PREFIX=/usr >/dev/null
"$strip" --remove-section=.comment --remove-section=.note "$tree/usr/bin/hvsh"
document hvsh
find "$tree/usr/share/man" -type f -exec gzip -9n {} +
install -d "$tree/etc/hvsh/modules" "$tree/etc/init.d"
mv "$tree/usr/share/hvsh/hvsh.init" "$tree/etc/init.d/hvsh"
install -d "$tree/DEBIAN"
echo /etc/init.d/hvsh >"$tree/DEBIAN/conffiles"
# Found here: a failure inside of the document below would not end the script.
needs=$(depends "$program")
pack hvsh "$debian" <<END
Package: hvsh
Version: $version
Architecture: $debian
Maintainer: $maintainer
Section: admin
Priority: optional
Installed-Size:
Depends: $needs
Recommends: hvsh-dkms, libpng16-16t64 | libpng16-16
Suggests: bash-completion, device-tree-compiler, libdrm2
Description: zones of the hvisor hypervisor, from Lua scripts
 The management shell of the hvisor type-1 hypervisor. It runs on the root
 Linux of a board: it checks, starts and stops the other zones, serves their
 virtio devices, and says what runs.
 .
 With a simulated hypervisor inside, it tries scripts on any machine.
END

make -s --no-print-directory -C kmod dkms DESTDIR="$PWD/$stage/hvsh-dkms" >/dev/null
document hvsh-dkms
pack hvsh-dkms all <<END
Package: hvsh-dkms
Version: $version
Architecture: all
Maintainer: $maintainer
Section: kernel
Priority: optional
Installed-Size:
Depends: dkms
Enhances: hvsh
Description: kernel modules of the hvisor hypervisor, as sources
 hvisor.ko talks to the hypervisor for hvsh, ivc.ko opens channels between
 zones. DKMS builds both for each kernel that is installed with its headers.
END
