#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Linux on CPUs 2 and 3 of an i.MX 8M Plus, with one UART of its own.
-- The board file does not know how much RAM the module has: say it, and the checks can use it.
local board = require("board.imx8mp"):extend {
	ram = { at = 0x40000000, size = "3G" },
}

local linux = zone "linux2" {
	id = 1,
	cpus = { 2, 3 },
	board = board,
	ram = { at = 0x50000000, size = "768M" },
	mmio = { { at = 0x30a60000, size = "64K", name = "uart4" } },
	irqs = { 61 },
	kernel = { image = "images/Image", at = 0x50400000, cmdline = "console=hvc0 root=/dev/vda rw" },
	dtb = "images/imx8mp.dtb",
	devices = {
		blk "root" { image = "images/rootfs1.ext4", at = 0xa003c00 },
		console "hvc0" { at = 0xa003800 },
	},
}

assert(linux:start())
