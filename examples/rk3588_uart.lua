#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- hvsh rk3588_uart.lua [TREE [FOLDER]]: a zone with a serial port of an RK3588 of its own. The port's two clocks stay with
-- the root zone; in the zone's tree each becomes a fixed-clock of its rate, which the port's `clocks` point to. By hand
-- that means to look up clock numbers and rates, to write the nodes and to invent phandles.
-- TREE is the board's tree, without it the placeholder beside this script; Debian's package linux-image-arm64 has
-- those of many boards, as rockchip/rk3588-evb1-v10.dtb; on the board leave `tree` and `rates` out.
-- With a FOLDER the zone's tree and the root zone's overlay, which keeps the clocks on, are written there.
local tree, folder = arg[1] or "images/rk3588_uart.dtb", arg[2]

local uart = zone "uart" {
	id = 1,
	cpus = { 6, 7 },
	board = require "board.rk3588",
	ram = { at = 0x30000000, size = "128M" },
	kernel = { image = "images/Image", cmdline = "earlycon console=ttyS3,1500000" },
	dtb = { image = "auto", stdout = "/serial@feb60000:1500000n8" },
	passthrough = {
		tree = tree,
		"/serial@feb60000",
		rates = { ["/serial@feb60000"] = { baudclk = "24M", apb_pclk = "100M" } },
		-- Without DMA the port works as well.
		accept = { "/dma-controller@fea10000" },
	},
}

for _, clock in ipairs(assert(uart:passthrough()).needs) do
	if clock.kind == "clock" then print(clock.name, clock.provider, clock.args[1], clock.rate) end
end

if folder then
	assert(uart:tree()):save(folder .. "/uart.dtb")
	local overlay <close> = assert(io.open(folder .. "/root.dts", "w"))
	assert(overlay:write(assert(uart:passthrough():host { memory = { at = 0x30000000, size = "128M", name = "uart" } })))
end

assert(uart:start())
