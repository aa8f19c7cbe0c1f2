-- SPDX-License-Identifier: GPL-2.0-or-later
-- ASUS NUC 14 (nuc14mnk). All figures from the published zone files; RAM and hvisor's part of it are not known.
-- Virtio windows lie in the zone's own memory, so there are no slots: give at and irq.
local board = require("hvsh.dsl").board

return board {
	name = "nuc14mnk",
	arch = "x86_64",
	-- The zone there has CPUs 2 and 3.
	root = { cpus = { 0, 1 } },
	ioapic = { at = 0xfec00000, size = "4K" },
}
