-- SPDX-License-Identifier: GPL-2.0-or-later
-- luacheck lua examples tests modules scripts: what our Lua may use besides Lua's own names.
std = "lua54"
max_line_length = 160
exclude_files = { "build" }
-- Values that only declare several names at once, arguments a caller gives, names used anew inside.
ignore = { "212", "311", "431" }

local hvsh = {
	"zone", "zones", "memmap", "fdt", "clock", "hv", "ivc", "log", "virtio", "help",
	"blk", "net", "console", "rng", "scmi", "slot", "gpu", "input", "custom",
	"spawn", "sleep", "after", "every", "event",
}

-- The prelude is what these names are made of: only scripts find them.
files["examples"] = { read_globals = hvsh }
files["modules"] = { read_globals = hvsh }
files["scripts"] = { read_globals = hvsh }
-- Variables that are only closed are unused.
files["tests"] = { read_globals = hvsh, ignore = { "211", "111/_" } }

-- Declarations for editors: nothing in them runs.
files["lua/meta"] = { max_line_length = false, globals = hvsh, ignore = { "121", "131", "211", "221", "241" } }
