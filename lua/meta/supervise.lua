-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Supervision
---@meta

---@class policy.supervise
---Keeps zones running: `require "policy.supervise"`. The module may be called itself, as supervise.zones. What it does with a zone
---is a table of states: waiting (for others), starting, running (not known to be ready), ready, stopping, backoff (waits before
---the next start), failed (given up), stopped, and quarantined: hvisor did not confirm that it has stopped, so it is not
---started again before somebody releases it. Each change is an event "supervise", a line in the log, and in `hvsh list`.
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
local supervise = {}

---Starts zones in the order that `after` asks for, starts them again after failures, and stops them in the reverse order. Those
---that run already are taken over. What is written beside the list holds for all zones that do not say otherwise.
---
---Errors: none; mistakes in the table are errors where it stands. A zone that cannot be started is a failure of that zone.
---
---Example:
---```lua
---local s = require("policy.supervise").zones {
---	{unikernel, restart = "always", backoff = {from = "1s", to = "1m"}},
---	budget = {count = 5, within = "10m"},
---}
---assert(s:wait {timeout = "30s"})
---print(s)   --> unikernel: ready
---assert(s:stop())
---s:close()
---```
---@param options policy.supervise_options
---@return hvsh.supervisor supervisor
function supervise.zones(options) end

---@class policy.supervise_options
---Entries [1], [2] … are the zones: a zone, its name, or a table whose [1] is one, with these fields for it alone.
---@field after? (hvsh.zone|string)[]  Zones that have to be ready before it is started.
---@field ready? table|function [seconds] When it is ready: {expect =, console =} a pattern on a console, {file =} a file that appears (it is removed before the start), {call =} or a function that is asked until it gives true. within: how long that may take (60 s); then it has failed. Without it, a zone is ready when it is started.
---@field restart? string  "on-failure" (default): after a crash, a missed deadline or watchdog. "always": also when it ended by itself. "never".
---@field backoff? table [seconds] Before the next start: {from = 1, to = 60, factor = 2}, longer with each failure that counts.
---@field budget? table|false [count] Failures allowed: {count = 5, within = "10m"}; one more, and the zone has failed. false: any number.
---@field watchdog? table [seconds] What a zone that is ready must do: {silence =} write to its console that often, {kicks =} use a device, {heartbeat =, within =} write a pattern, or change what a function gives (default 30 s). console: which one.
---@field stop? table|function [seconds] How it is asked to end: {type =, console =} text for its console, {call =} or a function, which may give nil and a message when it cannot be asked. within: how long it may take (30 s); then it is taken down, and at once when it cannot be asked.
---@field on_failure? string|function  When a zone is failed or quarantined: "stop" stops all others, a function gets name, state and reason.
---@field on_exit? string  "leave" (default) or "stop": SIGTERM stops the zones first. For all of them together.
local supervise_options = {}

---@class hvsh.supervisor
---What supervise.zones gives; prints as a table of states. hvsh goes on for as long as one of its zones runs or is to be started.
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
---local s <close> = require "policy.supervise" {unikernel}
---```
local s = {}

---The state of each zone and why it is in it, in the order of starting; prints as a table.
---
---Errors: none.
---
---Example:
---```lua
---assert(s:wait {timeout = "30s"})
---for _, z in ipairs(s:status()) do print(z.zone, z.state, z.starts) end   --> unikernel	ready	1
---```
---@return hvsh.supervised[] list
function s:status() end

---Waits until all zones are ready.
---
---Errors: ECANCELED when one of them is failed, quarantined or stopped; ETIMEDOUT when they are not ready in time.
---
---Example:
---```lua
---print(s:wait {timeout = "30s"})   --> true
---```
---@param options? hvsh.wait_options
---@return true? ok
---@return string? message
---@return string? code
function s:wait(options) end

---Stops a zone, or all in the reverse order of starting, and waits for it. They are asked first, where `stop` says how.
---
---Errors: EBUSY when a zone is quarantined: nobody knows whether it has stopped; ECANCELED when somebody has started one again
---meanwhile: it runs.
---
---Example:
---```lua
---assert(s:wait {timeout = "30s"})
---assert(s:stop())
---print(s)   --> unikernel: stopped: was asked to stop
---```
---@param zone? hvsh.zone|string  Which one (default: all).
---@return true? ok
---@return string? message
---@return string? code
function s:stop(zone) end

---Has a zone that is stopped or failed, or all of them, started again. Its failures are forgotten.
---
---Errors: EBUSY when the zone is quarantined, or when one of them is just being stopped: nothing is started then.
---
---Example:
---```lua
---assert(s:wait {timeout = "30s"})
---assert(s:stop "unikernel")
---assert(s:start "unikernel")
---print(s:wait {timeout = "30s"})   --> true
---```
---@param zone? hvsh.zone|string  Which one (default: all).
---@return true? ok  It will be started.
---@return string? message
---@return string? code
function s:start(zone) end

---Takes a zone out of quarantine, once somebody has seen that it is gone. It is then stopped, and can be started.
---
---Errors: none; a zone that is not in quarantine is left as it is.
---
---Example:
---```lua
---s:release(unikernel)
---```
---@param zone hvsh.zone|string  Which one.
---@return true ok
function s:release(zone) end

---Ends the supervision. The zones go on as they are. What waits in s:wait or s:stop gives ECANCELED; afterwards s:status, s:stop,
---s:start and s:release are errors of the script.
---
---Errors: none.
---
---Example:
---```lua
---s:close()
---print(zones.list()[2].supervised)   --> nil
---```
---@return true ok
function s:close() end

---@class hvsh.supervised
---A zone as s:status gives it.
---@field zone string  Its name.
---@field state string  As the module describes.
---@field reason string  Why, for people; may be empty.
---@field starts integer [count] How often it was started.
---@field failures integer [count] How many failures count at the moment.
local supervised = {}
