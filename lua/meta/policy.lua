-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Policies
---@meta

---@class hvsh.policy
---What device:policy gives back. The policy is in force also when nothing refers to it.
---
---Set-up:
---```lua
---local linux1 = zone "linux1" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x50000000, size = "384M"},
---	kernel = {image = "images/Image", at = 0x50400000, cmdline = "console=hvc0"},
---	dtb = {image = "images/linux1.dtb", patch = true},
---	devices = { blk "root" {image = "images/rootfs1.ext4", at = 0xa003c00} },
---}
---assert(linux1:start())
---local guard = assert(linux1:device "root":policy {ops = {"discard"}, decide = function() return "deny", "unsupp" end})
---```
---@field state string  "active"; "failed": its function has failed too often and is not asked any more; "closed": also when another policy has taken its place, or the device is gone.
local policy = {}

---What it has done so far.
---
---Errors: none.
---
---Example:
---```lua
---print(guard:stats().denied)   --> 0
---```
---@return hvsh.policy_stats stats
function policy:stats() end

---Takes it off the device. Closing it again does nothing.
---
---Errors: none.
---
---Example:
---```lua
---guard:close()
---print(guard.state)   --> closed
---```
---@return true ok
function policy:close() end

---@class hvsh.policy_options
---@field decide? function  Gets one argument, hvsh.request. See device:policy for what it answers.
---@field file? string  Instead of decide: a script of 128 KiB at most that returns the function, or a table with it as decide. It has a Lua state of its own, with base, string without patterns, table, math, utf8, os.time, os.clock, os.date, and print, which goes to the log.
---@field args? any[]  With file: what it gets as `...`; data, 16 KiB at most.
---@field isolate? string  With file: "state" (default), or "process": it runs in a process without rights, which is killed where Lua cannot end it. Patterns are there, too.
---@field memory? integer|string [bytes] With file: what its values may take, a number or "4M" (default), 256K to 64M.
---@field deadline? number|string [seconds] With file: processor time for one decision, a number or "10ms" (default), 10s at most.
---@field ops? string[]  The requests it is for (default: all). blk: "read", "write", "flush", "discard", "zero". net, console: "out" (from the guest), "in".
---@field sectors? integer[] [sectors] blk: {first, how many}; only requests that touch these. A flush touches none.
---@field sample? number [part] Only looks on, at this part of all requests, up to 1: nobody waits for the function, and its answer counts for nothing.
---@field queue? integer [count] Requests that may wait for it (default: 256), 1 to 4096. A console has one piece at a time waiting in each direction.
---@field timeout? number|string [seconds] How long a request waits for it, a number or "50ms" (default: "1s"; "stall" has none).
---@field on_overload? string  What becomes of a request for which the queue has no room, or that was not decided about in time: "pass", "deny" (default), or "stall": it waits, and the device takes nothing more from the guest.
---@field on_error? string  What becomes of a request at which the function fails: "pass" or "deny" (default: as on_overload, "deny" for "stall").
local policy_options = {}

---@class hvsh.request
---What the function of a policy gets. The table is its own.
---@field op string  One of ops.
---@field sector integer? [sectors] blk: where it begins.
---@field bytes integer? [bytes] blk: how long it is; of several ranges, from the first one's beginning to the last one's end. net: the frame's length.
---@field frame string?  net: the whole frame. With offloads its checksum may be left to be done, and it may be larger than the MTU.
---@field src string?  net: the sender's hardware address, "52:54:00:10:10:10".
---@field dst string?  net: the receiver's.
---@field ethertype integer? [number] net: 0x0800 is IPv4.
---@field data string?  console: the bytes, 4096 at most.
---@field port integer? [number] console: which of its ports, from 0.
local request = {}

---@class hvsh.policy_stats
---@field state string  As policy.state.
---@field reason string?  Why it has failed.
---@field concerned integer [count] Requests it was for.
---@field asked integer [count] Put to the function.
---@field answered integer [count] Decided in time.
---@field waiting integer [count] Not decided yet.
---@field denied integer [count] Denied, for whatever reason.
---@field late integer [count] Not decided in time.
---@field refused integer [count] Times that the queue had no room.
---@field overload integer [count] Dealt with as on_overload says.
---@field failures integer [count] Times that the function has failed.
local policy_stats = {}
