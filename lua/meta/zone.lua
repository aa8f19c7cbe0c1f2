-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: One zone
---@meta

---@class hvsh.zone
---A zone by its definition, and the zone that runs by it. zone "name" {…} gives it, and zones.name does later.
---
---Set-up:
---```lua
---local linux1 = zone "linux1" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x50000000, size = "384M"},
---	kernel = {image = "images/Image", at = 0x50400000, cmdline = "console=hvc0"},
---	dtb = "images/linux1.dtb",
---	devices = {
---		blk "root" {image = "images/rootfs1.ext4", snapshot = true, at = 0xa003c00},
---		net "eth0" {switch = "lan", at = 0xa003600},
---		console "hvc0" {at = 0xa003800},
---	},
---}
---```
---@field name string  Its name.
---@field id integer [id] Its number at the hypervisor.
---@field spec hvsh.spec  The definition, checked and complete.
local zone = {}

---Starts the zone and serves its devices. All zones of the script are checked first. A zone that runs as it is written is
---left alone. When a step fails, those before it are undone.
---
---Errors: EINVAL when a check finds errors; EEXIST when it runs from another definition, has crashed, or its id is taken;
---ENOENT without a hypervisor; EBUSY when a CPU is not free; EOPNOTSUPP when a device is of a type that is not served; others
---as the hypervisor gives them.
---
---Example:
---```lua
---assert(linux1:start())
---print(linux1:state())   --> same
---```
---@return true? ok  It runs.
---@return string? message
---@return string? code
function zone:start() end

---Stops the zone if it runs, in whatever state, and starts it as it is written.
---
---Errors: EINVAL when a check finds errors; then nothing was stopped. Others as zone:start.
---
---Example:
---```lua
---assert(linux1:start())
---assert(linux1:restart())
---print(linux1:state())   --> same
---```
---@return true? ok  It runs anew.
---@return string? message
---@return string? code
function zone:restart() end

---Stops the zone. Its devices are closed in order, and what was written is on the disk.
---
---Errors: ENOENT when it does not run; EPERM when its id runs under another name; ETIMEDOUT when a CPU does not stop.
---
---Example:
---```lua
---assert(linux1:start())
---assert(linux1:stop())
---print(linux1:state())   --> absent
---```
---@return true? ok  It has stopped.
---@return string? message
---@return string? code
function zone:stop() end

---How what runs relates to the definition.
---"absent": it does not run. "same": it runs as written. "changed": it runs from another definition. "foreign": its id runs,
---but hvsh has not started it. "failed": it has crashed and is still listed.
---
---Errors: EINVAL when a check finds errors; ENOENT without a hypervisor.
---
---Example:
---```lua
---print(linux1:state())   --> absent
---```
---@return string? state
---@return string? message
---@return string? code
function zone:state() end

---Checks all zones of the script against each other, what runs and the board.
---
---Errors: ENOENT when what runs cannot be asked. What is found is no failure: it is in the list.
---
---Example:
---```lua
---local findings = assert(linux1:check())
---print(findings.errors, findings)   --> 0	nothing found
---```
---@return hvsh.findings? findings
---@return string? message
---@return string? code
function zone:check() end

---A device of the zone that this process serves.
---
---Errors: ENOENT when the zone has none of that name, or this process does not serve it.
---
---Example:
---```lua
---assert(linux1:start())
---print(linux1:device("root").type)   --> blk
---```
---@param name string  As in its definition.
---@return hvsh.device? device
---@return string? message
---@return string? code
function zone:device(name) end

---All devices of the zone that this process serves; prints as a table.
---
---Errors: none; the list is empty where nothing is served.
---
---Example:
---```lua
---assert(linux1:start())
---for _, device in ipairs(linux1:devices()) do print(device.name) end
-----> root
-----> eth0
-----> hvc0
---```
---@return hvsh.device[] devices
function zone:devices() end

---Adds a device while the zone runs, in a window that was planned for one: a slot, or what zone:detach left.
---
---Errors: ENOSPC when no planned window is free; ENOENT when the zone is not served here; EINVAL when the definition does not
---fit; others as the file or TAP gives them.
---
---Example:
---```lua
---assert(linux1:start())
---assert(linux1:device "eth0":detach())
---local data = assert(linux1:attach(blk "data" {image = "images/rootfs2.ext4", readonly = true}))
---print(data.name, data.readonly)   --> data	true
---```
---@param definition hvsh.definition  blk "data" {…} and so on.
---@return hvsh.device? device
---@return string? message
---@return string? code
function zone:attach(definition) end

---Calls a function whenever something happens to the zone. The script goes on for as long as the zone runs.
---
---Errors: none; an error in the function ends that call alone, and is logged.
---
---Example:
---```lua
---linux1:on("exit", function(e)
---	if e.what == "ended" then assert(linux1:start()) end
---end)
---assert(linux1:start())
---```
---@param name "start"|"exit"|"error"|"device"|"supervise"  What. "error": it has crashed. "device": what happens to one of its devices. "supervise": a supervisor has it in another state.
---@param f function  Gets one argument, hvsh.event_facts.
---@return hvsh.listener listener
function zone:on(name, f) end

---Waits until the zone runs ("start"), does not run ("exit") or has crashed ("error"), and tells which; at once where it is so
---already. Without a name it waits for the zone's end, whichever: "exit" or "error". What happens without hvsh is noticed
---within a second.
---
---Errors: ETIMEDOUT when it does not come in time, with what the zone is instead; ENOENT without a hypervisor.
---
---Example:
---```lua
---assert(linux1:start())
---print(linux1:wait "start")   --> start
---spawn(function() linux1:stop() end)
---print(linux1:wait {timeout = "60s"})   --> exit
---```
---@param name? "start"|"exit"|"error"|string[]|hvsh.wait_options  What, or a list of these; nothing: its end.
---@param options? hvsh.wait_options
---@return "start"|"exit"|"error"|nil state  What the zone is.
---@return string? message
---@return string? code
function zone:wait(name, options) end

---The device tree that the zone would be started with: its file with what hvsh changes in it, or the one that dtb = "auto" makes.
---
---Errors: EINVAL when a check finds errors; ENOENT when the zone has no tree, or hvsh changes nothing in its file.
---
---Example:
---```lua
---local tree = assert(linux1:tree())
---print(tree:find("/chosen"):prop("bootargs", "string"))   --> console=hvc0
---```
---@return hvsh.fdt.tree? tree
---@return string? message
---@return string? code
function zone:tree() end

---The plan of the devices that the zone is given by its field `passthrough`, as fdt.passthrough makes it.
---
---Errors: ENOENT when it is given none, or one is not in the tree; EINVAL when the tree is wrong.
---
---Set-up:
---```lua
---local driver = zone "driver" {
---	id = 2,
---	cpus = {3},
---	board = require "board.qemu_virt",
---	ram = {at = 0x48000000, size = "32M"},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
---	passthrough = {"&uart0", tree = "board.dtb"},
---}
---```
---
---Example:
---```lua
---local plan = assert(driver:passthrough())
---for _, region in ipairs(plan.regions) do print(("0x%x"):format(region.start), region.what) end   --> 0x9000000	/soc/pl011@9000000
---```
---@return hvsh.fdt.plan? plan
---@return string? message
---@return string? code
function zone:passthrough() end

---@class hvsh.spec
---A definition as it was checked: the fields of help "zone", with lists where one or many could be given, numbers for sizes,
---and with what follows from the board. It cannot be changed.
---@field name string  Name of the zone.
---@field regions table[]  All memory: type, at, size, phys, name.
local spec = {}
