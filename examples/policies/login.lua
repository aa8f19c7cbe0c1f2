-- SPDX-License-Identifier: GPL-2.0-or-later
-- Logs in at a console and runs a command: its output, or nil and what went wrong. For set-up that a guest has no agent for.
--   print(dofile "policies/login.lua" (zones.linux1, { user = "root", password = "secret", command = "uname -a" }))
return function(zone, options)
	local device = zone:device(options.console or "hvc0")
	if not device then return nil, "ENODEV: the console is not served here", "ENODEV" end
	local con <close> = assert(device:open())
	local prompt = options.prompt or "[#$>] $"
	local user, password = table.unpack(options.asks or { "login: $", "[Pp]assword: ?$" })

	-- Types a line, and waits for one of the patterns: which one.
	local function say(line, ...)
		local ok, message, code = con:write(line .. "\r", { timeout = options.within or "1m" })
		if not ok then return nil, message, code end
		return con:expect({ ... }, { timeout = options.within or "1m" })
	end

	-- Whoever is there shows up when Enter is pressed.
	local which, message, code = say("", prompt, user)
	if which == 2 then which, message, code = say(options.user, prompt, password) end
	if which == 2 then
		which, message, code = say(options.password, prompt, "incorrect")
		if which == 2 then return nil, "EACCES: the login was refused", "EACCES" end
	end
	-- What is typed comes back first, to the end of its line; behind a second prompt, when the first was there before Enter.
	local echo = options.command:sub(-16):gsub("%p", "%%%0")
	if which then which, message, code = say(options.command, echo .. "[^\n]*\n") end
	if not which then return nil, message, code end
	local lines = {}
	for line in con:lines { timeout = options.quiet or "1s" } do lines[#lines + 1] = line end
	return table.concat(lines, "\n")
end
