-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Log
---@meta

---@class hvsh.log
---Lines for the journal, on standard error. What is below the level is not written.
log = {}

---Logs that something failed. With more arguments, text is a format as of string.format.
---
---Errors: none.
---
---Example:
---```lua
---log.error("zone %s did not come up", "linux1")
---```
---@param text any  The line, or a format.
---@param ... any  What goes into the format.
function log.error(text, ...) end

---Logs what somebody should look at.
---
---Errors: none.
---
---Example:
---```lua
---log.warn "no answer yet, trying again"
---```
---@param text any  The line, or a format.
---@param ... any  What goes into the format.
function log.warn(text, ...) end

---Logs what happens.
---
---Errors: none.
---
---Example:
---```lua
---log.info("%d of %d zones run", 1, 2)
---```
---@param text any  The line, or a format.
---@param ... any  What goes into the format.
function log.info(text, ...) end

---Logs details for who looks for a mistake.
---
---Errors: none.
---
---Example:
---```lua
---log.debug "asking once more"
---```
---@param text any  The line, or a format.
---@param ... any  What goes into the format.
function log.debug(text, ...) end

---The level in force; with a word, sets it for as long as this process runs. `hvsh log LEVEL` does so for a service.
---
---Errors: none.
---
---Example:
---```lua
---local was = log.level "error"
---log.warn "nobody sees this"
---log.level(was)
---```
---@param word? "error"|"warn"|"info"|"debug"  The new level.
---@return string level  What it was.
function log.level(word) end
