-- SPDX-License-Identifier: GPL-2.0-or-later
-- The boards that come with hvsh, and boards of one's own.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local dsl = require "hvsh.dsl"

local names = {
	qemu_virt = "arm64", qemu_virt_gicv2 = "arm64", qemu_riscv64_plic = "riscv64", qemu_riscv64_aia = "riscv64",
	qemu_x86_64 = "x86_64", imx8mp = "arm64", rk3588 = "arm64", zcu102 = "arm64", jetson = "arm64",
	nuc14mnk = "x86_64", ecx_2300f = "x86_64",
}

t.test("every board is one, and says what its architecture needs", function()
	for name, arch in pairs(names) do
		local board = require("board." .. name)
		t.ok(dsl.is_board(board), name)
		t.eq(board.name, name)
		t.eq(board.arch, arch, name)
		t.ok(board.gic or board.plic or board.ioapic, name .. ": interrupt controller")
		t.ok(#board.root.cpus > 0, name .. ": zone0's CPUs")
		t.eq(tostring(board), "board " .. name)
		t.raises(function() board.cpus = 1 end, "board cannot be changed")
		for i, slots in ipairs(board.slots or {}) do
			for j, other in ipairs(board.slots) do
				t.ok(i == j or slots.at + (slots.count - 1) * slots.stride + slots.size <= other.at
					or other.at + (other.count - 1) * other.stride + other.size <= slots.at, name .. ": slots overlap")
				t.ok(i == j or slots.irq + slots.count <= other.irq or other.irq + other.count <= slots.irq,
					name .. ": slots share an interrupt")
			end
		end
	end
end)

t.test("the slots of qemu_virt are those of its published files", function()
	local slots = require("board.qemu_virt").slots[1]
	for at, irq in pairs { [0xa003600] = 75, [0xa003800] = 76, [0xa003c00] = 78, [0xa003e00] = 79, [0xa003400] = 74 } do
		t.eq(slots.irq + (at - slots.at) // slots.stride, irq)
	end
end)

t.test("extend changes fields, keeps the rest, and leaves the board alone", function()
	local board = require "board.qemu_virt"
	local other = board:extend { cpus = 8, root = { cpus = "0-3" }, gic = { its = false }, max_zones = 4 }
	t.eq(other.cpus, 8)
	t.eq(#other.root.cpus, 4)
	t.eq(other.root.ram[1].at, board.root.ram[1].at)
	t.eq(other.gic.its, nil)
	t.eq(other.gic.gicd.at, board.gic.gicd.at)
	t.eq(other.max_zones, 4)
	t.eq(board.cpus, 4)
	t.eq(board.gic.its.size, 0x20000)
	local third = other.extend(other, { name = "mine", ram = { at = 0x40000000, size = "8G" }, wakeup_irq = false })
	t.eq(third.name, "mine")
	t.eq(third.ram[1].size, 8 << 30)
	t.eq(third.wakeup_irq, nil)
end)

t.test("mistakes in a board have lines", function()
	local function fails(text, ...)
		local ok, err = pcall(load(text, "@my_board.lua"))
		t.ok(not ok, "did not fail")
		for _, part in ipairs { ... } do t.has(err, part) end
	end
	local name = os.tmpname()
	local function fails_in_file(text, ...)
		local f <close> = assert(io.open(name, "w"))
		f:write(text)
		f:close()
		local ok, err = pcall(assert(loadfile(name)))
		t.ok(not ok, "did not fail")
		for _, part in ipairs { ... } do t.has(err, part) end
	end
	fails_in_file('local b = require "board.qemu_virt"\nlocal c = b:extend {\n cpus = 8,\n gic = {\n  itz = 1 } }',
		":5: gic.itz: unknown field 'itz' (did you mean 'its'?)")
	fails_in_file('local board = require("hvsh.dsl").board\nlocal b = board {\n name = "x",\n arch = "arm46" }',
		':4: arch: is "arm46"', 'did you mean "arm64"?')
	os.remove(name)
	fails('local b = require("hvsh.dsl").board {name = "x", arch = "riscv64", gic = {version = 3, gicd = {at = 0, size = 1}}}',
		"gic: is of arm64 only, and the board is riscv64")
	fails('local b = require("hvsh.dsl").board {name = "x", arch = "arm64", slots = {{at = 0, irq = 1, size = 0x400, stride = 0x200}}}',
		"slots[1].stride: is smaller than a window")
	fails('require("hvsh.dsl").board(5)', "a board is a table of fields, not 5")
	fails('require("board.qemu_virt").extend({}, {})', "the first argument is not a board")
	fails('require("board.qemu_virt"):extend(5)', "takes a table of changes")
end)

t.test("a zone takes a board, a plain description of one, and nothing else", function()
	local function z(board, arch)
		dsl.reset()
		return zone "a" { id = 1, cpus = { 1 }, ram = { at = 0, size = 1 }, kernel = false, board = board, arch = arch }
	end
	local board = require "board.rk3588"
	t.ok(z(board).spec.board == board)
	t.eq(z(board).spec.arch, "arm64")
	t.eq(z { name = "mine", arch = "riscv64", slots = { { at = 0, irq = 1 } } }.spec.board.slots[1].stride, 0x200)
	t.has(t.raises(function() z "rk3588" end), 'board: is text; write require "board.rk3588"')
	t.has(t.raises(function() z(5) end), "board: is 5, not a board")
	t.has(t.raises(function() z { name = "x", arch = "arm64", cpu = 4 } end), "board.cpu: unknown field 'cpu' (did you mean 'cpus'?)")
	t.has(t.raises(function() z(board, "riscv64") end), "arch: is riscv64, but the board rk3588 is arm64")
	t.eq(z(nil, nil).spec.arch, nil)
	local gic = board.gic
	dsl.reset()
	local copy = zone "a" { id = 1, cpus = { 1 }, ram = { at = 0, size = 1 }, kernel = false, gic = gic, aarch32 = true }
	t.eq(copy.spec.gic.gicd.at, 0xfe600000)
	t.eq(copy.spec.arch, "arm64")
end)

dsl.reset()
t.done()
