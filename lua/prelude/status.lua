-- SPDX-License-Identifier: GPL-2.0-or-later
-- What somebody who looks after zones says of them, for `hvsh list`.
local status = {}

local known = {}

-- state nil: nobody looks after the zone any more.
function status.set(zone, state, reason)
	known[zone] = state and { state = state, reason = reason ~= "" and reason or nil } or nil
end

-- {state =, reason =}, or nil.
function status.of(zone)
	return known[zone]
end

return status
