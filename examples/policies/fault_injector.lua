-- SPDX-License-Identifier: GPL-2.0-or-later
-- Makes a disk bad on purpose: some requests fail, some are slow. For trying what a guest does with it.
--   local faults = dofile "policies/fault_injector.lua" (zones.linux1, { disk = "root", fail = 0.01, slow = 0.05, delay = "200ms" })
--   faults:close()
return function(zone, options)
	local disk = assert(zone:device(options.disk))
	-- The same seed, the same faults.
	math.randomseed(options.seed or 1)
	return assert(disk:policy {
		ops = options.ops or { "read", "write" },
		sectors = options.sectors,
		on_overload = "pass",
		decide = function(request)
			local n = math.random()
			if n < (options.fail or 0) then
				log.info("fault: %s of sector %d fails", request.op, request.sector)
				return "deny"
			elseif n < (options.fail or 0) + (options.slow or 0) then
				return { delay = options.delay or "200ms" }
			end
			return "allow"
		end,
	})
end
