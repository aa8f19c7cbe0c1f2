-- SPDX-License-Identifier: GPL-2.0-or-later
-- fdt as scripts meet it. How trees are decoded and planned is tested where that is done (tests/core/fdt).
local tests = os.getenv "HVSH_TESTS"
local t = dofile(tests .. "/lib/tap.lua")
local fdt = require "hvsh.fdt"

local work = os.tmpname()

local function compile(name)
	local ok = os.execute(("dtc -q -f -I dts -O dtb -o %s '%s/core/fdt/data/%s.dts'"):format(work, tests, name))
	assert(ok, "dtc failed on " .. name)
	return assert(fdt.open(work))
end

local function write(text)
	local file <close> = assert(io.open(work .. ".dts", "w"))
	file:write(text)
end

t.test("find by path, alias, label and property", function()
	local tree <close> = compile "sm1"
	t.eq(tree:find("/soc/gpu@ffe40000").path, "/soc/gpu@ffe40000")
	t.eq(tree:find("serial0").path, "/soc/bus@ff800000/serial@3000")
	t.eq(tree:find({ compatible = "test,gpu" }).name, "gpu@ffe40000")
	t.eq(tree:find({ name = "mmc", enabled = true }).path, "/soc/mmc@ffe05000")
	t.eq(#tree:list { compatible = "test,mmc" }, 2)
	t.eq(#tree:list { property = "gpio-controller" }, 2)
	local clocks = tree:find("serial0"):refs()
	t.eq(tree:find({ phandle = clocks[1].phandle }).path, "/xtal-clk")
	local node, message, code = tree:find "/soc/gpu@ffe40000/core"
	t.eq(node, nil)
	t.eq(code, "ENOENT")
	t.has(message, "ENOENT: ")
	t.has(message, "/soc/gpu@ffe40000 has no node core")
	t.eq(tree:find { compatible = "nobody" }, nil)
	local labels <close> = compile "routes"
	t.eq(labels:find("&clk").label, "clk")
end)

t.test("a node's fields", function()
	local tree <close> = compile "sm1"
	local node = tree:find "/soc/ethernet@ff3f0000"
	t.same(node.compatible, { "test,dwmac" })
	t.eq(node.status, "okay")
	t.eq(node.enabled, true)
	t.same(node.regs[2], { start = 0xff634540, size = 8 })
	t.eq(node.irqs[1].number, 40)
	t.eq(node.irqs[1].trigger, "level high")
	t.eq(node.irqs[1].controller, "/soc/interrupt-controller@ffc01000")
	t.eq(node.parent.path, "/soc")
	t.eq(node.children[1].name, "mdio")
	t.eq(node.tree, tree)
	t.same({ table.unpack(node.props, 1, 2) }, { "compatible", "reg" })
	t.eq(node.props["interrupt-names"], "macirq\0")
	t.eq(node:is "test,dwmac", true)
	t.ok(node == tree:find "/soc/ethernet@ff3f0000", "the same node is equal")
	t.ok(node ~= tree.root, "another is not")
	local i2c = tree:find "i2c9"
	t.eq(i2c.status, "disabled")
	t.eq(i2c.enabled, false)
	t.eq(i2c.children[1].enabled, false, "below a disabled node")
	t.eq(i2c.children[1].regs[1].code, "EXDEV")
	local refs = node:refs()
	t.eq(refs[1].kind, "clock")
	t.eq(refs[1].name, "stmmaceth")
	t.eq(refs[4].slot, 4)
	t.same(refs[1].args, { 38 })
	t.eq(refs[1].node.path, refs[1].path)
	t.has(tostring(node), "interrupts = <0 8 4>; /* INTID 40 level high */")
	t.has(tostring(node), "mdio {")
	t.has(tostring(tree), "SM1 board")
end)

t.test("typed reading and writing", function()
	local tree <close> = compile "sm1"
	local node = tree:find "/xtal-clk"
	t.eq(node:prop("clock-frequency", "u32"), 24000000)
	t.eq(#node:prop "clock-frequency", 4)
	t.eq(tree.root:prop("compatible", "strings")[2], "test,sm1")
	local value, message, code = node:prop("clock-frequency", "u64")
	t.eq(value, nil)
	t.eq(code, "EINVAL")
	t.has(message, "4 bytes, which is not two cells")
	value, message, code = node:prop("nothing", "u32")
	t.eq(value, nil)
	t.eq(code, "ENOENT")
	t.has(message, "/xtal-clk has no property nothing")

	t.eq(node:set("clock-frequency", 12000000), true)
	t.eq(node:prop("clock-frequency", "u32"), 12000000)
	t.eq(tree:set("/xtal-clk", "wide", 0x123456789, "u64"), true)
	t.eq(node:prop("wide", "u64"), 0x123456789)
	t.eq(tree:set(node, "words", { "a", "b" }), true)
	t.eq(node:value "words", '"a", "b"')
	t.eq(node:set("list", { 1, 16 }), true)
	t.eq(node:value "list", "<1 0x10>")
	t.eq(node:set("flag", true), true)
	t.eq(node:prop "flag", "")
	t.eq(node:set("flag", nil), true)
	value, _, code = node:set("flag", nil)
	t.eq(value, nil)
	t.eq(code, "ENOENT")
	t.raises(function() node:set("x", 1 << 40) end, "32 bits")
	t.raises(function() node:set("x", {}, "u23") end, "did you mean u32?")
	t.raises(function() node:set("x", "a\0b") end, "NUL")
	t.has(select(2, node:set("a b", 1)), "no property name")
end)

t.test("nodes survive changes of the tree, or say that they are gone", function()
	local tree <close> = compile "sm1"
	local late, gone = tree:find "/soc/gpu@ffe40000", tree:find "/sound"
	t.ok(tree:set("/", "model", ("x"):rep(3000)))
	t.eq(late.irqs[1].number, 194)
	t.eq(tree:add("/extra/deep").path, "/extra/deep")
	t.has(select(2, tree:add "/extra/deep"), "EEXIST")
	t.eq(tree:remove "/sound", true)
	t.eq(late.irqs[1].number, 194)
	t.raises(function() return gone.name end, "no node /sound any more")
	t.has(tostring(gone), "gone")
	t.raises(function()
		for node in tree:walk() do node:set("touched", true) end
	end, "changed while it was walked")
	local count = 0
	for _ in tree:walk() do count = count + 1 end
	t.ok(count > 50)
end)

t.test("save, open, diff", function()
	local tree <close> = compile "sm1"
	local other <close> = assert(fdt.parse(tree:bytes(), "copy"))
	t.eq(#fdt.diff(tree, other), 0)
	other:set("serial0", "status", "disabled")
	other:remove "/sound"
	other:add "/new"
	t.same(fdt.diff(tree, other), {
		{ path = "/sound", only = "a" },
		{ path = "/soc/bus@ff800000/serial@3000", property = "status", b = '"disabled"' },
		{ path = "/new", only = "b" },
	})
	t.eq(other:save(work), true)
	local again <close> = assert(fdt.open(work))
	t.eq(again:find("serial0").status, "disabled")
	local ok, message, code = other:save "/nonexistent/x.dtb"
	t.eq(ok, nil)
	t.eq(code, "ENOENT")
	t.has(message, "/nonexistent/x.dtb")
	ok, message, code = fdt.open "/nonexistent"
	t.eq(ok, nil)
	t.eq(code, "ENOENT")
	t.has(message, "/nonexistent")
	t.eq(select(3, fdt.parse "rubbish"), "EINVAL")
end)

t.test("overlays", function()
	write '/dts-v1/; /plugin/; &clk { status = "disabled"; };'
	assert(os.execute(("dtc -q -@ -I dts -O dtb -o %s.dtbo %s.dts"):format(work, work)))
	local tree <close> = compile "routes"
	t.eq(tree:overlay(work .. ".dtbo"), true)
	t.eq(tree:find("&clk").status, "disabled")
	local bare <close> = compile "sm1"
	local overlay <close> = assert(fdt.open(work .. ".dtbo"))
	local ok, message, code = bare:overlay(overlay)
	t.eq(ok, nil)
	t.eq(code, "ENOENT")
	t.has(message, "no labels")
	t.has(message, "clk")
	os.remove(work .. ".dtbo")
	os.remove(work .. ".dts")
end)

t.test("a folder as /proc/device-tree has them", function()
	local dir = work .. ".d"
	assert(os.execute(("mkdir -p %s/cpus/cpu@0 && printf 'board\\0' >%s/model && printf 'cpu\\0' >%s/cpus/cpu@0/device_type && "
		.. "printf x >%s/cpus/name"):format(dir, dir, dir, dir)))
	local tree <close> = assert(fdt.machine(dir))
	t.eq(tree.model, "board")
	t.eq(tree:find("/cpus/cpu@0"):prop("device_type", "string"), "cpu")
	t.eq(tree:find("/cpus").props[1], nil, "name is the kernel's")
	os.execute("rm -r " .. dir)
end)

t.test("a plan, and what follows from it", function()
	local tree <close> = compile "sm1"
	local plan = assert(fdt.passthrough { tree = tree, devices = { "mmc1", compatible = "test,gpu" } })
	t.same(plan.irqs, { 192, 193, 194, 223 })
	t.same(plan.mmio[1], { at = 0xffe07000, size = 0x1000, name = "/soc/mmc@ffe07000" })
	t.eq(#plan.missing_rates, 4)
	t.eq(plan.interrupts[1].path, "/soc/mmc@ffe07000")
	t.has(table.concat(plan.conflicts, "\n"), "/reserved-memory/shared@3f000000")
	t.has(tostring(plan), "rate not known")
	local guest, message, code = fdt.guest { plan = plan, cpus = 1, memory = { at = 0x50000000, size = "64M" } }
	t.eq(guest, nil)
	t.eq(code, "ENODATA")
	t.has(message, "/soc/gpu@ffe40000 clock")
	plan = assert(fdt.passthrough {
		tree = tree, devices = { "mmc1", "/soc/gpu@ffe40000" },
		rates = { mmc1 = { core = 1000, clkin0 = 2000, clkin1 = 3000 }, ["/soc/gpu@ffe40000"] = { 4000 } },
	})
	t.eq(#plan.missing_rates, 0)
	guest = assert(fdt.guest {
		plan = plan, cpus = { 0, 1 }, memory = { at = 0x50000000, size = "64M" }, bootargs = "quiet",
		virtio = { { at = 0xa003600, irq = 75 } },
	})
	t.eq(guest:find("mmc1"):refs()[2].node:prop("clock-frequency", "u32"), 2000)
	t.eq(guest:find({ compatible = "virtio,mmio" }).irqs[1].number, 75)
	t.eq(guest:patch { bootargs = "loud", controller = "gicv2" }, true)
	t.eq(guest:find("/chosen"):prop("bootargs", "string"), "loud")
	local none
	none, message, code = fdt.passthrough { tree = tree, devices = "mmc1", rates = { mmc1 = { cor = 1 } } }
	t.eq(none, nil)
	t.eq(code, "ENOENT")
	t.has(message, "no clock cor (core, clkin0, clkin1)")
	t.raises(function() fdt.passthrough { tree = tree, device = "x" } end, "did you mean devices?")
	t.raises(function() fdt.passthrough { devices = "x" } end, "tree is a device tree")
	t.raises(function() return plan.interupts end, "did you mean interrupts?")
	t.raises(function() fdt.guest { plan = plan, cpu = 1 } end, "did you mean cpus?")
end)

t.test("devices in a list, or beside the other fields, of a tree or a file", function()
	local tree <close> = compile "sm1"
	local function paths(plan)
		local list = {}
		for _, node in ipairs(plan.nodes) do
			if node.role == "named" then list[#list + 1] = node.path end
		end
		return table.concat(list, " ")
	end
	local both = "/soc/bus@ff800000/serial@3000 /soc/gpu@ffe40000"
	t.eq(paths(fdt.passthrough { tree = tree, "serial0", { compatible = "test,gpu" } }), both)
	t.eq(paths(fdt.passthrough { tree = work, devices = { "serial0" }, compatible = "test,gpu" }), both)
	t.eq(paths(fdt.passthrough { tree = tree, devices = { "serial0", compatible = "test,gpu" } }), both)
	t.eq(paths(fdt.passthrough { tree = tree, tree:find "serial0", devices = tree:find "/soc/gpu" }), both)
	t.eq(#fdt.passthrough({ tree = tree, "serial0", rates = { serial0 = { pclk = "24M" } } }).missing_rates, 0)
	local plan, message, code = fdt.passthrough { tree = work .. ".none", "serial0" }
	t.eq(plan, nil)
	t.eq(code, "ENOENT")
	t.has(message, ".none: cannot open")
	t.raises(function() fdt.passthrough { tree = 7, "serial0" } end, "or a file's name")
	t.raises(function() fdt.passthrough { tree = tree, { compatibel = "x" } } end, "entry 1 is a table")
	t.raises(function() fdt.passthrough { tree = tree, "serial0", rates = { serial0 = { pclk = "x" } } } end, "no rate in Hz")
end)

t.test("what the root zone has to change, and whether it did", function()
	local tree <close> = compile "sm1"
	local plan = assert(fdt.passthrough { tree = tree, devices = { "mmc1", "i2c9" } })
	local memory = { at = 0x10000000, size = "64M" }
	local missing = assert(plan:check_host(tree, { memory = memory }))
	t.eq(#missing, 3)
	t.has(missing[1], "/hvisor_virtio_device")
	t.has(missing[2], "/soc/mmc@ffe07000 is enabled")
	t.has(missing[3], "0x10000000+64M is not reserved")
	write(assert(plan:host { memory = memory, wakeup = 64 }))
	assert(os.execute(("dtc -q -@ -I dts -O dtb -o %s.dtbo %s.dts"):format(work, work)))
	local root <close> = assert(fdt.parse(tree:bytes()))
	assert(root:overlay(work .. ".dtbo"))
	t.eq(#assert(plan:check_host(root, { memory = memory })), 0)
	missing = assert(plan:check_host(root, { wakeup = 65 }))
	t.has(missing[1], "has interrupt 64, hvisor sends 65")
	root:set("/hvisor_virtio_device", "clocks", nil)
	missing = assert(plan:check_host(root))
	t.has(missing[1], "lacks clock /soc/bus@ff600000/bus@3c000/system-controller@0/clock-controller 24")
	os.remove(work .. ".dtbo")
	os.remove(work .. ".dts")
end)

t.test("misuse and closed trees", function()
	local tree = compile "routes"
	local node = tree.root
	t.raises(function() return tree.rot end, "did you mean root?")
	t.raises(function() tree.root = 1 end, "cannot be changed")
	t.raises(function() node.name = "x" end, "cannot be changed")
	t.raises(function() return node.pth end, "did you mean path?")
	t.raises(function() tree:find { compatibel = "x" } end, "cannot be found by compatibel")
	t.raises(function() tree.find "x" end, "tree:method()")
	t.raises(function() node.refs {} end, "node:method()")
	t.raises(function() fdt.open(3) end, "file's name")
	t.raises(function() return fdt.opne end, "did you mean open?")
	t.raises(function() fdt.diff(tree, 3) end, "two trees")
	t.eq(getmetatable(tree), false)
	t.eq(getmetatable(node), false)
	tree:close()
	tree:close()
	t.raises(function() return tree.root end, "closed")
	t.raises(function() return node.name end, "closed")
	t.has(tostring(tree), "closed")
	t.has(tostring(node), "gone")
end)

os.remove(work)
t.done()
