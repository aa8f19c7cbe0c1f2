-- SPDX-License-Identifier: GPL-2.0-or-later
-- Denies all writes to a disk between two hours: while a copy of its image is taken, or an update must not be disturbed.
--   dofile "policies/read_only_window.lua" (zones.linux1, { disk = "root", from = 2, to = 4 })
return function(zone, options)
	local hour = options.hour or function() return os.date("*t").hour end

	local function closed()
		local h = hour()
		if options.from <= options.to then return h >= options.from and h < options.to end
		-- Over midnight.
		return h >= options.from or h < options.to
	end

	local function guard()
		local disk = zone:device(options.disk)
		if not disk then return end
		assert(disk:policy {
			ops = { "write", "discard", "zero" },
			-- A write that nobody could decide about is not made.
			on_overload = "deny",
			decide = function() return closed() and "deny" or "allow" end,
		})
	end

	-- The device of each life is a new one.
	zone:on("start", guard)
	guard()
end
