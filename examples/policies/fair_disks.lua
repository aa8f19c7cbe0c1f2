-- SPDX-License-Identifier: GPL-2.0-or-later
-- While one disk is slow for its guest, the busiest of the others is limited: the noisy neighbour pays, nobody else.
--   dofile "policies/fair_disks.lua" { disks = { zones.linux1:device "root", zones.linux2:device "root" }, slow = 20e6, bps = "50M" }
return function(options)
	local before, limited = {}, nil

	-- Bytes, requests and nanoseconds of a disk since the last look.
	local function since(disk)
		local s, last = disk.stats, before[disk] or {}
		local now = { bytes = s.read_bytes + s.write_bytes, requests = s.requests, ns = s.latency_ns }
		before[disk] = now
		return now.bytes - (last.bytes or now.bytes), now.requests - (last.requests or now.requests), now.ns - (last.ns or now.ns)
	end

	return every(options.look or "2s", function()
		local busiest, most, slow = nil, 0, nil
		for _, disk in ipairs(options.disks) do
			if disk.state ~= "detached" then
				local bytes, requests, ns = since(disk)
				if requests > 0 and ns / requests > options.slow and disk ~= limited then slow = disk end
				if bytes > most then busiest, most = disk, bytes end
			end
		end
		local noisy = slow and busiest ~= slow and busiest or nil
		if noisy == limited then return end
		if limited and limited.state ~= "detached" then limited:limit {} end
		if noisy then noisy:limit { bps = options.bps } end
		log.info("%s", noisy and ("%s/%s is limited for %s/%s"):format(noisy.zone, noisy.name, slow.zone, slow.name) or "no disk is limited")
		limited = noisy
	end)
end
