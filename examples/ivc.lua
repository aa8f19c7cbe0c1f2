#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- A zone that shares memory and interrupts with zone0: a channel of IVC.
--
--   hvsh --sim ivc.lua      docs/ivc.md has what can be done with it
--
-- On a board the hypervisor has to be built with zone0's end of channel 0, and zone0 has the kernel module ivc.
zone "linux1" {
	id = 1,
	cpus = { 2 },
	board = require "board.qemu_virt",
	ram = { at = 0x50000000, size = "384M" },
	kernel = { image = "images/Image", at = 0x50400000, cmdline = "console=hvc0" },
	dtb = "auto",
	devices = { console "hvc0" {} },
	ivc = {
		{
			id = 0, -- zone0 has /dev/hivc0
			peer = 1, -- zone0 is peer 0
			peers = 2,
			control = 0x70000000, -- guest addresses that nothing else uses
			shared = 0x70001000,
			rw_size = "4K", -- both write it
			out_size = "4K", -- each one's own
			irq = 66,
		},
	},
	irqs = { 66 },
}

assert(zones.start())
