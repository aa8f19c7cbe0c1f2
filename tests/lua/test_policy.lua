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
	options.decide = options.decide or print
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
	refused("blk", { ops = { "wrote" } }, "did you mean write?")
	refused("net", { ops = { "read" } }, "no requests called read (out, in)")
	refused("blk", { ops = {} }, "ops is a list of read, write")
	refused("net", { sectors = { 0, 1 } }, "sectors are for disks")
	for _, sectors in ipairs { 1, {}, { 1 }, { -1, 2 }, { 0, 0 }, { 0.5, 1 }, { 0, 1 << 60 } } do
		refused("blk", { sectors = sectors }, "sectors is {first, how many}")
	end
	for _, queue in ipairs { 0, 4097, 1.5, "x" } do refused("blk", { queue = queue }, "queue is") end
	refused("blk", { timeout = "soon" }, "timeout:")
	refused("blk", { timeout = 0 }, "timeout is 0")
	refused("blk", { on_overload = "drop" }, 'it is "pass", "deny" or "stall"')
	refused("blk", { on_error = "stall" }, 'it is "pass" or "deny"')
	refused("blk", { on_overload = "stall", timeout = "1s" }, "has no timeout")
	for _, sample in ipairs { 0, -1, 1.1, "all", 0 / 0 } do refused("blk", { sample = sample }, "sample is") end
	refused("blk", { sample = 0.5, on_overload = "deny" }, "have no meaning")
	refused("blk", { decides = print }, "policy has no option decides (did you mean decide?)")
	refused("blk", { decide = "deny" }, "decide is a string")
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
