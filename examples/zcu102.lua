#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Linux on CPUs 2 and 3 of a ZCU102, whose interrupt controller is a GICv2.
local linux = zone "linux2" {
	id = 1,
	cpus = { 2, 3 },
	board = require "board.zcu102",
	ram = { at = 0x50000000, size = 0x25000000 },
	kernel = { image = "images/Image", at = 0x50400000, cmdline = "console=hvc0 root=/dev/vda rw" },
	dtb = "images/zcu102.dtb",
	devices = {
		blk "root" { image = "images/rootfs1.ext4", at = 0xff9d0000 },
		console "hvc0" { at = 0xff9e0000 },
	},
}

assert(linux:start())
