-- SPDX-License-Identifier: GPL-2.0-or-later
std = "lua54"
max_line_length = 160
-- What scripts find without require.
read_globals = {
	"zone", "zones", "memmap", "virtio", "hv", "log",
	"blk", "net", "console", "gpu", "scmi", "rng", "input",
}
files["lua/prelude"] = { globals = { "arg" } }
exclude_files = { "build" }
