# SPDX-License-Identifier: GPL-2.0-or-later
# Linux's own driver side of a queue against ours: virtio_ring.c from Debian's linux-source package, in
# user space, its requests served by a device of ours with its registers, worker and queue. The
# sources are fetched once (about 140 MB) and what is needed of them kept (27 MB) in the user's cache.
. tests/lib/tap.sh

cache=${XDG_CACHE_HOME:-$HOME/.cache}/hvsh

fetch() {
	local package version dir deb
	package=$(apt-cache depends linux-source 2>/dev/null |
		sed -n 's/.*Depends: \(linux-source-[0-9.]*\)$/\1/p' | head -n 1)
	if [ -z "$package" ] && [ "$(id -u)" = 0 ]; then
		apt-get update >&2
		package=$(apt-cache depends linux-source 2>/dev/null |
			sed -n 's/.*Depends: \(linux-source-[0-9.]*\)$/\1/p' | head -n 1)
	fi
	if [ -z "$package" ]; then
		# What an earlier run kept will do.
		dir=$(ls -d "$cache"/linux-source-*/ 2>/dev/null | tail -n 1)
		[ -n "$dir" ] && { echo "${dir%/}"; return; }
		echo "apt knows no linux-source package: run apt-get update with a Debian mirror" >&2
		return 1
	fi
	dir=$cache/$package
	if [ ! -d "$dir" ]; then
		mkdir -p "$cache" && mkdir "$work/deb" "$work/src" || return 1
		(cd "$work/deb" && apt-get download "$package") >&2 || {
			echo "apt cannot download $package: is the mirror reachable?" >&2
			return 1
		}
		deb=$(ls "$work"/deb/*.deb)
		dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$package.tar.xz" |
			tar -xJ -C "$work/src" --strip-components=1 --wildcards \
				"$package/drivers/virtio/virtio_ring.c" "$package/tools/virtio/*" \
				"$package/tools/include/*" "$package/include/linux/*.h" \
				"$package/include/uapi/linux/*.h" || return 1
		rm -rf "$dir.new.$$"
		# Another run may have been faster: then its copy is as good.
		cp -R "$work/src" "$dir.new.$$" && { mv -T "$dir.new.$$" "$dir" || rm -rf "$dir.new.$$"; }
	fi
	echo "$dir"
}

build() {
	local linux=$1 ours="-std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Werror -fno-strict-aliasing -pthread
		-fsanitize=address,undefined -fno-sanitize-recover=all"
	local theirs="-std=gnu11 -O2 -g -w -fno-strict-aliasing -fno-strict-overflow -U_FORTIFY_SOURCE -pthread
		-I$work/stub -I$linux/tools/virtio -I$linux/tools/include -include $linux/include/linux/kconfig.h"
	local here=tests/core/virtio/linux_ring

	# What 6.12's copy of the user space headers lacks.
	mkdir -p "$work/stub/linux"
	echo '#define __context_unsafe(...)' >"$work/stub/linux/compiler-context-analysis.h"
	${CC:-gcc} $theirs -D'MODULE_DESCRIPTION(x)=' -D'data_race(x)=(x)' -c -o "$work/virtio_ring.o" \
		"$linux/drivers/virtio/virtio_ring.c" &&
		${CC:-gcc} $theirs -I$here -c -o "$work/driver.o" $here/driver.c &&
		${CC:-gcc} $ours -Icore -Itests/lib -I$here -o "$work/linux_ring" $here/machine.c \
			tests/lib/vecho.c tests/lib/vrig.c "$work/driver.o" "$work/virtio_ring.o" \
			"$HVSH_BUILD/libhvcore.a" -lcmocka
}

run fetch
is 0 "Linux's sources are there"
[ "$code" = 0 ] || finish
linux=$out
run build "$linux"
is 0 "virtio_ring.c of $(basename "$linux") and our device are built into one program"
[ "$code" = 0 ] || finish
for mode in "" "indirect" "event_idx" "indirect event_idx"; do
	run timeout 100 "$work/linux_ring" 60000 $mode
	is 0 "its driver and our queue agree: ${mode:-plain}"
	run timeout 100 "$work/linux_ring" 20000 $mode reset
	is 0 "the same with resets in flight"
done
finish
