-- SPDX-License-Identifier: GPL-2.0-or-later
-- `ivc`: channels to other zones, of shared memory and interrupts. A wait lets the rest of the script go on.
local core = require "hvsh.core"
local define = require "hvsh.define"
local frozen = require "hvsh.frozen"
local nearest = require "hvsh.nearest"

local ivc = {}

local state_of = setmetatable({}, { __mode = "k" })

local function state(self, method)
	local s = state_of[self]
	if not s then error(("call it with a colon: channel:%s()"):format(method), 3) end
	return s
end

local function whole(value, what, level)
	local n = math.type(value) == "integer" and value or type(value) == "number" and math.tointeger(value)
	if not n or n < 0 then error(("%s is a whole number from 0 on, not %s"):format(what, tostring(value)), level + 1) end
	return n
end

-- As core numbers them: -1 is the section that all peers write.
local function section_of(value, method)
	if value == "shared" then return -1 end
	if math.type(value) == "integer" and value >= 0 and value < 0xffffffff then return value end
	error(('%s: a section is "shared" or the number of a peer, not %s'):format(method, tostring(value)), 3)
end

local SIZES = { [1] = true, [2] = true, [4] = true, [8] = true }

local function integer_at(offset, size, method)
	if not SIZES[size] then error(("%s: an integer has 1, 2, 4 or 8 bytes, not %s"):format(method, tostring(size)), 3) end
	offset = whole(offset, method .. ": the offset", 3)
	if offset % size ~= 0 then error(("%s: the offset %d is no multiple of the size %d"):format(method, offset, size), 3) end
	return offset
end

local methods = {}

-- Bytes of a section, copied once: text, or nil, message, code (ERANGE, EBADF).
function methods:read(section, offset, length)
	local s = state(self, "read")
	return s.core:read(section_of(section, "read"), whole(offset, "read: the offset", 2), whole(length, "read: the length", 2))
end

-- Bytes into the shared section or the own one. nil, message, code: ERANGE, EACCES, EBADF.
function methods:write(section, offset, bytes)
	local s = state(self, "write")
	if type(bytes) ~= "string" then error(("write takes bytes as a string, not a %s"):format(type(bytes)), 2) end
	return s.core:write(section_of(section, "write"), whole(offset, "write: the offset", 2), bytes)
end

-- An integer of 1, 2, 4 or 8 bytes by one access. What is read afterwards is at least as new as what it says.
function methods:load(section, offset, size)
	local s = state(self, "load")
	return s.core:load(section_of(section, "load"), integer_at(offset, size, "load"), size)
end

-- The same for writing: who sees the integer sees what was written before.
function methods:store(section, offset, size, value)
	local s = state(self, "store")
	local at = integer_at(offset, size, "store")
	local n = math.type(value) == "integer" and value or type(value) == "number" and math.tointeger(value)
	if not n then error(("store takes an integer, not %s"):format(tostring(value)), 2) end
	if size < 8 and (n < 0 or n >> (8 * size) ~= 0) then
		error(("store: %d does not fit into %d bytes, which hold 0 to %d"):format(n, size, (1 << (8 * size)) - 1), 2)
	end
	return s.core:store(section_of(section, "store"), at, size, n)
end

-- Waits for an interrupt, or takes one that came since the last wait. nil, message, code: ETIMEDOUT, EBADF. {timeout=}
function methods:wait(options)
	local s = state(self, "wait")
	local timeout
	if options ~= nil then
		if type(options) ~= "table" then error('wait takes a table of options: {timeout = "10s"}', 2) end
		nearest.check(options, { timeout = true }, "wait has no option", 2)
		timeout = options.timeout
		local ns, why = core.duration(timeout == nil and 0 or timeout)
		if not ns then error("wait: timeout: " .. why, 2) end
	end
	return s.core:wait(timeout)
end

-- Interrupts a peer; without an argument the other one of two. nil, message, code: ERANGE, EBADF.
function methods:notify(peer)
	local s = state(self, "notify")
	if peer == nil then
		if s.info.peers ~= 2 then error(("notify: which of the %d peers?"):format(s.info.peers), 2) end
		peer = 1 - s.info.peer
	end
	return s.core:notify(whole(peer, "notify: a peer", 2))
end

-- Who waits here gets EBADF. Closing again does nothing.
function methods:close()
	local s = state(self, "close")
	s.closed = true
	s.core:close()
end

local function channel(id, end_)
	local s = { core = end_, info = assert(end_:info()) }
	local fields = { id = id, peer = s.info.peer, peers = s.info.peers, shared = s.info.shared, out = s.info.out }
	for name, method in pairs(methods) do fields[name] = method end
	local object = frozen.object {
		name = "hvsh.ivc_channel", fields = fields, strict = true,
		tostring = function()
			return ("ivc %d (peer %d of %d%s)"):format(id, s.info.peer, s.info.peers, s.closed and ", closed" or "")
		end,
		close = methods.close,
	}
	state_of[object] = s
	return object
end

-- This zone's end of a channel; nil, message, code when there is none: ENOENT.
function ivc.open(id)
	id = whole(id, "ivc.open: the number of a channel", 2)
	if id > 0xffffffff then error("ivc.open: the number of a channel has 32 bits", 2) end
	if define.active then define.finish "an IVC channel" end
	local end_, message, code = core.ivc_open(id)
	if not end_ then return nil, message, code end
	return channel(id, end_)
end

-- The channels that this zone is on: a list of {id=}.
function ivc.list()
	if define.active then define.finish "the IVC channels of this zone" end
	local ids, message, code = core.ivc_list()
	if not ids then return nil, message, code end
	local list = {}
	for i, id in ipairs(ids) do list[i] = { id = id } end
	return frozen.with_text(list, "ivc.list", function(rows)
		local lines = {}
		for i, row in ipairs(rows) do lines[i] = "ivc " .. row.id end
		return table.concat(lines, "\n")
	end)
end

return frozen.object { name = "hvsh.ivc", fields = ivc, strict = true }
