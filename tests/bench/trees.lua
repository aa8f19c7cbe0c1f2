-- SPDX-License-Identifier: GPL-2.0-or-later
-- For each tree named on standard input: what giving each of its enabled devices away means, one plan per device.
-- Prints: trees, plans, the median and the longest time per tree in ms, and the mean time per plan in us.
local times, plans, total = {}, 0, 0.0

for path in io.lines() do
	local start = os.clock()
	local tree <close> = assert(fdt.open(path))
	for node in tree:walk() do
		if node.enabled and node.path ~= "/" and #node.compatible > 0 then
			assert(fdt.passthrough { tree = tree, devices = { node } })
			plans = plans + 1
		end
	end
	times[#times + 1] = (os.clock() - start) * 1000
	total = total + times[#times]
end
table.sort(times)
print(("%d %d %.1f %.1f %.0f"):format(#times, plans, times[(#times + 1) // 2] or 0, times[#times] or 0, total * 1000 / math.max(plans, 1)))
