#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Linux with the neural processor of an RK3588. Its clocks, resets and power domains stay with the
-- root zone, which lends them through an SCMI device: the numbers are positions in the lists
-- of its hvisor_virtio_device node.
local board = require("board.rk3588"):extend {
	ram = {
		{ at = 0x200000, size = 0xefe00000 },
		{ at = 0x100000000, size = "12G" },
	},
}

local npu = zone "npu" {
	id = 1,
	cpus = { 6, 7 },
	board = board,
	ram = {
		{ at = 0x30000000, size = "256M" },
		{ at = 0x100000000, size = "4G" },
	},
	mmio = {
		{ at = 0xfdab0000, size = "64K", name = "npu core 0" },
		{ at = 0xfdac0000, size = "64K", name = "npu core 1" },
		{ at = 0xfdad0000, size = "64K", name = "npu core 2" },
	},
	irqs = { 0x8e, 0x8f, 0x90 },
	kernel = { image = "images/Image", at = 0x30400000, cmdline = "console=hvc0 root=/dev/vda rw" },
	dtb = "images/rk3588.dtb",
	devices = {
		scmi "power" { clocks = "0-7", resets = "0-5", powers = "0-2", at = 0xff9c0000, size = 0x1000 },
		blk "root" { image = "images/rootfs1.ext4", at = 0xff9d0000, size = 0x1000 },
		console "hvc0" { at = 0xff9e0000, size = 0x1000 },
		net "eth0" { tap = "tap0", mac = "52:54:00:11:22:33", at = 0xffa00000, size = 0x1000 },
	},
}

assert(npu:start())
