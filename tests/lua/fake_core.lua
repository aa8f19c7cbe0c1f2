-- SPDX-License-Identifier: GPL-2.0-or-later
-- A stand-in for the C module hvsh.core, for tests of what is above it: findings, plans and running zones
-- are what the test says. install{…} puts it in place of the real one for modules loaded afterwards.
local real, fake = require "hvsh.core", {}

function fake.new()
	local core = { running = { { id = 0, name = "root", cpus = { 0, 1 }, failed = false } }, findings = {}, calls = {} }
	core.log_lines = {}
	core.plain, core.in_foreground = real.plain, real.in_foreground
	local level = "warn"

	function core.check() return table.move(core.findings, 1, #core.findings, 1, {}) end

	local function runs(id)
		for i, z in ipairs(core.running) do if z.id == id then return i, z end end
	end

	function core.plan(specs, options)
		for _, f in ipairs(core.findings) do
			if f.severity == "error" then return nil, "EINVAL: " .. f.message, "EINVAL", core.check() end
		end
		local deltas, steps = {}, {}
		local wanted
		if options.names then
			wanted = {}
			for _, n in ipairs(options.names) do wanted[n] = true end
		end
		for _, s in ipairs(specs) do
			if not wanted or wanted[s.name] then
				local _, z = runs(s.id)
				local state = not z and "absent" or z.failed and "failed" or z.state or "same"
				deltas[#deltas + 1] = { zone = s.name, id = s.id, state = state,
					changes = state == "changed" and { { field = "cpus", from = "2,3", to = "2" } } or {} }
				local take_down = z and state ~= "foreign"
					and ((options.restart and state ~= "same") or (options.force and state == "same"))
				if take_down then steps[#steps + 1] = { kind = "stop", zone = s.name } end
				if not z or take_down then
					steps[#steps + 1] = { kind = "load", zone = s.name, what = "kernel Image", path = "Image",
						ipa = 0x50400000, phys = 0x50400000, size = 39534592 }
					steps[#steps + 1] = { kind = "start", zone = s.name, id = s.id, cpus = s.cpus }
				end
			end
		end
		local plan = {}
		function plan.deltas() return deltas end
		function plan.steps() return steps end
		function plan.findings() return core.check() end
		function plan.apply(_, progress)
			for i, step in ipairs(steps) do
				if core.fail_step == step.kind then return nil, "EIO: it broke", "EIO" end
				if progress then progress(i, 0, 0) end
				core.calls[#core.calls + 1] = step.kind .. " " .. step.zone
				for _, s in ipairs(specs) do
					if s.name == step.zone then
						local at = runs(s.id)
						if step.kind == "stop" then table.remove(core.running, at) end
						if step.kind == "start" then
							core.running[#core.running + 1] = { id = s.id, name = s.name, cpus = s.cpus, failed = false }
						end
					end
				end
			end
			return true
		end
		return plan
	end

	function core.list()
		if core.no_hypervisor then return nil, "ENOENT: /dev/hvisor is missing", "ENOENT" end
		return core.running
	end

	function core.stop(id)
		local at = runs(id)
		core.calls[#core.calls + 1] = "stop " .. id
		table.remove(core.running, at)
		return true
	end

	function core.memmap()
		return {
			spans = function() return core.spans or {} end,
			draw = function() return "picture\n" end,
			svg = function() return "<svg/>" end,
			free = function(_, size, align) return 0x80000000, size, align end,
		}
	end

	function core.info() return { backend = "sim", name = "simulated", arch = "arm64", version = 5 } end
	function core.size(text) return text == "64M" and 0x4000000 or nil, "not a size" end
	function core.log(l, text) core.log_lines[#core.log_lines + 1] = l .. ": " .. text end
	function core.log_level(l)
		if l then level = l end
		return level
	end
	function core.mode() return "run" end
	function core.options() return { sim = true } end
	function core.color() return false end
	function core.columns() return 80 end
	function core.tty() return false end
	return core
end

-- A stand-in for hvsh.dsl with the zones given as plain tables {name=, id=, cpus=}.
function fake.dsl(zones)
	local dsl = { zones = {} }
	local specs = {}
	function dsl.unfinished() return {} end
	function dsl.spec_of(handle) return specs[handle] end
	function dsl.find(name)
		for _, handle in ipairs(dsl.zones) do if specs[handle].name == name then return handle end end
	end
	function dsl.add(spec)
		local handle = require("hvsh.zone").new(spec)
		specs[handle] = spec
		dsl.zones[#dsl.zones + 1] = handle
		return handle
	end
	for _, spec in ipairs(zones or {}) do dsl.add(spec) end
	return dsl
end

-- Loads the prelude anew over the stand-ins. Returns core, dsl.
function fake.install(zones)
	fake.remove()
	local core = fake.new()
	package.loaded["hvsh.core"] = core
	local dsl = fake.dsl {}
	package.loaded["hvsh.dsl"] = dsl
	for _, spec in ipairs(zones or {}) do dsl.add(spec) end
	return core, dsl
end

-- Puts the real modules back.
function fake.remove()
	for name in pairs(package.loaded) do
		if name:match "^hvsh%." and name ~= "hvsh.json" then package.loaded[name] = nil end
	end
end

return fake
