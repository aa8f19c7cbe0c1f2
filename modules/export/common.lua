-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the export modules share: zones with everything decided, what is lost, and files that are written.
local core = require "hvsh.core"
local define = require "hvsh.define"
local dsl = require "hvsh.dsl"
local operate = require "hvsh.operate"
local output = require "hvsh.output"
local report = require "hvsh.report"

local common = {}

-- One handle or a list of them; nil = all of the script. Raises in the name of the caller's caller.
local function handles_of(what, zones)
	if zones == nil then return dsl.zones end
	if dsl.spec_of(zones) then return { zones } end
	if type(zones) ~= "table" then error(("%s takes a zone or a list of zones, not a %s"):format(what, type(zones)), 4) end
	for i, zone in ipairs(zones) do
		if not dsl.spec_of(zone) then error(("%s: entry %d is no zone"):format(what, i), 4) end
	end
	return zones
end

-- The zones as {handle=, spec = what was written, zone = core.resolve's table} each. All zones of the script are decided
-- together, since one takes what another leaves. nil, message, code, findings.
function common.resolve(what, zones)
	local handles, specs = handles_of(what, zones), operate.specs()
	local at = {}
	for i, spec in ipairs(specs) do at[spec] = i end
	for _, handle in ipairs(handles) do
		local spec = dsl.spec_of(handle)
		if not at[spec] then error(("%s: zone %s has been defined again since"):format(what, spec.name), 3) end
	end
	local resolved, message, code, findings = core.resolve(specs)
	if not resolved then
		if not findings then return nil, message, code end
		findings = report.findings_list(findings)
		return nil, code .. ": the zones are not right\n" .. tostring(findings), code, findings
	end
	local list = {}
	for i, handle in ipairs(handles) do
		local spec = dsl.spec_of(handle)
		list[i] = { handle = handle, spec = spec, zone = resolved[at[spec]] }
	end
	return list
end

-- A collector of what the other form cannot say: lost(spec, "devices.root.readonly", "…%s…", …) adds a warning with
-- file and line. lost.findings is the list.
function common.losses()
	local findings = {}
	return setmetatable({ findings = findings }, {
		__call = function(_, spec, field, fmt, ...)
			local file, line = dsl.origin(spec, field)
			findings[#findings + 1] = {
				severity = "warning", code = "export-lost", message = fmt:format(...),
				a = { zone = spec.name, what = field, field = field, file = file, line = line },
			}
		end,
	})
end

-- The warnings as what a call gives back: a list, empty when nothing is lost; prints as text.
function common.result(findings)
	return report.findings_list(findings)
end

-- Writes {path=, bytes=, kind=} each (hvsh.output), unless the script is only read. true, or nil, message, code.
function common.write(files)
	if define.active then return true end
	for _, file in ipairs(files) do
		local ok, message = output.write(file.path, file.bytes, file.kind)
		if not ok then return nil, "EIO: " .. message, "EIO" end
	end
	return true
end

-- A folder and a name in it.
function common.join(folder, name)
	return folder:gsub("([^/])/*$", "%1/") .. name
end

return common
