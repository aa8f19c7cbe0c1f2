-- SPDX-License-Identifier: GPL-2.0-or-later
-- encode and decode: the bytes of a zone configuration.
local common = require "hvsh.command.common"
local core = require "hvsh.core"
local nearest = require "hvsh.nearest"
local output = require "hvsh.output"
local term = require "hvsh.term"

local blob = {}

local MAX = 65536 -- bytes; no layout comes near

local function choose(request, specs)
	local wanted = request.options.zone
	if not wanted then
		if #specs == 1 then return specs[1] end
		local names = {}
		for i, spec in ipairs(specs) do names[i] = spec.name end
		return nil, ("which zone? --zone one of %s"):format(table.concat(names, ", "))
	end
	local names = {}
	for i, spec in ipairs(specs) do
		if spec.name == wanted then return spec end
		names[i] = spec.name
	end
	local near = nearest.of(wanted, names)
	return nil, ("%s: defines no zone %s (%s)"):format(request.args[1], wanted,
		near and ("did you mean %s?"):format(near) or "it has " .. table.concat(names, ", "))
end

function blob.encode(request)
	local target = request.options.o
	if not target then return request.misuse "where to? -o FILE" end
	if target == "-" and request.options.json then
		return request.misuse "standard output has the bytes: with --json, -o FILE"
	end
	if target == "-" and core.tty(1) then
		return common.fail "these bytes are not for a terminal: -o FILE, or redirect"
	end
	local same = output.destroys(target, request.args)
	if same then return common.fail(same) end
	local specs = common.read_request(request)
	if not specs then return 1 end
	local spec, message, _ = choose(request, specs)
	if not spec then return common.fail(message) end
	local bytes, findings
	bytes, message, _, findings = core.encode(spec, request.options.arch, request.options.abi)
	if findings then
		common.findings(findings, request, io.stderr)
		return common.fail(("zone %s is not right, so it has no bytes"):format(spec.name))
	end
	if not bytes then return common.fail(message) end
	if target == "-" then
		io.stdout:write(bytes)
		return 0
	end
	local ok, why = output.write(target, bytes, "config")
	if not ok then return common.fail(why) end
	io.stderr:write(("hvsh: wrote %d bytes to %s\n"):format(#bytes, term.clean(target)))
	if not request.options.json then return 0 end
	return common.json { script = request.args[1], zone = spec.name, size = #bytes, written = target }
end

-- The lines of an explanation, as data.
local function as_data(path, bytes, text)
	local array = require("hvsh.json").array
	local lines = text:gmatch "[^\n]+"
	local layout, arch = lines():match "read as layout (%S+) .* for (%S+)$"
	local data = { file = path, size = #bytes, layout = layout, arch = arch, fields = array {}, notes = array {} }
	for line in lines do
		local at, name, rest = line:match "^ *(%d+)  (%S+) +(.*)$"
		if at then
			-- A name may hold anything, and is quoted.
			local value, meaning = rest:match '^(".*")()$'
			if not value then value, meaning = rest:match "^(.-)   *(.*)$" end
			data.fields[#data.fields + 1] = {
				at = math.tointeger(at), name = name, value = value or rest, meaning = type(meaning) == "string" and meaning or nil,
			}
		else
			data.notes[#data.notes + 1] = line
		end
	end
	return data
end

function blob.decode(request)
	local path = request.args[1]
	local file, why = io.stdin, nil
	if path ~= "-" then file, why = io.open(path, "rb") end
	if not file then return common.fail(why) end
	local bytes
	bytes, why = file:read(MAX + 1)
	if path ~= "-" then file:close() end
	if not bytes then return common.fail(("%s: %s"):format(path, why or "empty")) end
	if #bytes > MAX then return common.fail(path .. ": too large to be a zone configuration") end
	local text, message = core.decode(bytes, request.options.abi, request.options.arch)
	if not text then return common.fail(("%s: %s"):format(path, core.plain(message))) end
	local wrong = text:find("WRONG", 1, true) and 1 or 0
	if request.options.json then return math.max(wrong, common.json(as_data(path, bytes, text))) end
	io.stdout:write(text, text:sub(-1) == "\n" and "" or "\n")
	return wrong
end

return blob
