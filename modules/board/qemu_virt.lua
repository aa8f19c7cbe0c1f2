-- SPDX-License-Identifier: GPL-2.0-or-later
-- QEMU's arm64 `virt` machine with a GICv3, four CPUs and 2 GiB, as hvisor's own build for it uses it
-- (-machine virt,gic-version=3,virtualization=on -smp 4 -m 2G).
local board = require("hvsh.dsl").board

return board {
	name = "qemu_virt",
	arch = "arm64",
	cpus = 4,
	ram = { at = 0x40000000, size = "2G" },
	-- hvisor's image is loaded at 0x40400000; with its page pool it was seen to end near 0x44780000.
	hypervisor = { at = 0x40400000, size = 0x4380000 },
	-- zone0 is told of all RAM from 0x50000000. Its tree has to reserve what zones get; what it really
	-- uses is read from its /proc. Zones of the published files begin at 0x50000000 and are 768M long.
	root = { cpus = { 0, 1 }, ram = { at = 0x80000000, size = "1G" } },
	-- QEMU's virtio-mmio transports: SPI 16 + n.
	slots = { { at = 0xa000000, size = 0x200, stride = 0x200, irq = 48, count = 32 } },
	-- From the published zone files.
	gic = {
		version = 3,
		gicd = { at = 0x8000000, size = "64K" },
		gicr = { at = 0x80a0000, size = 0xf60000 },
		its = { at = 0x8080000, size = "128K" },
	},
	wakeup_irq = 64,
}
