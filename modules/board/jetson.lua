-- SPDX-License-Identifier: GPL-2.0-or-later
-- NVIDIA Jetson Orin NX. All figures from the published zone files. CPUs (6 or 8) and RAM (8 or 16 GiB) differ
-- between its models and are not known here, nor is hvisor's part.
local board = require("hvsh.dsl").board

return board {
	name = "jetson",
	arch = "arm64",
	-- The zones there have CPUs 4 and 5.
	root = { cpus = { 0, 1, 2, 3 } },
	gic = {
		version = 3,
		gicd = { at = 0xf400000, size = "64K" },
		gicr = { at = 0xf440000, size = "2M" },
	},
	slots = {
		{ at = 0xff9c000, irq = 75 },
		{ at = 0xff9d000, irq = 78 },
		{ at = 0xff9e000, irq = 76 },
	},
}
