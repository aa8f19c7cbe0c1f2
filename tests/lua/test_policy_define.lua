-- SPDX-License-Identifier: GPL-2.0-or-later
-- Policies in definitions: what they may say, and what of them goes from one process to another.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")

local core = require "hvsh.core"
local define = require "hvsh.policy.define"
local remote = require "hvsh.remote"
local sandbox = require "hvsh.sandbox"

local n = 0
local function made(devices)
	n = n + 1
	return require("hvsh.dsl").spec_of(zone("z" .. n) {
		id = 1, cpus = { 2 }, board = require "board.qemu_virt", ram = { at = 0x50000000, size = "64M" }, kernel = false,
		devices = devices,
	})
end

local function refused(device, ...)
	local ok, message = pcall(function() return made { device } end)
	t.ok(not ok, "refused")
	for _, part in ipairs { ... } do t.has(tostring(message), part) end
end

t.test("what means nothing is refused where it is written", function()
	local function disk(policy) return blk "root" { image = "x", policy = policy } end
	refused(disk { decide = print, memory = "1M" }, "devices.root.policy.memory: is for a policy from a file")
	refused(disk { file = "x.lua", memory = "8M" }, 'devices.root.policy.memory: is 8M; with isolate = "state" it is 256K to 4M')
	refused(disk { file = "x.lua", args = { math.huge } }, "devices.root.policy.args[1]: is")
	refused(disk { file = "x.lua", args = { 0 / 0 } }, "devices.root.policy.args[1]: is")
	refused(disk { file = "x.lua", args = { "a\0b" } }, "devices.root.policy.args[1]: has a zero byte in it")
	refused(disk { file = "x.lua", memory = "1K" }, "devices.root.policy.memory: is 1024")
	refused(disk { file = "x.lua", deadline = "11s" }, "devices.root.policy.deadline: is 11s; it is 10s at most")
	refused(disk { file = "x.lua", isolate = "vm" }, 'devices.root.policy.isolate: is "vm"')
	refused(disk { file = "x.lua", args = { print } }, "devices.root.policy.args[1]: is a function", "texts, numbers, booleans")
	refused(disk { file = "x.lua", args = { { 1, x = 2 } } }, "devices.root.policy.args")
	refused(disk { file = "x.lua", args = "x" }, 'devices.root.policy.args: is "x", not a list')
	refused(disk { file = "x.lua", args = { x = 1 } }, "devices.root.policy.args: is no list")
	refused(disk { file = "x.lua", args = { "\xff" } }, "devices.root.policy.args[1]: is no UTF-8 text")
	refused(disk { ops = { "write" } }, 'devices.root.policy.decide: is missing: a function, or file = "policy.lua"')
	refused(disk { decide = print, file = "x.lua" }, "devices.root.policy.file: is given besides decide")
	refused(disk { decide = "deny" }, 'devices.root.policy.decide: is "deny", not a function')
	refused(disk { decide = print, ops = { "wrote" } }, "devices.root.policy.ops[1]: is wrote", "did you mean write?")
	refused(disk { decide = print, ops = {} }, "devices.root.policy.ops: is empty")
	refused(disk { decide = print, on_overload = "stall", timeout = "1s" }, "devices.root.policy.timeout: is given")
	refused(disk { decide = print, sample = 0.5, on_error = "deny" }, "devices.root.policy.on_error: means nothing with sample")
	for _, sample in ipairs { 0, -1, 1.1, 0 / 0, "all" } do
		refused(disk { decide = print, sample = sample }, "devices.root.policy.sample: is", "above 0 and up to 1")
	end
	refused(disk { decide = print, sectors = { 1 } }, "policy.sectors: has 1 numbers, not a first one and how many")
	refused(disk { decide = print, sectors = { 0, 0 } }, "policy.sectors[2]: is 0")
	refused(disk { decide = print, queue = 4097 }, "policy.queue: is 4097")
	refused(disk { decide = print, on_overload = "drop" }, 'policy.on_overload: is "drop"')
	refused(disk { decide = print, timeout = 0 }, "policy.timeout: is no time at all")
	refused(disk(print), "devices.root.policy: is a function, not a table of fields")
	refused(net "eth0" { tap = "t", policy = { decide = print, sectors = { 0, 1 } } }, "unknown field 'sectors'")
	refused(net "eth0" { tap = "t", policy = { decide = print, ops = { "write" } } }, "such a device has out, in")
	refused(rng "r" { policy = { decide = print } }, "unknown field 'policy'")
end)

t.test("a function stays here, a file travels", function()
	local spec = made {
		blk "root" { image = "x", policy = { decide = print, timeout = "50ms", sectors = { 8, 2 } } },
		blk "data" { image = "y", policy = { file = "night.lua", ops = { "write", "zero" }, timeout = "50ms", sectors = { 8, 2 },
			args = { "a", { b = { 1, true } }, 2.5 }, deadline = "2ms", memory = "1M", isolate = "process" } },
		net "eth0" { tap = "t" },
	}
	for i = 1, 2 do t.eq(type(spec.devices[i].options.policy), "string") end
	t.eq(spec.devices[3].options.policy, nil)
	t.eq(define.find({ spec }, { [spec.name] = true }), spec.name .. "/root")
	t.eq(define.find({ spec }, {}), nil, "of those that are meant")
	t.eq(define.file(spec.devices[1]), nil)
	t.eq(define.file(spec.devices[3]), nil)
	local file = define.file(spec.devices[2])
	t.ok(file:find "^/.*/night%.lua$", "by its whole path: " .. file)
	local granted
	for _, entry in ipairs(sandbox.names { spec }) do
		if entry[2] == file then granted = entry[1] end
	end
	t.eq(granted, "read", "and a service in its sandbox may read it")
	local there = remote.unpack(require("hvsh.json").decode(require("hvsh.json").encode(remote.pack { spec })))[1]
	t.eq(there.devices[2].options.policy, spec.devices[2].options.policy)
	-- As in another process: its device is one of policy.new's.
	local policy, device = require "hvsh.policy", require "hvsh.device"
	local real, keep, seen = policy.new, device.keep_policy, nil
	policy.new = function(_, options) seen = options return {} end
	device.keep_policy = function() end
	t.eq(define.put(1, there.devices[2].options.policy), nil)
	t.same(seen, { file = file, ops = { "write", "zero" }, timeout = "50000000ns", sectors = { 8, 2 }, queue = 256,
		args = { "a", { b = { 1, true } }, 2.5 }, deadline = "2000000ns", memory = 1 << 20, isolate = "process" })
	t.eq(define.put(1, there.devices[1].options.policy), nil)
	t.eq(seen.decide, print)
	policy.new = function() return nil, "ENOENT: night.lua: no such file", "ENOENT" end
	t.eq(define.put(1, there.devices[2].options.policy), "policy: night.lua: no such file")
	policy.new = function() error("policy: ops is wrong", 2) end
	t.eq(define.put(1, there.devices[2].options.policy), "policy: ops is wrong")
	policy.new, device.keep_policy = real, keep
	t.has(define.put(1, "elsewhere.1"), "a function in the process that has read its script")
	t.has(define.put(1, "{"), "cannot be read")
	t.eq(type(core.made_listen), "function")
end)

t.test("a function is forgotten with its definition", function()
	local alive = setmetatable({}, { __mode = "k" })
	local function disk()
		local device
		local function decide() return device end -- It may know what it belongs to.
		alive[decide] = true
		device = blk "root" { image = "x", policy = { decide = decide } }
		return device
	end
	local function count()
		collectgarbage()
		collectgarbage()
		local found = 0
		for _ in pairs(alive) do found = found + 1 end
		return found
	end
	local spec = made { disk() }
	for _ = 1, 1000 do disk() end
	t.eq(count(), 1, "what a zone has is there")
	local policy = require "hvsh.policy"
	local real, seen = policy.new, nil
	policy.new = function(_, options) seen = options return nil, "EIO: no" end
	t.eq(define.put(1, spec.devices[1].options.policy), "policy: no")
	policy.new = real
	t.ok(alive[seen.decide], "and found")
	seen = nil
	local mode = core.mode "repl"
	local level = log.level "error"
	for _ = 1, 100 do
		zone "again" {
			id = 1, cpus = { 2 }, board = require "board.qemu_virt", ram = { at = 0x50000000, size = "64M" }, kernel = false,
			devices = { disk() },
		}
	end
	log.level(level)
	core.mode(mode)
	t.eq(count(), 2, "and of a zone that is defined again and again, the last one")
end)

t.done()
