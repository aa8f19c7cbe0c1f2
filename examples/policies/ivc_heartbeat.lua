-- SPDX-License-Identifier: GPL-2.0-or-later
-- Keeps a zone running that counts its interrupts: zone0 interrupts it over IVC, and its count has to change. It is asked over
-- the channel to end, too. The guest's part is in docs/ivc.md.
--   local supervisor = dofile "policies/ivc_heartbeat.lua" (zones.linux1, {channel = 0, peer = 1})
local COUNT, ORDER, POWER_OFF = 0, 0, 1

return function(z, o)
	local opened
	-- On the simulated machine the channel is there when the zone has been started.
	local function channel()
		opened = opened or assert(ivc.open(o.channel))
		return opened
	end

	return require "policy.supervise" {
		{
			z,
			watchdog = {
				heartbeat = function()
					local c = channel()
					assert(c:notify(o.peer))
					return assert(c:load(o.peer, COUNT, 4))
				end,
				within = o.within or "10s",
			},
			stop = {
				call = function()
					local c = channel()
					assert(c:store("shared", ORDER, 4, POWER_OFF))
					return c:notify(o.peer)
				end,
				within = o.patience or "20s",
			},
		},
	}
end
