-- SPDX-License-Identifier: GPL-2.0-or-later
-- Check, plan, apply, start and stop over the zones a script has defined: what zone handles, `zones`
-- and the commands have in common. Failures are nil, "ENOENT: message", "ENOENT".
local core = require "hvsh.core"
local dsl = require "hvsh.dsl"
local nearest = require "hvsh.nearest"
local place = require "hvsh.dsl.place"
local report = require "hvsh.report"
local status = require "hvsh.status"
local term = require "hvsh.term"

-- used: something was started or stopped, or was tried to be. refused: {message, file, line} of the last start that the
-- script, not a task of it, was refused.
local operate = { used = false }

local function fail(code, message)
	return nil, code .. ": " .. message, code
end

-- The specs of all zones defined so far, in order.
function operate.specs()
	local specs = {}
	for i, handle in ipairs(dsl.zones) do specs[i] = dsl.spec_of(handle) end
	return specs
end

-- Findings over all zones together with what runs: a list that prints as a report.
function operate.check(specs)
	local findings, message, code = core.check(specs)
	if not findings then return nil, message, code end
	return report.findings_list(findings)
end

-- A warning is worth one line, not one per start.
local warned = {}
local function warn_once(findings)
	for _, f in ipairs(findings) do
		if f.severity == "warning" then
			local line = report.one_line(f)
			if not warned[line] then
				warned[line] = true
				core.log("warn", line)
			end
		end
	end
end

-- Checks and plans. A plan: {deltas=, steps=, findings=, raw=}. Where the zones have errors the findings are
-- the fourth result, and the message is their report.
function operate.plan(specs, options)
	local raw, message, code, findings = core.plan(specs, options or {})
	if raw then
		return { raw = raw, deltas = raw:deltas(), steps = raw:steps(), findings = report.findings_list(raw:findings()) }
	end
	if not findings then return nil, message, code end
	findings = report.findings_list(findings)
	message = code .. ": the zones are not right\n" .. tostring(findings)
	return nil, message, code, findings
end

local verbs = { serve = "opening", load = "loading", write = "writing", start = "starting", stop = "stopping" }

-- Takes the steps of a plan, with a progress line on a terminal.
function operate.apply(plan)
	local bar = term.progress()
	local ok, message, code = plan.raw:apply(function(index, done, total)
		local step = plan.steps[index]
		if not step then return end
		local text = ("[%d/%d] %s: %s %s"):format(index, #plan.steps, term.clean(step.zone), verbs[step.kind], term.clean(step.what or ""))
		if total and total > 0 then
			text = ("%s %d%% of %s"):format(text, done * 100 // total, term.size(total))
		end
		bar.line(text)
	end)
	bar.done()
	if not ok then return nil, message, code end
	return true
end

-- What stands in the way of having the zone as it is written, or nil.
function operate.obstacle(delta)
	if delta.state == "changed" then
		local changes = {}
		for i, c in ipairs(delta.changes) do
			changes[i] = ("%s %s %s %s"):format(c.field, c.from, term.sign "→", c.to)
		end
		return ("zone %s runs, but from a different definition: %s"):format(delta.zone,
			#changes > 0 and table.concat(changes, "; ") or "its images changed")
	elseif delta.state == "foreign" then
		return ("zone id %d runs already and was not started by hvsh, so it cannot be compared with %s; stop it first: hvsh stop %d")
			:format(delta.id, delta.zone, delta.id)
	elseif delta.state == "failed" then
		return ("zone %s has crashed and is still listed"):format(delta.zone)
	end
end

-- Takes the steps of a plan, unless zones stand in its way. options: keep (do what can be done all the same, and fail
-- afterwards), hint (the last line of that failure).
function operate.carry_out(plan, options)
	operate.used = true
	local obstacles, taken_down, restartable = {}, {}, false
	for _, step in ipairs(plan.steps) do
		if step.kind == "stop" then taken_down[step.zone] = true end
	end
	for _, delta in ipairs(plan.deltas) do
		local obstacle = operate.obstacle(delta)
		if obstacle and not taken_down[delta.zone] then
			obstacles[#obstacles + 1] = obstacle
			restartable = restartable or delta.state ~= "foreign"
		end
	end
	local blocked = #obstacles > 0
	if not blocked or options.keep then
		local ok, message, code = operate.apply(plan)
		if not ok then return nil, message, code end
	end
	if not blocked then return true end
	if restartable then obstacles[#obstacles + 1] = options.hint end
	return fail("EEXIST", table.concat(obstacles, "\n"))
end

-- Starts the named zones (nil = all): true also when they already run as written.
-- options: restart (take down what differs), force (take down also what does not), specs (instead of all zones), and
-- those of carry_out. Where the zones have errors the findings are the fourth result.
function operate.start(names, options)
	local plan, message, code, findings = operate.plan(options.specs or operate.specs(), {
		names = names, restart = options.restart, force = options.force,
	})
	if not plan then
		operate.used = true
		return nil, message, code, findings
	end
	warn_once(plan.findings)
	return operate.carry_out(plan, options)
end

-- Passes on what a start that a script has asked for gave. Its author may look away from a failure: the end of the script
-- does not.
function operate.answer(...)
	local ok, message = ...
	if core.in_foreground() then
		local file, line = place.script_line()
		operate.refused = not ok and { message = message, file = file, line = line } or nil
	end
	return ...
end

-- The entry of a running zone by name or id; a definition of that name lends its id.
-- nil, message, code where it does not run.
function operate.find_running(which)
	local list, message, code = core.list()
	if not list then return nil, message, code end
	local id = math.tointeger(which) or (type(which) == "string" and math.tointeger(tonumber(which)))
	for _, entry in ipairs(list) do
		if entry.name == which then return entry end
	end
	for _, entry in ipairs(list) do
		if id and entry.id == id then return entry end
	end
	local handle = type(which) == "string" and dsl.find(which)
	if handle then
		local spec = dsl.spec_of(handle)
		for _, entry in ipairs(list) do
			if entry.id == spec.id then
				return fail("EPERM", ("zone id %d is running as %s, not as %s: stop it by that name")
					:format(spec.id, entry.name == "" and "a zone without a name" or entry.name, which))
			end
		end
		return fail("ENOENT", ("zone %s does not run"):format(which))
	end
	if id then return fail("ENOENT", ("no zone with id %d runs"):format(id)) end
	local names = {}
	for _, entry in ipairs(list) do
		if entry.id ~= 0 then names[#names + 1] = entry.name end
	end
	for _, defined in ipairs(dsl.zones) do names[#names + 1] = dsl.spec_of(defined).name end
	return fail("ENOENT", ("no zone %s runs or is defined%s"):format(tostring(which), nearest.hint(which, names)))
end

-- Stops one zone by name or id.
function operate.stop(which)
	operate.used = true
	local entry, message, code = operate.find_running(which)
	if not entry then return nil, message, code end
	if entry.id == 0 then
		return fail("EPERM", "zone 0 is the root zone, the system that hvsh runs on: it cannot be stopped")
	end
	local ok
	ok, message, code = core.stop(entry.id)
	if not ok then return nil, message, code end
	return true, entry
end

-- What is wrong with a list of names given for starting: nil when all are defined.
function operate.unknown(names)
	for _, name in ipairs(names) do
		if not dsl.find(name) then
			local defined = {}
			for i, handle in ipairs(dsl.zones) do defined[i] = dsl.spec_of(handle).name end
			local near = nearest.of(name, defined)
			local known = near and ("did you mean %s?"):format(near)
				or (#defined == 0 and "no zone is defined" or "defined are " .. table.concat(defined, ", "))
			return ("there is no zone %s (%s)"):format(name, known)
		end
	end
end

-- Running and defined zones together, by id: {id, name, state, cpus, memory, defined, supervised = {state, reason}}.
-- memory is nil where nobody knows it (a zone that hvsh did not start).
function operate.list(specs)
	local running, message, code = core.list()
	if not running then return nil, message, code end
	local memory = {}
	local map = core.memmap(specs)
	for _, span in ipairs(map and map:spans() or {}) do
		if span.kind == "ram" or span.kind == "root" then
			memory[span.zone] = (memory[span.zone] or 0) + span.size
		end
	end
	local rows, by_id = {}, {}
	for _, zone in ipairs(running) do
		local row = {
			id = zone.id,
			name = zone.name,
			state = zone.failed and "failed" or (zone.id == 0 and "root" or "running"),
			cpus = zone.cpus,
			memory = memory[zone.id == 0 and "zone0" or zone.name],
			defined = false,
		}
		rows[#rows + 1], by_id[zone.id] = row, row
	end
	for _, spec in ipairs(specs) do
		local row = by_id[spec.id]
		if row and row.name == spec.name then
			row.defined = true
		else
			rows[#rows + 1] = {
				id = spec.id, name = spec.name, state = "defined", cpus = spec.cpus,
				memory = memory[spec.name], defined = true,
			}
		end
	end
	for _, row in ipairs(rows) do
		if row.defined then row.supervised = status.of(row.name) end
	end
	table.sort(rows, function(a, b)
		if a.id ~= b.id then return a.id < b.id end
		return not a.defined and b.defined
	end)
	return rows
end

return operate
