-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Boards
---@meta

---@class hvsh.board
---What is known of a machine: `require "board.qemu_virt"`. It fills in the interrupt controller and the virtio slots of zones
---that name it, and the checks measure them against it. It cannot be changed. Its fields: help "board.slots" and so on. A
---plain table with these fields does for a zone, too; one of your own comes from /etc/hvsh/modules/board/NAME.lua.
---
---Set-up:
---```lua
---local board = require "board.qemu_virt"
---```
---@field name string  What messages call it.
---@field arch string  "arm64", "riscv64", "loongarch64" or "x86_64".
---@field cpus integer? [count] How many CPUs it has.
local board = {}

---A new board with some fields changed; of records only the fields that are given; false takes a field away.
---
---Errors: raises an error when the changes make no board.
---
---Example:
---```lua
---local bigger = board:extend {name = "qemu_virt8", cpus = 8, root = {cpus = {0}}}
---print(bigger, bigger.cpus)   --> board qemu_virt8	8
---```
---@param changes hvsh.fields.board
---@return hvsh.board board
function board:extend(changes) end
