-- SPDX-License-Identifier: GPL-2.0-or-later
-- Policies over a device's requests: `zone.linux1:device "root":policy {ops = {"write"}, decide = function(r) … end}`.
-- A request it is concerned with waits until decide has said what becomes of it; the device goes on with the others.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"

-- The script may take it away.
local pcall = pcall

local policy = {}

-- In the order of enum hv_policy_overload.
local WORDS = { pass = 0, deny = 1, stall = 2 }
local WORD_LIST = '"pass", "deny" or "stall"'
local QUEUE_MAX = 4096
local SECTOR = 512

local OPS = {
	blk = { "read", "write", "flush", "discard", "zero" },
	net = { "out", "in" },
	console = { "out", "in" },
}
local KNOWN = {
	ops = true, sectors = true, sample = true, queue = true, timeout = true, on_overload = true, on_error = true,
	decide = true,
}

-- What is wrong with the options, for whoever wrote them.
local function fail(text, ...) error({ wrong = ("policy: " .. text):format(...) }) end

local function ops_of(given, kind)
	if given == nil then return OPS[kind] end
	if type(given) == "string" then given = { given } end
	if type(given) ~= "table" or #given == 0 then fail("ops is a list of %s", table.concat(OPS[kind], ", ")) end
	local known = {}
	for _, op in ipairs(OPS[kind]) do known[op] = true end
	for _, op in ipairs(given) do
		if not known[op] then
			local near = nearest.of(tostring(op), known)
			fail("a %s device has no requests called %s (%s)", kind, tostring(op), near and ("did you mean %s?"):format(near)
				or table.concat(OPS[kind], ", "))
		end
	end
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

local function ns_of(value, default)
	if value == nil then return default end
	local ns, message = core.duration(value)
	if not ns then fail("timeout: %s", message) end
	if ns == 0 then fail("timeout is 0; a decision takes some time") end
	return ns
end

local function chance_of(sample)
	if sample == nil then return 0 end
	if type(sample) ~= "number" or not (sample > 0 and sample <= 1) then
		fail("sample is %s; it is a part of all requests, above 0 and up to 1", tostring(sample))
	end
	return math.max(1, math.floor(sample * 0xffffffff))
end

local function read(options, kind)
	local word = word_of(options.on_overload, "on_overload", "deny", WORDS, WORD_LIST)
	local on_error = word_of(options.on_error, "on_error", word == "pass" and "pass" or "deny",
		{ pass = true, deny = true }, '"pass" or "deny"')
	local from, to = range_of(options.sectors, kind)
	local queue = options.queue == nil and 256 or math.tointeger(options.queue)
	if not queue or queue < 1 or queue > QUEUE_MAX then
		fail("queue is %s; it is a number of requests, 1 to %d", tostring(options.queue), QUEUE_MAX)
	end
	if word == "stall" and options.timeout ~= nil then fail('on_overload = "stall" waits for each decision: it has no timeout') end
	if options.sample ~= nil and (options.on_overload or options.on_error or options.timeout) then
		fail "with sample nobody waits for decide: on_overload, on_error and timeout have no meaning"
	end
	return {
		ops = ops_of(options.ops, kind), from = from, to = to, chance = chance_of(options.sample), queue = queue,
		timeout = word == "stall" and 0 or ns_of(options.timeout, 1000000000),
		overload = WORDS[word], on_error = WORDS[on_error],
	}
end

local function object(title, guard)
	local fields = {
		stats = function()
			local stats = guard:stats()
			stats.state = guard:state()
			return stats
		end,
		close = function() return guard:close() end,
	}
	return frozen.object {
		name = "hvsh.policy", fields = fields, names = { stats = true, close = true, state = true }, strict = true,
		get = function(key) return key == "state" and guard:state() or nil end,
		close = fields.close,
		tostring = function() return ("policy of %s: %s"):format(title, guard:state()) end,
	}
end

-- Puts a policy into force; one that the device has gives way to it. A handle, or nil, message, code.
function policy.new(h, options)
	if type(options) ~= "table" then error("policy takes a table of options", 2) end
	nearest.check(options, KNOWN, "policy has no option", 2)
	if type(options.decide) ~= "function" then
		error(("policy: decide is a %s, not a function"):format(type(options.decide)), 2)
	end
	local facts = core.device(h)
	if not facts then return nil, "ENODEV: the device is gone", "ENODEV" end
	local title = ("%s/%s"):format(facts.zone, facts.name)
	if not OPS[facts.type] then
		return nil, ("EOPNOTSUPP: %s is a %s device: policies are for blk, net and console"):format(title, facts.type), "EOPNOTSUPP"
	end
	local ok, read_options = pcall(read, options, facts.type)
	if not ok then error(type(read_options) == "table" and read_options.wrong or read_options, 2) end
	local guard, message, code = core.policy(h, read_options, options.decide)
	if not guard then return nil, message, code end
	return object(title, guard)
end

return policy
