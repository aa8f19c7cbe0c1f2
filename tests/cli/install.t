# SPDX-License-Identifier: GPL-2.0-or-later
# What `make install` leaves: the program, the units of systemd, the init script for those without.
. tests/lib/tap.sh
root=$work/root
run env -u MAKEFLAGS -u MFLAGS make -s install-files O="$(dirname "$HVSH")" DESTDIR="$root" PREFIX=/opt/hvsh
is 0 "make install"
run "$root/opt/hvsh/bin/hvsh" --version
out_has "hvsh" "the program runs"
run "$root/opt/hvsh/bin/hvisor" --help
is 0 "under the old name, too"
share=$root/opt/hvsh/share
for file in man/man1/hvsh.1 man/man5/hvsh-zone.5 man/man7/hvsh-lua.7 bash-completion/completions/hvsh \
	doc/hvsh/install.md hvsh/examples/boot_zones.lua hvsh/examples/images/make.lua; do
	[ -s "$share/$file" ]
	tap $? "share/$file"
done

# systemd-analyze looks for what the unit runs.
units=$root/opt/hvsh/lib/systemd/system
if command -v systemd-analyze >/dev/null; then
	mkdir "$work/units"
	for unit in hvsh.service hvsh@.service; do
		sed "s,/opt/hvsh/bin,$root&," "$units/$unit" >"$work/units/$unit"
	done
	run systemd-analyze verify --man=no "$work/units/hvsh.service" "$work/units/hvsh@boot_zones.service"
	is 0 "systemd takes the units"
	err_lacks "units/hvsh" "without a word about them"
else
	tap 0 "systemd takes the units # SKIP no systemd-analyze here"
fi
run cat "$units/hvsh.service"
out_has "Type=notify"
out_has "ExecStart=/opt/hvsh/bin/hvsh /etc/hvsh/boot_zones.lua"

# ---- the init script, on a simulated machine

init=$root/opt/hvsh/share/hvsh/hvsh.init
. "$HVSH_TESTS/lib/examples.sh"
cat >settings <<END
HVSH_OPTIONS=--sim=$work/m
HVSH_SCRIPT=$work/boot_zones.lua
HVSH_LOCK=$work/m/control.lock
HVSH=$HVSH
END
export HVSH_SETTINGS=$work/settings
trap 'sh "$init" stop >/dev/null 2>&1; rm -rf "$work"' EXIT
run sh -n "$init"
is 0 "the init script is shell"
run sh "$init" status
is 3 "nothing runs"
run sh "$init" start
is 0 "start"
err_has "serving 6 devices of 2 zones in the background"
run sh "$init" start
out_has "hvsh runs already (pid" "once"
run sh "$init" status
is 0 "it runs"
run hvsh --sim="$work/m" list
out_has "linux1/root"
run sh "$init" restart
is 0 "restart"
run sh "$init" stop
is 0 "stop"
run sh "$init" status
is 3 "it does not run"
echo $$ >"$work/m/control.lock"
run sh "$init" stop
out_has "hvsh does not run" "a number left behind is nobody's"
run sh "$init" dance
is 2
err_has "usage:"
finish
