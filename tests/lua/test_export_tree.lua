-- SPDX-License-Identifier: GPL-2.0-or-later
-- export.tree: what a guest reads in its tree is what its zone has.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local fdt = require "hvsh.fdt"
local dsl = require "hvsh.dsl"
local export = require "export.tree"

local image, blob = os.tmpname(), os.tmpname()
do
	local file <close> = assert(io.open(image, "wb"))
	file:write(("\0"):rep(4096))
end

-- The tree as the guest gets it: written and read again.
local function read_back(tree)
	assert(tree:save(blob))
	tree:close()
	return assert(fdt.open(blob))
end

local function same_ranges(got, want)
	t.eq(#got, #want, "ranges")
	for i, range in ipairs(want) do
		t.eq(got[i].start, range[1], "start " .. i)
		t.eq(got[i].size, range[2], "size " .. i)
	end
end

t.test("riscv64: memory, virtio, PLIC, UART, CPUs", function()
	local rtos = zone "rtos" {
		id = 1, cpus = { 3 }, board = require "board.qemu_riscv64_plic",
		ram = { { at = 0x83000000, size = "64M" }, { at = 0x90000000, size = "16M" } },
		mmio = { { at = 0x10000000, size = "4K", name = "uart0" } },
		irqs = { 10 },
		kernel = { image = image, format = "raw", at = 0x83200000 },
		devices = {
			console "hvc0" { at = 0x10007000, size = 0x1000, irq = 7 },
			blk "root" { image = image, at = 0x10008000, size = 0x1000, irq = 8 },
		},
	}
	local tree <close> = read_back(assert(export.of(rtos, { uart = { at = 0x10000000, irq = 10, clock = 3686400 }, bootargs = "quiet" })))
	t.eq(#tree:find("/cpus"):prop("#address-cells", "cells"), 1)
	for _, hart in ipairs(rtos.spec.cpus) do t.ok(tree:find(("/cpus/cpu@%d"):format(hart)), "hart " .. hart) end
	local memory = {}
	for node in tree:walk() do
		if node:prop("device_type", "string") == "memory" then
			for _, reg in ipairs(node.regs) do memory[#memory + 1] = { start = reg.start, size = reg.size } end
		end
	end
	same_ranges(memory, { { 0x83000000, 64 << 20 }, { 0x90000000, 16 << 20 } })
	local plic = tree:find { compatible = "sifive,plic-1.0.0" }
	t.eq(plic.regs[1].start, require("board.qemu_riscv64_plic").plic.at, "PLIC")
	t.eq(#plic:prop("interrupts-extended", "cells"), 2 * 2, "two contexts of the hart")
	local found = {}
	for _, node in ipairs(tree:list { compatible = "virtio,mmio" }) do
		found[#found + 1] = ("%x %x %d"):format(node.regs[1].start, node.regs[1].size, node.irqs[1].number)
	end
	table.sort(found)
	t.eq(table.concat(found, "; "), "10007000 1000 7; 10008000 1000 8")
	local uart = tree:find { compatible = "ns16550a" }
	t.eq(uart.regs[1].start, 0x10000000)
	t.eq(uart.irqs[1].number, 10)
	t.eq(uart:prop("clock-frequency", "u32"), 3686400)
	t.eq(tree:find("/chosen"):prop("stdout-path", "string"), uart.path)
	t.eq(tree:find("/chosen"):prop("bootargs", "string"), "quiet")

	local function fails(part, options)
		local none, message, code = export.of(rtos, options)
		t.eq(none, nil)
		t.eq(code, "ENOENT")
		t.has(message, part)
	end
	fails("no registers at 0x10001000+0x1000", { uart = { at = 0x10001000, irq = 10 } })
	fails("no interrupt 11", { uart = { at = 0x10000000, irq = 11 } })
	t.raises(function() export.of(rtos, { uart = { at = 1 } }) end, "uart.irq is missing")
	t.raises(function() export.of(rtos, { uart = { at = 1, irk = 2 } }) end, "did you mean irq?")
	t.raises(function() export.of(rtos, { urat = {} }) end, "did you mean uart?")
	t.raises(function() export.of("rtos") end, "test_export_tree.lua")
end)

t.test("arm64: the interrupt of a UART is a shared one", function()
	dsl.reset()
	local arm = zone "arm" {
		id = 2, cpus = { 2 }, board = require("board.qemu_virt"), ram = { at = 0x50000000, size = "64M" },
		mmio = { { at = 0x9000000, size = "4K" } }, irqs = { 33 },
		kernel = { image = image, format = "raw", at = 0x50400000 }, devices = { console "hvc0" { at = 0xa003800 } },
	}
	local tree <close> = read_back(assert(export.of(arm, { uart = { at = 0x9000000, irq = 33, compatible = "arm,pl011" } })))
	t.eq(tree:find({ compatible = "arm,pl011" }).irqs[1].number, 33)
	t.eq(tree:find({ compatible = "virtio,mmio" }).irqs[1].number, 76)
	t.ok(tree:find { compatible = "arm,gic-v3" }, "GIC")
end)

os.remove(image)
os.remove(blob)
t.done()
