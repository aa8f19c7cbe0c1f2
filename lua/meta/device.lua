-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Running devices
---@meta

---@class hvsh.device
---A virtio device that this process serves: zone:device "root". Its facts are asked for when they are read. Once it is
---detached or its zone has stopped, only zone, name, type, at, irq and state can be read. A field that its type does not
---have is false.
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
---local root, eth0, hvc0 = linux1:device "root", linux1:device "eth0", linux1:device "hvc0"
---```
---@field zone string  Name of its zone.
---@field name string  Its name.
---@field type string  "blk", "net", "console", "rng", "scmi" and so on.
---@field at integer [address] Guest address of its register window.
---@field size integer [bytes] Length of the window.
---@field irq integer [number] Its interrupt.
---@field state string  "idle" (no driver yet), "starting", "running", "paused", "waiting" (not yet put into the zone), "broken" (the guest broke a rule), "detached".
---@field stats hvsh.stats  What it has done so far.
---@field image string?  blk: the file.
---@field overlay string?  blk: the file that takes the writes.
---@field engine string?  blk: how requests reach the kernel, "io_uring" or "threads".
---@field serial string?  blk: the serial number the guest sees.
---@field capacity integer? [bytes] blk: how large the guest sees it.
---@field readonly boolean?  blk: the guest may not write.
---@field snapshot boolean?  blk: writes are forgotten.
---@field tap string?  net: the TAP device.
---@field switch string?  net: the switch.
---@field mac string?  net: the hardware address.
---@field mtu integer? [bytes] net: the largest packet.
---@field link_up boolean?  net: the cable is in.
---@field gone boolean?  net: the TAP device has disappeared.
---@field ports hvsh.port[]?  console: its ports; the first one is the console itself.
local device = {}

---Lets at most so many requests and bytes per second through; what is not given is without limit. {} takes all limits away.
---
---Errors: ENODEV when the device is gone.
---
---Example:
---```lua
---assert(root:limit {iops = 500, bps = "20M"})
---assert(root:limit {})
---```
---@param options hvsh.limit_options
---@return true? ok
---@return string? message
---@return string? code
function device:limit(options) end

---Takes on no more requests until device:resume. Those under way end. The guest waits and loses nothing.
---
---Errors: ENODEV when the device is gone.
---
---Example:
---```lua
---assert(root:pause())
---print(root.state)   --> paused
---assert(root:resume())
---```
---@return true? ok
---@return string? message
---@return string? code
function device:pause() end

---Goes on after device:pause.
---
---Errors: ENODEV when the device is gone.
---
---Example:
---```lua
---assert(root:pause())
---assert(root:resume())
---```
---@return true? ok
---@return string? message
---@return string? code
function device:resume() end

---Takes the device out of its running zone; its window answers as an empty slot, and zone:attach can fill it again. The guest
---should have let go of it.
---
---Errors: ENODEV when the device is gone already.
---
---Example:
---```lua
---assert(eth0:detach())
---print(eth0.state)   --> detached
---```
---@return true? ok
---@return string? message
---@return string? code
function device:detach() end

---blk: makes the disk as large as its file is by now, or grows it to a size. The guest is told.
---
---Errors: EOPNOTSUPP when it is no disk; EINVAL when a disk with overlay or snapshot gets no size, or it would shrink; ENODEV
---when the device is gone.
---
---Example:
---```lua
---print(root:resize "2M")   --> 2097152
---```
---@param size? hvsh.size  [bytes] How large (default: as the file is).
---@return integer? capacity  [bytes] How large it is now.
---@return string? message
---@return string? code
function device:resize(size) end

---blk: what the guest has written so far is on the disk when it returns.
---
---Errors: EOPNOTSUPP when it is no disk; EIO when the disk fails; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(root:sync())
---```
---@return true? ok
---@return string? message
---@return string? code
function device:sync() end

---net: pulls the cable and plugs it in again. The guest is told.
---
---Errors: EOPNOTSUPP when it is no network card; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(eth0:link(false))
---print(eth0.link_up)   --> false
---assert(eth0:link(true))
---```
---@param up boolean  false: the cable is out.
---@return true? ok
---@return string? message
---@return string? code
function device:link(up) end

---console: tells the guest how large the terminal is.
---
---Errors: EOPNOTSUPP when it is no console; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(hvc0:size(100, 40))
---```
---@param columns integer [characters] Width, from 1 to 65535.
---@param rows integer [characters] Height, from 1 to 65535.
---@return true? ok
---@return string? message
---@return string? code
function device:size(columns, rows) end

---console: a reader and writer of the console, or of one of its ports.
---
---Errors: EOPNOTSUPP when it is no console; ENOENT when it has no such port; ENODEV when the device is gone.
---
---Example:
---```lua
---local con <close> = assert(hvc0:open {back = "all"})
---print((con:expect("zone linux1", {timeout = "10s"})))   --> zone linux1
---```
---@param options? hvsh.open_options
---@return hvsh.console? console
---@return string? message
---@return string? code
function device:open(options) end

---@class hvsh.virtio
---The constructors of devices once more (virtio.blk is blk), for scripts that keep the global names for themselves, and the
---list of what is served.
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
---		virtio.blk "root" {image = "images/rootfs1.ext4", at = 0xa003c00},
---		virtio.net "eth0" {switch = "lan", at = 0xa003600},
---		virtio.console "hvc0" {at = 0xa003800},
---	},
---}
---```
virtio = {}

---All devices that this process serves; prints as a table.
---
---Errors: none; the list is empty where nothing is served.
---
---Example:
---```lua
---assert(linux1:start())
---for _, d in ipairs(virtio.list()) do print(d.zone, d.name, d.type) end
-----> linux1	root	blk
-----> linux1	eth0	net
-----> linux1	hvc0	console
---```
---@return hvsh.device[] devices
function virtio.list() end

---@class hvsh.limit_options
---@field iops? number [per second] Requests (default: no limit).
---@field bps? number|string [bytes per second] Bytes moved (default: no limit).
---@field burst? integer [count] Requests that may pass at once after a pause (default: a tenth of a second's worth).
---@field burst_bytes? integer|string [bytes] Bytes that may pass at once after a pause (default: a tenth of a second's worth).
local limit_options = {}

---@class hvsh.open_options
---@field port? integer|string [number] Port by its number from 0 or by its name (default 0, the console).
---@field back? hvsh.size|"all"  [bytes] Begin with so much of the output that is kept (default: with what comes from now on).
local open_options = {}

---@class hvsh.stats
---What a device has done since it was made.
---@field requests integer [count] Requests or packets.
---@field read_bytes integer [bytes] Moved to the guest.
---@field write_bytes integer [bytes] Moved from the guest.
---@field errors integer [count] Requests that failed.
---@field dropped integer [count] Packets or output that had no place.
---@field kicks integer [count] How often the guest called.
---@field interrupts integer [count] How often the guest was called.
---@field suppressed integer [count] Interrupts that the guest did not want.
---@field wakeups integer [count] How often a sleeping worker was woken.
---@field latency integer[] [count] Requests by their time: entry i counts those that took less than 2^i nanoseconds and are in no entry before.
---@field p50 integer? [nanoseconds] Half of the requests took no longer.
---@field p99 integer? [nanoseconds] 99 of 100 requests took no longer.
local stats = {}

---@class hvsh.port
---A port of a console.
---@field name string?  Its name; the console itself has none.
---@field log string?  The file that keeps its output.
---@field pty string?  Its pseudo-terminal.
---@field writer string?  Who has the keyboard.
---@field output integer [bytes] What the guest has written.
---@field input integer [bytes] What the guest was typed.
---@field clients integer [count] How many look at it.
---@field columns integer? [characters] Width that the guest was told.
---@field rows integer? [characters] Height that the guest was told.
---@field open boolean  The guest has it open.
local port = {}
