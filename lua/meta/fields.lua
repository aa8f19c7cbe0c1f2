-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Tables that define
---@meta

-- Written by scripts/reference.sh from lua/prelude/schema.lua: change that. For editors; help() reads the schema itself.

---@class hvsh.fields.zone
---@field id integer  Number of the zone: 1 to 31, 0 is the root zone.
---@field cpus integer[]|string  Physical CPUs that belong to the zone.
---@field board? hvsh.board|hvsh.fields.board  The machine: fills in interrupt controller, virtio slots and what the checks need.
---@field arch? "arm64"|"riscv64"|"loongarch64"|"x86_64"  Architecture. Default: the board's.
---@field ram? hvsh.fields.zone.ram|hvsh.fields.zone.ram[]  Memory: one stretch or a list.
---@field mmio? hvsh.fields.zone.mmio[]  Device registers the zone uses itself.
---@field regions? hvsh.fields.zone.regions[]  All memory regions in the exact order hvisor gets them, instead of ram and mmio.
---@field passthrough? string|(string|table)[]|hvsh.fields.zone.passthrough  Devices of the machine given to the zone: their registers and interrupts follow from its tree.
---@field irqs? integer[]|string  Interrupts of devices the zone uses itself (those of virtio devices and passthrough are added).
---@field kernel string|false|hvsh.fields.zone.kernel  What is started; a path, or where it goes as well. false: nothing is loaded.
---@field entry? hvsh.address  Guest address where the first CPU starts. Default: the kernel's own.
---@field dtb? string|false|hvsh.fields.zone.dtb  Device tree; "auto": made from this zone and the machine's tree.
---@field initrd? string|false|hvsh.fields.zone.initrd  Initial RAM disk; its place is written into the tree.
---@field modules? hvsh.fields.zone.modules[]  More files to load.
---@field devices? hvsh.definition[]  Virtio devices.
---@field aarch32? boolean  CPUs start in 32-bit state. Default: false.
---@field uefi? hvsh.fields.zone.uefi  What a UEFI guest is told (configuration layout 6).
---@field x86? hvsh.fields.zone.x86  How an x86 zone boots.
---@field pci? hvsh.fields.zone.pci  PCI buses and devices.
---@field ivc? hvsh.fields.zone.ivc[]  Channels to other zones.
---@field gic? hvsh.fields.zone.gic  The interrupt controller. Default: the board's.
---@field plic? hvsh.fields.zone.plic  The platform-level interrupt controller. Default: the board's.
---@field aplic? hvsh.fields.zone.aplic  The advanced platform-level interrupt controller. Default: the board's.

---@class hvsh.fields.zone.ram
---@field at hvsh.address  Guest address at which the zone sees it.
---@field size hvsh.size  How much.
---@field phys? hvsh.address  Physical address behind it. Default: the same as at.
---@field name? string  What messages and the memory map call it.
---@field shared? boolean  It may overlap what another zone calls shared, too. Default: false.

---@class hvsh.fields.zone.mmio
---@field at hvsh.address  Guest address at which the zone sees it.
---@field size hvsh.size  How much.
---@field phys? hvsh.address  Physical address behind it. Default: the same as at.
---@field name? string  What messages and the memory map call it.
---@field shared? boolean  It may overlap what another zone calls shared, too. Default: false.

---@class hvsh.fields.zone.regions
---@field type "ram"|"io"|"virtio"  What kind of memory: RAM, device registers, or virtio register windows.
---@field at hvsh.address  Guest address at which the zone sees it.
---@field size hvsh.size  How much.
---@field phys? hvsh.address  Physical address behind it. Default: the same as at.
---@field name? string  What messages and the memory map call it.
---@field shared? boolean  It may overlap what another zone calls shared, too. Default: false.

---@class hvsh.fields.zone.passthrough
---@field devices? (string|table)[]  Paths, &labels or aliases of the machine's tree, or {compatible = …} for all enabled ones that are. They may stand in passthrough itself.
---@field tree? string  The machine's device tree. Default: the board's, or what the machine runs with.
---@field rates? table<string,table>  Rates of clocks that stay with the root zone: device, clock by name or number, and Hz. Default: those the machine's clocks have.
---@field accept? string[]  Nodes with which there is a conflict that is accepted: they share a page or a provider with what is given away.
---@field coalesce? boolean  Regions are widened to 2 MiB. Default: false.

---@class hvsh.fields.zone.kernel
---@field image string  The file; false when nothing is to be loaded. Relative to the script's folder.
---@field at? hvsh.address  Guest address to load it at. Default: a fitting place in RAM.
---@field phys? hvsh.address  Physical address to load it at, instead of at.
---@field cmdline? string  The kernel's command line: replaces the bootargs of the device tree.
---@field format? "auto"|"raw"|"elf"|"linux"  What the file is. Default: auto: what its first bytes say.

---@class hvsh.fields.zone.dtb
---@field image string  The file; false when nothing is to be loaded. Relative to the script's folder.
---@field at? hvsh.address  Guest address to load it at. Default: a fitting place in RAM.
---@field phys? hvsh.address  Physical address to load it at, instead of at.
---@field patch? boolean  The file's memory and virtio,mmio nodes are made to say what the zone has. Default: false.
---@field stdout? string  The guest's first console: stdout-path of the tree.

---@class hvsh.fields.zone.initrd
---@field image string  The file; false when nothing is to be loaded. Relative to the script's folder.
---@field at? hvsh.address  Guest address to load it at. Default: a fitting place in RAM.
---@field phys? hvsh.address  Physical address to load it at, instead of at.

---@class hvsh.fields.zone.modules
---@field image string  The file; false when nothing is to be loaded. Relative to the script's folder.
---@field at? hvsh.address  Guest address to load it at. Default: a fitting place in RAM.
---@field phys? hvsh.address  Physical address to load it at, instead of at.
---@field name? string  What messages call it.

---@class hvsh.fields.zone.uefi
---@field memory_map hvsh.fields.zone.uefi.memory_map  The UEFI memory map.
---@field system_table hvsh.address  The UEFI system table.

---@class hvsh.fields.zone.uefi.memory_map
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.x86
---@field ioapic? hvsh.fields.zone.x86.ioapic  I/O APIC. Default: the board's.
---@field boot? string|false|hvsh.fields.zone.x86.boot  First code, in real mode.
---@field setup? string|false|hvsh.fields.zone.x86.setup  The kernel's real-mode set-up code.
---@field initrd? string|false|hvsh.fields.zone.x86.initrd  Initial RAM disk.
---@field cmdline? hvsh.fields.zone.x86.cmdline  Where kernel.cmdline is written.
---@field kernel_gpa? hvsh.address  Guest address of the kernel's 64-bit or 32-bit entry.
---@field rsdp_region? string|integer  Region for the ACPI root pointer: its name, or its number from 0. Default: 0.
---@field acpi_region? string|integer  Region for the ACPI tables. Default: 0.
---@field uefi_region? string|integer  Region for the UEFI memory map. Default: 0.
---@field screen_base? hvsh.address  Frame buffer. Default: 0.

---@class hvsh.fields.zone.x86.ioapic
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.x86.boot
---@field image string  The file; false when nothing is to be loaded. Relative to the script's folder.
---@field at? hvsh.address  Guest address to load it at. Default: a fitting place in RAM.
---@field phys? hvsh.address  Physical address to load it at, instead of at.

---@class hvsh.fields.zone.x86.setup
---@field image string  The file; false when nothing is to be loaded. Relative to the script's folder.
---@field at? hvsh.address  Guest address to load it at. Default: a fitting place in RAM.
---@field phys? hvsh.address  Physical address to load it at, instead of at.

---@class hvsh.fields.zone.x86.initrd
---@field image string  The file; false when nothing is to be loaded. Relative to the script's folder.
---@field at? hvsh.address  Guest address to load it at. Default: a fitting place in RAM.
---@field phys? hvsh.address  Physical address to load it at, instead of at.

---@class hvsh.fields.zone.x86.cmdline
---@field at? hvsh.address  Guest address.
---@field phys? hvsh.address  Physical address. Default: what lies behind at.

---@class hvsh.fields.zone.pci
---@field buses? hvsh.fields.zone.pci.buses[]  Root buses the zone uses.
---@field devices? hvsh.fields.zone.pci.devices[]  Devices given to the zone.

---@class hvsh.fields.zone.pci.buses
---@field ecam hvsh.fields.zone.pci.buses.ecam  Configuration space.
---@field io? hvsh.fields.zone.pci.buses.io  I/O ports.
---@field mem32? hvsh.fields.zone.pci.buses.mem32  32-bit memory.
---@field mem64? hvsh.fields.zone.pci.buses.mem64  64-bit memory.
---@field bus_range? integer[]  First and last bus number. Default: as many as ecam has room for.
---@field domain? integer  PCI domain. Default: 0.

---@class hvsh.fields.zone.pci.buses.ecam
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.pci.buses.io
---@field at hvsh.address  CPU address.
---@field size hvsh.size  How long it is.
---@field pci? hvsh.address  PCI address behind it. Default: the same as at.

---@class hvsh.fields.zone.pci.buses.mem32
---@field at hvsh.address  CPU address.
---@field size hvsh.size  How long it is.
---@field pci? hvsh.address  PCI address behind it. Default: the same as at.

---@class hvsh.fields.zone.pci.buses.mem64
---@field at hvsh.address  CPU address.
---@field size hvsh.size  How long it is.
---@field pci? hvsh.address  PCI address behind it. Default: the same as at.

---@class hvsh.fields.zone.pci.devices
---@field at string  Its address on the machine.
---@field as? string  The address at which the zone sees it. Default: the same as at.
---@field type? integer  hvisor's device type. Default: 0.
---@field domain? integer  PCI domain, where at does not say it. Default: 0.

---@class hvsh.fields.zone.ivc
---@field id integer  Number of the channel, the same in every zone on it.
---@field peer integer  This zone's number on the channel.
---@field control hvsh.address  Guest address of the control table.
---@field shared hvsh.address  Guest address of the shared memory.
---@field rw_size? hvsh.size  Section that everyone may write. Default: 0.
---@field out_size hvsh.size  Section that only its owner may write, one per peer.
---@field irq integer  Interrupt that tells this zone of news.
---@field peers integer  How many zones are on the channel.

---@class hvsh.fields.zone.gic
---@field version integer  GIC architecture version.
---@field gicd hvsh.fields.zone.gic.gicd  Distributor.
---@field gicr? hvsh.fields.zone.gic.gicr  Redistributors of all CPUs (version 3).
---@field its? hvsh.fields.zone.gic.its  Interrupt translation service (version 3).
---@field gicc? hvsh.fields.zone.gic.gicc  CPU interface (version 2).
---@field gich? hvsh.fields.zone.gic.gich  Hypervisor interface (version 2).
---@field gicv? hvsh.fields.zone.gic.gicv  Virtual CPU interface (version 2).

---@class hvsh.fields.zone.gic.gicd
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.gic.gicr
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.gic.its
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.gic.gicc
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.
---@field offset? hvsh.size  From gicc to the page that the guest uses. Default: 0.

---@class hvsh.fields.zone.gic.gich
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.gic.gicv
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.plic
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.zone.aplic
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.blk
---@field image string  Disk image or block device.
---@field readonly? boolean  The guest may not write. Default: false.
---@field overlay? string  Writes go to this file, image stays as it is.
---@field snapshot? boolean  Writes are forgotten when the zone stops. Default: false.
---@field serial? string  Serial number the guest sees.
---@field queues? integer  Request queues. Default: 1.
---@field queue_size? integer  Entries of a queue, a power of two. Default: 256.
---@field block_size? integer  Bytes of a block, as the guest sees it. Default: the disk's own.
---@field direct? boolean  Past the host's page cache. Default: false.
---@field policy? hvsh.fields.blk.policy  Decides about its requests, from the first one on (hvsh-lua(7), device:policy).
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.blk.policy
---@field decide? function  Called with each request; says what becomes of it. It stays in the process that reads the script.
---@field file? string  Instead of decide: a script that returns the function.
---@field args? any  What the file gets: a list.
---@field isolate? "state"|"process"  Where the file decides: in a Lua state of its own, or in a process of its own. Default: state.
---@field memory? hvsh.size  What the file may use. Default: 4M.
---@field deadline? string|number  What the file may compute for one decision. Default: 10ms.
---@field ops? string[]  The requests it is for: "read", "write", "flush", "discard", "zero". Default: all.
---@field sample? number  It only looks on, at this part of all requests.
---@field queue? integer  Requests that may wait for it. Default: 256.
---@field timeout? string|number  How long a request waits for it. Default: 1s.
---@field on_overload? "pass"|"deny"|"stall"  What becomes of a request for which there is no room, or no answer in time. Default: deny.
---@field on_error? "pass"|"deny"  What becomes of a request at which the function fails. Default: as on_overload.
---@field sectors? integer[]  Only requests that touch these: the first one, and how many. Default: all.

---@class hvsh.fields.net
---@field tap? string  TAP device on this side.
---@field switch? string  Instead of a TAP: a switch inside hvsh, joined by name.
---@field bridge? string  Host bridge the TAP is put into.
---@field mac? string  Hardware address. Default: made from the names of zone and device.
---@field mtu? integer  Largest packet. Default: 1500.
---@field queues? integer  Queue pairs. Default: 1.
---@field queue_size? integer  Entries of a queue, a power of two. Default: 512.
---@field policy? hvsh.fields.net.policy  Decides about its requests, from the first one on (hvsh-lua(7), device:policy).
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.net.policy
---@field decide? function  Called with each request; says what becomes of it. It stays in the process that reads the script.
---@field file? string  Instead of decide: a script that returns the function.
---@field args? any  What the file gets: a list.
---@field isolate? "state"|"process"  Where the file decides: in a Lua state of its own, or in a process of its own. Default: state.
---@field memory? hvsh.size  What the file may use. Default: 4M.
---@field deadline? string|number  What the file may compute for one decision. Default: 10ms.
---@field ops? string[]  The requests it is for: "out", "in". Default: all.
---@field sample? number  It only looks on, at this part of all requests.
---@field queue? integer  Requests that may wait for it. Default: 256.
---@field timeout? string|number  How long a request waits for it. Default: 1s.
---@field on_overload? "pass"|"deny"|"stall"  What becomes of a request for which there is no room, or no answer in time. Default: deny.
---@field on_error? "pass"|"deny"  What becomes of a request at which the function fails. Default: as on_overload.

---@class hvsh.fields.console
---@field log? string  File that keeps the output.
---@field log_max? hvsh.size  At this length the file becomes FILE.1 and a new one begins. Default: never.
---@field log_keep? integer  How many old files are kept. Default: 0.
---@field pty? boolean  A pseudo-terminal as well. Default: false.
---@field pty_link? string  Symbolic link to the pseudo-terminal.
---@field scrollback? hvsh.size  How much output is kept for those who come later. Default: 262144.
---@field ports? string[]  Byte channels besides the console, by name: /dev/virtio-ports/NAME in the guest.
---@field columns? integer  Width the guest is told.
---@field rows? integer  Height the guest is told.
---@field policy? hvsh.fields.console.policy  Decides about its requests, from the first one on (hvsh-lua(7), device:policy).
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.console.policy
---@field decide? function  Called with each request; says what becomes of it. It stays in the process that reads the script.
---@field file? string  Instead of decide: a script that returns the function.
---@field args? any  What the file gets: a list.
---@field isolate? "state"|"process"  Where the file decides: in a Lua state of its own, or in a process of its own. Default: state.
---@field memory? hvsh.size  What the file may use. Default: 4M.
---@field deadline? string|number  What the file may compute for one decision. Default: 10ms.
---@field ops? string[]  The requests it is for: "out", "in". Default: all.
---@field sample? number  It only looks on, at this part of all requests.
---@field queue? integer  Requests that may wait for it. Default: 256.
---@field timeout? string|number  How long a request waits for it. Default: 1s.
---@field on_overload? "pass"|"deny"|"stall"  What becomes of a request for which there is no room, or no answer in time. Default: deny.
---@field on_error? "pass"|"deny"  What becomes of a request at which the function fails. Default: as on_overload.

---@class hvsh.fields.rng
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.scmi
---@field clocks? (integer|string)[]|"all"  Which of the host's clocks the zone may use, by number, name or reference; "all" for every one.
---@field resets? (integer|string)[]|"all"  Which of the host's resets the zone may use, by number, name or reference; "all" for every one.
---@field powers? (integer|string)[]|"all"  Which of the host's power domains the zone may use, by number, name or reference; "all" for every one.
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.slot
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.gpu
---@field width? integer  Width of the screen. Default: the display's own, or 1280.
---@field height? integer  Height of the screen. Default: the display's own, or 800.
---@field screens? integer  How many screens. Default: 1.
---@field memory? hvsh.size  How much the guest may fill with pictures. Default: 268435456.
---@field output? "drm"|"memory"  Where the picture goes: a connector, or only memory. Default: memory.
---@field card? string  Which graphics card of this machine. Default: the first that fits.
---@field connector? string  Which connector the first screen is on. Default: the first connected one.
---@field mode? string  Mode of the display, with or without its rate. Default: the guest's size, or the one the display prefers.
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.input
---@field evdev? string  Input device of this machine, for the zone alone; without it, a script makes the input.
---@field kind? "keyboard"|"mouse"|"tablet"|"touch"  What a script makes the input of. Default: keyboard.
---@field width? integer  Width of tablet or touch screen. Default: 32768.
---@field height? integer  Height of tablet or touch screen. Default: 32768.
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.custom
---@field id integer  What it is to the guest: a virtio device id.
---@field features? integer[]|string  Feature bits it offers, 0 to 23 and 50 to 63.
---@field config? string  Its configuration space, as it begins.
---@field queues hvsh.fields.custom.queues[]  Its queues, at most 8.
---@field start? function  Called when the driver is there: device, the feature bits it took ({[0] = true}).
---@field reset? function  Called when the driver has let go of it: device.
---@field on_config? function  Called when the driver has written the configuration: device, offset, bytes. Without it, it cannot.
---@field requests? integer  How many requests its functions may have at a time, and how much of what is sent may wait. Default: 64.
---@field max_request? hvsh.size  The longest request, and answer. Default: 65536.
---@field memory? hvsh.size  What all requests and answers may take; as much again what is sent. Default: 4194304.
---@field timeout? string|number  By then a request must be answered. Default: 10s.
---@field at? hvsh.address  Guest address of the register window. Default: a free slot of the board.
---@field size? hvsh.size  Length of the register window. Default: 512.
---@field irq? integer  Interrupt number. Default: the slot's.
---@field enabled? boolean  false: the device is left out. Default: true.

---@class hvsh.fields.custom.queues
---@field size? integer  Entries, a power of two. Default: 64.
---@field request? function  Called with each of the guest's requests: device, the bytes it wrote, how many it has room for. Gives the answer's bytes.
---@field receive? boolean  The guest's buffers wait for device:send. Default: false.

---@class hvsh.fields.board
---@field name string  What messages call it.
---@field arch "arm64"|"riscv64"|"loongarch64"|"x86_64"  Architecture.
---@field cpus? integer  How many CPUs it has. Default: not known.
---@field ram? hvsh.fields.board.ram|hvsh.fields.board.ram[]  All RAM of the machine. Default: not known.
---@field hypervisor? hvsh.fields.board.hypervisor  What hvisor itself occupies. Default: not known.
---@field root? hvsh.fields.board.root  The root zone's share. Default: not known.
---@field slots? hvsh.fields.board.slots[]  Register windows for virtio devices.
---@field ioapic? hvsh.fields.board.ioapic  I/O APIC.
---@field tree? string  Its device tree, from which devices can be given to zones. Default: what the machine runs with.
---@field controller? "plic"|"aplic"  Which of the two the machine has, where plic and aplic are both given. Default: plic.
---@field wakeup_irq? integer  Interrupt by which hvisor wakes the virtio service. Default: not known.
---@field max_zones? integer  Zones this build of hvisor can hold, the root zone included. Default: not known.
---@field gic? hvsh.fields.board.gic  The interrupt controller. Default: the board's.
---@field plic? hvsh.fields.board.plic  The platform-level interrupt controller. Default: the board's.
---@field aplic? hvsh.fields.board.aplic  The advanced platform-level interrupt controller. Default: the board's.

---@class hvsh.fields.board.ram
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.
---@field name? string  What the memory map calls it.

---@class hvsh.fields.board.hypervisor
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.
---@field name? string  What the memory map calls it.

---@class hvsh.fields.board.root
---@field cpus? integer[]|string  CPUs of the root zone.
---@field ram? hvsh.fields.board.root.ram|hvsh.fields.board.root.ram[]  RAM of the root zone's own kernel.

---@class hvsh.fields.board.root.ram
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.
---@field name? string  What the memory map calls it.

---@class hvsh.fields.board.slots
---@field at hvsh.address  First register window.
---@field size? hvsh.size  Of one window. Default: 512.
---@field stride? hvsh.size  From one window to the next. Default: the size.
---@field irq integer  Interrupt of the first window; each next has one more.
---@field count? integer  How many. Default: 1.

---@class hvsh.fields.board.ioapic
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.board.gic
---@field version integer  GIC architecture version.
---@field gicd hvsh.fields.board.gic.gicd  Distributor.
---@field gicr? hvsh.fields.board.gic.gicr  Redistributors of all CPUs (version 3).
---@field its? hvsh.fields.board.gic.its  Interrupt translation service (version 3).
---@field gicc? hvsh.fields.board.gic.gicc  CPU interface (version 2).
---@field gich? hvsh.fields.board.gic.gich  Hypervisor interface (version 2).
---@field gicv? hvsh.fields.board.gic.gicv  Virtual CPU interface (version 2).

---@class hvsh.fields.board.gic.gicd
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.board.gic.gicr
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.board.gic.its
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.board.gic.gicc
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.
---@field offset? hvsh.size  From gicc to the page that the guest uses. Default: 0.

---@class hvsh.fields.board.gic.gich
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.board.gic.gicv
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.board.plic
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.

---@class hvsh.fields.board.aplic
---@field at hvsh.address  Where it begins.
---@field size hvsh.size  How long it is.
