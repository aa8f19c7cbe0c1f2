#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- An ELF kernel, as rCore and RT-Thread are, on QEMU's riscv64 virt machine. Its program headers say
-- where it goes and where it begins: there is nothing to write here.
local board = require "board.qemu_riscv64_plic"

local rtos = zone "rtos" {
	id = 1,
	cpus = { 3 },
	board = board,
	ram = { at = 0x83000000, size = "192M" },
	mmio = { { at = 0x10000000, size = "4K", name = "uart0" } },
	irqs = { 10 },
	kernel = "images/rtos-riscv64.elf",
	dtb = { image = "images/riscv64.dtb", at = 0x83000000 },
	devices = {
		blk "data" { image = "images/rootfs1.ext4", at = 0x10008000, size = 0x1000 },
	},
}

assert(rtos:start())
