#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Made from zone1.json, virtio.json by `hvsh import`.
-- Paths are relative to the folder of this script.

zone "linux1" {
	id = 1,
	arch = "arm64",
	cpus = {2, 3},
	regions = {
		{type = "ram", at = 0x50000000, size = 0x30000000},
		{type = "virtio", at = 0xa003800, size = 0x200},
		{type = "virtio", at = 0xa003c00, size = 0x200},
	},
	irqs = {76, 78},
	kernel = {phys = 0x50400000, image = "../images/Image"},
	dtb = {phys = 0x50000000, image = "../images/imported.dtb"},
	entry = 0x50400000,
	gic = {
		version = 3,
		gicd = {at = 0x8000000, size = 0x10000},
		gicr = {at = 0x80a0000, size = 0xf60000},
	},
	devices = {
		blk "disk0" {image = "../images/rootfs1.ext4", at = 0xa003c00, irq = 78},
		console "console0" {at = 0xa003800, irq = 76},
	},
}

assert(zones.start())
