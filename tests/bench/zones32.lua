-- SPDX-License-Identifier: GPL-2.0-or-later
-- Thirty-one zones that run, as many as a simulated machine has CPUs for, and one that does not: for measuring what the
-- service answers about them.
local board = (require "board.qemu_virt"):extend {
	name = "bench", cpus = 32, max_zones = false, root = { cpus = { 0 } }, ram = { at = 0x40000000, size = "8G" },
}

local function define(i, cpu)
	zone("zone" .. i) {
		id = i,
		cpus = { cpu },
		board = board,
		ram = { at = 0xc0000000 + i * 0x2000000, size = "32M" },
		kernel = "images/Image",
		devices = i == 1 and { console "hvc0" {} } or nil,
	}
end

for i = 1, 31 do define(i, i) end
assert(zones.start())
define(32, 31)
