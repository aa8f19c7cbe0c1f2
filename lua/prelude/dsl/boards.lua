-- SPDX-License-Identifier: GPL-2.0-or-later
-- Boards: what modules/board describes, a script extends, or a zone says in its own table.
local parts = require "hvsh.dsl.parts"
local place = require "hvsh.dsl.place"
local schema = require "hvsh.schema"
local srcmap = require "hvsh.srcmap"
local validate = require "hvsh.validate"

local boards = {}

-- What a board's fields must have to do with each other, and what follows from them.
local function complete_board(ctx, board, path)
	for _, f in ipairs(schema.board.fields) do
		if f.arch and board[f.name] and f.arch ~= board.arch then
			validate.fail(ctx, validate.join(path, f.name), "is of %s only, and the board is %s", f.arch, board.arch)
		end
	end
	for i, slots in ipairs(board.slots or {}) do
		slots.stride = slots.stride or slots.size
		if slots.stride < slots.size then
			validate.fail(ctx, validate.join(path, "slots") .. ("[%d].stride"):format(i),
				"is smaller than a window: they would overlap")
		end
	end
end

-- lines: path -> line for errors; at: where the board was made.
local function make_board(raw, at, lines, folder)
	local ctx = validate.context { unwrap = function(v) return parts.raw_of[v] end, folder = folder }
	local board = validate.run(ctx, schema.board, raw, "")
	if board and #ctx.errors == 0 then complete_board(ctx, board, "") end
	if #ctx.errors > 0 then
		local file = place.file_of(at)
		for _, e in ipairs(ctx.errors) do
			e.file, e.line = file, srcmap.line_of(lines, e.path) or at.line
			if not file then e.message = ("%s (board %s)"):format(e.message, validate.show(raw.name)) end
		end
		error(place.report(ctx.errors, ctx.more), 0)
	end
	local proxy = parts.freeze(board, parts.board_meta)
	parts.board_data[proxy] = board
	return proxy
end

-- base with changes: fields of records one by one, everything else as a whole; false takes a field away.
local function merge(t, base, changes)
	local out = {}
	for key, value in next, base do out[key] = value end
	for key, value in next, changes do
		local f = t.fields[key]
		if value == false and f and not f.required then
			out[key] = nil
		elseif f and f.kind == "record" and type(value) == "table" and type(base[key]) == "table"
			and debug.getmetatable(value) == nil then
			out[key] = merge(f, base[key], value)
		else
			out[key] = value
		end
	end
	return out
end

local function extend(self, changes)
	local base, at = parts.raw_of[self], place.caller(2)
	if not base or not parts.board_data[self] then error("extend: the first argument is not a board", 2) end
	if type(changes) ~= "table" or debug.getmetatable(changes) ~= nil then
		error("extend takes a table of changes: board:extend {cpus = 8}", 2)
	end
	local merged, tree = merge(schema.board, base, changes), rawget(changes, "tree")
	-- The base's path was resolved when it was made.
	if type(tree) == "string" and tree ~= "" and tree:sub(1, 1) ~= "/" then merged.tree = place.script_folder() .. tree:gsub("^%./+", "") end
	return make_board(merged, at, (srcmap.lines(at.source, at.line, "extend", nil, changes)), "")
end

function parts.board_meta.__index(self, key)
	if key == "extend" then return extend end
	local value = parts.raw_of[self][key]
	return type(value) == "table" and parts.freeze(value) or value
end

-- A board from its description: what the files of modules/board return.
function boards.make(description)
	local at = place.caller(2)
	if type(description) ~= "table" then
		error(("a board is a table of fields, not %s"):format(validate.show(description)), 2)
	end
	return make_board(description, at,
		(srcmap.lines(at.source, at.line, "board", nil, parts.raw_of[description] or description)),
		parts.raw_of[description] and "" or place.script_folder())
end

function boards.field(ctx, value, path, show, example)
	if type(value) == "table" and parts.board_data[value] then return parts.board_data[value] end
	if type(value) == "string" and value:find "^[%w_]+$" then
		return validate.fail(ctx, path, "is text; write require \"board.%s\"", value)
	end
	if type(value) ~= "table" or debug.getmetatable(value) ~= nil then
		return validate.fail(ctx, path, "is %s, not a board%s", show(value), example)
	end
	local before = #ctx.errors
	local board = validate.run(ctx, schema.board, value, path)
	if #ctx.errors == before then complete_board(ctx, board, path) end
	if #ctx.errors > before then return nil end
	local proxy = parts.freeze(board, parts.board_meta)
	parts.board_data[proxy] = board
	return board
end

return boards
