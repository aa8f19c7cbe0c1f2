-- SPDX-License-Identifier: GPL-2.0-or-later
-- Two zones, the second one only when the first one is there; crashed or silent ones are started again.
--   local supervisor = dofile "policies/supervise.lua"
return require "policy.supervise" {
	{
		"linux1",
		ready = { expect = "linux1> ", within = "2m" },
		watchdog = { silence = "1h" },
	},
	{ "linux2", after = "linux1", restart = "always" },

	-- 1, 2, 4 … 60 s between two starts; the sixth failure within ten minutes is the last one.
	backoff = { from = "1s", to = "1m" },
	budget = { count = 5, within = "10m" },
	-- A guest is asked to end before it is taken down.
	stop = { type = "poweroff\r", within = "20s" },
	on_failure = function(name, state, reason)
		log.error("somebody should look at zone %s, which is %s: %s", name, state, reason)
	end,
	-- systemctl stop ends the zones, too.
	on_exit = "stop",
}
