-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Consoles
---@meta

---@class hvsh.console
---A script's end of a console: zone:device "hvc0":open(). What waits lets everything else go on. It is closed by
---console:close, by `local con <close>`, or with the script.
---
---Set-up:
---```lua
---local linux1 = zone "linux1" {
---	id = 1,
---	cpus = {2},
---	board = require "board.qemu_virt",
---	ram = {at = 0x50000000, size = "384M"},
---	kernel = {image = "images/Image", at = 0x50400000, cmdline = "console=hvc0"},
---	dtb = "images/linux1.dtb",
---	devices = {
---		blk "root" {image = "images/rootfs1.ext4", at = 0xa003c00},
---		net "eth0" {switch = "lan", at = 0xa003600},
---		console "hvc0" {at = 0xa003800},
---	},
---}
---assert(linux1:start())
---local con = assert(linux1:device "hvc0":open {back = "all"})
---```
---@field name string  Zone and device, "linux1/hvc0".
local console = {}

---What the guest has written since the last read. Waits until there is something. A console keeps its last output only
---(scrollback, 256K if nothing else is said): who reads more slowly than the guest writes loses the oldest. The second result
---says so, and a warning in the log for the first time.
---
---Errors: ETIMEDOUT when nothing came in time; ENODEV when the console has ended; EBADF when it was closed here.
---
---Example:
---```lua
---local text = assert(con:read {timeout = "10s"})
---print(#text > 0)   --> true
---```
---@param options? hvsh.wait_options
---@return string? text
---@return integer|string|nil missing  [bytes] How much before the text is lost; nil when nothing is. On failure the message.
---@return string? code
function console:read(options) end

---Types text. Waits while the guest does not take it, or somebody else has the keyboard. Its end gives the keyboard back, also one by
---time, by cancel or by Ctrl-C: what was taken until then stays typed.
---
---Errors: ETIMEDOUT when it could not be typed in time; ENODEV when the console has ended; EBADF when it was closed here.
---
---Example:
---```lua
---assert(con:expect("linux1> ", {timeout = "10s"}))
---assert(con:write("echo 6 times 7\n", {timeout = "10s"}))
---```
---@param text string  Bytes; "\n" ends a line.
---@param options? hvsh.wait_options
---@return true? ok
---@return string? message
---@return string? code
function console:write(text, options) end

---Waits until a pattern is in the output, and reads up to its end. Gives the captures, or the whole match when the pattern has
---none. With a list of patterns, the number of the one that came first is before them. What had come when the time is over is
---still looked at. It looks at the last 1 MiB, and never at two pieces as one between which something is lost.
---A pattern that begins with a repetition (`%w+> `) takes time with the square of how long the guest makes it match, and nothing
---else goes on meanwhile: begin it with a text.
---
---Errors: ETIMEDOUT when it did not come in time; ENODEV when the console has ended; EBADF when it was closed here.
---
---Example:
---```lua
---print(con:expect("zone (%w+) %(id (%d+)%)", {timeout = "10s"}))   --> linux1	1
---con:write "echo ready\n"
---print((con:expect({"ready", "panic", timeout = "10s"})))          --> 1
---```
---@param what string|string[]  [number] A Lua pattern, or a list of them.
---@param options? hvsh.expect_options
---@return string|integer|nil found  [number] What matched; with a list, which one.
---@return string ...  With a list or several captures, the rest. On failure message and code.
function console:expect(what, options) end

---An iterator over whole lines, without their ends. It ends when the console ends, or when no line comes in time. Where output is
---lost, the line before it is left out and the one after it begins in the middle; so does one of more than 1 MiB.
---
---Errors: none; it ends.
---
---Example:
---```lua
---for line in con:lines {timeout = "10s"} do
---	if line:find "^hvsh guest" then print "it is up" break end   --> it is up
---end
---```
---@param options? hvsh.wait_options  The time is that for one line.
---@return fun(): string? iterator
function console:lines(options) end

---Gives the terminal to the console until Ctrl-] is pressed or the input ends: for the prompt.
---
---Errors: EBUSY where a script has waited for something before; ENODEV when the device is gone; EBADF when it was closed here.
---
---Example:
---```lua
---con:attach {back = "4K"}
---```
---@param options? hvsh.attach_options
---@return true? ok
---@return string? message
---@return string? code
function console:attach(options) end

---Closes this end. The console and its other readers go on.
---
---Errors: none; closing again does nothing.
---
---Example:
---```lua
---con:close()
---print(con)   --> console linux1/hvc0 (closed)
---```
function console:close() end

---@class hvsh.wait_options
---@field timeout? hvsh.duration  How long at most (default: without end).
local wait_options = {}

---@class hvsh.expect_options
---@field timeout? hvsh.duration  How long at most (default: without end).
---@field plain? boolean  The patterns are plain text (default false).
local expect_options = {}

---@class hvsh.attach_options
---@field readonly? boolean  Only look (default false).
---@field force? boolean  Take the keyboard from who has it (default false).
---@field back? hvsh.size|"all"  [bytes] Begin with so much of the output that is kept.
local attach_options = {}
