# SPDX-License-Identifier: GPL-2.0-or-later
# What a supervisor says at a prompt: once, by the log where that is the same terminal.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cp -R examples/. "$work"
cd "$work" || exit 1
"$HVSH" images/make.lua >/dev/null || exit 1
. "$HVSH_TESTS/lib/terminal.sh"
cat >zones.lua <<'LUA'
local one = zone "one" {
	id = 1, cpus = {2}, board = require "board.qemu_virt", ram = {at = 0x50000000, size = "32M"},
	kernel = {image = "images/unikernel-arm64.bin", at = 0x50000000},
	dtb = {image = "images/linux1.dtb", patch = true}, devices = {console "hvc0" {}},
}
local s = require "policy.supervise" {one, backoff = {from = "1h", to = "1h"}}
function fall()
	for _ = 1, 600 do
		if s:status()[1].state == "ready" then break end
		sleep "20ms"
	end
	local con <close> = assert(one:device "hvc0":open())
	con:write "panic\r"
end
LUA
begin() {
	T new-session -d -x 120 -y 50 "'$HVSH' --sim -i zones.lua $1; echo left with \$?; sleep 60"
	sees "hvsh(sim)> "
	type_line 'fall()'
	sees "zone one: backoff" "a zone that crashes${2:+, $2}"
	type_line '"af" .. "ter"'
	sees $'\nafter' "and the prompt goes on"
	said=$(screen | grep -c 'zone one: backoff')
}
begin
[ "$said" = 1 ]
tap $? "it is said once ($said)"
sees "hvsh: warn: zone one: backoff" "by the log"
T kill-session
begin "2>log" "with the log in a file"
[ "$said" = 1 ]
tap $? "the prompt says it ($said)"
[ "$(grep -c 'hvsh: warn: zone one: backoff' log)" = 1 ]
tap $? "and the log keeps it"
finish
