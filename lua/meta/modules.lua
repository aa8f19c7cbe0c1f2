-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Import and export
---@meta

---@class export.hvisor
---Zones as the files of hvisor-tool: `require "export.hvisor"`.
---
---Set-up:
---```lua
---local rtos = zone "rtos" {
---	id = 3,
---	cpus = {3},
---	board = require "board.qemu_virt",
---	ram = {at = 0x48000000, size = "32M"},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
---}
---```
local hvisor = {}

---Writes a file for each zone and one for all their devices into a folder that is there. Everything is written out as it was
---decided: addresses, windows, interrupts. What these files cannot say is in the list that comes back, whose field files names
---what was written.
---
---Errors: EINVAL when a check finds errors; ENOENT when no zone is defined; ENOTSUP when hvisor-tool could not read it; EIO when
---a file cannot be written.
---
---Example:
---```lua
---local lost = assert(require("export.hvisor").write("."))
---print(lost.files[1], #lost)   --> ./rtos.json	0
---```
---@param folder string  Where the files go.
---@param zones? hvsh.zone|hvsh.zone[]  Which zones (default: all of the script).
---@return hvsh.findings? lost
---@return string? message
---@return string? code
function hvisor.write(folder, zones) end

---@class export.microkit
---Zones as a system description of Microkit, a virtual machine with its monitor each: `require "export.microkit"`.
---
---Set-up:
---```lua
---local rtos = zone "rtos" {
---	id = 3,
---	cpus = {3},
---	board = require "board.qemu_virt",
---	ram = {at = 0x48000000, size = "32M"},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
---}
---local microkit = require "export.microkit"
---```
local microkit = {}

---The system description as text, and what it cannot say.
---
---Errors: EINVAL when a check finds errors; ENOTSUP when it cannot be said at all.
---
---Example:
---```lua
---print(microkit.text({zone = rtos}):find "<virtual_machine" ~= nil)   --> true
---```
---@param wanted export.microkit_options|export.microkit_options[]  A virtual machine, or several.
---@return string? text
---@return string|hvsh.findings|nil lost  What the description cannot say; on failure the message.
---@return string? code
function microkit.text(wanted) end

---Writes the system description, and the tables of interrupts that were asked for.
---
---Errors: EINVAL when a check finds errors; ENOTSUP when it cannot be said at all; EIO when a file cannot be written.
---
---Example:
---```lua
---local lost = assert(microkit.write("rtos.system", {zone = rtos, irqs = "rtos_irqs.h"}))
---print(#lost)   --> 0
---```
---@param path string  The file.
---@param wanted export.microkit_options|export.microkit_options[]  A virtual machine, or several.
---@return hvsh.findings? lost  What the description cannot say.
---@return string? message
---@return string? code
function microkit.write(path, wanted) end

---@class export.microkit_options
---@field zone hvsh.zone  RAM, registers, interrupts and CPUs.
---@field plan? hvsh.fdt.plan  Pages, reserved memory and interrupts with their triggers.
---@field image? string  The monitor's program (default: NAME_vmm.elf).
---@field priority? integer [number] Of the monitor (default 100).
---@field ram_symbol? string|false  The monitor's variable that gets the address of the first RAM (default guest_ram_vaddr; false: none).
---@field first_channel? integer [number] Of the interrupts, which follow each other (default 1).
---@field irqs? string  A file for C: interrupt and channel of each.
local microkit_options = {}

---@class export.tree
---Device trees for guests that know their machine from the tree alone: `require "export.tree"`.
---
---Set-up:
---```lua
---local rtos = zone "rtos" {
---	id = 3,
---	cpus = {3},
---	board = require "board.qemu_virt",
---	ram = {at = 0x48000000, size = "32M"},
---	mmio = {{at = 0x9000000, size = "4K"}},
---	irqs = {33},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
---}
---```
local tree = {}

---A tree with the zone's CPUs, memory, interrupt controller, virtio devices and, if wanted, a UART of its own.
---
---Errors: EINVAL when a check finds errors; ENOENT when the UART's registers or interrupt are not the zone's; ENOTSUP when its
---architecture has no trees.
---
---Example:
---```lua
---local made = assert(require("export.tree").of(rtos, {uart = {at = 0x9000000, irq = 33, compatible = "arm,pl011"}}))
---print(made:find("/chosen"):prop("stdout-path", "string"))   --> /serial@9000000
---```
---@param zone hvsh.zone  Whose tree.
---@param options? export.tree_options
---@return hvsh.fdt.tree? tree
---@return string? message
---@return string? code
function tree.of(zone, options) end

---@class export.tree_options
---@field uart? table [number] A UART that the zone has: {at=, irq=, size=, compatible=, clock=}; clock in Hz.
---@field isa? string  riscv: instruction set.
---@field timebase? integer [Hz] riscv: rate of the timer.
---@field sources? integer [count] plic, aplic: how many interrupts.
---@field model? string  What the tree calls the machine.
---@field bootargs? string  The kernel's command line (default: that of the zone).
local tree_options = {}

---@class import.json
---Zones from the files of hvisor-tool, in all their historical forms: `require "import.json"`.
---
---Set-up:
---```lua
---local json = require "import.json"
---local function file(name) return {name = name, text = io.open("imported/" .. name, "rb"):read "a"} end
---```
local json = {}

---Reads zone files and virtio files, in any order.
---
---Errors: nil and a list of places, when something in them is wrong.
---
---Example:
---```lua
---local result, problems = json.files {file "zone1.json", file "virtio.json"}
---for _, place in ipairs(problems or {}) do print(json.format(place)) end
---print(#result.zones, result.script:match 'zone "[^"]*"')   --> 1	zone "linux1"
---```
---@param files table[]  {name=, text=} each.
---@return import.json.result? result
---@return import.json.place[]? problems  On failure: what is wrong.
---@return import.json.place[]? notes  On failure: what is worth knowing besides.
function json.files(files) end

---Reads a virtio file by itself, for who serves zones that somebody else starts.
---
---Errors: nil and a list of places, when something in it is wrong.
---
---Example:
---```lua
---local zones = assert(json.virtio(file "virtio.json"))
---print(#zones, #zones[1].devices)   --> 1	2
---```
---@param file table  {name=, text=}.
---@return table[]? zones  [id] {id=, ram=, devices=} each.
---@return import.json.place[]? problems  On failure: what is wrong; otherwise what is worth knowing.
function json.virtio(file) end

---Defines the zones of a result, as if they stood in a script whose lines are those of the files.
---
---Errors: nil and a message, when a zone cannot be defined.
---
---Example:
---```lua
---assert(json.define(json.files {file "zone1.json", file "virtio.json"}))
---print(#zones)   --> 1
---```
---@param result import.json.result  What json.files gave.
---@return true? ok
---@return string? message
function json.define(result) end

---A place as text: file, line, JSON pointer and message.
---
---Errors: none.
---
---Example:
---```lua
---local _, problems = json.files {{name = "zone1.json", text = "{"}}
---print(json.format(problems[1]):match "^zone1.json:1:")   --> zone1.json:1:
---```
---@param place import.json.place
---@return string text
function json.format(place) end

---@class import.json.result
---What was read.
---@field script string  The equivalent script.
---@field definitions string  The same without starting the zones.
---@field zones table[]  The zones as tables.
---@field notes import.json.place[]  What is worth knowing, such as a field that was corrected.
local result = {}

---@class import.json.place
---Where something stands in a file.
---@field file string  The file.
---@field line integer? [line] Line in it.
---@field pointer string  JSON pointer in it.
---@field message string  What is to be said of it.
local place = {}
