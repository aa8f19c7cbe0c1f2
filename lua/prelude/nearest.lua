-- SPDX-License-Identifier: GPL-2.0-or-later
-- "did you mean …": the candidate with the fewest typing errors, if it is close enough to be meant; of several the one
-- that is as long.
local nearest = {}

-- Letters to insert, delete, replace or swap to get from a to b.
local function distance(a, b)
	local before, row = {}, {}
	for j = 0, #b do row[j] = j end
	for i = 1, #a do
		local current = { [0] = i }
		for j = 1, #b do
			local cost = a:byte(i) == b:byte(j) and 0 or 1
			current[j] = math.min(row[j] + 1, current[j - 1] + 1, row[j - 1] + cost)
			if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
				current[j] = math.min(current[j], before[j - 2] + 1)
			end
		end
		before, row = row, current
	end
	return row[#b]
end

-- candidates: a list of words, or a table whose string keys are the words.
function nearest.of(word, candidates)
	if type(word) ~= "string" or #word > 40 then return nil end
	local words = {}
	for key, value in pairs(candidates) do
		local w = type(key) == "number" and value or key
		if type(w) == "string" then words[#words + 1] = w end
	end
	table.sort(words)
	local best, least = nil, math.max(1, #word // 3) + 1
	for _, w in ipairs(words) do
		local d = distance(word:lower(), w:lower())
		if d < least or best and d == least and #w == #word and #best ~= #word then best, least = w, d end
	end
	return best
end

-- " (did you mean x?)", or "".
function nearest.hint(word, candidates)
	local near = nearest.of(word, candidates)
	return near and (" (did you mean %s?)"):format(near) or ""
end

-- Raises at level, the caller's, where a table has keys besides those of known; what: "limit has no option".
function nearest.check(given, known, what, level)
	for key in pairs(given) do
		if not known[key] then error(("%s %s%s"):format(what, tostring(key), nearest.hint(key, known)), level + 1) end
	end
end

return nearest
