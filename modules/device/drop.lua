-- SPDX-License-Identifier: GPL-2.0-or-later
-- A place where the guest leaves files: one folder of the root zone, within a quota. A request is the length of the name
-- (2 bytes), the name, an offset (8 bytes), all little-endian, and the bytes for there; its answer is one byte.
local common = require "device.common"
local core = require "hvsh.core"

local drop = {}

local DONE, BAD, FULL, FAILED = "\0", "\1", "\2", "\3"
local NAME_MAX = 64

-- One component, not hidden, nothing that a shell or a terminal would take for something else.
local function is_name(name) return #name <= NAME_MAX and name:find "^[%w_][%w._-]*$" ~= nil end

local function exists(path)
	local file = io.open(path, "rb")
	if file then file:close() end
	return file ~= nil
end

function drop.new(name, options)
	common.check("drop", options, { folder = "string", files = "number", id = "number", on_file = "function", quota = "any" })
	local folder = common.path("drop", "folder", options.folder)
	local quota, why = core.size(tostring(options.quota or "1M"))
	if not quota then error("drop: quota: " .. why, 2) end
	local most = options.files or 64
	local sizes, n, used = {}, 0, 0

	local function put(file_name, offset, bytes)
		local path = folder .. "/" .. file_name
		local size = sizes[file_name]
		-- Only what the guest has left itself is written again.
		if not is_name(file_name) or offset < 0 or not size and exists(path) then return BAD end
		if offset > quota then return FULL end
		local grown = math.max(size or 0, offset + #bytes)
		if used + grown - (size or 0) > quota or not size and n >= most then return FULL end
		local file = io.open(path, size and "r+b" or "wb")
		if not file then return FAILED end
		if not size then n = n + 1 end
		used = used + grown - (size or 0)
		sizes[file_name] = grown
		local ok = file:seek("set", offset) and file:write(bytes)
		return file:close() and ok and DONE or FAILED
	end

	local function request(_, out, room)
		if room < 1 then error("a request has no room for its answer", 0) end
		if #out < 10 or #out < 10 + ("<I2"):unpack(out) then return BAD end
		local file_name, offset, at = ("<s2i8"):unpack(out)
		local status = put(file_name, offset, out:sub(at))
		if status == DONE and options.on_file then options.on_file(folder .. "/" .. file_name) end
		return status
	end

	return custom(name, { id = options.id or 0x3f, max_request = "64K", queues = { { size = 64, request = request } } })
end

return drop
