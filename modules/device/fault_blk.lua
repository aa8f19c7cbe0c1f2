-- SPDX-License-Identifier: GPL-2.0-or-later
-- A disk that fails where it is told to (virtio 1.2, 5.2): an image, and rules by which requests end with an error or late.
local common = require "device.common"
local nearest = require "hvsh.nearest"

local fault_blk = {}

local IN, OUT, FLUSH, GET_ID = 0, 1, 4, 8
local OK, IOERR, UNSUPP = "\0", "\1", "\2"
local F_SIZE_MAX, F_SEG_MAX, F_RO, F_FLUSH = 1, 2, 5, 9
local SECTOR = 512
local FIELDS = { from = true, to = true, on = true, chance = true, delay = true, fails = true }

local function check_rule(i, rule)
	local function wrong(text) error(("fault_blk: faults[%d]%s"):format(i, text), 4) end
	if type(rule) ~= "table" then wrong(" is no table") end
	nearest.check(rule, FIELDS, ("fault_blk: faults[%d] has no field"):format(i), 4)
	for _, key in ipairs { "from", "to" } do
		if rule[key] ~= nil and not math.tointeger(rule[key]) then wrong("." .. key .. " is no number of a sector") end
	end
	if rule.on ~= nil and rule.on ~= "read" and rule.on ~= "write" then wrong '.on is "read" or "write"' end
	if rule.chance ~= nil and type(rule.chance) ~= "number" then wrong ".chance is a number from 0 to 1" end
end

-- faults: {from=, to= (sectors, both meant), on = "read"|"write", chance=, delay=, fails = false (only late)}.
function fault_blk.new(name, options)
	common.check("fault_blk", options, { image = "string", readonly = "boolean", faults = "table" })
	local faults = options.faults or {}
	for i, rule in ipairs(faults) do check_rule(i, rule) end
	local file = common.open("fault_blk", common.path("fault_blk", "image", options.image), options.readonly and "rb" or "r+b")
	local sectors = file:seek "end" // SECTOR

	-- Whether a request is to fail; waits when it is to be late.
	local function strikes(word, sector, n)
		for _, rule in ipairs(faults) do
			if (not rule.on or rule.on == word) and sector <= (rule.to or math.maxinteger) and sector + n > (rule.from or 0)
				and math.random() < (rule.chance or 1) then
				if rule.delay then sleep(rule.delay) end
				if rule.fails ~= false then return true end
			end
		end
	end

	local function transfer(kind, sector, data, room)
		local bytes = kind == IN and room - 1 or #data
		local n = bytes // SECTOR
		if bytes % SECTOR ~= 0 or sector < 0 or sector > sectors - n then return IOERR end
		if kind == OUT and options.readonly or strikes(kind == IN and "read" or "write", sector, n) then return IOERR end
		file:seek("set", sector * SECTOR)
		if kind == OUT then return file:write(data) and OK or IOERR end
		data = bytes > 0 and file:read(bytes) or ""
		return #data == bytes and data .. OK or IOERR
	end

	-- Type, sector, data; or room for the data. The last byte is the status, also where data is missing before it.
	local function request(_, out, room)
		if #out < 16 or room < 1 then error("a request is 16 bytes or more, and has room for its status", 0) end
		local kind, sector = ("<I4xxxxi8"):unpack(out)
		local answer = UNSUPP
		if kind == IN or kind == OUT then
			answer = transfer(kind, sector, out:sub(17), room)
		elseif kind == FLUSH then
			answer = file:flush() and OK or IOERR
		elseif kind == GET_ID then
			answer = ("fault_blk"):sub(1, room - 1) .. ("\0"):rep(room - 10) .. OK
		end
		return ("\0"):rep(room - #answer) .. answer
	end

	return custom(name, {
		id = 2, features = { F_SIZE_MAX, F_SEG_MAX, F_FLUSH, options.readonly and F_RO or nil },
		config = ("<I8I4I4"):pack(sectors, 4096, 30), -- requests of 120 KiB at most
		max_request = "128K", timeout = "1h",
		queues = { { size = 64, request = request } },
	})
end

return fault_blk
