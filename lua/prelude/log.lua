-- SPDX-License-Identifier: GPL-2.0-or-later
-- `log`: lines for the journal. log.info("text"), log.info("zone %s", name) as string.format.
local core = require "hvsh.core"
local frozen = require "hvsh.frozen"

local fields = {}

for _, level in ipairs { "error", "warn", "info", "debug" } do
	fields[level] = function(text, ...)
		if select("#", ...) > 0 then
			local ok, line = pcall(string.format, text, ...)
			if not ok then error(("log.%s: %s"):format(level, line), 2) end
			text = line
		end
		core.log(level, tostring(text))
	end
end

-- The level in force; with a word, sets it and returns what it was.
function fields.level(word)
	local was = core.log_level()
	if word ~= nil then
		if type(word) ~= "string" or not (word ~= "level" and fields[word]) then
			error(("log.level: %s is none of error, warn, info, debug"):format(tostring(word)), 2)
		end
		core.log_level(word)
	end
	return was
end

return frozen.object {
	name = "hvsh.log",
	fields = fields,
	strict = true,
	tostring = function() return "log (level " .. core.log_level() .. ")" end,
}
