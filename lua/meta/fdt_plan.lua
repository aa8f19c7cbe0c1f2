-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Passthrough plans
---@meta

---@class hvsh.fdt.plan
---What giving devices to a zone means: fdt.passthrough. It prints as a page. A zone's own field `passthrough` does the same
---without a script's help.
---
---Set-up:
---```lua
---local tree = assert(fdt.open "board.dtb")
---local plan = assert(fdt.passthrough {"&uart0", tree = tree})
---```
---@field tree hvsh.fdt.tree  The machine's tree.
---@field nodes hvsh.fdt.plan_node[]  All nodes that matter, and what becomes of them.
---@field needs hvsh.fdt.plan_need[]  What given nodes need of others.
---@field regions hvsh.fdt.plan_region[]  Registers that the zone gets, in pages.
---@field memory hvsh.fdt.plan_region[]  Reserved memory of the devices.
---@field pages hvsh.fdt.plan_page[]  Pages on which others have registers as well.
---@field dma hvsh.fdt.plan_dma[]  What the devices can reach by themselves.
---@field problems hvsh.fdt.plan_problem[]  Errors, warnings and notes.
---@field interrupts hvsh.fdt.plan_irq[]  Interrupts that the zone gets.
---@field irqs integer[] [number] Their numbers, as the zone's `irqs` takes them.
---@field mmio table[]  The regions, as the zone's `mmio` takes them.
---@field missing_rates hvsh.fdt.plan_need[]  Clocks that stay with the root zone and whose rate nobody has said.
---@field conflicts string[]  What stands against it.
local plan = {}

---The overlay that the root zone's tree needs, as source: the wake-up interrupt, clocks that stay on, reserved memory, and the given
---devices disabled.
---
---Errors: EOPNOTSUPP when the tree has no interrupt controller that hvisor can raise interrupts at.
---
---Example:
---```lua
---local source = assert(plan:host {memory = {at = 0x50000000, size = "64M"}})
---print(source:find("zone@50000000", 1, true) ~= nil)   --> true
---```
---@param wanted? hvsh.fdt.host_options
---@return string? source
---@return string? message
---@return string? code
function plan:host(wanted) end

---What the tree that the root zone runs with lacks of plan:host.
---
---Errors: ENOENT when no tree is given and the machine has none.
---
---Example:
---```lua
---for _, text in ipairs(assert(plan:check_host(tree))) do print(text) end
-----> there is no node /hvisor_virtio_device: hvisor cannot wake the virtio service
-----> /soc/pl011@9000000 is enabled, though it is given away
---```
---@param tree? hvsh.fdt.tree  The root zone's tree (default: the one the machine runs with).
---@param wanted? hvsh.fdt.host_options
---@return string[]? texts  Empty when nothing is missing.
---@return string? message
---@return string? code
function plan:check_host(tree, wanted) end

---The plan as a page of text.
---
---Errors: none.
---
---Example:
---```lua
---print(plan:text():match "^[^\n]*")   --> Given to the zone
---```
---@param options? hvsh.fdt.text_options
---@return string text
function plan:text(options) end

---@class hvsh.fdt.host_options
---@field wakeup? integer [number] hvisor's interrupt for the virtio service (default 64).
---@field memory? hvsh.fdt.window|hvsh.fdt.window[]  RAM of zones, which the root zone must not use; each may have a name.
local host_options = {}

---@class hvsh.fdt.text_options
---@field color? boolean  With colours (default false).
local text_options = {}

---@class hvsh.fdt.plan_node
---A node, and what becomes of it.
---@field path string  Its path.
---@field role string  "named" (asked for), "below" (one that was), "comes along" (only given ones need it), "bus" (above a given one: only its frame), "host" (stays with the root zone), "virtual" (the hypervisor gives the zone one of its own), "shared" (needed by both: a conflict).
---@field enabled boolean  It is enabled in the tree.
---@field registers boolean  It has registers.
---@field why string?  Why.
local plan_node = {}

---@class hvsh.fdt.plan_need
---What a given node needs.
---@field path string  The node.
---@field kind string  "clock", "reset", "power-domain" and so on.
---@field property string  The property that says so.
---@field slot integer [number] Position there, from 1.
---@field name string?  Its name there.
---@field provider string  Path of the node that provides it.
---@field role string  What becomes of the provider, as in nodes.
---@field args integer[] [number] What stands behind the provider.
---@field rate integer? [Hz] A clock's rate, where it is known.
local plan_need = {}

---@class hvsh.fdt.plan_region
---A stretch of addresses that the zone gets.
---@field start integer [address] Where it begins.
---@field size integer [bytes] How long it is.
---@field what string  Whose it is.
local plan_region = {}

---@class hvsh.fdt.plan_irq
---An interrupt that the zone gets.
---@field number integer [number] As the CPUs' controller has it.
---@field trigger string  "level high", "edge rising" and so on.
---@field controller string  "gicv2", "gicv3", "plic", "aplic".
---@field path string  Whose it is.
---@field name string?  Its name there.
local plan_irq = {}

---@class hvsh.fdt.plan_page
---A page with registers of somebody else.
---@field start integer [address] Where it begins.
---@field size integer [bytes] How long it is.
---@field given string  Given nodes on it.
---@field others string  Other nodes on it.
---@field enabled boolean  One of the others is enabled.
local plan_page = {}

---@class hvsh.fdt.plan_dma
---What a device can reach by itself.
---@field path string  The device.
---@field iommu string?  The IOMMU that limits it.
---@field identity boolean  It calls addresses what the CPUs call them.
---@field start integer? [address] Where its reach begins.
---@field size integer? [bytes] How far it reaches.
---@field bus integer? [address] What it calls that beginning.
local plan_dma = {}

---@class hvsh.fdt.plan_problem
---What stands out.
---@field severity string  "error", "warning" or "note".
---@field path string  Where.
---@field message string  What.
local plan_problem = {}
