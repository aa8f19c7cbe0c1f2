-- SPDX-License-Identifier: GPL-2.0-or-later
-- Sixteen zones, and as many devices as hvisor can serve, for measuring check and plan.
local board = (require "board.qemu_virt"):extend {
	name = "bench", cpus = 32, max_zones = false, root = { cpus = { 0 } }, ram = { at = 0x40000000, size = "8G" },
}

for i = 1, 16 do
	zone("zone" .. i) {
		id = i,
		cpus = { i },
		board = board,
		ram = { at = 0xc0000000 + i * 0x8000000, size = "128M" },
		kernel = "images/Image",
		devices = i <= 2 and {
			blk "root" { image = "images/rootfs1.ext4", snapshot = true },
			net "eth0" { tap = "tap" .. i },
			console "hvc0" {},
		} or nil,
	}
end
