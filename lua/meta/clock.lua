-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Clocks
---@meta

---@class hvsh.clock
---The clocks of the root zone's kernel, or of the simulated machine, and what the clocks of a device take when it goes to a zone.
clock = {}

---All clocks, parents before what they feed; prints as a tree.
---
---Errors: ENOENT when the kernel does not show them: debugfs is not mounted, or has no clk_summary; EACCES when not root.
---
---Example:
---```lua
---for _, c in ipairs(assert(clock.list())) do
---	if c.parent == "apb" and c.running then print(c.name, c.rate) end   --> uart0	96000000
---end
---```
---@return hvsh.clock_object[]? list
---@return string? message
---@return string? code
function clock.list() end

---One clock: by its name, by the device that uses it, or by where a tree refers to it. Text alone is a name.
---
---Errors: ENOENT when there is none, or which one it is cannot be told; others as clock.list.
---
---Example:
---```lua
---print(clock.find("uart0").rate)                                             --> 96000000
---print(clock.find({consumer = "9000000.pl011"}).name)                        --> uart0
---print(clock.find({ref = "&uart0:uartclk", tree = "board.dtb"}).name)        --> uart0
---```
---@param what string|hvsh.clock_options  A name, or one of name, consumer and ref.
---@return hvsh.clock_object? clock
---@return string? message
---@return string? code
function clock.find(what) end

---What the clocks of a device take when it goes to a zone: which clocks they are, what the root zone's tree must list, and the
---fixed clocks that the guest's tree gets in their place. Prints as a page.
---
---Errors: ENOENT when there is no such node or tree; EINVAL when the tree is wrong. When the kernel's clocks cannot be read, its
---field why says so.
---
---Example:
---```lua
---local plan = assert(clock.plan("&uart0", {tree = "board.dtb"}))
---for _, c in ipairs(plan.clocks) do print(c.slot, c.name, c.rate) end
-----> 0	uartclk	96000000
-----> 1	apb_pclk	24000000
---```
---@param node string|hvsh.fdt.node  A path, &label, alias or node.
---@param options? hvsh.clock_plan_options
---@return hvsh.clock_plan? plan
---@return string? message
---@return string? code
function clock.plan(node, options) end

---The rate of one clock of a node.
---
---Errors: as clock.plan. nil alone when the rate is not known.
---
---Example:
---```lua
---print(clock.rate_of("&uart0", 1, "board.dtb"))   --> 24000000
---```
---@param node string  A path, &label or alias.
---@param slot integer [number] Place in its clocks, from 0.
---@param tree? string|hvsh.fdt.tree  A file or a tree (default: the one the machine runs with).
---@return integer? rate  [Hz]
---@return string? message
---@return string? code
function clock.rate_of(node, slot, tree) end

---@class hvsh.clock_object
---A clock as it was when it was read. What is not known is false.
---
---Set-up:
---```lua
---local uart = assert(clock.find "uart0")
---```
---@field name string  Its name.
---@field parent string|false  What feeds it; false for an oscillator.
---@field rate integer [Hz] Its rate.
---@field enable_count integer [count] How many want it on.
---@field prepare_count integer [count] How many have it prepared.
---@field protect_count integer [count] How many rely on its rate.
---@field accuracy integer [ppb] How exact it is, in parts per billion.
---@field phase integer|false [degrees] Its phase.
---@field duty integer|false [1/1000 %] How long it is high: 50000 is half of the time.
---@field running boolean|false  It ticks.
---@field users hvsh.clock_user[]  Who uses it; empty before kernel 6.5.
local clock_object = {}

---Its id among the clocks that the root zone lends. Only these can be switched and set.
---
---Errors: ENOENT when it is not lent; EOPNOTSUPP when the kernel module lends nothing.
---
---Example:
---```lua
---print(uart:lent())   --> 0
---```
---@return integer? id  [id] As scmi takes it.
---@return string? message
---@return string? code
function clock_object:lent() end

---Switches it on for as long as this script wants it, whoever else has it on.
---
---Errors: ENOENT when it is not lent; others as the kernel gives them.
---
---Example:
---```lua
---assert(uart:enable())
---print(uart.enable_count)   --> 2
---```
---@return true? ok
---@return string? message
---@return string? code
function clock_object:enable() end

---Takes one clock_object:enable of this script back.
---
---Errors: EINVAL when this script did not switch it on; ENOENT when it is not lent.
---
---Example:
---```lua
---assert(uart:enable())
---assert(uart:disable())
---print(select(3, uart:disable()))   --> EINVAL
---```
---@return true? ok
---@return string? message
---@return string? code
function clock_object:disable() end

---Asks for a rate. The kernel gives what the hardware can do, never more.
---
---Errors: ENOENT when it is not lent; others as the kernel gives them.
---
---Example:
---```lua
---print(uart:set_rate "24M")      --> 24000000
---print(uart:set_rate(25000000))  --> 24000000
---```
---@param rate integer|string [Hz] A number, or text as "24M" or "1.5 GHz".
---@return integer? rate  [Hz] What it got.
---@return string? message
---@return string? code
function clock_object:set_rate(rate) end

---@class hvsh.clocks
---What clock.list gives: a list that prints as a tree.
---@field [integer] hvsh.clock_object
local clocks = {}

---@class hvsh.clock_options
---@field name? string  The clock's name.
---@field consumer? string  The device that uses it, "9000000.pl011"; with ":uartclk" behind it by its name there.
---@field ref? string  Where a tree refers to it: a node, and an entry of its clocks by name or number, "&uart0:uartclk".
---@field tree? string|hvsh.fdt.tree  For ref: a file or a tree (default: the one the machine runs with).
local clock_options = {}

---@class hvsh.clock_plan_options
---@field tree? string|hvsh.fdt.tree  The root zone's tree (default: the one the machine runs with).
---@field guest? string|hvsh.fdt.tree  The tree that gets the fixed clocks, so that their phandles fit.
local clock_plan_options = {}

---@class hvsh.clock_user
---Who uses a clock.
---@field device string?  The device.
---@field connection string?  What the device calls it.
local clock_user = {}

---@class hvsh.clock_plan
---What the clocks of a device take.
---@field clocks hvsh.clock_need[]  The device's clocks.
---@field root string  What the root zone's tree must list, as source; empty when it lists it already.
---@field guest string  What the guest's tree gets, as source.
---@field why string?  Why the kernel's clocks could not be read.
local clock_plan = {}

---@class hvsh.clock_need
---A clock that a device uses.
---@field slot integer [number] Place in its clocks, from 0.
---@field name string?  Its name there.
---@field provider string  Path of the node that provides it.
---@field cells integer[] [number] What stands behind the provider.
---@field rate integer? [Hz] Its rate, where it is known.
---@field how string  How it was found out, or why not.
---@field lent integer? [id] Its id among those that the root zone lends.
---@field clock string?  Its name in the kernel.
local clock_need = {}
