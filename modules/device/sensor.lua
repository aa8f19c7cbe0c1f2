-- SPDX-License-Identifier: GPL-2.0-or-later
-- An I2C bus with one device that has byte registers, as sensors do (virtio 1.2, 5.19): a write begins with the number
-- of a register and sets those from there on, a read goes on where the last one ended.
local common = require "device.common"

local sensor = {}

local READ, FAIL_NEXT = 2, 1
local OK, ERROR = "\0", "\1"

local function byte(value, what)
	if math.tointeger(value) and value >= 0 and value <= 255 then return math.tointeger(value) end
	error(("%s gave %s, not a byte"):format(what, tostring(value)), 0)
end

function sensor.new(name, options)
	common.check("sensor", options, { address = "number", registers = "table", read = "function", write = "function" })
	local address = math.tointeger(options.address)
	if not address or address < 0x03 or address > 0x77 then error("sensor: address is a number, 0x03 to 0x77", 2) end
	local registers, at, failed = options.registers or {}, 0, false
	local read = options.read or function(register) return registers[register] or 0 end
	local write = options.write or function(register, value) registers[register] = value end

	local function read_out(n)
		local bytes = {}
		for i = 1, n do
			bytes[i] = string.char(byte(read(at), "read"))
			at = at + 1 & 0xff
		end
		return table.concat(bytes)
	end

	local function take_in(bytes)
		if bytes ~= "" then at = bytes:byte() end
		for i = 2, #bytes do
			write(at, bytes:byte(i))
			at = at + 1 & 0xff
		end
	end

	-- Header, then what is written; or room for what is read. The last byte of the answer is the status.
	local function request(_, out, room)
		if #out < 8 or room < 1 then error("a request is 8 bytes or more, and has room for its status", 0) end
		local to, flags = ("<I2xxI4"):unpack(out)
		local linked = failed
		failed = false
		if linked or to >> 1 ~= address then
			failed = flags & FAIL_NEXT ~= 0
			return ("\0"):rep(room - 1) .. ERROR
		end
		if flags & READ ~= 0 then return read_out(room - 1) .. OK end
		take_in(out:sub(9))
		return OK
	end

	return custom(name, {
		id = 34, features = { 0 }, -- requests of no bytes, which drivers insist on
		max_request = "4K", memory = "64K",
		queues = { { size = 16, request = request } },
		reset = function() at, failed = 0, false end,
	})
end

return sensor
