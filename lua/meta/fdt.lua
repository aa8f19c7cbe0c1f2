-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Device trees
---@meta

---@class hvsh.fdt
---Device trees: reading them, finding out what giving devices to a zone means, making a zone's tree.
---
---Set-up:
---```lua
---local tree = assert(fdt.open "board.dtb")
---```
fdt = {}

---Opens a compiled tree.
---
---Errors: ENOENT when there is no such file; EINVAL when it is no device tree; others as the file gives them.
---
---Example:
---```lua
---local tree <close> = assert(fdt.open "board.dtb")
---print(tree.model)   --> example board
---```
---@param path string  The .dtb file.
---@return hvsh.fdt.tree? tree
---@return string? message
---@return string? code
function fdt.open(path) end

---A tree from the bytes of a compiled one.
---
---Errors: EINVAL when it is no device tree.
---
---Example:
---```lua
---local copy = assert(fdt.parse(tree:bytes(), "copy"))
---print(#fdt.diff(tree, copy))   --> 0
---```
---@param bytes string  The bytes.
---@param label? string  What messages call it (default "device tree").
---@return hvsh.fdt.tree? tree
---@return string? message
---@return string? code
function fdt.parse(bytes, label) end

---The tree that this machine's kernel was started with.
---
---Errors: ENOENT when the machine has none.
---
---Example:
---```lua
---local machine, message = fdt.machine()
---print(machine and machine.model or message)
---```
---@param folder? string  A folder that stands for /proc/device-tree.
---@return hvsh.fdt.tree? tree
---@return string? message
---@return string? code
function fdt.machine(folder) end

---In what two trees differ, phandle numbers aside.
---
---Errors: none.
---
---Example:
---```lua
---local other = assert(fdt.open "board.dtb")
---other:set("&uart1", "status", "okay")
---for _, d in ipairs(fdt.diff(tree, other)) do
---	print(d.path, d.property, d.a, d.b)   --> /soc/pl011@9000800	status	"disabled"	"okay"
---end
---```
---@param a hvsh.fdt.tree
---@param b hvsh.fdt.tree
---@return hvsh.fdt.difference[] differences
function fdt.diff(a, b) end

---Plans what giving devices to a zone means: registers and interrupts, what else comes along, what stays with the root zone and
---who else is on their pages. Prints as a page.
---
---Errors: ENOENT when a device or clock is not in the tree; EINVAL when the tree is wrong.
---
---Example:
---```lua
---local plan = assert(fdt.passthrough {"&uart0", tree = tree})
---for _, n in ipairs(plan.irqs) do print(n) end   --> 33
---```
---@param wanted hvsh.fdt.passthrough_options
---@return hvsh.fdt.plan? plan
---@return string? message
---@return string? code
function fdt.passthrough(wanted) end

---Makes a zone's tree. The controller and its registers come from tree or plan, where these have them.
---
---Errors: EINVAL when what was asked for makes no tree.
---
---Example:
---```lua
---local plan = assert(fdt.passthrough {"&uart0", tree = tree, rates = {["&uart0"] = {uartclk = "24M"}}})
---local guest = assert(fdt.guest {
---	plan = plan, cpus = {2}, memory = {at = 0x50000000, size = "64M"}, bootargs = "console=ttyAMA0",
---	virtio = {at = 0xa003c00, irq = 78},
---})
---print(#guest:list {compatible = "virtio,mmio"})   --> 1
---```
---@param wanted hvsh.fdt.guest_options
---@return hvsh.fdt.tree? tree
---@return string? message
---@return string? code
function fdt.guest(wanted) end

---@class hvsh.fdt.passthrough_options
---@field [integer] string|table|hvsh.fdt.node  Devices: paths, &labels, aliases, nodes, or {compatible = "…"} for all enabled ones that are.
---@field tree string|hvsh.fdt.tree  The machine's tree, or its file.
---@field devices? string|table|hvsh.fdt.node  Devices once more, for those who like a name for it.
---@field compatible? string|string[]  All enabled devices that are compatible with one of these.
---@field coalesce? boolean  Regions are widened to 2 MiB (default false).
---@field rates? table<string,table> [Hz] Rates of clocks, as numbers or "24M": by device, then by the clock's name or position from 1.
local passthrough_options = {}

---@class hvsh.fdt.guest_options
---@field tree? hvsh.fdt.tree  The machine's tree (default: the plan's).
---@field plan? hvsh.fdt.plan  Devices that the zone gets.
---@field controller? "gicv2"|"gicv3"|"plic"|"aplic"  Interrupt controller (default: the machine's).
---@field registers? hvsh.fdt.window|hvsh.fdt.window[]  Its registers (default: the machine's).
---@field its? hvsh.fdt.window  gicv3: interrupt translation service.
---@field sources? integer [count] plic, aplic: how many interrupts.
---@field cpus integer[]|table[] [number] CPU ids, or {id=, compatible=} each.
---@field isa? string  riscv: instruction set.
---@field timebase? integer [Hz] riscv: rate of the timer.
---@field memory hvsh.fdt.window|hvsh.fdt.window[]  RAM of the zone.
---@field reserved? hvsh.fdt.window|hvsh.fdt.window[]  Parts of it that are reserved; each may have name and no_map.
---@field model? string  What the tree calls the machine.
---@field bootargs? string  The kernel's command line.
---@field stdout? string  First console: a path or alias.
---@field initrd? hvsh.fdt.window  Where the initial RAM disk lies.
---@field virtio? table|table[] [number] Windows of virtio devices: {at=, size=, irq=}.
---@field ivc? integer|integer[] [number] Interrupts of channels to other zones.
local guest_options = {}

---@class hvsh.fdt.window
---A stretch of addresses.
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.
local window = {}

---@class hvsh.fdt.difference
---One difference of two trees.
---@field path string  Node.
---@field only string?  "a" or "b": only that tree has the node.
---@field property string?  Property that differs.
---@field a string?  Its value in the first tree, as source; nil when it has none.
---@field b string?  Its value in the second.
local difference = {}
