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
---	dtb = {image = "images/linux1.dtb", patch = true},
---	devices = {
---		blk "root" {image = "images/rootfs1.ext4", at = 0xa003c00},
---		net "eth0" {switch = "lan", at = 0xa003600},
---		console "hvc0" {at = 0xa003800},
---		input "keys" {},
---		input "pen" {kind = "tablet", width = 1280, height = 800},
---		input "glass" {kind = "touch"},
---		gpu "screen" {width = 640, height = 480},
---		custom "sensor" {
---			id = 63, config = "\0\0\0\0",
---			queues = {{request = function() return "ok" end}, {receive = true}},
---		},
---	},
---}
---assert(linux1:start())
---local root, eth0, hvc0 = linux1:device "root", linux1:device "eth0", linux1:device "hvc0"
---local keys, pen, glass = linux1:device "keys", linux1:device "pen", linux1:device "glass"
---local screen, sensor = linux1:device "screen", linux1:device "sensor"
---```
---@field zone string  Name of its zone.
---@field name string  Its name.
---@field type string  "blk", "net", "console", "rng", "scmi" and so on.
---@field at integer [address] Guest address of its register window.
---@field size integer [bytes] Length of the window.
---@field irq integer [number] Its interrupt.
---@field state string  "idle" (no driver yet), "starting", "running", "paused", "waiting" (not yet put into the zone), "broken" (the guest broke a rule), "detached".
---@field stats hvsh.stats  What it has done so far.
---@field limits hvsh.device_limits  What device:limit has set.
---@field queues hvsh.queue[]  Its queues.
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
---@field gone boolean?  net: the TAP device has disappeared; input: the device of this machine is unplugged.
---@field ports hvsh.port[]?  console: its ports; the first one is the console itself.
---@field kind string?  input: "keyboard", "mouse", "tablet", "touch", or "evdev" for an input device of this machine.
---@field evdev string?  input: the device of this machine.
---@field model string?  input: the name the guest sees.
---@field leds hvsh.leds?  input: what the guest has lit.
---@field queued integer? [count] input: events that the guest has not taken.
---@field width integer? [steps] input: of a tablet or touch screen.
---@field height integer? [steps] input: of a tablet or touch screen.
---@field output string?  gpu: where pictures go, "memory" or "drm".
---@field screens hvsh.screen[]?  gpu: its screens; screen 0 is the first.
---@field resources integer? [count] gpu: pictures the guest has made.
---@field memory integer? [bytes] gpu: what they take.
---@field memory_max integer? [bytes] gpu: what they may take.
---@field virtio_id integer? [number] custom: what it is to the guest.
---@field in_flight integer? [count] custom: requests that its functions have not answered.
local device = {}

---Calls a function whenever something happens to the device: its driver begins or resets it, it breaks, its cable or size
---changes. A device says the same thing once a second at most.
---
---Errors: ENODEV when the device is gone; an error in the function ends that call alone, and is logged.
---
---Example:
---```lua
---local listener = root:on(function(e) print(e.what, e.message) end)
---```
---@param f function  Gets one argument, hvsh.event_facts.
---@return hvsh.listener? listener
---@return string? message
---@return string? code
function device:on(f) end

---blk, net, console: lets a function decide about the device's requests. A device has one policy; a new one takes the
---place of the old one, of which no request is lost.
---
---The function is called by this process between its other work, once for each request, and may not wait. It has a
---million instructions for each. A guest waits for it as for a slow disk; other requests go on meanwhile, but bytes and
---frames stay in order, and a flush waits for the writes before it. Requests that the policy is not for never reach
---Lua, and cost what they cost without one.
---
---It answers nothing, true or "allow": the request goes on; "deny": a disk answers with an error ("deny", "unsupp": with
---that one), a frame or a piece of console output or input is dropped; {delay = "10ms"}: it goes on later; {data = BYTES}:
---net and console, these take its place. A frame that takes another's place goes on as it is: its checksums must be right.
---
---What becomes of requests that were not decided about when a policy is closed or replaced: as on_overload says; with
---"stall" they are put to the new policy, or go on. When its function has failed ten times in a row it is not asked any
---more, the device has an event "error", and requests are dealt with as on_overload says until the policy is closed.
---
---With file in the place of decide it is a script that gets nothing of this one, in a Lua state or a process of its own: it is
---bounded by memory and deadline, is asked on a thread of its own, and is given up as well when its process ends.
---
---Without options: the policy that the device has, also that of its definition (`blk "root" {image = …, policy = {…}}`, which is
---in force from the first request on); nil when it has none.
---
---Errors: EOPNOTSUPP when it is a device of another type, or the kernel has no seccomp for a process; ENODEV when the device is
---gone; EINVAL when the file is no policy, with file and line; EFBIG when it is too large; ETIMEDOUT when its process does not
---load it within 5s; or why it cannot be read. Options that mean nothing for the device are errors.
---
---Example:
---```lua
---local guard = assert(root:policy {
---	ops = {"write", "discard", "zero"}, sectors = {0, 2048}, timeout = "50ms",
---	decide = function(r) log.warn(("%s of sector %d"):format(r.op, r.sector)) return "deny" end,
---})
---print(guard)   --> policy of linux1/root: active
---guard:close()
---```
---@param options? hvsh.policy_options
---@return hvsh.policy? policy
---@return string? message
---@return string? code
function device:policy(options) end

---custom: brings bytes for the next buffer that the guest has put into a receive queue. What its driver has not taken waits.
---
---Errors: EAGAIN when its driver is not ready, or as much as may waits for it; EINVAL when that is no receive queue; EMSGSIZE when
---it is more than max_request; EOPNOTSUPP for another device; ENODEV when the device is gone.
---
---Example:
---```lua
---local ok, message, code = sensor:send(1, "\25")
---print(ok, code)   --> nil	EAGAIN
---```
---@param queue integer [number] Counted from 0.
---@param bytes string  They have to fit into one buffer of the guest's.
---@return true? ok
---@return string? message
---@return string? code
function device:send(queue, bytes) end

---custom: its configuration space; or, with an offset and bytes, changes that part and tells the driver.
---
---Errors: ERANGE when that is beyond its end; EOPNOTSUPP for another device; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(sensor:config(0, ("<I2"):pack(25)))
---print(("<I4"):unpack(sensor:config()))   --> 25	5
---```
---@param offset? integer [bytes] Where the change begins.
---@param bytes? string  What is there from then on.
---@return true|string|nil result  The configuration, or true.
---@return string? message
---@return string? code
function device:config(offset, bytes) end

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

---net: pulls the cable and plugs it in again; gpu: that of a screen. The guest is told.
---
---Errors: EOPNOTSUPP when it is neither; EINVAL when there is no such screen; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(eth0:link(false))
---print(eth0.link_up)   --> false
---assert(eth0:link(true))
---```
---@param up boolean  false: the cable is out.
---@param screen? integer [number] gpu: which screen, counted from 0 (default: 0).
---@return true? ok
---@return string? message
---@return string? code
function device:link(up, screen) end

---gpu: writes what a screen shows into a PNG file, the cursor included. The file is there whole or not at all; a link of its
---name is replaced. What the guest has transferred is in it, also where the guest has not flushed yet.
---
---Errors: EOPNOTSUPP when it is no graphics card; EINVAL when there is no such screen; ENODATA when the guest shows nothing on it;
---ENODEV when the device is gone; others when the file cannot be written.
---
---Example:
---```lua
---screen:screenshot "screen.png"
---```
---@param file string  Where it goes.
---@param options? hvsh.screenshot_options
---@return true? ok
---@return string? message
---@return string? code
function device:screenshot(file, options) end

---gpu: gives the display to other programs of this machine; device:take takes it back. The guest notices neither. A service
---that was started on a virtual terminal of this machine, with a display from the beginning, does both by itself when the
---terminal is switched.
---
---Errors: EOPNOTSUPP when it is no graphics card, or its output is memory; ENODEV when the device is gone.
---
---Example:
---```lua
---print((screen:release()))   --> nil
---```
---@return true? ok
---@return string? message
---@return string? code
function device:release() end

---gpu: takes the display back after device:release.
---
---Errors: EOPNOTSUPP when it is no graphics card, or its output is memory; EBUSY when somebody else keeps the display; ENODEV when
---the device is gone.
---
---Example:
---```lua
---print((screen:take()))   --> nil
---```
---@return true? ok
---@return string? message
---@return string? code
function device:take() end

---input: presses keys of a keyboard and lets them go. Several go down in order and come up in the opposite one. Names are those
---of Linux, "KEY_A", "KEY_ENTER", "KEY_LEFTCTRL".
---
---Errors: EOPNOTSUPP when it is no keyboard; EINVAL when its input comes from a device of this machine; ETIMEDOUT when the guest
---takes no input in time; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(keys:key "KEY_ENTER")
---assert(keys:key {"KEY_LEFTCTRL", "KEY_C"})
---assert(keys:key("KEY_LEFTSHIFT", "press"))
---assert(keys:key("KEY_LEFTSHIFT", "release"))
---```
---@param name string|string[]  Key or keys.
---@param action? "press"|"release"  Only that (default: one after the other).
---@param options? hvsh.wait_options
---@return true? ok
---@return string? message
---@return string? code
function device:key(name, action, options) end

---input: types a text on a US keyboard. "\n" is the enter key, "\t" tab, "\b" backspace, "\27" escape. What does not fit waits
---for the guest.
---
---Errors: EOPNOTSUPP when it is no keyboard; EINVAL when its input comes from a device of this machine; ETIMEDOUT when the guest
---does not take all of it in time; ENODEV when the device is gone. Raises an error, before anything is typed, when a
---character is on no key.
---
---Example:
---```lua
---assert(keys:text("echo hello\n", {timeout = "10s"}))
---```
---@param text string  What to type.
---@param options? hvsh.wait_options
---@return true? ok
---@return string? message
---@return string? code
function device:text(text, options) end

---input: presses a button of a mouse or tablet and lets it go: "left", "right", "middle", "side", "extra", or a name of Linux as
---"BTN_TASK".
---
---Errors: EOPNOTSUPP when it is no mouse or tablet; EINVAL when its input comes from a device of this machine; ETIMEDOUT when the
---guest takes no input in time; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(pen:button "left")
---```
---@param name string  Button.
---@param action? "press"|"release"  Only that (default: one after the other).
---@param options? hvsh.wait_options
---@return true? ok
---@return string? message
---@return string? code
function device:button(name, action, options) end

---input: moves the pointer: a tablet's to a place, a mouse's by some steps; or turns the wheel.
---
---Errors: EOPNOTSUPP when it is no mouse or tablet; EINVAL when its input comes from a device of this machine; ETIMEDOUT when the
---guest takes no input in time; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(pen:pointer {x = 640, y = 400})
---assert(pen:pointer {wheel = -1})
---```
---@param where hvsh.pointer_options
---@return true? ok
---@return string? message
---@return string? code
function device:pointer(where) end

---input: puts fingers on a touch screen, moves and lifts them. What is in one list happens at the same time.
---
---Errors: EOPNOTSUPP when it is no touch screen; EINVAL when its input comes from a device of this machine; ETIMEDOUT when the
---guest takes no input in time; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(glass:touch {x = 100, y = 200})
---assert(glass:touch {{x = 110}, {finger = 1, x = 300, y = 200}})
---assert(glass:touch {{up = true}, {finger = 1, up = true}})
---```
---@param fingers hvsh.touch_options|hvsh.touch_options[]  One finger, or several.
---@return true? ok
---@return string? message
---@return string? code
function device:touch(fingers) end

---console: tells the guest how large the terminal is. gpu: how large a screen is; the guest decides what to show.
---
---Errors: EOPNOTSUPP when it is neither; EINVAL when there is no such screen; ENODEV when the device is gone.
---
---Example:
---```lua
---assert(hvc0:size(100, 40))
---assert(screen:size(1280, 800))
---```
---@param width integer [number] In characters, from 1 to 65535; gpu: in pixels, from 1 to 16384.
---@param height integer [number] The same.
---@param screen? integer [number] gpu: which screen, counted from 0 (default: 0).
---@return true? ok
---@return string? message
---@return string? code
function device:size(width, height, screen) end

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

---@class hvsh.pointer_options
---@field x? integer [steps] Tablet: where, from 0 to its width less 1.
---@field y? integer [steps] Tablet: where, from 0 to its height less 1.
---@field dx? integer [steps] Mouse: to the right; negative: to the left.
---@field dy? integer [steps] Mouse: down; negative: up.
---@field wheel? integer [notches] Away from the user; negative: towards the user.
---@field hwheel? integer [notches] To the right; negative: to the left.
---@field timeout? hvsh.duration  How long to wait for the guest at most (default: without end).
local pointer_options = {}

---@class hvsh.touch_options
---@field finger? integer [number] Which one, 0 to 9 (default 0).
---@field x? integer [steps] Where, from 0 to the screen's width less 1 (default: where it is).
---@field y? integer [steps] Where, from 0 to the screen's height less 1 (default: where it is).
---@field up? boolean  It is lifted (default false).
---@field timeout? hvsh.duration  How long to wait for the guest at most (default: without end).
local touch_options = {}

---@class hvsh.leds
---What a guest has lit on its keyboard.
---@field num boolean  Num lock.
---@field caps boolean  Caps lock.
---@field scroll boolean  Scroll lock.
---@field compose boolean  Compose.
---@field kana boolean  Kana.
local leds = {}

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
---@field latency_ns integer [nanoseconds] The times of all requests together.
---@field latency integer[] [count] Requests by their time: entry i counts those that took less than 2^i nanoseconds and are in no entry before.
---@field p50 integer? [nanoseconds] Half of the requests took no longer.
---@field p99 integer? [nanoseconds] 99 of 100 requests took no longer.
local stats = {}

---@class hvsh.device_limits
---How much a device may do; what is without limit is nil.
---@field iops number? [count] Requests per second.
---@field bps number? [bytes] Bytes per second.
local device_limits = {}

---@class hvsh.queue
---A queue between guest and device.
---@field size integer [count] Entries, as the driver has said; 0 before that.
---@field ready boolean  The driver uses it.
---@field completed integer [count] Requests that were answered, since the device was made.
---@field kicks integer [count] How often the driver said that there is something to do.
---@field interrupts integer [count] Asked for by what was answered here.
local queue = {}

---@class hvsh.screen
---A screen of a graphics card.
---@field connected boolean  It is plugged in.
---@field width integer [pixels] What the guest is told.
---@field height integer [pixels] What the guest is told.
---@field on boolean  The guest shows something.
---@field shown_width integer? [pixels] What the guest shows.
---@field shown_height integer? [pixels] What the guest shows.
---@field cursor_x integer? [pixels] Where the cursor's top left corner is; may be outside.
---@field cursor_y integer? [pixels] Where the cursor's top left corner is; may be outside.
---@field frames integer [count] How often the output was given something new.
local screen = {}

---@class hvsh.screenshot_options
---@field screen? integer [number] Which screen, counted from 0 (default: 0).
local screenshot_options = {}

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
