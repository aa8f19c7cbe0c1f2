#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- A unikernel with a UART and a clock of its own: registers and interrupts of real devices are given to the zone.
-- It is linked for addresses of its own, too: what it sees at 0x40000000 lies at 0x50000000.
local board = require "board.qemu_virt"

local unikernel = zone "unikernel" {
	id = 1,
	cpus = { 2, 3 },
	board = board,
	ram = { at = 0x40000000, phys = 0x50000000, size = "512M" },

	-- The root zone must not use these: status = "disabled" in its tree.
	mmio = {
		{ at = 0x9000000, size = "4K", name = "uart0" },
		{ at = 0x9010000, size = "4K", name = "rtc" },
	},
	irqs = { 33, 34 },

	-- No header says where this kernel goes and where it begins.
	kernel = { image = "images/unikernel-arm64.bin", format = "raw", at = 0x40080000 },
	entry = 0x40080000,
	dtb = { image = "images/passthrough.dtb", at = 0x40000000 },

	devices = {
		blk "data" { image = "images/rootfs1.ext4", readonly = true, at = 0xa003c00 },
	},
}

assert(unikernel:start())
