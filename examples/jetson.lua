#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Linux on CPUs 4 and 5 of a Jetson Orin NX (8 CPUs, 16 GiB), started from an initial RAM disk.
local board = require("board.jetson"):extend {
	cpus = 8,
	ram = { at = 0x80000000, size = "15G" },
}

local linux = zone "linux2" {
	id = 1,
	cpus = { 4, 5 },
	board = board,
	ram = { at = 0x100000000, size = "4G" },
	kernel = { image = "images/Image", at = 0x100400000, cmdline = "console=hvc0" },
	dtb = "images/jetson.dtb",
	-- Where it lies is written into the tree that is loaded; the file stays as it is.
	initrd = { image = "images/initrd", at = 0x110000000 },
	devices = {
		blk "root" { image = "images/rootfs1.ext4", at = 0xff9d000 },
		console "hvc0" { at = 0xff9e000 },
	},
}

assert(linux:start())
