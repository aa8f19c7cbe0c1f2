#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- A Linux zone whose screen is zone0's graphics card, and whose keyboard is a script; with HVSH_KEYBOARD it also gets that
-- one of zone0's.
local devices = {
	console "hvc0" { log = "/run/panel.log" },
	gpu "screen" { output = "drm" },
	input "keys" {},
}
local real = os.getenv "HVSH_KEYBOARD"
if real then table.insert(devices, input "real" { evdev = real }) end

zone "panel" {
	id = 1,
	cpus = { 2 },
	board = require "board.qemu_virt",
	ram = { at = 0x50000000, size = "384M" },
	kernel = { image = "Image", at = 0x50400000, cmdline = "console=tty0 console=hvc0 panic=1 loglevel=4" },
	initrd = { image = "panel.gz", at = 0x58000000 },
	dtb = "auto",
	devices = devices,
}

assert(zones.start())
