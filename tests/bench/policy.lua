-- SPDX-License-Identifier: GPL-2.0-or-later
-- policy.lua EXAMPLES: what a policy in Lua adds to a request that waits for it, one at a time. A guest reads its disk without a
-- policy, with one whose filter does not match, and with one that allows. Prints µs per request, medians of five.
local core = require "hvsh.core"

local BYTES <const> = 16 << 20
local file = arg[1] .. "/policy.img"
local image = assert(io.open(file, "wb"))
for _ = 1, BYTES >> 20 do image:write(("\x5a"):rep(1 << 20)) end
image:close()

local z = zone "reader" {
	id = 1, cpus = { 2 }, board = require "board.qemu_virt", ram = { at = 0x50000000, size = "384M" },
	kernel = { image = arg[1] .. "/images/Image", at = 0x50400000, cmdline = "console=hvc0" },
	dtb = { image = arg[1] .. "/images/linux1.dtb", patch = true },
	devices = {
		blk "root" { image = file, at = 0xa003c00 },
		net "eth0" { switch = "bench", at = 0xa003600 },
		console "hvc0" { at = 0xa003800 },
	},
}
assert(z:start())
local root = z:device "root"
local con = assert(z:device "hvc0":open { back = "all" })
assert(con:expect("%w+> ", { timeout = "60s" }))

-- µs per request.
local function read()
	local before, began = root.stats.requests, core.now()
	assert(con:write "sum 0 16M\r")
	assert(con:expect("\n(%x+)\r\n%w+> ", { timeout = "60s" }))
	return (core.now() - began) / 1000 / (root.stats.requests - before)
end

local cases = {
	false,
	{ ops = { "write" }, decide = function() return "deny" end },
	{ ops = { "read" }, decide = function(r) if r.sector < 0 then return "deny" end end },
}
local times = { {}, {}, {} }
read()
for i = 1, 5 do
	for n, options in ipairs(cases) do
		local policy <close> = options and assert(root:policy(options))
		times[n][i] = read()
	end
end
for _, t in ipairs(times) do table.sort(t) end
print(("%.1f %.1f %.1f"):format(times[1][3], times[2][3], times[3][3]))
zones.stop()
