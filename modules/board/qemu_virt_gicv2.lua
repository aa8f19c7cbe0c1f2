-- SPDX-License-Identifier: GPL-2.0-or-later
-- The same machine as qemu_virt with a GICv2 (-machine virt,gic-version=2,virtualization=on): its windows
-- are those of QEMU's memory map.
local qemu_virt = require "board.qemu_virt"

return qemu_virt:extend {
	name = "qemu_virt_gicv2",
	gic = {
		version = 2,
		gicr = false,
		its = false,
		gicc = { at = 0x8010000, size = "64K" },
		gich = { at = 0x8030000, size = "64K" },
		gicv = { at = 0x8040000, size = "64K" },
	},
}
