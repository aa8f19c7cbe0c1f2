-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the kernel says of this process.
local process = {}

local function read(path)
	local file = io.open(path, "r")
	if not file then return "" end
	local text = file:read "a"
	file:close()
	return text or ""
end

-- {pid=, uptime= seconds, cpu= seconds of all threads, memory= bytes of RAM it has, threads=}; what /proc does not say is left out.
function process.facts()
	-- The name before it, in parentheses, may hold anything.
	local words = {}
	local stat = read "/proc/self/stat"
	for word in (stat:match "^.*%)%s+(.*)$" or ""):gmatch "%S+" do words[#words + 1] = word end
	local status = read "/proc/self/status"
	local started, now = tonumber(words[20]), tonumber(read("/proc/uptime"):match "^%S+")
	local kib = tonumber(status:match "VmRSS:%s*(%d+) kB")
	return {
		pid = math.tointeger(tonumber(stat:match "^%d+")),
		-- User space is told ticks of 10 ms on all machines.
		uptime = started and now and math.max(0, (now * 100 - started) // 1 / 100) or nil,
		cpu = os.clock(),
		memory = kib and kib * 1024,
		threads = math.tointeger(tonumber(words[18])),
	}
end

return process
