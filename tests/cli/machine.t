# SPDX-License-Identifier: GPL-2.0-or-later
# The machine of a session, and the C module below our Lua: which machine is opened, plans and their
# progress, interruption while loading.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
. "$HVSH_TESTS/lib/zones.sh"

# What our own Lua has of the C module; specs of the zones defined so far.
cat >core.lua <<'LUA'
core = require "hvsh.core"
function specs()
	local dsl, list = require "hvsh.dsl", {}
	for i, handle in ipairs(dsl.zones) do list[i] = dsl.spec_of(handle) end
	return list
end
function two() loadfile "two.lua" () end
LUA
lua() { run hvsh --sim -e 'dofile "core.lua"' -e "$@"; }

# ---- which machine
lua 'print(hv.limits.cpus, hv.limits.zones)'
out_is $'32\t32' "without a board the limits are hvisor's"
run hvsh --sim --board qemu_virt -e 'print(hv.arch, hv.limits.cpus)'
out_is $'arm64\t4' "--board makes the machine"
run hvsh --sim --board no_such -e 'print(hv.arch)'
is 1 "--board of nobody"
err_has "board.no_such"
run hvsh --sim --arch riscv64 --board qemu_virt -e 'print(hv.arch)'
is 1 "--arch against the board"
err_has "--arch riscv64, but board"
lua 'assert(#zones.list() == 1) two() assert(zones.start()) print(#core.list())'
is 0 "the machine becomes the board's when that is known later"
out_is 3
[ "$(grep -c simulated "$work/.err")" = 1 ]; tap $? "and is announced once"
sed '/"rtos"/,$s/board = board/board = require "board.rk3588"/' two.lua >boards.lua
run hvsh --sim check boards.lua
is 1 "zones for two boards"
err_has "all zones of a script are for one machine"
run hvsh "--sim=$work/kept" apply two.lua
run hvsh "--sim=$work/kept" list
is 0 "a machine that is kept is found again without its board"
out_has rtos
run hvsh "--sim=$work/kept" --abi 3 list
is 1 "but not with another layout"
err_has "--abi 3"
run hvsh "--sim=$work/kept" --board rk3588 list
is 1 "nor as another board, while zones run"
run hvsh --sim check two.lua
is 0
run hvsh check two.lua
out_has "checked without the zones that run" "without a hypervisor a check says what it left out"
run hvsh apply two.lua
is 1 "without a hypervisor nothing can be applied"

# ---- plans
lua 'two() local p = core.plan(specs()) print(#p:deltas(), #p:steps(), p:steps()[1].kind)
	local seen = {}
	assert(p:apply(function(i, done, total) seen[i] = true assert(done <= total) end))
	print(#seen == #p:steps())
	print(pcall(p.apply, p))'
is 0 "a plan is applied"
out_has $'2\t4\tload'
out_has $'true\nfalse' "its progress names every step"
out_has "has been applied" "once only"
lua 'two() print(core.plan(specs()):apply(function() error "no more" end)) print(#core.list())'
is 0 "an error in the progress function"
out_has "ECANCELED: the progress function failed" "cancels"
out_has "no more" "and is told"
out_has $'ECANCELED\n1' "and what was started is undone"
lua 'two() print(core.plan(specs()):apply(function(i) if i > 2 then error "late" end end)) print(#core.list())'
out_has $'ECANCELED\n1' "also when one zone runs already"
lua 'two() print(#core.plan(specs(), {names = {"rtos"}}):steps(), #core.plan(specs(), {names = {}}):steps())'
out_is $'2\t0' "names choose"
lua 'two() print(core.plan(specs(), {names = {"nobody"}}))'
out_has "nobody" "a name nobody defined"
lua 'two() zone "c" {id = 3, cpus = {3}, ram = {at = 0x58000000, size = "32M"},
		kernel = {image = "image.bin", at = 0x58400000}, board = require "board.qemu_virt"}
	local p, message, code, findings = core.plan(specs()) print(p, code, #findings > 1) print(message)'
out_has $'nil\tEINVAL\ttrue' "no plan for zones that are not right"
out_has "more errors" "and how many there are"

# ---- misuse of the module is an error, not a crash
cat >misuse.lua <<'LUA'
local calls = {
	{core.check}, {core.check, 1}, {core.check, {1}}, {core.check, {{}}}, {core.check, {setmetatable({}, {__index = error})}},
	{core.plan, {}, 1}, {core.plan, {}, {names = 1}}, {core.plan, {}, {names = {{}}}},
	{core.encode}, {core.encode, {}}, {core.decode}, {core.decode, {}}, {core.memmap, 3},
	{core.stop}, {core.stop, "x"}, {core.stop, -1}, {core.stop, 1 << 40}, {core.size}, {core.size_text, "x"},
	{core.mode, "x"}, {core.color, 77}, {core.columns, -1}, {core.log, "loud", "x"}, {core.log_level, "x"},
}
for i, call in ipairs(calls) do assert(not pcall(table.unpack(call)), i) end
local map = core.memmap {}
for _, f in ipairs { {map.draw, map, {width = -1}}, {map.free, map, 0}, {map.free, map, 4096, 3}, {map.draw, {}}, {map.draw} } do
	assert(not pcall(table.unpack(f)))
end
local plan = core.plan {}
assert(not pcall(plan.apply, plan, 1) and not pcall(plan.steps, map))
assert(getmetatable(plan) == false and tostring(plan):find "hvsh.plan")
do local closed <close> = plan end
assert(not pcall(plan.steps, plan))
for _, text in ipairs { "", "x", "-1", "1e3", "99999999T", "1M\0" } do
	local n, why = core.size(text)
	assert(n == nil and why, text)
end
assert(core.size "1.5K" == 1536 or core.size "1.5K" == nil)
assert(core.size "512M" == 512 << 20 and core.size_text(768 << 20) == "768M")
local text, _, code = core.decode "\0\0\0"
assert(text == nil and code == "EINVAL", code)
text, _, code = core.decode("", "77")
assert(text == nil and code == "EINVAL")
text, _, code = core.decode("", nil, "vax")
assert(text == nil and code == "EINVAL")
-- Messages without the name of their code.
assert(core.plain "E2BIG: too long: E2BIG" == "too long: E2BIG" and core.plain "EIO: " == "" and core.plain(7) == "7")
for _, text in ipairs { "", "E", "E: x", "EIO:x", "Each: one", "an EIO: x" } do assert(core.plain(text) == text, text) end
print "all refused"
LUA
lua 'dofile "misuse.lua"'
is 0 "misuse"
out_is "all refused"

# ---- Ctrl-C while images are loaded
truncate -s 48M big.bin
sed 's/image.bin/big.bin/; /"rtos"/,$d; /^zone.*rtos/d' two.lua >big.lua
mkfifo ready
set -m
bounded 60 "$HVSH" --sim -e 'dofile "core.lua" dofile "big.lua"' -e '
	local plan = assert(core.plan(specs()))
	local told
	local function progress(_, done)
		if done == 0 or told then return end
		told = true
		print "loading"
		pcall(function() while true do end end)
	end
	plan:apply(progress)
	print "never here"' >ready 2>.err &
pid=$!
read -r out <ready
kill -INT $pid
code=0
wait $pid || code=$?
set +m
err=$(cat .err)
is 130 "Ctrl-C while loading"
err_has "hvsh: interrupted: " "cancels the load"

finish
