#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- A Linux zone that shares an IVC channel with zone0, all of it in a RAM disk; and a task of the service that opens the
-- channel when the sandbox has closed.
zone "ivc" {
	id = 1,
	cpus = { 2 },
	board = require "board.qemu_virt",
	ram = { at = 0x50000000, size = "384M" },
	kernel = { image = "Image", at = 0x50400000, cmdline = "console=hvc0 panic=1 loglevel=4" },
	initrd = { image = "ivc.gz", at = 0x58000000 },
	dtb = "auto",
	irqs = { 66 },
	devices = { console "hvc0" { log = "/run/ivc.log" } },
	ivc = {
		{ id = 0, peer = 1, peers = 2, control = 0x70000000, shared = 0x70001000, rw_size = "4K", out_size = "4K", irq = 66 },
	},
}

assert(zones.start())

local task
task = every("100ms", function()
	if not hv.sandbox:find "seccomp" then return end
	local c, why = ivc.open(0)
	print(("in the sandbox (%s): %s, %d in the list"):format(hv.sandbox, tostring(c or why), #ivc.list()))
	if c then c:close() end
	task:cancel()
end)
