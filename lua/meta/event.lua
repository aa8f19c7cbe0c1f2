-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Events
---@meta

---@class hvsh.event
---What happens to zones and their devices. zone:on and device:on listen to one of them, event.listen to all.
---
---Each call of a callback is a task of its own: it may wait, and one that fails ends alone, with its traceback in the log.
---The next event has its turn when the call before it has ended. hvisor tells nobody about its zones; they are looked at
---twice a second.
event = {}

---Calls a function with every event. The script does not go on for it; zone:on is for that.
---
---Errors: none.
---
---Set-up:
---```lua
---local unikernel = zone "unikernel" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x48000000, size = "32M"},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
---}
---```
---
---Example:
---```lua
---local stop = event.listen(function(e) print(e.message) end)
---assert(unikernel:start())
---sleep "10ms"   --> zone unikernel (1) has started
---stop()
---```
---@param f function  Gets one argument, hvsh.event_facts.
---@return function stop  Ends it. What has happened and was not told yet is not told any more.
function event.listen(f) end

---Calls a function, as a task, each time this process gets a signal. While there is a listener the signal does nothing
---else: one for "TERM" must end the process itself, with os.exit. Once the last listener is closed the signal does what it
---did before, except that "USR2" does nothing. The script does not go on for it.
---
---Errors: EMFILE when no descriptor is left. A name that is none of these is an error.
---
---Example:
---```lua
---local listener = event.signal("HUP", function() log.info("reading the limits again") end)
---listener:close()
---```
---@param name string  "HUP", "TERM", "USR2" or "CONT".
---@param f function  Gets one argument: the pid of who sent it, 0 for the kernel.
---@return hvsh.listener? listener
---@return string? message
---@return string? code
function event.signal(name, f) end

---@class hvsh.event_facts
---What a callback gets. The table is its own.
---@field event string  "start", "exit", "error" (the zone has crashed), "device" or "supervise" (a supervisor has it in another state).
---@field zone string  Name of the zone.
---@field id integer [id] Its number.
---@field device string?  Of an event "device", the name of the device.
---@field what string?  Of "exit": "stopped" by this process, or "ended", by itself or by another program. Of "device": "negotiated" (its driver and it have agreed on features), "ready" (its driver has begun), "reset" (by its driver), "broken" (the guest broke a rule), "error" (what is behind it has failed), "full" (a queue has no entry left: the device is slower than its guest), "link", "resize".
---@field from string?  Of "supervise": the state before; what is the one it is in now.
---@field message string  The same for people, with the names.
---@field time number [seconds] Since 1970, in milliseconds behind the point.
---@field left_out integer? [count] So many events like this one came in the second before it, or while the callback was busy, and were not told.
local facts = {}

---@class hvsh.listener
---What zone:on and device:on give. It listens until it is closed, also when nothing refers to it. `local _ <close> =
---zone:on(…)` ends it with its block.
---
---Set-up:
---```lua
---local unikernel = zone "unikernel" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x48000000, size = "32M"},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
---}
---local listener = unikernel:on("exit", function(e) print(e.what) end)
---```
local listener = {}

---Ends it. What has happened and was not told yet is not told any more. It may be closed again.
---
---Errors: none.
---
---Example:
---```lua
---listener:close()
---```
---@return true ok
function listener:close() end
