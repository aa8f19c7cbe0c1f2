-- SPDX-License-Identifier: GPL-2.0-or-later
-- Rates between looks: the second interval is compared with the counters, not with the first one's rates.
local t = dofile(os.getenv "HVSH_TESTS" .. "/lib/tap.lua")
local top = require "hvsh.command.top"

-- After n seconds: half a CPU is used, and a queue of one device answers 100 requests a second.
local function reply(n)
	return {
		now = n * 1000000000, process = { pid = 1, cpu = 1000 + n / 2, memory = 4096, uptime = n },
		bridge = { registers = n, sleeps = n, wakeups = 0, lost_wakeups = 0, injections = n, polling_ns = 0 },
		zones = { { id = 1, name = "one", state = "running", cpus = { 1 } } },
		devices = { {
			zone = "one", name = "root", type = "blk", state = "running",
			queues = { { size = 8, ready = true, completed = 100 * n, kicks = n, interrupts = 2 * n } },
			stats = { requests = 100 * n, read_bytes = 0, write_bytes = 0, errors = 0, dropped = 0, kicks = n, interrupts = 2 * n,
				wakeups = 0, latency = {} },
		} },
	}
end

t.test("three looks, two intervals of the same rates", function()
	local looks = { reply(0), reply(2), reply(4) }
	for i = 1, 2 do
		local rates = top.rates(looks[i], looks[i + 1])
		t.eq(rates.process.cpu, 0.5, "CPU")
		t.eq(rates.devices[1].rates.requests, 100.0, "requests")
		t.eq(rates.devices[1].queue_rates[1].rates.requests, 100.0, "of the queue")
		t.eq(rates.devices[1].queue_rates[1].rates.interrupts, 2.0, "interrupts of the queue")
	end
end)

t.test("a device that is another one by now begins at 0", function()
	local before, now = reply(4), reply(6)
	now.devices[1].queues[1].completed, now.devices[1].stats.requests = 50, 50
	local rates = top.rates(before, now)
	t.eq(rates.devices[1].rates.requests, 25.0)
	t.eq(rates.devices[1].queue_rates[1].rates.requests, 25.0)
end)

t.done()
