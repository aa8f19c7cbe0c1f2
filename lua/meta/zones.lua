-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: All zones
---@meta

---@class hvsh.zones
---The zones of the script, and those that run. zones.linux1 is the one defined by that name, #zones how many are defined;
---for name, zone in pairs(zones) goes over them in order.
---
---Set-up:
---```lua
---local function linux(name, id, at)
---	return zone(name) {
---		id = id,
---		cpus = {id + 1},
---		board = require "board.qemu_virt",
---		ram = {at = at, size = "384M"},
---		kernel = {image = "images/unikernel-arm64.bin", at = at},
---	}
---end
---linux("linux1", 1, 0x50000000)
---linux("linux2", 2, 0x68000000)
---```
zones = {}

---Running and defined zones; prints as a table.
---
---Errors: ENOENT without a hypervisor; others as it gives them.
---
---Example:
---```lua
---assert(zones.start "linux1")
---for _, z in ipairs(assert(zones.list())) do print(z.id, z.name, z.state) end
-----> 0	root-linux	root
-----> 1	linux1	running
-----> 2	linux2	defined
---```
---@return hvsh.zone_row[]? list
---@return string? message
---@return string? code
function zones.list() end

---Checks all zones of the script against each other, what runs and the board. The list prints as a report.
---
---Errors: ENOENT when what runs cannot be asked. What is found is no failure: it is in the list.
---
---Example:
---```lua
---local findings = assert(zones.check())
---for _, f in ipairs(findings) do print(f.severity, f.message) end
---print(findings.errors)   --> 0
---```
---@return hvsh.findings? findings
---@return string? message
---@return string? code
function zones.check() end

---What zones.apply would do, step by step; prints as text.
---
---Errors: EINVAL when a check finds errors: the message is their report; ENOENT without a hypervisor.
---
---Example:
---```lua
---local plan = assert(zones.plan())
---print(plan.deltas[1].zone, plan.deltas[1].state)   --> linux1	absent
---print(plan.steps[1].kind, plan.steps[1].what)      --> load	kernel unikernel-arm64.bin
---```
---@param options? hvsh.plan_options
---@return hvsh.plan? plan
---@return string? message
---@return string? code
function zones.plan(options) end

---Makes what runs agree with the script: zones that do not run are started, those that run as written are left alone. What
---differs is left alone, too, and is a failure, unless restart is given. Nothing is written before all checks have passed.
---
---Errors: EINVAL when a check finds errors; EEXIST when zones differ and restart is not given; others as zone.start.
---
---Example:
---```lua
---assert(zones.apply())
---assert(zones.apply {restart = true})   -- changes nothing: all run as written
---```
---@param options? hvsh.apply_options
---@return true? ok  All run as written.
---@return string? message
---@return string? code
function zones.apply(options) end

---Starts the named zones, or all of the script: all of them run afterwards, or none that did not run before.
---
---Where a script looks away from the last failure of a start, its end does not: it says what was wrong, and the exit status is 1.
---
---Errors: ENOENT when no zone has that name, or without a hypervisor; EINVAL when a check finds errors; EEXIST when one runs
---from another definition; others as zone.start.
---
---Example:
---```lua
---assert(zones.start("linux1", "linux2"))
---print(zones.linux2:state())   --> same
---```
---@param ... string|hvsh.zone  Names or zones; nothing: all.
---@return true? ok  They run.
---@return string? message
---@return string? code
function zones.start(...) end

---Stops the named zones, or all of the script that run, the last one first. Each is tried.
---
---Errors: ENOENT when a named zone does not run; EPERM for zone 0, the root zone; ETIMEDOUT when a CPU does not stop.
---
---Example:
---```lua
---assert(zones.start())
---assert(zones.stop(2))          -- by id
---assert(zones.stop "linux1")    -- by name
---```
---@param ... string|integer|hvsh.zone  [id] Names, ids or zones; nothing: all.
---@return true? ok  They have stopped.
---@return string? message
---@return string? code
function zones.stop(...) end

---@class hvsh.plan_options
---@field restart? boolean  Plan to take down what differs (default false).
---@field force? boolean  And what runs as written, as zone:restart does (default false).
---@field names? string[]  Only these zones (default all).
local plan_options = {}

---@class hvsh.apply_options
---@field restart? boolean  Take down what differs or has crashed, and start it as written (default false).
local apply_options = {}

---@class hvsh.zone_row
---A zone in zones.list.
---@field id integer [id] Its number at the hypervisor; 0 is the root zone.
---@field name string  Its name.
---@field state string  "root", "running", "failed" (crashed), or "defined" (does not run).
---@field cpus integer[] [number] Its CPUs.
---@field memory integer? [bytes] Its RAM; nil where nobody knows it, as for zones that hvsh did not start.
---@field defined boolean  The script defines it.
---@field supervised? table  {state=, reason=}, where a supervisor looks after it: its state there, and why.
local zone_row = {}

---@class hvsh.plan
---What would be done.
---@field deltas hvsh.delta[]  How each zone differs from what runs.
---@field steps hvsh.step[]  What would be done, in order.
local plan = {}

---@class hvsh.delta
---How a zone differs from what runs.
---@field zone string  Its name.
---@field id integer [id] Its number at the hypervisor.
---@field state string  As zone:state gives it.
---@field given string[]  Devices of the machine that it is given, by path or as "compatible=…".
---@field changes hvsh.change[]  What differs, where it is known.
local delta = {}

---@class hvsh.change
---One difference.
---@field field string  What it is of, as in a zone's table.
---@field from string  How it runs.
---@field to string  How it is written.
local change = {}

---@class hvsh.step
---One step of a plan.
---@field kind string  "stop", "serve" (open devices), "load" (a file), "write" (a made tree or text), "start".
---@field zone string  Name of the zone.
---@field id integer [id] Its number at the hypervisor.
---@field what string?  Which file, or which devices.
---@field path string?  The file.
---@field ipa integer? [address] Guest address it goes to.
---@field phys integer? [address] Physical address it goes to.
---@field size integer? [bytes] How much.
local step = {}

---@class hvsh.findings
---What a check found: a list that prints as a report, of more than 200 the first ones.
---@field errors integer [count] How many errors are in it. With one or more nothing is started.
---@field warnings integer [count] How many warnings.
---@field [integer] hvsh.finding
local findings = {}

---@class hvsh.finding
---One thing a check found.
---@field severity string  "error", "warning" or "note".
---@field code string  What kind it is: the same word for the same rule, always.
---@field message string  What is wrong, in words.
---@field fix string?  What would be right.
---@field a hvsh.party  Who it is about.
---@field b hvsh.party?  The other one, where there are two.
local finding = {}

---@class hvsh.party
---A side of a finding.
---@field zone string?  Name of the zone.
---@field what string?  Which part: a region, a device, a file.
---@field file string?  Script where it is written.
---@field line integer? [line] Line there.
---@field field string?  Field of the zone's table.
local party = {}
