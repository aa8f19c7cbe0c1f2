-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: IVC
---@meta

---@class hvsh.ivc
---Inter-VM communication: channels to other zones, of shared memory and interrupts, by the kernel module ivc; with --sim, of the
---simulated machine. docs/ivc.md tells how channels are made and what zone0 has.
---
---Set-up:
---```lua
---local linux1 = zone "linux1" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x50000000, size = "384M"},
---	kernel = {image = "images/Image", at = 0x50400000, cmdline = "console=hvc0"},
---	dtb = "auto",
---	irqs = {66},
---	devices = {console "hvc0" {at = 0xa003800}},
---	ivc = {{id = 0, peer = 1, peers = 2, control = 0x70000000, shared = 0x70001000, rw_size = "4K", out_size = "4K", irq = 66}},
---}
---assert(linux1:start())
---```
ivc = {}

---Opens this zone's end of a channel. What came before it was opened is not told: look at the memory first. Each task that waits
---opens the channel for itself.
---
---Errors: ENOENT when this zone is on no such channel, or the module is not loaded; EACCES in a service that closed its sandbox
---before, where no definition names the channel; EPROTO when the control table makes no sense.
---
---Example:
---```lua
---local c <close> = assert(ivc.open(0))
---print(c.peer, c.peers, c.shared, c.out)   --> 0	2	4096	4096
---```
---@param id integer  [id] The channel, as hvisor numbers it.
---@return hvsh.ivc_channel? channel
---@return string? message
---@return string? code
function ivc.open(id) end

---The channels that this zone is on.
---
---Errors: EBUSY with --sim=FOLDER, while another process has that machine.
---
---Example:
---```lua
---print(#ivc.list(), ivc.list()[1].id)   --> 1	0
---```
---@return hvsh.ivc_facts[]? list  By number.
---@return string? message
---@return string? code
function ivc.list() end

---@class hvsh.ivc_facts
---One entry of ivc.list.
---@field id integer  [id] The channel.
local ivc_facts = {}

---@class hvsh.ivc_channel
---This zone's end of a channel. A section is "shared", which every peer writes, or the number of a peer, who alone writes it; all
---read everything. What other peers write can change at any time: take it once, and check it. The channel is closed by
---c:close, by `local c <close>`, or with the script.
---
---Set-up:
---```lua
---local linux1 = zone "linux1" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x50000000, size = "384M"},
---	kernel = {image = "images/Image", at = 0x50400000, cmdline = "console=hvc0"},
---	dtb = "auto",
---	irqs = {66},
---	devices = {console "hvc0" {at = 0xa003800}},
---	ivc = {{id = 0, peer = 1, peers = 2, control = 0x70000000, shared = 0x70001000, rw_size = "4K", out_size = "4K", irq = 66}},
---}
---assert(linux1:start())
---local con = assert(linux1:device "hvc0":open {back = "all"})
---assert(con:expect("linux1> ", {timeout = "10s"}))
---local c = assert(ivc.open(0))
---```
---@field id integer [id] The channel.
---@field peer integer [id] This zone's number on it.
---@field peers integer [count] How many zones it is made for; they are numbered from 0.
---@field shared integer [bytes] The section that all peers write; 0 = there is none.
---@field out integer [bytes] The section of each peer.
local c = {}

---Bytes of a section, copied once. They may be of several states when the peer writes meanwhile; c:load tells when they
---are whole.
---
---Errors: ERANGE when not all of it is in the section, or there is no such peer; EBADF when it was closed.
---
---Example:
---```lua
---assert(c:write("shared", 16, "hello"))
---print(c:read("shared", 16, 5))   --> hello
---```
---@param section "shared"|integer  [id] Which.
---@param offset integer  [bytes] From where.
---@param length integer  [bytes] How many.
---@return string? bytes
---@return string? message
---@return string? code
function c:read(section, offset, length) end

---Writes bytes to the shared section or to the own one.
---
---Errors: ERANGE when not all of them are in the section, or there is no such peer; EACCES for the section of another peer; EBADF
---when it was closed.
---
---Example:
---```lua
---assert(c:write(c.peer, 16, "mine"))
---print(select(3, c:write(1, 16, "yours")))   --> EACCES
---```
---@param section "shared"|integer  [id] Which.
---@param offset integer  [bytes] Where to.
---@param bytes string  What.
---@return true? ok
---@return string? message
---@return string? code
function c:write(section, offset, bytes) end

---Reads an integer with one access of the processor. What is read after it is at least as new as what was written before the
---store that it saw (acquire). Integers of 1, 2 and 4 bytes are never negative.
---
---Errors: ERANGE when it is not in the section, or there is no such peer; EBADF when it was closed. A size that is none, or an offset
---that is no multiple of it, is an error at once.
---
---Example:
---```lua
---assert(c:store("shared", 8, 4, 7))
---print(c:load("shared", 8, 4))   --> 7
---```
---@param section "shared"|integer  [id] Which.
---@param offset integer  [bytes] Where.
---@param size integer  [bytes] 1, 2, 4 or 8.
---@return integer? value  [number] As this machine's processor has integers.
---@return string? message
---@return string? code
function c:load(section, offset, size) end

---Writes an integer with one access of the processor, after everything that was written before it (release): who sees it sees
---that, too.
---
---Errors: as c:load; EACCES for the section of another peer.
---
---Example:
---```lua
---assert(c:write("shared", 16, "a message"))
---assert(c:store("shared", 8, 4, #"a message"))   -- now it is whole
---assert(c:notify())
---```
---@param section "shared"|integer  [id] Which.
---@param offset integer  [bytes] Where.
---@param size integer  [bytes] 1, 2, 4 or 8.
---@param value integer  [number] It has to fit.
---@return true? ok
---@return string? message
---@return string? code
function c:store(section, offset, size, value) end

---Waits for an interrupt. One that came since the last wait counts; several are one. It does not tell which peer it was from, or
---why: look at the memory.
---
---Errors: ETIMEDOUT when none came in time; EBADF when it was closed.
---
---Example:
---```lua
---assert(con:write "ivc answer 0 0\r")
---assert(con:expect("answers", {timeout = "10s"}))
---assert(c:notify(1))
---print(c:wait {timeout = "10s"})   --> true
---```
---@param options? hvsh.wait_options
---@return true? ok
---@return string? message
---@return string? code
function c:wait(options) end

---Interrupts a peer, which then sees what was written before. hvisor does not say whether anybody is there.
---
---Errors: ERANGE when there is no such peer; EBADF when it was closed; ENODEV when the simulated machine is gone.
---
---Example:
---```lua
---assert(c:notify(1))
---print(select(3, c:notify(2)))   --> ERANGE
---```
---@param peer? integer  [id] Whom; with two peers, the other one.
---@return true? ok
---@return string? message
---@return string? code
function c:notify(peer) end

---Closes this end. A task that waits gets EBADF.
---
---Errors: none; closing again does nothing.
---
---Example:
---```lua
---c:close()
---print(c)   --> ivc 0 (peer 0 of 2, closed)
---```
function c:close() end
