-- SPDX-License-Identifier: GPL-2.0-or-later
-- Vecow ECX-2300F PEG. All figures from the published zone files; RAM and hvisor's part of it are not known.
-- Virtio windows lie in the zone's own memory, so there are no slots: give at and irq.
local board = require("hvsh.dsl").board

return board {
	name = "ecx_2300f",
	arch = "x86_64",
	-- The zone there has CPUs 8 to 15.
	root = { cpus = "0-7" },
	ioapic = { at = 0xfec00000, size = "4K" },
}
