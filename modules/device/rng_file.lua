-- SPDX-License-Identifier: GPL-2.0-or-later
-- A virtio-rng whose bytes are those of a file, for guests that are to see the same ones again.
local common = require "device.common"

local rng_file = {}

local CHUNK = 4096

function rng_file.new(name, options)
	common.check("rng_file", options, { file = "string" })
	local path = common.path("rng_file", "file", options.file)
	local file = common.open("rng_file", path, "rb")
	local function request(_, _, room)
		local want = math.min(room, CHUNK)
		local bytes = file:read(want)
		if not bytes then
			file:seek "set"
			bytes = file:read(want) or error(path .. " is empty")
		end
		return bytes
	end
	return custom(name, { id = 4, queues = { { size = 8, request = request } } })
end

return rng_file
