#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- A zone with a graphics card and a keyboard. The picture stays in memory, where screenshots are taken from.
--
--   hvsh -d --sim=served screen.lua               start it and serve it in the background
--   hvsh --sim=served screenshot panel panel.png  what it shows
--   hvsh --sim=served stop panel
--
-- With output = "drm" and connector = "HDMI-A-1" the picture is on a display of the board.
zone "panel" {
	id = 1,
	cpus = { 2 },
	board = require "board.qemu_virt",
	ram = { at = 0x50000000, size = "384M" },
	kernel = { image = "images/Image", at = 0x50400000, cmdline = "console=hvc0 console=tty0" },
	dtb = "auto",
	devices = {
		console "hvc0" {},
		gpu "screen" { width = 1280, height = 800 },
		input "keys" {},
	},
}

assert(zones.start())
