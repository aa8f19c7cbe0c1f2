-- SPDX-License-Identifier: GPL-2.0-or-later
-- Policies over a device's requests: `zone.linux1:device "root":policy {ops = {"write"}, decide = function(r) … end}`.
-- A request it is concerned with waits until decide has said what becomes of it; the device goes on with the others.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"
local rules = require "hvsh.policy.rules"

-- The script may take it away.
local pcall, tostring, type = pcall, tostring, type

local policy = {}

-- In the order of enum hv_policy_overload.
local WORDS = { pass = 0, deny = 1, stall = 2 }
local WORD_LIST = '"pass", "deny" or "stall"'
local SECTOR = 512
local ARGS_DEPTH = 16
local limits = rules.limits
local NOWHERE = { state = 0, process = 1 }

local OPS = {
	blk = { "read", "write", "flush", "discard", "zero" },
	net = { "out", "in" },
	console = { "out", "in" },
}
local KNOWN = {
	ops = true, sectors = true, sample = true, queue = true, timeout = true, on_overload = true, on_error = true,
	decide = true, file = true, args = true, isolate = true, memory = true, deadline = true,
}

-- What is wrong with the options, for whoever wrote them.
local function fail(text, ...) error({ wrong = ("policy: " .. text):format(...) }) end

local function ops_of(given, kind)
	if given == nil then return OPS[kind] end
	if type(given) == "string" then return { given } end
	if type(given) ~= "table" then fail("ops is a list of %s", table.concat(OPS[kind], ", ")) end
	return given
end

-- Bytes from, to; of the first sector and how many.
local function range_of(sectors, kind)
	if sectors == nil then return 0, 0 end
	if kind ~= "blk" then fail("sectors are for disks, and this is a %s device", kind) end
	local first, count
	if type(sectors) == "table" then first, count = math.tointeger(sectors[1]), math.tointeger(sectors[2]) end
	if not first or not count or first < 0 or count < 1 or first > (1 << 53) or count > (1 << 53) then
		fail("sectors is {first, how many}, as {0, 2048}")
	end
	return first * SECTOR, (first + count) * SECTOR
end

local function word_of(value, key, default, allowed, list)
	if value == nil then return default end
	if not allowed[value] then fail("%s is %s; it is %s", key, tostring(value), list) end
	return value
end

local function ns_of(value, key, default)
	if value == nil then return default end
	local ns, message = core.duration(value)
	if not ns then fail("%s: %s", key, message) end
	if ns == 0 then fail("%s is 0; a decision takes some time", key) end
	return ns
end

local function memory_of(value)
	if value == nil then return nil end
	local bytes, message = math.tointeger(value), nil
	if type(value) == "string" then bytes, message = core.size(value) end
	if not bytes then fail("memory: %s", message or "it is a size, a number or \"4M\"") end
	return bytes
end

-- Data as Lua reads it.
local function literal(value, depth)
	local kind = type(value)
	if kind == "string" or kind == "number" or kind == "boolean" or kind == "nil" then return ("%q"):format(value) end
	if kind ~= "table" then fail("args has a %s; it is data: texts, numbers, booleans, and tables of them", kind) end
	if depth == ARGS_DEPTH then fail("args has tables in tables, more than %d deep", ARGS_DEPTH) end
	local parts, size = {}, 0
	for key, item in next, value do
		local part = ("[%s]=%s"):format(literal(key, depth + 1), literal(item, depth + 1))
		size = size + #part
		if size > limits.args_max then fail("args is larger than %d bytes", limits.args_max) end
		parts[#parts + 1] = part
	end
	return "{" .. table.concat(parts, ",") .. "}"
end

local function args_of(args)
	if args == nil then return "" end
	local parts = {}
	for i = 1, #args do parts[i] = literal(args[i], 0) end
	local text = #parts > 0 and "return " .. table.concat(parts, ",") or ""
	if #text > limits.args_max then fail("args is larger than %d bytes", limits.args_max) end
	return text
end

local function read_file(options, out)
	out.file = options.file
	out.args = args_of(options.args)
	out.process = NOWHERE[options.isolate or "state"]
	out.memory = options.memory or limits.memory_state_max
	out.deadline = ns_of(options.deadline, "deadline", limits.deadline)
	if out.deadline > limits.deadline_max then
		fail("deadline is %s; it is %s at most", core.duration_text(out.deadline), core.duration_text(limits.deadline_max))
	end
end

local function chance_of(sample)
	if sample == nil then return 0 end
	if type(sample) ~= "number" or not (sample > 0 and sample <= 1) then
		fail("sample is %s; it is a part of all requests, above 0 and up to 1", tostring(sample))
	end
	return math.max(1, math.floor(sample * 0xffffffff))
end

-- The options, each by itself what it should be.
local function taken(options, kind)
	local own = setmetatable({}, { __index = options })
	own.ops, own.memory = ops_of(options.ops, kind), memory_of(options.memory)
	if own.args ~= nil and type(own.args) ~= "table" then
		fail("args is a list of what the file gets, as {\"52:54:00:10:10:10\"}")
	end
	if own.file ~= nil and (type(own.file) ~= "string" or own.file == "" or own.file:find "%z") then
		fail('file is %s; it is the name of a script, as "policy.lua"', tostring(own.file))
	end
	word_of(own.isolate, "isolate", nil, NOWHERE, '"state" or "process"')
	return own
end

local function read(given, kind)
	local options = taken(given, kind)
	rules.check(options, OPS[kind], function(field, text, ...) fail(field .. " " .. text, ...) end)
	local word = word_of(options.on_overload, "on_overload", "deny", WORDS, WORD_LIST)
	local on_error = word_of(options.on_error, "on_error", word == "pass" and "pass" or "deny",
		{ pass = true, deny = true }, '"pass" or "deny"')
	local from, to = range_of(options.sectors, kind)
	local queue = options.queue == nil and 256 or math.tointeger(options.queue)
	if not queue or queue < 1 or queue > limits.queue_max then
		fail("queue is %s; it is a number of requests, 1 to %d", tostring(options.queue), limits.queue_max)
	end
	local out = {
		ops = options.ops, from = from, to = to, chance = chance_of(options.sample), queue = queue,
		timeout = word == "stall" and 0 or ns_of(options.timeout, "timeout", 1000000000),
		overload = WORDS[word], on_error = WORDS[on_error],
	}
	if options.file then read_file(options, out) end
	return out
end

local function object(title, guard)
	local fields = {
		stats = function()
			local stats = guard:stats()
			stats.state, stats.reason = guard:state()
			return stats
		end,
		close = function() return guard:close() end,
	}
	return frozen.object {
		name = "hvsh.policy", fields = fields, names = { stats = true, close = true, state = true }, strict = true,
		get = function(key) return key == "state" and (guard:state()) or nil end,
		close = fields.close,
		tostring = function()
			local state, reason = guard:state()
			return ("policy of %s: %s"):format(title, state == "failed" and ("failed: %s"):format(reason) or state)
		end,
	}
end

-- Puts a policy into force; one that the device has gives way to it. A handle, or nil, message, code. level: whose
-- mistake wrong options are, as of error.
function policy.new(h, options, level)
	level = level or 2
	if type(options) ~= "table" then error("policy takes a table of options", level) end
	nearest.check(options, KNOWN, "policy has no option", level)
	if options.decide ~= nil and type(options.decide) ~= "function" then
		error(("policy: decide is a %s, not a function"):format(type(options.decide)), level)
	end
	local facts = core.device(h)
	if not facts then return nil, "ENODEV: the device is gone", "ENODEV" end
	local title = ("%s/%s"):format(facts.zone, facts.name)
	if not OPS[facts.type] then
		return nil, ("EOPNOTSUPP: %s is a %s device: policies are for blk, net and console"):format(title, facts.type), "EOPNOTSUPP"
	end
	local ok, read_options = pcall(read, options, facts.type)
	if not ok then error(type(read_options) == "table" and read_options.wrong or read_options, level) end
	local guard, message, code = core.policy(h, read_options, options.decide)
	if not guard then return nil, message, code end
	return object(title, guard)
end

return policy
