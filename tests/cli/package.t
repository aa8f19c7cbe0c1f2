# SPDX-License-Identifier: GPL-2.0-or-later
# The packages of Debian and the static program, as make deb and STATIC=1 build them: what is in them, that they run out of
# their folder, and, where a copy of this system can be made for a moment, that they install and go without a trace.
. tests/lib/tap.sh
top=$PWD
unset MAKEFLAGS MFLAGS DESTDIR PREFIX O SAN ARCH ROOT STATIC
command -v dpkg-deb >/dev/null || { echo "1..0 # SKIP no dpkg-deb here"; exit; }
version=$(sed -n 's/^VERSION := //p' Makefile)
arch=$(dpkg --print-architecture)

# ---- what is in them

run env -u SOURCE_DATE_EPOCH make -s deb
is 0 "make deb"
deb=$top/build/deb/hvsh_${version}_$arch.deb
dkms=$top/build/deb/hvsh-dkms_${version}_all.deb
[ -f "$deb" ] && [ -f "$dkms" ]
tap $? "two packages"
cp "$deb" "$work/first.deb"
cp "$dkms" "$work/first-dkms.deb"
find build/deb -name '*.deb' -delete
run env -u SOURCE_DATE_EPOCH make -s deb
same "$deb" "$work/first.deb" "built again: the same bytes"
same "$dkms" "$work/first-dkms.deb" "and those of the modules' sources"

run dpkg-deb --field "$deb" Package Version Architecture Depends
out_has "Version: $version"
out_has "Architecture: $arch"
depends=$(dpkg-deb --field "$deb" Depends)
missing=
for library in libc6 libfdt1 liblua5.4-0 libreadline8 zlib1g libjansson4 liburing2; do
	[[ ", $depends," == *", $library"[,\ t]* ]] || missing+=" $library"
done
[ -z "$missing" ]
tap $? "it depends on its libraries${missing:+; missing:$missing in $depends}"
missing=
while read -r package; do
	dpkg-query -W "$package" >/dev/null 2>&1 || missing+=" $package"
done < <(tr , '\n' <<<"$depends" | sed 's/ *(.*//; s/^ *//')
[ -z "$missing" ]
tap $? "under names that Debian has${missing:+; not$missing}"
run sh -c 'dpkg-deb --fsys-tarfile "$1" | tar -tv' - "$deb"
out_lacks "/usr/local" "nothing in /usr/local"
[ -z "$(grep -v ' root/root ' <<<"$out")" ]
tap $? "everything is root's"
run dpkg-deb -R "$deb" "$work/tree"
is 0 "it unpacks"
run cat "$work/tree/DEBIAN/conffiles"
out_is "/etc/init.d/hvsh" "what the administrator may change is kept"
for script in "$work"/tree/DEBIAN/{postinst,prerm,postrm}; do
	run sh -n "$script"
	is 0 "${script##*/} is shell"
done
run sh -c 'cd "$1" && md5sum -c --quiet DEBIAN/md5sums' - "$work/tree"
is 0 "its list of files is right"
for page in 1/hvsh.1 1/hvisor.1 5/hvsh-zone.5 7/hvsh-lua.7; do
	run gzip -t "$work/tree/usr/share/man/man$page.gz"
	is 0 "man page ${page#*/}"
done
[ -f "$work/tree/usr/share/bash-completion/completions/hvsh" ]
tap $? "the completion"
[ -z "$(find "$work/tree/usr/share/hvsh/examples/images" -type f ! -name '*.dts' ! -name make.lua)" ]
tap $? "no placeholders"

# ---- the program, out of that folder

zones=$work/zones
cp -R "$work/tree/usr/share/hvsh/examples" "$zones"
HVSH=$work/tree/usr/bin/hvsh
run hvsh "$zones/images/make.lua"
run hvsh --sim check "$zones/boot_zones.lua"
is 0 "the packaged program checks a packaged example"
run "$work/tree/usr/bin/hvisor" --help
is 0 "and answers to its old name"
run dpkg-deb -R "$dkms" "$work/modules"
run grep -h '^PACKAGE_VERSION=' "$work/modules/usr/src/hvsh-$version/dkms.conf"
out_is "PACKAGE_VERSION=\"$version\"" "the modules' sources are where DKMS looks"

# ---- one file with everything

rm -f build/native/static/hvsh
run make -s STATIC=1
is 0 "make STATIC=1"
[[ $out =~ static/hvsh:\ [0-9]+\ KiB ]]
tap $? "says its size"
HVSH=$top/build/native/static/hvsh
run ldd "$HVSH"
[[ $out$err == *"statically linked"* || $out$err == *"not a dynamic executable"* ]]
tap $? "it needs no library"
run readelf -lW "$HVSH"
out_lacks INTERP "and no loader"
run hvsh --sim check "$zones/boot_zones.lua"
is 0 "it checks an example"
run scripts/demo.sh build/native/static
is 0 "the demonstration runs with it"

# ---- the same in a root file system that has nothing else

bare=$work/bare
mkdir -p "$bare/tmp"
cp "$HVSH" "$bare/hvsh"
cp -R "$zones" "$bare/zones"
enter() { unshare --map-root-user --root="$bare" "$@"; }
if enter /hvsh --version >/dev/null 2>&1; then
	run enter /hvsh --sim plan /zones/boot_zones.lua
	is 2 "alone in a root file system it plans"
	run enter /hvsh -e 'print(io.open("/etc/passwd"), os.getenv "HOME")'
	is 0 "there is not even /etc"
	. "$HVSH_TESTS/lib/terminal.sh"
	T new-session -d -x 80 -y 10 "TERM=xterm HOME= unshare --map-root-user --root=$bare /hvsh; sleep 600"
	sees "hvsh>" "its prompt needs no description of the terminal"
	type_line "print(6 * 7)"
	sees $'\n42' "and takes lines"
	T kill-server
else
	tap 0 "alone in a root file system # SKIP this machine lets nobody have a root of their own"
fi

# ---- installed, upgraded, removed and purged, in a copy of this system that is gone afterwards

cat >"$work/copy.sh" <<'END'
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount -t tmpfs tmpfs "$1/root/tmp"
mount -t tmpfs tmpfs "$1/root/run"
cp "$2" "$1/root/tmp/hvsh.deb"
chroot "$1/root" sh -s
END
mkdir "$work/copy"
in_copy() { unshare --mount --propagation private sh "$work/copy.sh" "$work/copy" "$deb"; }
if [ "$(id -u)" = 0 ] && in_copy </dev/null >/dev/null 2>&1; then
	cat >"$work/install.sh" <<'END'
say() { echo "== $*"; }
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
dpkg -i /tmp/hvsh.deb || exit 1
say installed; hvsh --version
command -v deb-systemd-helper >/dev/null && { [ -L /etc/systemd/system/multi-user.target.wants/hvsh.service ] && say enabled; }
echo "zones" >/etc/hvsh/boot_zones.lua
echo "# changed" >>/etc/init.d/hvsh
dpkg -i /tmp/hvsh.deb || exit 1
grep -q '^# changed' /etc/init.d/hvsh && say kept
systemctl disable hvsh.service >/dev/null 2>&1
dpkg -i /tmp/hvsh.deb || exit 1
[ -L /etc/systemd/system/multi-user.target.wants/hvsh.service ] || say stays disabled
dpkg -r hvsh || exit 1
[ -e /usr/bin/hvsh ] || say removed
[ -e /etc/init.d/hvsh ] && say configured
dpkg -P hvsh || exit 1
say left $(find /etc /usr /var/lib/systemd /run -name '*hvsh*' ! -path '/etc/hvsh' ! -path '/var/lib/dpkg/*' 2>/dev/null)
[ -e /etc/hvsh/boot_zones.lua ] && say own scripts
END
	code=0
	in_copy <"$work/install.sh" >"$work/.out" 2>"$work/.err" || code=$?
	out=$(cat "$work/.out") err=$(cat "$work/.err")
	is 0 "dpkg -i, -r and -P"
	out_has "hvsh $version" "installed, it runs"
	command -v deb-systemd-helper >/dev/null && out_has "== enabled" "its service is enabled"
	out_has "== kept" "an upgrade keeps a changed /etc/init.d/hvsh"
	out_has "== stays disabled" "and a service that was disabled so"
	out_has "== removed"
	out_has "== configured" "removed, its configuration stays"
	[[ $'\n'$out$'\n' == *$'\n== left\n'* ]]
	tap $? "purged, nothing is left"
	out_has "== own scripts" "but the administrator's scripts"
else
	tap 0 "installed and purged # SKIP no copy of this system can be made here (root and overlayfs)"
fi
finish
