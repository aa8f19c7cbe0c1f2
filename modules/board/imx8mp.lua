-- SPDX-License-Identifier: GPL-2.0-or-later
-- NXP i.MX 8M Plus. All figures from the published zone files; the RAM of the module, and hvisor's part
-- of it, are not known.
local board = require("hvsh.dsl").board

return board {
	name = "imx8mp",
	arch = "arm64",
	cpus = 4,
	root = { cpus = { 0, 1 } },
	gic = {
		version = 3,
		gicd = { at = 0x38800000, size = "64K" },
		gicr = { at = 0x38880000, size = 0xc0000 },
	},
	-- Those in use there, and no others: their neighbours' interrupts may belong to hardware.
	slots = {
		{ at = 0xa003600, irq = 75 },
		{ at = 0xa003800, irq = 76 },
		{ at = 0xa003c00, irq = 78 },
	},
}
