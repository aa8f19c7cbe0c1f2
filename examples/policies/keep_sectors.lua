-- SPDX-License-Identifier: GPL-2.0-or-later
-- Denies what changes certain sectors of a disk: its partition table, say. A file for device:policy, which gets nothing of
-- the service (docs/policies.md, "Whom a policy is trusted by").
--   root:policy { file = "policies/keep_sectors.lua", args = { { { first = 0, count = 2048 } } }, ops = { "write", "discard", "zero" } }
local kept = ...

return function(request)
	local first, last = request.sector, request.sector + (request.bytes + 511) // 512 - 1
	for _, range in ipairs(kept) do
		if first < range.first + range.count and last >= range.first then return "deny" end
	end
	return "allow"
end
