-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Hypervisor
---@meta

---@class hvsh.hv
---The hypervisor below. It is asked when a field is read; reading a field raises an error where there is none.
---@field backend string  "device" (the kernel module) or "sim" (simulated).
---@field name string  What it calls itself.
---@field arch string  "arm64", "riscv64", "loongarch64" or "x86_64".
---@field version integer [number] Version of its zone configuration.
---@field layout string|false  Layout of the configuration, "6" for one; false until the first start shows which it is.
---@field limits hvsh.limits  What it can hold.
---@field sandbox string  What this process has given up: "capabilities 0, seccomp, landlock 4, opener", or why nothing.
hv = {}

---All of it at once, without raising an error.
---
---Errors: ENOENT without a hypervisor.
---
---Example:
---```lua
---local info = assert(hv.info())
---print(info.backend, info.version)   --> sim	6
---```
---@return hvsh.info? info
---@return string? message
---@return string? code
function hv.info() end

---Makes the simulated hypervisor misbehave, for testing scripts: "busy-cpu:N", "stuck-cpu:N", "errno:OP:NAME" (once) and
---"errno:OP:NAME:*" (always; OP is start, stop, list, version, load, map, bridge or inject), "die:ID", "crash:ID" (with ":MS"
---after it: that many milliseconds later), "no-load-image".
---
---Errors: EINVAL when there is no such fault; EOPNOTSUPP on a real hypervisor; ENOENT without one.
---
---Example:
---```lua
---assert(hv.fault "errno:list:EIO")
---print(select(3, zones.list()))   --> EIO
---```
---@param text string  The fault.
---@return true? ok
---@return string? message
---@return string? code
function hv.fault(text) end

---@class hvsh.info
---What hv.info gives.
---@field backend string  "device" or "sim".
---@field name string  What it calls itself.
---@field arch string  Its architecture.
---@field version integer [number] Version of its zone configuration.
---@field layout string?  Layout of the configuration, once it is known.
---@field limits hvsh.limits  What it can hold.
---@field sandbox string  What the asked process has given up.
local info = {}

---@class hvsh.limits
---What the hypervisor can hold.
---@field zones integer [count] Zones, the root zone included.
---@field cpus integer [count] CPUs.
---@field regions integer [count] Memory regions of a zone.
---@field irqs integer [count] Interrupts: numbers below this one.
---@field virtio_devices integer [count] Virtio devices of all zones.
---@field pci_buses integer [count] PCI buses of a zone.
---@field pci_devices integer [count] PCI devices of a zone.
---@field ivc integer [count] Channels of a zone.
---@field name integer [bytes] Length of a zone's name.
local limits = {}
