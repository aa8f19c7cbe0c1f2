-- SPDX-License-Identifier: GPL-2.0-or-later
-- Values as a person wants to see them: records and lists of records as aligned tables, addresses in
-- hex, sizes in units. print.value(v, {width=, color=}) -> text. Never raises, whatever it is given.
local term = require "hvsh.term"

local M = {}

local MAX_DEPTH = 6    -- of tables within tables
local MAX_ITEMS = 200  -- of one table
local MAX_ROWS = 500   -- of a table of records
local MAX_ALL = 5000   -- tables altogether

local function matcher(words, patterns)
	local set = {}
	for word in words:gmatch "%S+" do set[word] = true end
	return function(key)
		if type(key) ~= "string" then return false end
		if set[key] then return true end
		for _, pattern in ipairs(patterns) do
			if key:find(pattern) then return true end
		end
		return false
	end
end

local is_address = matcher("at addr address start base phys ipa entry low high",
	{ "_at$", "_addr$", "_paddr$", "_base$", "_phys$", "_ipa$", "_start$", "_entry$" })
local is_size = matcher("size memory bytes stride bps burst_bytes", { "_size$", "_bytes$" })

-- The order in which known fields are shown; the others follow by name.
local first = {}
for i, key in ipairs {
	"id", "name", "zone", "state", "kind", "type", "what", "cpus", "start", "at", "ipa", "phys", "size", "memory",
	"irq", "severity", "code", "message", "fix", "file", "line", "field",
} do
	first[key] = i
end

local rank = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
	local ta, tb = rank[type(a)] or 4, rank[type(b)] or 4
	if ta ~= tb then return ta < tb end
	if ta == 1 then return a < b end
	if ta == 2 then
		local fa, fb = first[a] or math.huge, first[b] or math.huge
		if fa ~= fb then return fa < fb end
		return a < b
	end
	return tostring(a) < tostring(b)
end

-- Keys in a fixed order; proxies are read through their own pairs.
local function keys_of(t)
	local keys = {}
	for key in pairs(t) do
		keys[#keys + 1] = key
		if #keys > 100000 then break end
	end
	table.sort(keys, before)
	return keys
end

local escapes = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\\"] = "\\\\", ['"'] = '\\"' }

local function quoted(text)
	if #text > 1000 then text = text:sub(1, 1000) .. "…" end
	text = text:gsub('[\n\t\r\\"]', escapes)
	return '"' .. term.clean(text) .. '"'
end

local function number(v, key)
	if math.type(v) == "integer" then
		if v >= 0 and is_address(key) then return term.hex(v) end
		if v >= 0 and is_size(key) then return term.size(v) end
		return ("%d"):format(v)
	end
	return (tostring(v))
end

-- The text of an object that has one of its own.
local function own_text(v)
	local t = type(v)
	if t ~= "table" and t ~= "userdata" then return nil end
	local meta = debug.getmetatable(v)
	if type(meta) ~= "table" then return nil end
	if rawget(meta, "__tostring") == nil and not (t == "userdata" or rawget(meta, "__name")) then return nil end
	if t == "table" and rawget(meta, "__tostring") == nil then return nil end
	return term.clean(tostring(v))
end

local function scalar(v, key)
	local t = type(v)
	if t == "number" then return number(v, key) end
	if t == "string" then return quoted(v) end
	if t == "function" then return "function" end
	if t == "table" then return own_text(v) end
	return own_text(v) or tostring(v)
end

local function key_text(key)
	if type(key) == "string" then
		return key:find "^[%a_][%w_]*$" and key or "[" .. quoted(key) .. "]"
	end
	return "[" .. (scalar(key) or "table") .. "]"
end

-- How many leading entries make a list.
local function list_length(keys)
	local n = 0
	while keys[n + 1] == n + 1 do n = n + 1 end
	return n
end

-- A list of numbers reads best as 0-3,7 only where they are CPUs; elsewhere as they are.
-- seen.items counts the tables, of which there are at most seen.limit.
local inline
function inline(v, key, seen, depth)
	local text = scalar(v, key)
	if text then return text end
	if seen[v] then return "<cycle>" end
	seen.items = (seen.items or 0) + 1
	if depth >= MAX_DEPTH or seen.items > (seen.limit or MAX_ALL) then return "{" .. term.sign "…" .. "}" end
	seen[v] = true
	local keys = keys_of(v)
	local n = list_length(keys)
	local parts = {}
	for i, k in ipairs(keys) do
		if i > MAX_ITEMS then
			parts[#parts + 1] = ("%s %d more"):format(term.sign "…", #keys - MAX_ITEMS)
			break
		end
		local item = v[k]
		parts[#parts + 1] = i <= n and inline(item, key, seen, depth + 1)
			or key_text(k) .. " = " .. inline(item, k, seen, depth + 1)
	end
	seen[v] = nil
	return #parts == 0 and "{}" or "{" .. table.concat(parts, ", ") .. "}"
end

local function one_line_text(text)
	return (text:gsub("%s*\n%s*", " "))
end

-- A table over several lines when it does not fit one.
local block
function block(v, key, seen, depth, indent, width)
	-- More tables than columns do not fit one line.
	local items, limit = seen.items or 0, seen.limit or MAX_ALL
	seen.limit = math.min(limit, items + width)
	local line = inline(v, key, seen, depth)
	seen.limit = limit
	if scalar(v, key) or seen[v] or depth >= MAX_DEPTH or items >= limit or #indent + term.width(line) <= width then
		return line
	end
	seen.items = items + 1
	seen[v] = true
	local keys = keys_of(v)
	local n = list_length(keys)
	local deeper = indent .. "  "
	local lines = { "{" }
	for i, k in ipairs(keys) do
		if i > MAX_ITEMS then
			lines[#lines + 1] = ("%s%s %d more"):format(deeper, term.sign "…", #keys - MAX_ITEMS)
			break
		end
		local name = i <= n and "" or key_text(k) .. " = "
		lines[#lines + 1] = deeper .. name
			.. block(v[k], i <= n and key or k, seen, depth + 1, deeper, width - #name) .. ","
	end
	lines[#lines + 1] = indent .. "}"
	seen[v] = nil
	return table.concat(lines, "\n")
end

-- {at = 0x…, size = …} as two columns.
local function record(v, keys, options)
	local rows, seen, wide = {}, { [v] = true }, 0
	for i, k in ipairs(keys) do
		if i > MAX_ITEMS then break end
		rows[i] = key_text(k)
		wide = math.max(wide, term.width(rows[i]))
	end
	wide = math.min(wide, 30)
	for i in ipairs(rows) do
		local k = keys[i]
		local indent = (" "):rep(wide + 2)
		local text = block(v[k], k, seen, 1, indent, options.width)
		rows[i] = term.paint(options.color, "cyan", term.pad(rows[i], wide)) .. "  " .. text
	end
	if #keys > MAX_ITEMS then rows[#rows + 1] = ("%s %d more"):format(term.sign "…", #keys - MAX_ITEMS) end
	return table.concat(rows, "\n")
end

-- Columns are narrowed until the row fits, the widest first; numbers only when texts are as narrow as can be.
local function fit(widths, width, is_number)
	local total = 2 * (#widths - 1)
	for _, w in ipairs(widths) do total = total + w end
	while total > width do
		local widest
		for _, numbers in ipairs { false, true } do
			for i, w in ipairs(widths) do
				if is_number[i] == numbers and w > 4 and (not widest or w > widths[widest]) then widest = i end
			end
			if widest then break end
		end
		if not widest then break end
		widths[widest] = widths[widest] - 1
		total = total - 1
	end
end

-- A list of records: one line each under a heading.
local function records(v, n, options)
	local columns, known = {}, {}
	local shown = math.min(n, MAX_ROWS)
	for i = 1, shown do
		for key in pairs(v[i]) do
			if not known[key] then
				known[key] = true
				columns[#columns + 1] = key
			end
		end
	end
	table.sort(columns, before)
	local head, rows, right, widths = {}, {}, {}, {}
	for c, key in ipairs(columns) do
		head[c], right[c] = key:upper(), true
		widths[c] = term.width(head[c])
	end
	for i = 1, shown do
		local row = {}
		for c, key in ipairs(columns) do
			local value = v[i][key]
			local text = ""
			if type(value) == "string" then
				text, right[c] = one_line_text(term.clean(value)), false
			elseif value ~= nil then
				if type(value) ~= "number" then right[c] = false end
				text = one_line_text(inline(value, key, { [v] = true, [v[i]] = true, limit = options.width }, 2))
			end
			row[c] = text
			widths[c] = math.max(widths[c], term.width(text))
		end
		rows[i] = row
	end
	fit(widths, options.width, right)
	local lines = {}
	for r = 0, #rows do
		local cells = {}
		for c, text in ipairs(rows[r] or head) do
			text = term.pad(term.cut(text, widths[c]), widths[c], right[c])
			cells[c] = r == 0 and term.paint(options.color, "bold", text) or text
		end
		lines[#lines + 1] = (table.concat(cells, "  "):gsub("%s+$", ""))
	end
	if n > shown then lines[#lines + 1] = ("%s %d more"):format(term.sign "…", n - shown) end
	return table.concat(lines, "\n")
end

-- Whether the first n entries are plain records with words for keys, few enough to be columns.
local function are_records(v, n)
	local known, count = {}, 0
	for i = 1, math.min(n, MAX_ROWS) do
		local item = v[i]
		if type(item) ~= "table" or own_text(item) then return false end
		local any = false
		for key in pairs(item) do
			if type(key) ~= "string" then return false end
			any = true
			if not known[key] then
				known[key] = true
				count = count + 1
				if count > 12 then return false end
			end
		end
		if not any then return false end
	end
	return true
end

-- The text of an object, which may be a table of its own.
local function cut_lines(text, width)
	if not text:find "\n" then return text end
	return (text:gsub("[^\n]+", function(line) return term.cut(line, width) end))
end

local function value(v, options)
	if type(v) == "string" then return term.clean(v) end
	if math.type(v) == "integer" then
		return v >= 0x10000 and ("%d (%s)"):format(v, term.hex(v)) or ("%d"):format(v)
	end
	local text = scalar(v)
	if text then return cut_lines(text, options.width) end
	local keys = keys_of(v)
	local n = list_length(keys)
	if n > 0 and n == #keys and are_records(v, n) then return records(v, n, options) end
	if n == 0 and #keys > 0 and rank[type(keys[#keys])] == 2 then return record(v, keys, options) end
	return block(v, nil, {}, 0, "", options.width)
end

function M.value(v, options)
	options = { width = options and options.width or 80, color = options and options.color or false }
	local ok, text = pcall(value, v, options)
	if ok then return text end
	return ("<%s that cannot be shown: %s>"):format(type(v), term.clean(tostring(text)))
end

return M
