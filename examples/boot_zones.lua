#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Two Linux zones beside the root zone on QEMU's arm64 virt machine.
--
--   hvsh images/make.lua              placeholders to try it with
--   hvsh --sim check boot_zones.lua   what is wrong with it?
--   hvsh --sim plan boot_zones.lua    what would it do?
--   hvsh --sim boot_zones.lua         do it, on a simulated hypervisor
--
-- Paths are relative to the folder of this script.
local board = require "board.qemu_virt"

-- What both have in common; the rest differs.
local function linux(name, z)
	return zone(name) {
		id = z.id,
		cpus = z.cpus,
		board = board,
		ram = { at = z.at, size = "384M" },
		kernel = {
			image = "images/Image",
			at = z.at + 0x400000,
			cmdline = "console=hvc0 root=/dev/vda rw",
		},
		dtb = "images/" .. name .. ".dtb",
		devices = z.devices,
	}
end

linux("linux1", {
	id = 1,
	cpus = { 2 },
	at = 0x50000000,
	-- The interrupt follows from the register window: it is one of the board's slots.
	devices = {
		blk "root" { image = "images/rootfs1.ext4", at = 0xa003c00 },
		net "eth0" { tap = "tap0", mac = "52:54:00:10:10:10", at = 0xa003600 },
		console "hvc0" { at = 0xa003800 },
	},
})

linux("linux2", {
	id = 2,
	cpus = { 3 },
	at = 0x68000000,
	devices = {
		blk "root" { image = "images/rootfs2.ext4", at = 0xa003a00 },
		net "eth0" { tap = "tap1", mac = "52:54:00:10:10:11", at = 0xa003400 },
		console "hvc0" { at = 0xa003200 },
	},
})

-- Everything is checked before anything is written: both start, or none.
assert(zones.start())
