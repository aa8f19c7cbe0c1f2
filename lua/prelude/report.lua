-- SPDX-License-Identifier: GPL-2.0-or-later
-- Findings, plans and zone lists as text for people, and as data for --json.
-- Each function that makes text takes {color=bool, width=columns or nil} and returns a list of lines.
local frozen = require "hvsh.frozen"
local term = require "hvsh.term"

local report = {}

local severities = {
	error = { rank = 1, style = "red" },
	warning = { rank = 2, style = "yellow" },
	note = { rank = 3, style = "cyan" },
}

-- "boot.lua:12", with whatever is known.
local function place(party)
	if not party.file then return "" end
	return party.line and ("%s:%d"):format(party.file, party.line) or party.file
end

-- Nobody reads more of them, and so many fit into an answer of the service.
local MOST = 200

-- The first of long findings, errors before warnings, and how many of each severity were left out: {error=, warning=,
-- note=}. Short ones come back as they are.
function report.first(findings)
	if #findings <= MOST then return findings, findings.left_out end
	local list, left_out = {}, { error = 0, warning = 0, note = 0 }
	for rank = 1, 3 do
		for _, f in ipairs(findings) do
			if severities[f.severity].rank == rank then
				if #list < MOST then list[#list + 1] = f else left_out[f.severity] = left_out[f.severity] + 1 end
			end
		end
	end
	return list, left_out
end

-- "2 errors, 1 warning", with those left out; nil when there is nothing.
function report.summary(findings)
	local left_out = findings.left_out or {}
	local n = {}
	for severity in pairs(severities) do n[severity] = left_out[severity] or 0 end
	for _, f in ipairs(findings) do n[f.severity] = n[f.severity] + 1 end
	local parts = {}
	for _, severity in ipairs { "error", "warning", "note" } do
		if n[severity] > 0 then parts[#parts + 1] = term.count(n[severity], severity) end
	end
	return #parts > 0 and table.concat(parts, ", ") or nil
end

-- For the log: everything of a finding in one line.
function report.one_line(f)
	local at = f.a and place(f.a) or ""
	return term.clean((at ~= "" and at .. ": " or "") .. f.message .. (f.fix and "; " .. f.fix or "")):gsub("\n", " ")
end

-- One finding: the message, both owners with their places, the way out.
local function finding(f, options, lines)
	local color, width = options.color, options.width
	local head = f.severity .. ": "
	local text = term.wrap(term.clean(f.message), width, (" "):rep(#head))
	lines[#lines + 1] = term.paint(color, severities[f.severity].style, f.severity .. ":") .. " "
		.. term.paint(color, "bold", text)
	local rows = {}
	for _, party in ipairs { f.a or false, f.b or false } do
		if party then
			local row = {
				term.clean(party.zone or ""), term.clean(party.what or ""),
				term.paint(color, "blue", term.clean(place(party))),
				party.field ~= party.what and term.clean(party.field or "") or "",
			}
			if table.concat(row) ~= "" then rows[#rows + 1] = row end
		end
	end
	table.move(term.columns_of(rows, "    "), 1, #rows, #lines + 1, lines)
	if f.fix then
		local arrow = "  " .. term.sign "→" .. " "
		lines[#lines + 1] = term.paint(color, "green", arrow)
			.. term.wrap(term.clean(f.fix), width, (" "):rep(term.width(arrow)))
	end
end

-- Errors first, otherwise as they came; a blank line between them; no summary. Of very many the first ones.
function report.findings(findings, options)
	local lines = {}
	local list, left_out = report.first(findings)
	for rank = 1, 3 do
		for _, f in ipairs(list) do
			if severities[f.severity].rank == rank then
				if #lines > 0 then lines[#lines + 1] = "" end
				finding(f, options, lines)
			end
		end
	end
	if left_out then
		lines[#lines + 1] = ""
		lines[#lines + 1] = ("and %s more"):format(report.summary { left_out = left_out })
	end
	return lines
end

-- The findings of a check with their counts, printing as text. left_out: of report.first, when they are not all.
function report.findings_list(findings, left_out)
	findings.left_out = left_out
	findings.errors, findings.warnings = left_out and left_out.error or 0, left_out and left_out.warning or 0
	for _, f in ipairs(findings) do
		if f.severity == "error" then findings.errors = findings.errors + 1 end
		if f.severity == "warning" then findings.warnings = findings.warnings + 1 end
	end
	return frozen.with_text(findings, "hvsh.findings", function(list)
		local lines = report.findings(list, {})
		lines[#lines + 1] = (#lines > 0 and "\n" or "") .. (report.summary(list) or "nothing found")
		return table.concat(lines, "\n")
	end)
end

local signs = {
	absent = { "+", "green" },
	same = { "=", "dim" },
	changed = { "~", "yellow" },
	foreign = { "!", "red" },
	failed = { "!", "red" },
}

local function state_words(delta, restarts, serves)
	local state = delta.state
	if state == "absent" then return "new" end
	if state == "same" and serves and not restarts then return "runs as written, but nobody serves its devices" end
	if state == "same" then return restarts and "runs as written, is restarted" or "runs as written" end
	if state == "changed" then return restarts and "changed, is restarted" or "changed, left as it runs" end
	if state == "failed" then return restarts and "has crashed, is restarted" or "has crashed, left as it is" end
	return restarts and "was started by something else, is restarted" or "runs, but was not started by hvsh: left as it is"
end

local function step_row(i, step, color)
	local row = { ("%d"):format(i), step.kind, term.clean(step.zone), term.clean(step.what or ""), "", "" }
	if step.kind == "load" or step.kind == "write" then
		local at = term.sign "→" .. " " .. term.hex(step.ipa)
		if step.phys ~= step.ipa then at = ("%s (physical %s)"):format(at, term.hex(step.phys)) end
		row[5], row[6] = at, term.size(step.size)
	end
	row[2] = term.paint(color, step.kind == "stop" and "yellow" or "cyan", row[2])
	return row
end

-- What would be done: one block per zone, then the steps, then one line that sums up. options.restart: it was planned
-- so; otherwise options.restart_word is what would make it so.
function report.plan(plan, options)
	local color = options.color
	local stops, starts, serves = {}, {}, {}
	local n_start, n_restart, n_serve = 0, 0, 0
	for _, step in ipairs(plan.steps) do
		if step.kind == "stop" then stops[step.zone] = true end
		if step.kind == "serve" then serves[step.zone] = true end
		if step.kind == "start" then
			starts[step.zone] = true
			if stops[step.zone] then n_restart = n_restart + 1 else n_start = n_start + 1 end
		end
	end
	local heads, left, same, broken = {}, 0, 0, 0
	for i, delta in ipairs(plan.deltas) do
		local sign = signs[delta.state]
		heads[i] = {
			term.paint(color, sign[2], sign[1]), term.paint(color, "bold", term.clean(delta.zone)),
			("id %d"):format(delta.id), state_words(delta, stops[delta.zone], serves[delta.zone]),
		}
		if not starts[delta.zone] then
			if delta.state == "same" and serves[delta.zone] then
				n_serve = n_serve + 1
			elseif delta.state == "same" then
				same = same + 1
			elseif delta.state == "changed" then
				left = left + 1
			else
				broken = broken + 1
			end
		end
	end
	local lines = {}
	for i, head in ipairs(term.columns_of(heads, "  ")) do
		lines[#lines + 1] = head
		local rows = {}
		for _, device in ipairs(plan.deltas[i].given or {}) do rows[#rows + 1] = { "is given", term.clean(device) } end
		for _, change in ipairs(plan.deltas[i].changes or {}) do
			rows[#rows + 1] = {
				term.clean(change.field),
				("%s %s %s"):format(term.clean(change.from or "nothing"), term.paint(color, "yellow", term.sign "→"),
					term.clean(change.to or "nothing")),
			}
		end
		table.move(term.columns_of(rows, "        "), 1, #rows, #lines + 1, lines)
	end
	if #plan.steps > 0 then
		lines[#lines + 1] = ""
		local rows = {}
		for i, step in ipairs(plan.steps) do rows[i] = step_row(i, step, color) end
		table.move(term.columns_of(rows, "  ", { true, false, false, false, false, true }), 1, #rows, #lines + 1, lines)
	end
	lines[#lines + 1] = ""
	local parts = {}
	local function part(n, words) if n > 0 then parts[#parts + 1] = ("%d %s"):format(n, words) end end
	part(n_start, "to start")
	part(n_restart, "to restart")
	part(n_serve, "to serve")
	part(left, "changed but left alone")
	part(broken, "in the way")
	part(same, "unchanged")
	lines[#lines + 1] = (#plan.steps == 0 and left + broken == 0) and "nothing to do: every zone runs as written"
		or term.paint(color, "bold", table.concat(parts, ", "))
	if left + broken > 0 and not options.restart then
		lines[#lines + 1] = (options.restart_word or "--restart")
			.. " takes down zones that changed or crashed and starts them as written"
	end
	return lines
end

-- {zone=, id=, outcome=} each, after a plan was applied: "started", "restarted", "same" (it runs as written), "served" (so
-- it does, and its devices are served again), or the state it was left in: "absent", "changed", "foreign", "failed".
-- done = false: no step was taken.
function report.outcomes(plan, done)
	local stops, starts, serves, list = {}, {}, {}, {}
	for _, step in ipairs(done and plan.steps or {}) do
		if step.kind == "serve" then serves[step.zone] = true end
		if step.kind == "stop" then stops[step.zone] = true end
		if step.kind == "start" then starts[step.zone] = true end
	end
	for i, delta in ipairs(plan.deltas) do
		local outcome = delta.state
		if starts[delta.zone] then
			outcome = stops[delta.zone] and "restarted" or "started"
		elseif outcome == "same" and serves[delta.zone] then
			outcome = "served"
		end
		list[i] = { zone = delta.zone, id = delta.id, outcome = outcome }
	end
	return list
end

local outcome_words = {
	started = { "started", "green" }, restarted = { "restarted", "green" }, same = { "runs as written", "dim" },
	served = { "runs as written, its devices are served again", "green" },
}

-- The same as text, one line per zone.
function report.done(plan, options)
	local lines, outcomes = {}, report.outcomes(plan, true)
	for i, delta in ipairs(plan.deltas) do
		local known = outcome_words[outcomes[i].outcome]
		local words, style = known and known[1] or state_words(delta), known and known[2] or "yellow"
		lines[i] = ("%s (%d): %s%s"):format(term.clean(delta.zone), delta.id, term.paint(options.color, style, words),
			options.mark or "")
	end
	return lines
end

local state_styles = {
	failed = "red", running = "green", root = "dim", defined = "dim", ready = "green", backoff = "yellow", quarantined = "red",
}

-- Rows of operate.list as a table.
function report.zones(rows, options)
	local color = options.color
	local out, supervised = { { "ID", "NAME", "STATE", "CPUS", "MEMORY" } }, false
	for _, zone in ipairs(rows) do supervised = supervised or zone.supervised ~= nil end
	if supervised then out[1][6] = "SUPERVISED" end
	for i, cell in ipairs(out[1]) do out[1][i] = term.paint(color, "bold", cell) end
	for _, zone in ipairs(rows) do
		local state = zone.state == "failed" and "FAILED" or zone.state
		out[#out + 1] = {
			("%d"):format(zone.id), zone.name == "" and "-" or term.clean(zone.name),
			term.paint(color, state_styles[zone.state], state),
			#zone.cpus > 0 and term.ranges(zone.cpus) or "-", zone.memory and term.size(zone.memory) or "-",
		}
		local s = zone.supervised
		if supervised then
			out[#out][6] = s and term.paint(color, state_styles[s.state], s.state) .. (s.reason and term.clean(": " .. s.reason) or "") or "-"
		end
	end
	return term.columns_of(out, "", { true, false, false, false, true })
end

return report
