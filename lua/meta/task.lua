-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Tasks
---@meta

---Calls a function as a task of its own; it begins when this one waits next. One task runs at a time, and only a wait lets
---another one go on. The script goes on serving devices meanwhile.
---
---Errors: none; an error in the task ends the task alone, and is logged.
---
---Example:
---```lua
---local task = spawn(function(a, b) sleep "1ms" return a + b end, 2, 3)
---print(task:wait())   --> 5
---```
---@param f function  What is called.
---@param ... any  Its arguments.
---@return hvsh.task task
function spawn(f, ...) end

---Waits; other tasks go on.
---
---Errors: none.
---
---Example:
---```lua
---sleep "20ms"
---sleep(0.02)
---```
---@param time hvsh.duration  How long.
function sleep(time) end

---Calls a function once, when a time has passed, as a task of its own.
---
---Errors: none; an error in the task ends the task alone, and is logged.
---
---Example:
---```lua
---local task = after("10ms", function(text) return text end, "done")
---print(task:wait())   --> done
---```
---@param time hvsh.duration  When.
---@param f function  What is called.
---@param ... any  Its arguments.
---@return hvsh.task task
function after(time, f, ...) end

---Calls a function at the end of every period, until the task is cancelled or fails. Periods that pass while it runs are left out.
---
---Errors: none; an error in the task ends the task alone, and is logged.
---
---Example:
---```lua
---local n, timer = 0, nil
---timer = every("2ms", function()
---	n = n + 1
---	if n == 3 then timer:cancel() end
---end)
---timer:wait()
---print(n)   --> 3
---```
---@param period hvsh.duration  Longer than 0.
---@param f function  What is called.
---@param ... any  Its arguments.
---@return hvsh.task task
function every(period, f, ...) end

---@class hvsh.task
---What spawn, after and every give. `local task <close> = spawn(…)` cancels it at the end of its block.
---@field name string  Where its function is written, "boot.lua:12".
---@field state string  "waiting", "running", "done", "failed" or "cancelled".
local task = {}

---Waits for the task's end and gives what its function returned.
---
---Errors: EFAULT with the message when the task failed; ECANCELED when it was cancelled; ETIMEDOUT when it has not ended in time.
---
---Example:
---```lua
---local task = spawn(function() sleep "1h" end)
---local _, message, code = task:wait {timeout = "5ms"}
---print(code)   --> ETIMEDOUT
---task:cancel()
---```
---@param options? hvsh.wait_options
---@return any ...  What the function returned; nil, message and code when there is nothing.
function task:wait(options) end

---Ends the task where it waits. Its open `<close>` variables are closed.
---
---Errors: EFAULT with the message when something failed while it was closed.
---
---Example:
---```lua
---local task = spawn(function() sleep "1h" end)
---assert(task:cancel())
---print(task.state)   --> cancelled
---```
---@return true? ok  It has ended, or had ended before.
---@return string? message
---@return string? code
function task:cancel() end
