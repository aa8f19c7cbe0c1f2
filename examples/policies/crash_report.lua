-- SPDX-License-Identifier: GPL-2.0-or-later
-- Writes a file when a zone crashes: the last output of its console, and what its devices had done.
--   dofile "policies/crash_report.lua" (zones.linux1, { folder = "/var/log/hvsh", back = "16K" })
-- The service may write there when it is started with --allow=/var/log/hvsh.
return function(zone, options)
	local function report(event)
		local console = zone:device(options.console or "hvc0")
		local path = ("%s/%s-%s.txt"):format(options.folder, zone.name, os.date "!%Y%m%dT%H%M%SZ")
		local file, message = io.open(path, "w")
		if not file then return log.error("no report of the crash: %s", message) end
		file:write(event.message, "\n\n", tostring(zone:devices()), "\n\n")
		if console then
			local con <close> = assert(console:open { back = options.back or "16K" })
			file:write(con:read { timeout = "1s" } or "(its console was silent)", "\n")
		end
		file:close()
		log.error("%s; %s says more", event.message, path)
	end

	return zone:on("error", report)
end
