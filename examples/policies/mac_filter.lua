-- SPDX-License-Identifier: GPL-2.0-or-later
-- Lets only frames with its own sender address out of a zone, and counts the others: no guest takes another one's place.
--   local filter = dofile "policies/mac_filter.lua" (zones.linux1, { net = "eth0" })
--   filter.dropped()
return function(zone, options)
	local dropped, told = 0, false

	local function guard()
		local net = zone:device(options.net)
		if not net then return end
		local own = options.mac or net.mac
		assert(net:policy {
			ops = { "out" },
			on_overload = "deny",
			decide = function(frame)
				if frame.src == own then return "allow" end
				dropped = dropped + 1
				if not told then log.warn("%s/%s sends as %s, and is %s: dropped", zone.name, options.net, frame.src, own) end
				told = true
				return "deny"
			end,
		})
	end

	zone:on("start", guard)
	guard()
	return { dropped = function() return dropped end }
end
