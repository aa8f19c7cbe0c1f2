-- SPDX-License-Identifier: GPL-2.0-or-later
-- `memmap`: the machine's physical memory with everything that lies in it: the zones defined so far,
-- the zones that run, the root zone and the hypervisor.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"
local term = require "hvsh.term"

local function current()
	return core.memmap(require("hvsh.operate").specs())
end

local fields = {}

-- Prints the picture; svg = "file" writes it as a drawing instead. true, or nil, message, code.
function fields.draw(options)
	options = options or {}
	if type(options) ~= "table" then error("memmap.draw takes a table of options: {svg=, width=}", 2) end
	for key in pairs(options) do
		if key ~= "svg" and key ~= "width" then
			error(("memmap.draw has no option %s (svg, width)"):format(tostring(key)), 2)
		end
	end
	if options.svg ~= nil and type(options.svg) ~= "string" then error("memmap.draw: svg is a file name", 2) end
	if options.width ~= nil and math.type(options.width) ~= "integer" then
		error("memmap.draw: width is a number of columns", 2)
	end
	local map, message, code = current()
	if not map then return nil, message, code end
	local text
	if options.svg then
		text, message, code = map:svg()
		if not text then return nil, message, code end
		local ok, why = require("hvsh.output").write(options.svg, text)
		if not ok then return nil, "EIO: " .. why, "EIO" end
		return true
	end
	text, message, code = map:draw {
		width = options.width or core.columns(), color = core.color(1), unicode = term.unicode(),
	}
	if not text then return nil, message, code end
	io.write(text)
	return true
end

-- The lowest free address for size bytes ("64M" or a number), aligned (default: 2 MiB).
function fields.free(size, align)
	local function bytes(what, value)
		if math.type(value) == "integer" and value > 0 then return value end
		local n, why
		if type(value) == "string" then n, why = core.size(value) end
		if not n then
			error(("memmap.free: %s is %s, not a size (%s)"):format(what, tostring(value), why or 'as in "64M"'), 3)
		end
		return n
	end
	size, align = bytes("size", size), align == nil and 0x200000 or bytes("align", align)
	if align & (align - 1) ~= 0 then error("memmap.free: align must be a power of two", 2) end
	local map, message, code = current()
	if not map then return nil, message, code end
	return map:free(size, align)
end

-- Everything in the map: {start, size, kind, zone, what, file, line, field} each, by address.
function fields.ranges()
	local map, message, code = current()
	if not map then return nil, message, code end
	return map:spans()
end

return frozen.object {
	name = "hvsh.memmap",
	fields = fields,
	strict = true,
	tostring = function()
		local map, message = current()
		local text
		if map then text, message = map:draw { width = core.columns(), color = false, unicode = term.unicode() } end
		return text and text:gsub("\n$", "") or "memmap: " .. tostring(message)
	end,
}
