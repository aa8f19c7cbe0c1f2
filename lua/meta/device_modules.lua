-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Device modules
---@meta

---@class device.rng_file
---Entropy from a file, the same for each run of a guest: `require "device.rng_file"`. At its end the file begins again.
---
---Set-up:
---```lua
---local rng_file = require "device.rng_file"
---local file = assert(io.open("seed.bin", "wb"))
---file:write "0123456789"
---file:close()
---```
local rng_file = {}

---Defines the device. The file is opened at once, and read while the guest waits: a regular file.
---
---Errors: raises an error when a field is wrong or the file cannot be opened.
---
---Example:
---```lua
---print(rng_file.new("rng0", {file = "seed.bin"}))   --> custom "rng0"
---```
---@param name string  Unique within the zone.
---@param options table  file: its name, relative to the script's folder.
---@return hvsh.definition device
function rng_file.new(name, options) end

---@class device.sensor
---An I2C bus with one device of byte registers, as sensors have them: `require "device.sensor"`. Linux finds it with
---CONFIG_I2C_VIRTIO.
---
---Set-up:
---```lua
---local sensor = require "device.sensor"
---```
local sensor = {}

---Defines the bus. A write begins with the number of a register and sets those from there on; a read goes on where the last one
---ended.
---
---Errors: raises an error when a field is wrong.
---
---Example:
---```lua
---local registers = {[0] = 25, [1] = 128}
---print(sensor.new("i2c0", {address = 0x48, registers = registers}))   --> custom "i2c0"
---registers[0] = 26
---print(sensor.new("i2c1", {address = 0x49, read = function(register) return os.time() & 255 end}))   --> custom "i2c1"
---```
---@param name string  Unique within the zone.
---@param options table  address: on the bus, 0x03 to 0x77; registers: their values, by number; or read(register) and write(register, value), which should not wait.
---@return hvsh.definition device
function sensor.new(name, options) end

---@class device.fault_blk
---A disk that fails where it is told to, for tests of file systems and drivers: `require "device.fault_blk"`.
---
---Set-up:
---```lua
---local fault_blk = require "device.fault_blk"
---local file = assert(io.open("disk.img", "wb"))
---file:write(("x"):rep(1 << 20))
---file:close()
---```
local fault_blk = {}

---Defines the disk. Each rule of faults has from and to (sectors of 512 bytes, both included), on ("read" or "write"), chance (0
---to 1), delay, and fails (false: it is only late); what is left out matches everything.
---
---Errors: raises an error when a field is wrong or the image cannot be opened.
---
---Example:
---```lua
---local disk = fault_blk.new("root", {image = "disk.img", faults = {
---	{from = 1000, to = 1007, on = "read"},
---	{chance = 0.01, delay = "500ms", fails = false},
---}})
---print(disk)   --> custom "root"
---```
---@param name string  Unique within the zone.
---@param options table  image: a file; readonly; faults: a list of rules.
---@return hvsh.definition device
function fault_blk.new(name, options) end

---@class device.drop
---A place where a guest leaves files in one folder of the root zone: `require "device.drop"`. A request is the length of the name
---(2 bytes), the name, an offset (8 bytes), all little-endian, and the bytes that belong there; the answer is one byte: 0 done, 1
---refused, 2 over the quota, 3 the file cannot be written. It needs a driver of the guest's own.
---
---Set-up:
---```lua
---local drop = require "device.drop"
---```
local drop = {}

---Defines the device. Names are letters, digits, dots, dashes and underscores, without a dot or dash at their beginning; files
---that were there before are left alone. A service in its sandbox writes only to folders that the sandbox leaves open.
---
---Errors: raises an error when a field is wrong.
---
---Example:
---```lua
---print(drop.new("drop0", {folder = ".", quota = "4M", files = 16}))   --> custom "drop0"
---```
---@param name string  Unique within the zone.
---@param options table  folder; quota: bytes of all files (default: "1M"); files: how many (default: 64); id: virtio device id (default: 63); on_file(path): called after each write.
---@return hvsh.definition device
function drop.new(name, options) end
