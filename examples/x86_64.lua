#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Linux on an x86_64 machine. There is no device tree: boot code, set-up code, kernel and command line lie in
-- fixed places, the order of the regions is part of the interface, and the virtio devices are named on the command line.
local board = require("board.qemu_x86_64"):extend {
	ram = {
		{ at = 0x0, size = "2G" },
		{ at = 0x100000000, size = "2G" },
	},
}

-- The zone's memory from 0 to 0x1920f000 is one stretch of the machine's, from here on.
local phys = 0x40300000

local linux = zone "linux2" {
	id = 1,
	cpus = { 2, 3 },
	board = board,
	regions = {
		{ type = "ram", at = 0x0, phys = phys, size = 0xe0000 },
		{ type = "ram", at = 0xe0000, phys = phys + 0xe0000, size = 0x20000, name = "rsdp" },
		{ type = "ram", at = 0x100000, phys = phys + 0x100000, size = 0x14f00000 },
		{ type = "ram", at = 0x15000000, phys = phys + 0x15000000, size = 0xf000, name = "acpi" },
		{ type = "ram", at = 0x1500f000, phys = phys + 0x1500f000, size = 0x1000, name = "uefi" },
		{ type = "ram", at = 0x15010000, phys = phys + 0x15010000, size = 0x41ff000 },
		{ type = "virtio", at = 0x5950f000, size = 0x4000 },
		{ type = "ram", at = 0x100000000, size = 0x70000000 },
	},
	kernel = {
		image = "images/vmlinux.bin",
		at = 0x100000,
		cmdline = "console=hvc0 root=/dev/vda rw nointremap efi=noruntime"
			.. " virtio_mmio.device=0x200@0x5950f000:10 virtio_mmio.device=0x200@0x5950f400:11",
	},
	entry = 0x8000,
	x86 = {
		boot = { image = "images/boot.bin", at = 0x8000 },
		setup = { image = "images/setup.bin", at = 0xd000 },
		cmdline = { at = 0xc000 },
		kernel_gpa = 0x100000,
		rsdp_region = "rsdp",
		acpi_region = "acpi",
		uefi_region = "uefi",
	},
	devices = {
		console "hvc0" { at = 0x5950f000, irq = 10 },
		blk "root" { image = "images/rootfs.img", at = 0x5950f400, irq = 11 },
	},
}

assert(linux:start())
