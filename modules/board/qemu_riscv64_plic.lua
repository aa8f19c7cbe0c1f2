-- SPDX-License-Identifier: GPL-2.0-or-later
-- QEMU's riscv64 `virt` machine with a PLIC, four CPUs. Its RAM is what -m says: adapt it with
-- require("board.qemu_riscv64_plic"):extend {ram = {at = 0x80000000, size = "4G"}}.
local board = require("hvsh.dsl").board

return board {
	name = "qemu_riscv64_plic",
	arch = "riscv64",
	cpus = 4,
	ram = { at = 0x80000000, size = "2G" },
	-- The published zone files give CPU 3 to a zone. What zone0 and hvisor keep of the RAM is not known.
	root = { cpus = { 0, 1, 2 } },
	-- From the published zone files, which give both.
	plic = { at = 0xc000000, size = "64M" },
	aplic = { at = 0xd000000, size = 0x8000 },
	-- QEMU's virtio-mmio transports, sources 1 to 8.
	slots = { { at = 0x10001000, size = 0x1000, stride = 0x1000, irq = 1, count = 8 } },
}
