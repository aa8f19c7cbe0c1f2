-- SPDX-License-Identifier: GPL-2.0-or-later
-- Denies all writes to a disk between two hours: while a copy of its image is taken, or an update must not be disturbed.
--   local window = dofile "policies/read_only_window.lua"
--   blk "root" { image = "rootfs.ext4", policy = window { from = 2, to = 4 } }
return function(options)
	local hour = options.hour or function() return os.date("*t").hour end

	local function closed()
		local h = hour()
		if options.from <= options.to then return h >= options.from and h < options.to end
		-- Over midnight.
		return h >= options.from or h < options.to
	end

	return {
		ops = { "write", "discard", "zero" },
		-- A write that nobody could decide about is not made.
		on_overload = "deny",
		decide = function() return closed() and "deny" or "allow" end,
	}
end
