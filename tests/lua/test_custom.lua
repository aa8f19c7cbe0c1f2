-- SPDX-License-Identifier: GPL-2.0-or-later
-- Definitions of custom devices, and what the models in modules/device answer to requests, good and bad.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")

local schema = require "hvsh.schema"

t.test("a definition carries numbers and bytes; its functions stay here", function()
	local d = custom "sensor" {
		id = 34, features = { 0, 63 }, config = "\0\255", timeout = "2s",
		queues = { { request = print }, { size = 8, receive = true } },
		on_config = print,
	}
	t.eq(tostring(d), 'custom "sensor"')
	t.eq(d.options.id, 34)
	t.eq(#d.options.config, 2)
	t.eq(d.options.config[2], 255)
	t.eq(d.options.queue_sizes[1], 64)
	t.eq(d.options.queue_receives[2], 1)
	t.eq(d.options.timeout, 2000000000)
	t.eq(d.options.writable, true)
	for _, value in pairs(d.options) do t.ok(type(value) ~= "function", "no function") end
	t.ok(d.options.model ~= custom("other") { id = 4, queues = { { request = print } } }.options.model, "models differ")
	t.eq(schema.describe("custom.queues.request").kind, "function")
end)

-- The table that a module gives to custom.
local function model(name, options)
	local original, taken = custom, nil
	-- luacheck: push ignore 122
	custom = function(_, fields) -- luacheck: ignore 111 121
		taken = fields
		return fields
	end
	local ok, why = pcall(require("device." .. name).new, "x", options)
	custom = original -- luacheck: ignore 111 121
	-- luacheck: pop
	if not ok then error(why, 0) end
	return taken, taken.queues[1].request
end

local function refuses(name, options, part)
	local ok, why = pcall(model, name, options)
	t.ok(not ok, name .. " was taken")
	t.has(tostring(why), part)
end

local function file(name, bytes)
	local f = assert(io.open(name, "wb"))
	f:write(bytes)
	f:close()
	return name
end

local function read(name)
	local f = assert(io.open(name, "rb"))
	local bytes = f:read "a"
	f:close()
	return bytes
end

local folder = os.tmpname()
os.remove(folder)
assert(os.execute(("mkdir '%s'"):format(folder)))
local _ <close> = setmetatable({}, { __close = function() os.execute(("rm -rf '%s'"):format(folder)) end })

t.test("rng_file repeats its file", function()
	local fields, request = model("rng_file", { file = file(folder .. "/seed", "12345") })
	t.eq(fields.id, 4)
	t.eq(request(nil, "", 3), "123")
	t.eq(request(nil, "", 4), "45")
	t.eq(request(nil, "", 100000), "12345")
	local _, empty = model("rng_file", { file = file(folder .. "/empty", "") })
	t.ok(not pcall(empty, nil, "", 4), "an empty file")
	refuses("rng_file", { file = folder .. "/none" }, "No such file")
	refuses("rng_file", {}, "file is missing")
	refuses("rng_file", { file = 7 }, "file is a number")
	refuses("rng_file", { fiel = "x" }, "rng_file has no field fiel")
end)

local function i2c(address, flags, bytes) return ("<I2I2I4"):pack(address << 1, 0, flags) .. (bytes or "") end

t.test("sensor has registers behind an address", function()
	local registers = { [0] = 0x19, [1] = 0x80, [255] = 7 }
	local fields, request = model("sensor", { address = 0x48, registers = registers })
	t.eq(fields.id, 34)
	t.same(fields.features, { 0 })
	t.eq(request(nil, i2c(0x48, 0, "\0"), 1), "\0")
	t.eq(request(nil, i2c(0x48, 2), 3), "\x19\x80\0", "two registers")
	t.eq(request(nil, i2c(0x48, 0, "\xff\9\10"), 1), "\0", "writes, over the last one")
	t.eq(registers[255], 9)
	t.eq(registers[0], 10)
	t.eq(request(nil, i2c(0x48, 0), 1), "\0", "no bytes at all")
	t.eq(request(nil, i2c(0x48, 2), 1), "\0", "reads none")
	t.eq(request(nil, i2c(0x49, 2), 3), "\0\0\1", "nobody is there")
	-- A group fails as a whole, and the next one does not.
	t.eq(request(nil, i2c(0x49, 1, "\0"), 1), "\1")
	t.eq(request(nil, i2c(0x48, 2), 2), "\0\1")
	t.eq(request(nil, i2c(0x48, 0, "\0"), 1), "\0")
	t.ok(not pcall(request, nil, "short", 1), "half a header")
	t.ok(not pcall(request, nil, i2c(0x48, 0), 0), "no room")
	local _, odd = model("sensor", { address = 0x48, read = function() return 256 end })
	t.ok(not pcall(odd, nil, i2c(0x48, 2), 2), "not a byte")
	refuses("sensor", { address = 0x80 }, "address is a number, 0x03 to 0x77")
	refuses("sensor", {}, "address is a number")
end)

local function blk(kind, sector, bytes) return ("<I4I4i8"):pack(kind, 0, sector) .. (bytes or "") end

t.test("fault_blk is a disk within its bounds", function()
	local image = file(folder .. "/disk", ("a"):rep(1024) .. ("b"):rep(1024) .. "tail")
	local fields, request = model("fault_blk", { image = image, faults = {
		{ from = 2, to = 2, on = "write" }, { from = 3, on = "read", chance = 0 },
	} })
	t.eq(fields.id, 2)
	t.eq(fields.config, ("<I8I4I4"):pack(4, 4096, 30))
	t.eq(request(nil, blk(0, 1), 1025), ("a"):rep(512) .. ("b"):rep(512) .. "\0")
	t.eq(request(nil, blk(1, 3, ("c"):rep(512)), 1), "\0")
	t.eq(read(image), ("a"):rep(1024) .. ("b"):rep(512) .. ("c"):rep(512) .. "tail")
	t.eq(request(nil, blk(1, 1, ("c"):rep(1024)), 1), "\1", "a write that touches the fault")
	t.eq(request(nil, blk(0, 2), 513), ("b"):rep(512) .. "\0", "which reads do not")
	t.eq(request(nil, blk(0, 4), 513), ("\0"):rep(512) .. "\1", "beyond the end")
	t.eq(request(nil, blk(0, 3), 1025), ("\0"):rep(1024) .. "\1", "across the end")
	t.eq(request(nil, blk(0, -1), 513), ("\0"):rep(512) .. "\1", "a sector of 64 bits")
	t.eq(request(nil, blk(1, math.maxinteger, ("c"):rep(512)), 1), "\1", "the last of all")
	t.eq(request(nil, blk(0, 0), 100), ("\0"):rep(99) .. "\1", "no whole sector")
	t.eq(request(nil, blk(4, 0), 1), "\0", "flush")
	t.eq(request(nil, blk(8, 0), 21), "fault_blk" .. ("\0"):rep(11) .. "\0", "its name")
	t.eq(request(nil, blk(8, 0), 3), "fa\0", "less of it")
	t.eq(request(nil, blk(99, 0), 1), "\2", "what it does not know")
	t.ok(not pcall(request, nil, "short", 1), "half a header")
	local ro_fields, ro = model("fault_blk", { image = image, readonly = true })
	t.ok(#ro_fields.features > #fields.features, "says that it is read-only")
	t.eq(ro(nil, blk(1, 0, ("c"):rep(512)), 1), "\1", "read-only")
	refuses("fault_blk", { image = image, faults = { { form = 1 } } }, "faults[1] has no field form (did you mean from?)")
	refuses("fault_blk", { image = image, faults = { { on = "flush" } } }, 'faults[1].on is "read" or "write"')
	refuses("fault_blk", { image = folder .. "/none" }, "No such file")
end)

local function left(name, offset, bytes) return ("<s2i8"):pack(name, offset) .. bytes end

t.test("drop takes files, and only those", function()
	local told = {}
	local box = folder .. "/box"
	assert(os.execute(("mkdir '%s'"):format(box)))
	file(box .. "/mine", "keep")
	local _, request = model("drop", { folder = box, quota = "16", files = 2, on_file = function(path) told[#told + 1] = path end })
	t.eq(request(nil, left("a.txt", 0, "hello"), 1), "\0")
	t.eq(request(nil, left("a.txt", 5, " you"), 1), "\0")
	t.eq(read(box .. "/a.txt"), "hello you")
	t.same(told, { box .. "/a.txt", box .. "/a.txt" })
	for _, name in ipairs { "", ".", "..", "../x", "a/b", "/etc/x", ".hidden", "-rf", "a\0b", "a\nb", ("x"):rep(65) } do
		t.eq(request(nil, left(name, 0, "x"), 1), "\1", ("%q"):format(name))
	end
	t.eq(request(nil, left("mine", 0, "x"), 1), "\1", "one that was there")
	t.eq(read(box .. "/mine"), "keep")
	t.eq(request(nil, left("b", 0, ("x"):rep(8)), 1), "\2", "over the quota")
	t.eq(request(nil, left("b", math.maxinteger, "x"), 1), "\2", "far over it")
	t.eq(request(nil, left("b", -1, "x"), 1), "\1", "before the beginning")
	t.eq(request(nil, left("b", 0, "x"), 1), "\0")
	t.eq(request(nil, left("c", 0, "x"), 1), "\2", "too many files")
	t.eq(request(nil, "", 1), "\1", "nothing")
	t.eq(request(nil, "\255\255" .. ("x"):rep(20), 1), "\1", "a length that is not there")
	t.ok(not pcall(request, nil, left("b", 0, "x"), 0), "no room")
	refuses("drop", { folder = box, quota = "much" }, "quota")
end)

-- ---- lives: the prelude's side of a device, with a driver that this test plays

local function world(fields)
	local real = require "hvsh.core"
	local w = { life = 1, running = false, broken = false, questions = {}, answers = {}, writes = {}, said = {} }
	local fake = setmetatable({
		custom_listen = function(f) w.look = function() f(1) end end,
		custom_life = function()
			if w.gone then return nil end
			return w.life, w.running, w.broken, 1 << 32 | 1, w.model
		end,
		custom_take = function()
			local q = table.remove(w.questions, 1)
			if q then return q.ticket, 0, q.life, q.bytes, 8 end
		end,
		custom_answer = function(_, ticket, bytes)
			w.answers[#w.answers + 1] = ticket .. "=" .. tostring(bytes)
			return true
		end,
		custom_fail = function(_, life, why)
			w.said[#w.said + 1] = life .. ": " .. why
			if life == w.life then w.broken = true end
		end,
		custom_written = function()
			local one = table.remove(w.writes, 1)
			if one then return one[1], one[2] end
		end,
	}, { __index = real })
	local env = setmetatable({ require = function(name)
		if name == "hvsh.core" then return fake end
		if name == "hvsh.device" then return { object = function() return { zone = "z", name = "d" } end } end
		return require(name)
	end }, { __index = _G })
	local prelude = assert(loadfile(os.getenv "HVSH_TESTS" .. "/../lua/prelude/custom.lua", "t", env))()
	fields.memory, fields.max_request = 4096, 64
	fields.queues[1].size = 8
	prelude.define(fields, error)
	w.model = fields.model
	function w.ask(ticket, bytes) table.insert(w.questions, { ticket = ticket, life = w.life, bytes = bytes }) end
	function w.turn()
		w.look()
		for _ = 1, 5 do sleep(0) end
	end
	function w.next_life()
		w.life, w.running, w.broken, w.questions = w.life + 1, false, false, {}
	end
	return w
end

local function journal()
	local list = {}
	return function(word) list[#list + 1] = word end, function() return table.concat(list, " ") end
end

t.test("the driver comes, configures, asks and goes: in this order, one after the other", function()
	local add, all = journal()
	local w = world {
		start = function(_, features) add("start" .. tostring(features[0]) .. tostring(features[1])) sleep(0) add "started" end,
		reset = function() add "reset" sleep(0) add "was reset" end,
		on_config = function(_, at, bytes) add("config" .. at .. bytes) sleep(0) add "configured" end,
		config = "abc",
		queues = { { request = function(_, out) add(out) return "ok" end } },
	}
	w.turn()
	t.eq(all(), "", "nothing before the driver")
	w.running = true
	w.writes = { { 0, "a" }, { 1, "b" } }
	w.ask("t1", "one")
	for _ = 1, 4 do w.turn() end
	t.eq(all(), "starttruenil started config0a configured config1b configured one")
	t.same(w.answers, { "t1=ok" })
	w.next_life()
	w.turn()
	w.running = true
	w.ask("t2", "two")
	for _ = 1, 3 do w.turn() end
	t.has(all(), "one reset was reset starttruenil started two")
	w.next_life()
	w.next_life()
	w.turn()
	t.ok(not all():find("reset.*reset.*reset.*reset.*reset"), "lives nobody has seen are not told")
end)

t.test("requests of a life that is over are cancelled, and answered with nothing", function()
	local closed = 0
	local w = world { queues = { { request = function()
		local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
		sleep "10m"
		return "never"
	end } } }
	w.running = true
	w.ask("a", "x")
	w.ask("b", "x")
	w.turn()
	t.eq(#w.answers, 0)
	w.next_life()
	w.turn()
	table.sort(w.answers)
	t.same(w.answers, { "a=nil", "b=nil" })
	t.eq(closed, 2)
	-- And those of a device that is gone.
	w.running = true
	w.ask("c", "x")
	w.turn()
	w.gone = true
	w.turn()
	t.eq(closed, 3)
end)

t.test("a broken device waits for its next life", function()
	local w = world { queues = { { request = function(_, out) return #out > 1 and 7 or out end } } }
	w.running = true
	w.ask("a", "xx")
	w.ask("b", "y")
	w.turn()
	t.eq(#w.said, 1)
	t.has(w.said[1], "1: request: it gave a number")
	w.ask("c", "y")
	w.turn()
	t.has(table.concat(w.answers, " "), "c=nil")
	w.next_life()
	w.running = true
	w.ask("d", "y")
	w.turn()
	t.has(table.concat(w.answers, " "), "d=y")
	t.eq(#w.said, 1)
end)

t.done()
