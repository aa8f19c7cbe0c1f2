-- SPDX-License-Identifier: GPL-2.0-or-later
-- Limits a disk by day, and lets it do what it can at night, for backups.
--   dofile "policies/night_limit.lua" (zones.linux1, { disk = "root", day = { 7, 22 }, bps = "20M", iops = 500 })
return function(zone, options)
	local from, to = table.unpack(options.day)
	local hour = options.hour or function() return os.date("*t").hour end
	local by_day

	local function look()
		local disk = zone:device(options.disk)
		local h = hour()
		local now = h >= from and h < to
		if not disk or now == by_day then return end
		by_day = now
		assert(disk:limit(now and { bps = options.bps, iops = options.iops } or {}))
		log.info("%s/%s: %s", zone.name, options.disk, now and "limited until the evening" or "without limit until the morning")
	end

	zone:on("start", function()
		-- Its device is a new one.
		by_day = nil
		look()
	end)
	look()
	return every(options.look or "1m", look)
end
