-- SPDX-License-Identifier: GPL-2.0-or-later
-- Lets only frames with its own sender address out of a zone: no guest takes another one's place.
--   local filter, mac = dofile "policies/mac_filter.lua", "52:54:00:10:10:10"
--   net "eth0" { tap = "tap0", mac = mac, policy = filter { mac = mac } }
--   zones.linux1:device "eth0":policy():stats().denied
return function(options)
	local own, told = options.mac:lower(), false
	return {
		ops = { "out" },
		on_overload = "deny",
		decide = function(frame)
			if frame.src == own then return "allow" end
			if not told then log.warn("a guest sends as %s, and is %s: dropped", frame.src, own) end
			told = true
			return "deny"
		end,
	}
end
