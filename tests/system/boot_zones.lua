#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- Two Linux zones with a disk, a network and a console each. HVSH_ZONES=linux1 starts only that one.
local board = require "board.qemu_virt"

-- As zone0 was told: the zones' definitions stay the same for as long as it is up.
local time = io.lines("/proc/cmdline")():match "hvsh%.time=(%d+)" or "0"

local function linux(name, z)
	return zone(name) {
		id = z.id,
		cpus = { z.cpu },
		board = board,
		ram = { at = z.at, size = "384M" },
		kernel = {
			image = "Image",
			at = z.at + 0x400000,
			cmdline = ("console=hvc0 panic=1 loglevel=4 hvsh.name=%s hvsh.ip=%s hvsh.time=%s"):format(name, z.ip, time),
		},
		initrd = { image = "initrd.gz", at = z.at + 0x8000000 },
		dtb = name .. ".dtb",
		devices = {
			blk "root" { image = z.root, at = z.blk },
			net "eth0" { tap = z.tap, mac = z.mac, at = z.net },
			console "hvc0" { at = z.console, log = "/run/" .. name .. ".log" },
		},
	}
end

local which = os.getenv "HVSH_ZONES" or "linux1 linux2"
if which:find "linux1" then
	linux("linux1", {
		id = 1, cpu = 2, at = 0x50000000, ip = "192.168.77.2/24", root = "root1.ext4", tap = "tap0",
		mac = "52:54:00:10:10:10", blk = 0xa003c00, net = 0xa003600, console = 0xa003800,
	})
end
if which:find "linux2" then
	linux("linux2", {
		id = 2, cpu = 3, at = 0x68000000, ip = "192.168.78.2/24", root = "root2.ext4", tap = "tap1",
		mac = "52:54:00:10:10:11", blk = 0xa003a00, net = 0xa003400, console = 0xa003200,
	})
end

assert(zones.start())
