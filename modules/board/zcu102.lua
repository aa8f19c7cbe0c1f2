-- SPDX-License-Identifier: GPL-2.0-or-later
-- AMD (Xilinx) ZCU102.
local board = require("hvsh.dsl").board

return board {
	name = "zcu102",
	arch = "arm64",
	cpus = 4,
	-- The board's 4 GiB, in the two windows of the Zynq UltraScale+.
	ram = {
		{ at = 0x0, size = "2G" },
		{ at = 0x800000000, size = "2G" },
	},
	-- From the published zone files, which give CPUs 2 and 3 to the zone. What zone0 and hvisor keep of the RAM
	-- is not known.
	root = { cpus = { 0, 1 } },
	gic = {
		version = 2,
		gicd = { at = 0xf9010000, size = "64K" },
		gicc = { at = 0xf9020000, size = "128K", offset = 0xf000 },
		gich = { at = 0xf9040000, size = "128K" },
		gicv = { at = 0xf9060000, size = "128K" },
	},
	slots = {
		{ at = 0xff9d0000, irq = 78 },
		{ at = 0xff9e0000, irq = 76 },
	},
}
