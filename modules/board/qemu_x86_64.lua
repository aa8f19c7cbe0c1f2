-- SPDX-License-Identifier: GPL-2.0-or-later
-- QEMU's q35 machine with four CPUs. How much RAM it has, and what hvisor and zone0 keep of it, is not known here.
-- Virtio windows lie in the zone's own memory, so there are no slots: give at and irq.
local board = require("hvsh.dsl").board

return board {
	name = "qemu_x86_64",
	arch = "x86_64",
	cpus = 4,
	-- From the published zone files, which give CPUs 2 and 3 to the zone.
	root = { cpus = { 0, 1 } },
	ioapic = { at = 0xfec00000, size = "4K" },
}
