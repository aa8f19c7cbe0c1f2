#!/usr/bin/env hvsh
-- SPDX-License-Identifier: GPL-2.0-or-later
-- hvsh odroid_c4.lua [TREE [FOLDER]]: a driver zone on an Odroid C4 that owns the network, the eMMC and an I2C bus.
-- Registers, interrupts, stand-ins for clocks and the zone's own tree follow from the board's tree. TREE is that tree:
-- without it the placeholder beside this script; Debian's package linux-image-arm64 has the real one, as
-- amlogic/meson-sm1-odroid-c4.dtb; on the board leave `tree` and `rates` out, what runs and its clocks are read.
-- With a FOLDER the zone's tree, the root zone's overlay and a Microkit system description are written there.
local tree, folder = arg[1] or "images/odroid_c4.dtb", arg[2]

local drivers = zone "drivers" {
	id = 1,
	cpus = { 2, 3 },
	board = {
		name = "odroid_c4", arch = "arm64", cpus = 4, root = { cpus = { 0, 1 } }, wakeup_irq = 64,
		gic = {
			version = 2,
			gicd = { at = 0xffc01000, size = "4K" }, gicc = { at = 0xffc02000, size = "8K" },
			gich = { at = 0xffc04000, size = "8K" }, gicv = { at = 0xffc06000, size = "8K" },
		},
		-- Addresses and interrupts that nothing in the tree has.
		slots = { { at = 0xfe000000, irq = 240, count = 8 } },
	},
	ram = { at = 0x20000000, size = "256M" },
	kernel = { image = "images/Image", cmdline = "console=hvc0" },
	dtb = "auto",
	passthrough = {
		tree = tree,
		"/soc/ethernet@ff3f0000", "/soc/mmc@ffe07000", "/soc/bus@ffd00000/i2c@1f000",
		-- For trying it elsewhere than on the board: plausible, not measured.
		rates = {
			["/soc/ethernet@ff3f0000"] = { stmmaceth = 166666667, clkin0 = "1G", clkin1 = "500M" },
			["/soc/bus@ff600000/mdio-multiplexer@4c000"] = { pclk = 166666667, clkin1 = "50M" },
			["/soc/mmc@ffe07000"] = { core = 166666667, clkin0 = "24M" },
			["/soc/bus@ffd00000/i2c@1f000"] = { 166666667 },
		},
		-- They share pages with what is given away, or it uses their pins: this zone is trusted with them.
		accept = {
			"/soc/bus@ff600000/bus@34400/pinctrl@40", "/soc/bus@ff600000/temperature-sensor@34800",
			"/soc/bus@ff600000/temperature-sensor@34c00", "/soc/bus@ffd00000/watchdog@f0d0",
		},
	},
	devices = { console "hvc0" {} },
}

-- What the plan says: what is given, what stays, and who else lives in those pages.
local plan = assert(drivers:passthrough())
print(plan)

if folder then
	assert(drivers:tree()):save(folder .. "/drivers.dtb")
	local overlay <close> = assert(io.open(folder .. "/root.dts", "w"))
	assert(require("export.microkit").write(folder .. "/drivers.system", { zone = drivers, irqs = folder .. "/drivers_irqs.h" }))
	assert(overlay:write(assert(plan:host { wakeup = 64, memory = { at = 0x20000000, size = "256M", name = "drivers" } })))
end

assert(drivers:start())
