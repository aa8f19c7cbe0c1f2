# SPDX-License-Identifier: GPL-2.0-or-later
# What happens to zones is said once at a prompt, by the log where that is the same terminal.
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
local two = zone "two" {
	id = 2, cpus = {3}, board = require "board.qemu_virt", ram = {at = 0x60000000, size = "32M"},
	kernel = {image = "images/unikernel-arm64.bin", at = 0x60000000},
	dtb = {image = "images/linux1.dtb", patch = true},
	devices = {console "hvc0" {}, custom "bad" {id = 4, queues = {{request = function() error "no bytes left" end}}}},
}
two:start()
local s = require "policy.supervise" {one, backoff = {from = "1h", to = "1h"}}
function fall()
	for _ = 1, 600 do
		if s:status()[1].state == "ready" then break end
		sleep "20ms"
	end
	local con <close> = assert(one:device "hvc0":open())
	con:write "panic\r"
end
function leave()
	local con <close> = assert(two:device "hvc0":open())
	con:write "poweroff\r"
end
function crash()
	assert(two:start())
	local con <close> = assert(two:device "hvc0":open {back = "all"})
	assert(con:expect("> ", {timeout = "60s"}))
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
	sees "no bytes left" "a device that breaks${2:+, $2}"
	broken=$(screen | grep -c 'no bytes left')
	type_line 'leave()'
	sees "zone two (2) has ended" "a zone that ends by itself${2:+, $2}"
	type_line '"quie" .. "t"'
	sees $'\nquiet' "and the prompt goes on"
	ended=$(screen | grep -c 'zone two (2) has ended')
	type_line 'crash()'
	sees "zone two (2) has crashed" "a zone that crashes and that nobody restarts${2:+, $2}"
	type_line '"sti" .. "ll"'
	sees $'\nstill' "and the prompt goes on"
	crashed=$(screen | grep -c 'zone two (2) has crashed')
}
begin
[ "$said" = 1 ]
tap $? "it is said once ($said)"
sees "hvsh: warn: zone one: backoff" "by the log"
[ "$broken" = 1 ]
tap $? "so is the device's end ($broken)"
[ "$ended" = 1 ]
tap $? "and that of the other zone ($ended)"
sees "its devices are closed" "with what was done about it"
[ "$crashed" = 1 ]
tap $? "so is a crash ($crashed)"
sees "hvsh: error: zone two (2) has crashed; it stays in hvisor's list until it is stopped" "by the log"
T kill-session
begin "2>log" "with the log in a file"
[ "$said" = 1 ]
tap $? "the prompt says it ($said)"
[ "$broken" = 1 ]
tap $? "of the device as well ($broken)"
[ "$ended" = 1 ]
tap $? "and of the other zone ($ended)"
[ "$crashed" = 1 ]
tap $? "and of the crash ($crashed)"
[ "$(grep -c 'hvsh: warn: zone one: backoff' log)" = 1 ]
tap $? "and the log keeps it"
[ "$(grep -c 'hvsh: error: zone two (2) has crashed' log)" = 1 ]
tap $? "and of the crash as well"
finish
