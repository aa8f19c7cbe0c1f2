-- SPDX-License-Identifier: GPL-2.0-or-later
-- Kinds of fields that are plain numbers and texts: ranges, extents, parts of a whole, times, data.
local core = require "hvsh.core"

-- Adds them to validate's; with: its tools.
return function(check, with)
	local fail, join = with.fail, with.join

	-- Two numbers, or nil.
	local function pair(ctx, t, v, path, what, bounds)
		local raw = with.plain(ctx, v, path, what .. with.example(t))
		local n = raw and with.length(ctx, raw, path, 16)
		if not n then return nil end
		if n ~= 2 then return fail(ctx, path, "has %d numbers, not %s%s", n, what, with.example(t)) end
		local out = {}
		for i = 1, 2 do
			local at = join(path, i)
			local number = check.integer(ctx, { kind = "integer", min = bounds[i].min, max = bounds[i].max }, raw[i], at)
			if number then with.keep(ctx, out, i, number, at) end
		end
		return #out == 2 and out or nil
	end

	-- {first, last}
	function check.range(ctx, t, v, path)
		local out = pair(ctx, t, v, path, "a first and a last one", { t, t })
		if out and out[1] > out[2] then return fail(ctx, path, "runs backwards: %d to %d", out[1], out[2]) end
		return out
	end

	local FAR = 1 << 53

	-- {first, how many}
	function check.extent(ctx, t, v, path)
		return pair(ctx, t, v, path, "a first one and how many", { { min = 0, max = FAR }, { min = 1, max = FAR } })
	end

	-- Nanoseconds.
	function check.duration(ctx, t, v, path)
		local ns, why = core.duration(v)
		if not ns then return fail(ctx, path, "%s%s", why, with.example(t)) end
		if ns < t.min then return fail(ctx, path, "is no time at all%s", with.example(t)) end
		if t.max and ns > t.max then
			return fail(ctx, path, "is %s; it is %s at most", core.duration_text(ns), core.duration_text(t.max))
		end
		return ns
	end

	local DEEP = 16

	-- Texts, numbers and booleans; tables of them are lists, or have texts for keys.
	local function data(ctx, v, path, depth)
		if type(v) == "boolean" or math.type(v) == "integer" then return v end
		if type(v) == "number" then
			if v - v == 0 then return v end
			return fail(ctx, path, "is %s, which is no number to hand on", with.show(v))
		end
		if type(v) == "string" then
			if v:find("\0", 1, true) then return fail(ctx, path, "has a zero byte in it: %s", with.show(v)) end
			if utf8.len(v) then return v end
			return fail(ctx, path, "is no UTF-8 text: %s", with.show(v))
		end
		if depth > DEEP then return fail(ctx, path, "is a table in tables, more than %d deep", DEEP) end
		local raw = with.plain(ctx, v, path, "texts, numbers, booleans, and tables of them")
		if not raw then return nil end
		local out, texts = {}, type(next(raw)) == "string"
		if not texts and not with.length(ctx, raw, path) then return nil end
		for key, item in next, raw do
			if texts and type(key) == "string" and key:find("\0", 1, true) then
				return fail(ctx, path, "has a zero byte in a key: %s", with.show(key))
			end
			if texts and type(key) ~= "string" then return fail(ctx, path, "has texts and numbers for keys") end
			out[key] = data(ctx, item, join(path, key), depth + 1)
			if out[key] == nil then return nil end
		end
		return out
	end

	function check.data(ctx, t, v, path)
		if type(v) ~= "table" then return fail(ctx, path, "is %s, not a list%s", with.show(v), with.example(t)) end
		return data(ctx, v, path, 1)
	end

	-- Above 0, up to 1.
	function check.part(ctx, t, v, path)
		if type(v) == "number" and v > 0 and v <= 1 then return v end
		return fail(ctx, path, "is %s; it is a part of all, above 0 and up to 1%s", with.show(v), with.example(t))
	end
end
