#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# debian.sh [-d] SUITE ARCH FOLDER PACKAGE…
# debian.sh -r SUITE ARCH PACKAGE
#
# Downloads packages of any Debian suite and architecture and unpacks them into FOLDER. Nothing is installed, no
# maintainer script runs, this machine's own packages and lists stay as they are, root is not needed.
#
#   scripts/debian.sh trixie arm64 build/headers linux-headers-arm64
#   scripts/debian.sh -d bookworm arm64 build/sysroot/arm64 libc6-dev liblua5.4-dev zlib1g-dev
#
# -d  with everything the packages depend on (no Recommends), as apt would choose it for an empty system.
# -r  only prints what the package depends on, one name a line: for linux-image-arm64, the newest kernel. It looks into
#     lists that are not older than a day, as long as the mirror can be reached.
#
# FOLDER has lib, bin and sbin as links into usr, and absolute links are made relative, so it serves as a sysroot and
# as a chroot. What is in it already (FOLDER/.packages says so) is not unpacked again: the same call again does nothing.
# -d after a call without -d adds what was left out.
#
# The mirror is the one apt is configured with; HVSH_MIRROR=URI names another. apt itself downloads, with a private
# root: signatures and checksums are verified against Debian's keyring. Everything fetched is kept in HVSH_CACHE
# (default: build/cache) and used from there; lists are fetched again when they do not know a package any more.
#
# Exit: 0 done, 1 failed (one line says why), 2 usage.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

depends= relations=
case ${1:-} in
-d) depends=1; shift ;;
-r) relations=1; shift; [ $# = 3 ] || usage ;;
-*) usage ;;
esac
[ "$relations" ] || [ $# -ge 4 ] || usage
suite=$1 arch=$2 folder=$3
shift 3
case $suite$arch in *[!a-z0-9.-]*) usage ;; esac
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "needs apt-get and dpkg-deb: this is no Debian"

cache_folder
root=$HVSH_CACHE/debian/$suite-$arch
mkdir -p "$root/lists/partial" "$root/archives/partial"

# One call at a time per suite and architecture: apt's own lock would fail instead of waiting.
exec 9>"$root/lock"
flock 9

# Debian's own archive before other sources that may be configured, and no -updates or -security part of it.
mirror() {
	[ -z "${HVSH_MIRROR:-}" ] || { echo "$HVSH_MIRROR"; return; }
	apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(REPO_URI) $(RELEASE) origin=$(ORIGIN)' 2>/dev/null |
		awk '$1 == "Packages" && $2 == "main" && $4 !~ /[-\/]/ {
			if ($5 == "origin=Debian" && !debian) debian = $3
			if (!any) any = $3
		} END { print debian ? debian : any }'
}

uri=$(mirror)
[ -n "$uri" ] || fail "apt has no Debian mirror configured: HVSH_MIRROR=URI names one"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || fail "no $keyring to verify signatures with: install debian-archive-keyring"
echo "deb [arch=$arch signed-by=$keyring] $uri $suite main" >"$root/sources.list"
: >>"$root/status"

# apt.conf.d stays in force: it holds proxies and the like.
apt() {
	program=$1
	shift
	"$program" -q -q -o APT::Architecture="$arch" -o APT::Architectures::="$arch" -o APT::Architectures="$arch" \
		-o Dir::Etc::SourceList="$root/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$root" -o Dir::State::Lists="$root/lists" -o Dir::State::status="$root/status" \
		-o Dir::Cache="$root" -o Dir::Cache::archives="$root/archives" \
		-o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin \
		-o Dir::Log="$root" -o APT::Keep-Downloaded-Packages=true -o APT::Install-Recommends=false \
		-o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Sandbox::User= -o DPkg::Post-Invoke= \
		-o APT::Update::Post-Invoke= -o Debug::NoLocking=true "$@" 9>&-
}

have_lists() { grep -q . "$root"/lists/*_binary-"$arch"_Packages* 2>/dev/null; }

update() {
	echo "debian.sh: fetching the package lists of $suite for $arch" >&2
	apt apt-get update 2>"$root/log" || { cat "$root/log" >&2; fail "cannot fetch the package lists of $suite for $arch"; }
	have_lists || { cat "$root/log" >&2; fail "$suite has no architecture $arch"; }
	touch "$root/fetched"
}

# name version architecture, one package a line
resolve() {
	if [ "$depends" ]; then
		apt apt-get install -s "$@" | sed -n 's/^Inst \([^ :]*\)[^(]*(\([^ ]*\) .*\[\([a-z0-9]*\)\]).*/\1 \2 \3/p'
	else
		# apt-cache show prints every version; the candidate is the one that is downloaded.
		apt apt-get download --print-uris "$@" |
			awk '{ file = $2; sub(/\.deb$/, "", file); gsub(/%3a/, ":", file); split(file, part, "_")
			       print part[1], part[2], part[3] }'
	fi
}

fetch() {
	if [ "$depends" ]; then
		apt apt-get install -d -y "$@"
	else
		(cd "$root/archives" && apt apt-get download "$@")
	fi
}

# Lists that are older than the mirror name packages which it no longer has.
attempt() {
	resolve "$@" >"$root/wanted" 2>"$root/log" && [ -s "$root/wanted" ] && fetch "$@" >>"$root/log" 2>&1
}

fresh=
have_lists || { update; fresh=1; }
if [ "$relations" ]; then
	# Without the mirror, old lists are better than none.
	[ -n "$(find "$root/fetched" -mmin -1440 2>/dev/null)" ] || (update) || true
	names=$(apt apt-cache depends --important "$folder" 2>"$root/log" | sed -n 's/^[ |]*\(Pre\)\{0,1\}Depends: //p')
	[ -n "$names" ] || { cat "$root/log" >&2; fail "$suite ($arch) has no package $folder that depends on anything"; }
	echo "$names"
	exit 0
fi
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
if ! attempt "$@"; then
	[ "$fresh" ] || update
	[ -z "$fresh" ] && attempt "$@" || {
		cat "$root/log" >&2
		fail "$suite ($arch) cannot give: $*"
	}
fi

for dir in bin sbin lib; do
	[ -e "$folder/$dir" ] || { mkdir -p "$folder/usr/$dir" && ln -s "usr/$dir" "$folder/$dir"; }
done
case $arch in
amd64 | loong64) [ -e "$folder/lib64" ] || { mkdir -p "$folder/usr/lib64" && ln -s usr/lib64 "$folder/lib64"; } ;;
esac

touch "$folder/.packages"
new=0
while read -r name version packed; do
	! grep -qxF "$name $version $packed" "$folder/.packages" || continue
	file=$root/archives/${name}_$(echo "$version" | sed 's/:/%3a/g')_$packed.deb
	[ -f "$file" ] || fail "apt did not leave $file"
	{ dpkg-deb --fsys-tarfile "$file" || echo "$file" >"$root/broken"; } |
		tar -x --keep-directory-symlink --no-same-owner -C "$folder" || fail "cannot unpack $file"
	[ ! -e "$root/broken" ] || { rm -f "$root/broken" "$file"; fail "$file was damaged: try again"; }
	echo "$name $version $packed" >>"$folder/.packages"
	new=$((new + 1))
done <"$root/wanted"
[ $new -gt 0 ] || exit 0

find "$folder" -type l -lname '/*' | while read -r link; do
	target=$(readlink "$link")
	case $target in /dev/* | /proc/* | /run/* | /sys/*) continue ;; esac
	ln -snf "$(realpath -m --relative-to="$(dirname "$link")" "$folder$target")" "$link"
done
