-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Memory map
---@meta

---@class hvsh.memmap
---Physical memory with everything that lies in it: zones that are defined, zones that run, the root zone and the hypervisor.
---At the prompt `memmap` alone prints it as a picture.
---
---Set-up:
---```lua
---zone "linux1" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x50000000, size = "384M"},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x50000000},
---}
---```
memmap = {}

---Prints the picture, or writes it as a drawing.
---
---Errors: EIO when the drawing cannot be written; EINVAL when a zone's definition cannot be resolved.
---
---Example:
---```lua
---assert(memmap.draw {width = 72})
---assert(memmap.draw {svg = "memory.svg"})
---```
---@param options? hvsh.draw_options
---@return true? ok
---@return string? message
---@return string? code
function memmap.draw(options) end

---The lowest free address for so many bytes of RAM.
---
---Errors: ENOSPC when nothing that large is free, or the machine's RAM is not known.
---
---Example:
---```lua
---print(("0x%x"):format(assert(memmap.free "64M")))   --> 0x44800000
---```
---@param size hvsh.size  How much.
---@param align? hvsh.size  Multiple that the address is of, a power of two (default 2 MiB).
---@return integer? address  [address] Physical address.
---@return string? message
---@return string? code
function memmap.free(size, align) end

---Everything in the map, by address.
---
---Errors: EINVAL when a zone's definition cannot be resolved.
---
---Example:
---```lua
---for _, r in ipairs(assert(memmap.ranges())) do
---	if r.zone == "linux1" then print(("0x%x"):format(r.start), r.kind, r.what) end   --> 0x50000000	ram	ram
---end
---```
---@return hvsh.range[]? ranges
---@return string? message
---@return string? code
function memmap.ranges() end

---@class hvsh.draw_options
---@field svg? string  File for a drawing, instead of printing.
---@field width? integer [columns] Width of the picture (default: the terminal's).
local draw_options = {}

---@class hvsh.range
---A stretch of physical memory.
---@field start integer [address] Where it begins.
---@field size integer [bytes] How long it is.
---@field kind string  "ram", "io", "virtio", "root" (RAM of the root zone), "reserved", "hypervisor", "window" (RAM of the board) or "shared".
---@field zone string  Whose it is: a zone's name, "zone0", "hvisor" or "board".
---@field what string  What its owner calls it.
---@field file string?  Script where it is written.
---@field line integer? [line] Line there.
---@field field string?  Field of the zone's table.
local range = {}
