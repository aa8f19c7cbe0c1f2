-- SPDX-License-Identifier: GPL-2.0-or-later
-- A small TAP producer for tests that run inside hvsh:
--   local t = dofile(os.getenv("HVSH_TESTS") .. "/lib/tap.lua")
--   t.test("name", function() t.eq(got, want, "what") end)
--   t.done()
-- Each t.test is one TAP line; the first failed assertion ends it with its message.
local t = {}
local count, failed = 0, 0

local function show(v)
	if type(v) == "string" then return string.format("%q", v) end
	if math.type(v) == "integer" then return string.format("%d (0x%x)", v, v) end
	return tostring(v)
end

function t.fail(message, level)
	error({ tap = message, where = debug.traceback("", (level or 1) + 1) }, 0)
end

function t.ok(value, what)
	if not value then t.fail((what or "condition") .. ": is " .. show(value), 2) end
	return value
end

function t.eq(got, want, what)
	if got ~= want or math.type(got) ~= math.type(want) then
		t.fail(string.format("%s: got %s, want %s", what or "value", show(got), show(want)), 2)
	end
end

-- Tables compared by content.
local function same(a, b)
	if type(a) ~= "table" or type(b) ~= "table" then return a == b end
	for k, v in pairs(a) do if not same(v, b[k]) then return false end end
	for k in pairs(b) do if a[k] == nil then return false end end
	return true
end
function t.same(got, want, what)
	if not same(got, want) then t.fail((what or "table") .. ": contents differ", 2) end
end

-- text contains the plain string.
function t.has(text, part, what)
	if type(text) ~= "string" or not text:find(part, 1, true) then
		t.fail(string.format("%s: %s does not contain %s", what or "text", show(text), show(part)), 2)
	end
end

-- f fails, and its message contains the part; returns the message.
function t.raises(f, part, what)
	local ok, err = pcall(f)
	if ok then t.fail((what or "call") .. ": did not fail", 2) end
	if type(err) == "table" and err.tap then error(err, 0) end
	err = tostring(err)
	if part then t.has(err, part, what) end
	return err
end

function t.test(name, f)
	count = count + 1
	local ok, err = xpcall(f, function(e)
		if type(e) == "table" and e.tap then return e end
		return { tap = tostring(e), where = debug.traceback("", 2) }
	end)
	if ok then
		print(("ok %d - %s"):format(count, name))
	else
		failed = failed + 1
		print(("not ok %d - %s"):format(count, name))
		print("# " .. (err.tap .. (err.where or "")):gsub("\n", "\n# "))
	end
end

function t.done()
	print("1.." .. count)
	if failed > 0 then os.exit(1, true) end
end

return t
