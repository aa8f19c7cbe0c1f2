-- SPDX-License-Identifier: GPL-2.0-or-later
-- Rockchip RK3588. All figures from the published zone files; the RAM of the board, and hvisor's part
-- of it, are not known.
local board = require("hvsh.dsl").board

return board {
	name = "rk3588",
	arch = "arm64",
	cpus = 8,
	-- Two zones there have CPUs 4 to 7.
	root = { cpus = { 0, 1, 2, 3 } },
	gic = {
		version = 3,
		gicd = { at = 0xfe600000, size = "64K" },
		gicr = { at = 0xfe680000, size = "1M" },
	},
	slots = {
		{ at = 0xff9c0000, size = 0x1000, irq = 0x44 },
		{ at = 0xff9d0000, size = 0x1000, irq = 0x41 },
		{ at = 0xff9e0000, size = 0x1000, irq = 0x42 },
		{ at = 0xffa00000, size = 0x1000, irq = 0x45 },
		{ at = 0xffa10000, size = 0x1000, irq = 0x66 },
		{ at = 0xffa20000, size = 0x1000, irq = 0x67 },
		{ at = 0xffa30000, size = 0x1000, irq = 0x68 },
		{ at = 0xffa50000, size = 0x1000, irq = 0x69 },
	},
}
