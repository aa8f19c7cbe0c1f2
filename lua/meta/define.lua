-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Definitions
---@meta

---Bytes, as a number or as text with a binary unit: 4096, 0x1000, "512M", "1.5G".
---@alias hvsh.size integer|string [bytes] A length.

---A place in memory.
---@alias hvsh.address integer [address] An address; the prompt shows it in hexadecimal.

---A time, as text or as a number of seconds: "250ms", "10s", 0.5.
---@alias hvsh.duration number|string [seconds] A time.

---Defines a zone: checks its table, freezes and registers it. Nothing is started and no file is opened. Paths are relative
---to the script's folder. All that is wrong with the table comes in one error, each with file and line. What the table
---can have: help "zone.ram", help "zone.kernel" and so on.
---
---Errors: raises an error when the table or the name is wrong, or when a script defines the name twice.
---
---Example:
---```lua
---local rtos = zone "rtos" {
---	id = 3,
---	cpus = {3},
---	board = require "board.qemu_virt",
---	ram = {at = 0x48000000, size = "32M"},
---	kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
---}
---print(rtos.name, rtos.id)   --> rtos	3
---```
---@param name string  Unique in the script; not only digits, no spaces and slashes.
---@return fun(fields: hvsh.fields.zone): hvsh.zone define  Takes the table.
function zone(name) end

---Defines a disk. It belongs into the list `devices` of a zone, or goes to a running one with zone:attach. Without a name
---it is called blk0, blk1 and so on.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---local disk = blk "root" {image = "images/rootfs1.ext4", snapshot = true}
---print(disk, disk.type)   --> blk "root"	blk
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.blk): hvsh.definition define  Takes the table.
function blk(name) end

---Defines a network card, on a TAP device of the host or on a switch inside of hvsh.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---local wan = net "eth0" {tap = "tap0", bridge = "br0", mac = "52:54:00:10:10:10"}
---local lan = net "eth1" {switch = "lan"}
---print(wan, lan)   --> net "eth0"	net "eth1"
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.net): hvsh.definition define  Takes the table.
function net(name) end

---Defines a console, with scrollback, log file and byte channels as wanted. The first one is what `hvsh console` opens.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---local con = console "hvc0" {log = "console.log", log_max = "8M", scrollback = "64K"}
---print(con, con.options.scrollback)   --> console "hvc0"	65536
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.console): hvsh.definition define  Takes the table.
function console(name) end

---Defines a source of random numbers, from the host's.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---print(rng "rng0" {})   --> rng "rng0"
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.rng): hvsh.definition define  Takes the table.
function rng(name) end

---Defines a device over which the guest uses clocks, resets and power domains that the root zone lends it. Nothing is
---allowed that the table does not name.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---local lent = scmi "scmi0" {clocks = {"uart0", "spi0"}, resets = {"uart0"}}
---print(lent)   --> scmi "scmi0"
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.scmi): hvsh.definition define  Takes the table.
function scmi(name) end

---Defines an empty register window: room for a device that zone:attach adds while the zone runs. The guest's tree has a
---node for it as for any other device.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---print(slot "spare" {at = 0xa003a00})   --> slot "spare"
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.slot): hvsh.definition define  Takes the table.
function slot(name) end

---Defines a graphics card with one or more screens. Screenshots are taken by device:screenshot, whatever the output.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---print(gpu "gpu0" {width = 1280, height = 800, output = "memory"})   --> gpu "gpu0"
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.gpu): hvsh.definition define  Takes the table.
function gpu(name) end

---Defines an input device. Keyboard, mouse, tablet and touch screen are typed at, moved and touched by scripts (device:key and
---others); with evdev an input device of this machine becomes the zone's alone.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---print(input "keys" {})                                  --> input "keys"
---print(input "pen" {kind = "tablet"})                     --> input "pen"
---print(input "desk" {evdev = "/dev/input/event0"})        --> input "desk"
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.input): hvsh.definition define  Takes the table.
function input(name) end

---Defines a device whose model is a script. Each request of the guest's is a call of its queue's function, as a task that may
---wait; what that gives is the answer. The id may be one that hvsh serves itself, such as 2 for a disk: the guest's driver
---makes no difference. modules/device has examples.
---
---Whatever the functions do wrong (an error, an answer that does not fit, none in time, a second of computing without
---waiting) stops this device until its guest resets it; the log says why and where, and everything else goes on. After a
---reset the calls of the life before are cancelled. The device does not outlive its process, and a service that runs cannot
---be given one: it has to read the script itself, or a prompt of hvsh attach adds it with zone:attach.
---
---Errors: raises an error when the name is wrong; what is wrong with the table is said by the zone that takes it.
---
---Example:
---```lua
---local echo = custom "echo" {
---	id = 63,
---	queues = {
---		{request = function(dev, out, room) return out:sub(1, room) end},
---		{receive = true},
---	},
---}
---print(echo)   --> custom "echo"
---```
---@param name string  Unique within the zone.
---@return fun(fields: hvsh.fields.custom): hvsh.definition define  Takes the table.
function custom(name) end

---@class hvsh.definition
---What blk, net, console and the others give: a device as it is written. It cannot be changed, and may be used in several
---zones.
---@field type string  "blk", "net", "console" and so on.
---@field name string?  Its name.
---@field options table  The fields of its type.
---@field at hvsh.address?  Guest address of its register window, if it is given.
---@field size hvsh.size  Length of its register window.
---@field irq integer? [number] Interrupt, if it is given.
---@field enabled boolean  false: the zone goes without it.
local definition = {}
