-- SPDX-License-Identifier: GPL-2.0-or-later
-- metrics: counters of zones and devices in the text format of Prometheus.
local common = require "hvsh.command.common"
local control = require "hvsh.control"

local command = {}

local STATES = { "root", "running", "failed", "defined" }
-- Upper ends of the histogram's buckets, as powers of two of ns: 1 us to 2 s.
local FIRST, LAST = 10, 31

local function labels(pairs_of)
	local parts = {}
	for i, pair in ipairs(pairs_of) do
		local value = tostring(pair[2]):gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" })
		parts[i] = ('%s="%s"'):format(pair[1], value)
	end
	return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end

local function number(value)
	return math.type(value) == "integer" and ("%d"):format(value) or ("%.15g"):format(value)
end

-- Lines of one metric: all samples of a name stand together. write(labels, value, suffix)
local function metric(out, name, kind, help, samples)
	local lines = {}
	samples(function(pairs_of, value, suffix)
		if value ~= nil then lines[#lines + 1] = name .. (suffix or "") .. labels(pairs_of) .. " " .. number(value) end
	end)
	if #lines == 0 then return end
	out[#out + 1] = ("# HELP %s %s"):format(name, help)
	out[#out + 1] = ("# TYPE %s %s"):format(name, kind)
	table.move(lines, 1, #lines, #out + 1, out)
end

local function of_device(d)
	return { { "zone", d.zone }, { "device", d.name }, { "type", d.type } }
end

local function histogram(write, d)
	local id, total = of_device(d), 0
	local function bucket(le, n)
		local with = table.move(id, 1, #id, 1, {})
		with[#with + 1] = { "le", le }
		write(with, n, "_bucket")
	end
	local below = 0
	for i, n in ipairs(d.stats.latency) do
		total = total + n
		if i < FIRST then below = below + n end
	end
	for i = FIRST, LAST do
		below = below + (d.stats.latency[i] or 0)
		bucket(number((1 << i) / 1e9), below)
	end
	bucket("+Inf", total)
	write(id, d.stats.latency_ns / 1e9, "_sum")
	write(id, total, "_count")
end

local device_counters = {
	{ "requests", "requests", "Requests that were answered." },
	{ "read_bytes", "read_bytes", "Bytes moved to the guest." },
	{ "written_bytes", "write_bytes", "Bytes moved from the guest." },
	{ "errors", "errors", "Requests that were answered with an error." },
	{ "dropped", "dropped", "Packets or output that had no place." },
	{ "kicks", "kicks", "How often the guest called the device." },
	{ "interrupts", "interrupts", "Interrupts that the guest got." },
	{ "suppressed_interrupts", "suppressed", "Interrupts that the guest did not want." },
	{ "wakeups", "wakeups", "How often a sleeping worker was woken." },
}

local queue_counters = {
	{ "requests", "completed", "Requests of a queue that were answered." },
	{ "kicks", "kicks", "How often the guest called the device for a queue." },
	{ "interrupts", "interrupts", "Interrupts asked for by what was answered in a queue." },
}

local bridge_counters = {
	{ "registers", "registers", "Register accesses that were answered." },
	{ "unknown", "unknown", "Accesses to no device's window." },
	{ "sleeps", "sleeps", "How often the bridge thread slept." },
	{ "wakeups", "wakeups", "How often it was woken." },
	{ "lost_wakeups", "lost_wakeups", "Sleeps that ended by themselves and found a request." },
	{ "injections", "injections", "Calls of the hypervisor that injected interrupts." },
}

-- The page for a reply to "metrics": text that ends with a line's end.
function command.text(sample)
	local out = {}
	local process = sample.process
	metric(out, "hvsh_uptime_seconds", "gauge", "How long the service has run.", function(w) w({}, process.uptime) end)
	metric(out, "hvsh_memory_bytes", "gauge", "RAM that the service has.", function(w) w({}, process.memory) end)
	metric(out, "hvsh_cpu_seconds_total", "counter", "CPU time of all threads of the service.", function(w) w({}, process.cpu) end)
	metric(out, "hvsh_threads", "gauge", "Threads of the service.", function(w) w({}, process.threads) end)
	metric(out, "hvsh_zone_state", "gauge", "1 for the state that the zone is in.", function(write)
		for _, zone in ipairs(sample.zones) do
			for _, state in ipairs(STATES) do
				write({ { "zone", zone.name }, { "id", zone.id }, { "state", state } }, zone.state == state and 1 or 0)
			end
		end
	end)
	metric(out, "hvsh_device_broken", "gauge", "1 while the guest has to reset the device.", function(write)
		for _, d in ipairs(sample.devices) do write(of_device(d), d.state == "broken" and 1 or 0) end
	end)
	for _, counter in ipairs(device_counters) do
		metric(out, ("hvsh_device_%s_total"):format(counter[1]), "counter", counter[3], function(write)
			for _, d in ipairs(sample.devices) do write(of_device(d), d.stats[counter[2]]) end
		end)
	end
	for _, counter in ipairs(queue_counters) do
		metric(out, ("hvsh_queue_%s_total"):format(counter[1]), "counter", counter[3], function(write)
			for _, d in ipairs(sample.devices) do
				for i, queue in ipairs(d.queues) do
					local id = of_device(d)
					id[#id + 1] = { "queue", i - 1 }
					write(id, queue[counter[2]])
				end
			end
		end)
	end
	metric(out, "hvsh_device_latency_seconds", "histogram", "From when a request was taken to its answer.", function(write)
		for _, d in ipairs(sample.devices) do histogram(write, d) end
	end)
	for _, counter in ipairs(bridge_counters) do
		metric(out, ("hvsh_bridge_%s_total"):format(counter[1]), "counter", counter[3], function(write)
			write({}, sample.bridge[counter[2]])
		end)
	end
	metric(out, "hvsh_bridge_polling_seconds_total", "counter", "Time that the bridge thread has polled.", function(write)
		write({}, sample.bridge.polling_ns / 1e9)
	end)
	return table.concat(out, "\n") .. "\n"
end

function command.metrics(request)
	local sample, message = control.ask { request = "metrics" }
	if not sample then return common.fail(message) end
	if request.options.json then
		sample.simulated = common.simulated()
		return common.json(sample)
	end
	io.stdout:write(command.text(sample))
	return 0
end

return command
