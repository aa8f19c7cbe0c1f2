-- SPDX-License-Identifier: GPL-2.0-or-later
-- Policies in the hands of scripts: what the options may be, what a function may answer, and what becomes of one that fails.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local core = require "hvsh.core"
local policy = require "hvsh.policy"

-- What the core was given, of a device of this type.
local function given(type, options)
	local real_device, real_policy, seen = core.device, core.policy, nil
	core.device = function() return { zone = "z", name = "d", type = type } end
	core.policy = function(_, o) seen = o return nil, "ENODEV: the device is gone", "ENODEV" end
	if not options.file then options.decide = options.decide or print end
	local ok, message = pcall(policy.new, 1, options)
	core.device, core.policy = real_device, real_policy
	return seen, not ok and tostring(message) or nil
end

local function refused(type, options, text)
	local seen, message = given(type, options)
	t.ok(not seen, "not made: " .. text)
	t.ok(message and message:find(text, 1, true), ("%s (%s)"):format(text, message))
end

t.test("defaults", function()
	local o = given("blk", {})
	t.same(o, { ops = { "read", "write", "flush", "discard", "zero" }, from = 0, to = 0, chance = 0, queue = 256,
		timeout = 1000000000, overload = 1, on_error = 1 })
	o = given("net", { on_overload = "pass" })
	t.same(o.ops, { "out", "in" })
	t.eq(o.overload, 0)
	t.eq(o.on_error, 0, "as on_overload")
	o = given("console", { on_overload = "stall" })
	t.eq(o.overload, 2)
	t.eq(o.on_error, 1, "a request at which it fails does not wait for ever")
	t.eq(o.timeout, 0)
end)

t.test("what is said is what is meant", function()
	local o = given("blk", { ops = "write", sectors = { 8, 2 }, timeout = "50ms", queue = 4096, on_error = "pass" })
	t.same(o, { ops = { "write" }, from = 4096, to = 5120, chance = 0, queue = 4096, timeout = 50000000, overload = 1,
		on_error = 0 })
	t.eq(given("blk", { sample = 1 }).chance, 0xffffffff)
	t.eq(given("blk", { sample = 1e-12 }).chance, 1)
end)

t.test("what means nothing is refused", function()
	refused("blk", { ops = { "wrote" } }, "policy: ops[1] is wrote; such a device has read, write, flush, discard, zero (did you mean write?)")
	refused("net", { ops = { "out", "read" } }, "policy: ops[2] is read; such a device has out, in")
	refused("blk", { ops = { nil, "write" } }, "policy: ops[1] is nil; such a device has read, write")
	refused("blk", { ops = 7 }, "ops is a list of read, write")
	refused("blk", { ops = {} }, "ops is empty")
	refused("net", { sectors = { 0, 1 } }, "sectors are for disks")
	for _, sectors in ipairs { 1, {}, { 1 }, { -1, 2 }, { 0, 0 }, { 0.5, 1 }, { 0, 1 << 60 } } do
		refused("blk", { sectors = sectors }, "sectors is {first, how many}")
	end
	for _, queue in ipairs { 0, 4097, 1.5, "x" } do refused("blk", { queue = queue }, "queue is") end
	refused("blk", { timeout = "soon" }, "timeout:")
	refused("blk", { timeout = 0 }, "timeout is 0")
	refused("blk", { on_overload = "drop" }, 'it is "pass", "deny" or "stall"')
	refused("blk", { on_error = "stall" }, 'it is "pass" or "deny"')
	refused("blk", { on_overload = "stall", timeout = "1s" }, "policy: timeout is given, and with on_overload")
	for _, sample in ipairs { 0, -1, 1.1, "all", 0 / 0 } do refused("blk", { sample = sample }, "sample is") end
	refused("blk", { sample = 0.5, on_overload = "deny" }, "policy: on_overload means nothing with sample")
	refused("blk", { decides = print }, "policy has no option decides (did you mean decide?)")
	refused("blk", { decide = "deny" }, "decide is a string")
end)

t.test("of a file", function()
	local limits = core.policy_limits
	local o = given("net", { file = "x.lua", args = { "a", { b = true } } })
	t.eq(o.args, 'return "a",{["b"]=true}')
	t.eq(o.memory, limits.memory_state_max)
	t.eq(o.deadline, limits.deadline)
	t.eq(o.process, 0)
	o = given("net", { file = "x.lua", isolate = "process", memory = limits.memory_process_max, deadline = "10s" })
	t.eq(o.memory, limits.memory_process_max)
	t.eq(o.deadline, limits.deadline_max)
	t.eq(o.process, 1)
	t.eq(given("net", setmetatable({}, { __index = { file = "x.lua", ops = "in" } })).ops[1], "in", "options that are inherited")
	refused("net", { file = "x.lua", memory = "8M" }, 'policy: memory is 8M; with isolate = "state" it is 256K to 4M')
	refused("net", { file = "x.lua", memory = limits.memory_process_max + 1, isolate = "process" }, "it is 256K to 64M")
	refused("net", { file = "x.lua", deadline = "11s" }, "policy: deadline is 11s; it is 10s at most")
	refused("net", { file = "x.lua", args = { ("x"):rep(limits.args_max) } }, "policy: args is larger than 16384 bytes")
	refused("net", { file = "x.lua", args = "x" }, "policy: args is a list of what the file gets")
	refused("net", { file = "x.lua", args = { x = 1 } }, "policy: args is no list of what the file gets")
	refused("net", { file = "x.lua", decide = print }, "policy: file is given besides decide; one of them decides")
	refused("net", { decide = print, isolate = "process" }, "policy: isolate is for a policy from a file")
end)

t.test("only some devices have requests to decide about", function()
	local real = core.device
	core.device = function() return { zone = "z", name = "d", type = "rng" } end
	local ok, message, code = policy.new(1, { decide = print })
	core.device = real
	t.eq(ok, nil)
	t.eq(code, "EOPNOTSUPP")
	t.ok(message:find("z/d is a rng device", 1, true))
	t.eq(select(3, policy.new(4711, { decide = print })), "ENODEV")
end)

t.done()
