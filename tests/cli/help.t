# SPDX-License-Identifier: GPL-2.0-or-later
# What scripts have, as help shows it: hvsh help lua, help(), and a question mark at the prompt.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1
unset LC_ALL LC_CTYPE LANG

run hvsh help
out_has "[COMMAND|lua [NAME]]" "the commands name it"
run hvsh help lua
is 0 "hvsh help lua"
out_has "zones.list check plan apply start stop"
out_has "task:wait cancel" "methods of objects, too"
[ "$(wc -l <.out)" -le 24 ]; tap $? "it fits on a screen"
[ "$(wc -L <.out)" -le 80 ]; tap $? "and its width"
cp .out overview
run hvsh -e 'help()'
same .out overview "help() shows the same"
run hvsh -e 'help(require "hvsh")'
same .out overview "as does the table of all names"

run hvsh help lua zones.start
is 0 "one function"
out_has "zones.start(…)"
out_has "Errors   ENOENT"
out_has 'assert(zones.start("linux1", "linux2"))' "with its example"
cp .out function
for what in '"zones.start"' '"zones:start()"' '"hvsh.zones.start"' 'zones.start'; do
	run hvsh -e "help($what)"
	same .out function "help($what) shows the same"
done
run hvsh help lua zone.ram.size
is 0 "a field of a table"
out_has 'a size: 4096, 0x1000 or "512M"'
out_has "Required  yes"
run hvsh help lua console.expect
out_has "timeout  duration" "options of a function"
run hvsh help lua zone
out_has 'zone "name" {…}' "a name of several things: the function,"
out_has "passthrough" "the fields,"
out_has "zone:start()" "and the object"
run hvsh help lua stats.p99
out_has "[nanoseconds]" "units"

run hvsh help lua zones.lst
is 2 "a name that is not there"
err_has "did you mean zones.list?"
run hvsh help lua detatch
err_has "did you mean device.detach?" "the last word alone"
run hvsh help lua xyzzy
err_has "nothing is known of xyzzy"
err_lacks "did you mean"
run hvsh -e 'help "zones.lst"'
is 0 "in a script it is no error"
out_has "did you mean zones.list?"
run hvsh -e 'help "zones\27[31m"'
out_lacks $'\e[31m' "what was asked for cannot control the terminal"
run hvsh help list now
is 2 "only lua has more words"
err_has "now is too much"

LC_ALL=C run hvsh help lua zones.start
[[ ! $out =~ [^[:print:][:space:]] ]]; tap $? "no sign that an old terminal lacks"
out_has "zones.start(..)"

# Values: each is known for what it is.
asks() {
	run hvsh --sim -e "$1"
	out_has "$2" "help: $2"
}
asks 'help(spawn)' 'spawn(f, …)'
asks 'help(blk)' 'blk "name" {…}'
asks 'help(virtio.blk)' 'blk "name" {…}'
asks 'help(log.warn)' 'log.warn(text, …)'
asks 'help(log.error)' 'log.error(text, …)'
asks 'help(memmap)' 'memmap.free(size, [align])'
asks 'help(hv)' 'hv.fault(text)'
asks 'help(clock.find "uart0")' 'clock_object:set_rate(rate)'
asks 'help(clock.find("uart0").enable)' 'clock_object:enable()'
asks 'help(clock.list())' 'clocks: the object'
asks 'help(fdt.open)' 'fdt.open(path)'
asks 'help(spawn(print))' 'task:wait([options])'
asks 'help(spawn(print).cancel)' 'task:cancel()'
asks 'help(require "board.qemu_virt")' 'board:extend(changes)'
asks 'help((require "board.qemu_virt").extend)' 'board:extend(changes)'
asks 'help(blk "x" {image = "a"})' 'definition: the object'
asks 'help(zone "x")' 'zone "name" {…}'
asks 'help(print)' 'nothing is known of this function'
asks 'help(5)' 'nothing is known of this number'
asks 'help {}' 'nothing is known of this table'
asks 'help(setmetatable({}, {__name = "hvsh.nothing"}))' 'nothing is known of this table'
asks 'help(setmetatable({}, {__name = 5}))' 'nothing is known of this table'
asks 'help(setmetatable({}, {__name = "hvsh.device"}))' 'device: the object'

asks 'help(setmetatable({options = 1, type = {}}, {__name = "hvsh.device"}))' 'device: the object'
asks 'help(setmetatable({}, {__name = "hvsh.device", __index = error}))' 'device: the object'

echo 'help()' >asking.lua
run hvsh --sim --json check asking.lua
out_lacks "Definitions" "in a script that is only read, help stays out of the output"

cat >zone.lua <<'LUA'
local z = zone "linux1" {id = 1, cpus = {2}, board = require "board.qemu_virt",
	ram = {at = 0x50000000, size = "32M"}, kernel = {image = "k", at = 0x50000000}}
local tree = fdt.parse(io.open(arg[1], "rb"):read "a")
local node = tree:find "&uart0"
for _, f in ipairs {z.start, z.attach, z.device, tree.set, node.set, tree.find, node.prop, tree.patch, fdt.guest} do help(f) end
help(z)
LUA
dtc -q -@ -I dts -O dtb -o board.dtb "$HVSH_TESTS/lua/meta_board.dts"
run hvsh --sim zone.lua board.dtb
is 0 "methods of objects"
heads=$(grep -E '^[a-z]+[:.][a-z_]+\(' <<<"$out" | cut -d'(' -f1 | tr '\n' ' ')
[ "$heads" = "zone:start zone:attach zone:device tree:set node:set tree:find node:prop tree:patch fdt.guest " ]; tap $? "each for itself: $heads"
out_has "zone: the object"

# Everything that has a name can be asked for.
cat >all.lua <<'LUA'
local meta, schema, help = require "hvsh.meta", require "hvsh.schema", require "hvsh.help"
local n = 0
local function ask(name)
	n = n + 1
	assert(help.name(name, { width = 40 + n % 60, color = n % 2 == 0 }))
end
for _, page in ipairs(meta.all().pages) do
	for _, entry in ipairs(page.entries) do
		if entry.text ~= "" then
			ask(entry.name)
			for _, field in ipairs(entry.fields) do
				if field.name:find "^%w" then ask(entry.name .. "." .. field.name) end
			end
		end
	end
end
local function walk(path)
	ask(path)
	for _, name in ipairs(schema.describe(path).fields or {}) do walk(path .. "." .. name) end
end
walk "zone"
walk "board"
for name in pairs(schema.devices) do walk(name) end
io.stderr:write(n, " names\n")
LUA
run hvsh all.lua
is 0 "every name"
err_has " names"
LC_ALL=C run hvsh all.lua
[[ ! $out =~ [^[:print:][:space:]$'\e'] ]]; tap $? "without signs that an old terminal lacks"

. "$HVSH_TESTS/lib/terminal.sh"
LC_ALL=C.UTF-8 T new-session -d -x 100 -y 50 "'$HVSH' --sim 2>&1; sleep 60"
sees "hvsh(sim)> " "the prompt"
type_line 'zones.stop?'
sees "zones.stop(…)" "a question about a function"
type_line ' blk.image ? '
sees "Disk image or block device." "with blanks, about a field"
type_line 'tick = every("1h", print)'
type_line 'tick:cancel?'
sees "task:cancel()" "about a method of the person's own object"
type_line 'tick.state'
sees $'tick.state\nwaiting' "which was not called"
type_line 'zones.stpo?'
sees "did you mean zones.stop?" "about nothing"
type_line 'clear = os.execute "clear"'
type_line '?'
sees "Passthrough plans" "a question mark alone"
type_line '"really?"'
sees 'really?' "text with one is text"
T kill-server
finish
