-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Nodes of trees
---@meta

---@class hvsh.fdt.tree
---A device tree in memory. Changes stay there until tree:save. `local tree <close>` closes it.
---
---Set-up:
---```lua
---local tree = assert(fdt.open "board.dtb")
---```
---@field root hvsh.fdt.node  The node "/".
---@field label string  What messages call it: the file's name.
---@field model string?  The machine.
---@field shared_pages hvsh.fdt.shared_page[]  Pages with registers of several nodes.
local tree = {}

---The first node by its path, &label, alias or properties.
---
---Errors: ENOENT when there is none.
---
---Example:
---```lua
---print(tree:find("&uart0").path)                        --> /soc/pl011@9000000
---print(tree:find({compatible = "arm,pl031"}).name)      --> rtc@9010000
---```
---@param what string|hvsh.fdt.filter  A path, &label or alias; or what it must be.
---@return hvsh.fdt.node? node
---@return string? message
---@return string? code
function tree:find(what) end

---All nodes that match, in the tree's order.
---
---Errors: none; the list may be empty.
---
---Example:
---```lua
---print(#tree:list {compatible = "arm,pl011", enabled = true})   --> 1
---```
---@param filter? hvsh.fdt.filter  What they must be (default: all nodes).
---@return hvsh.fdt.node[] nodes
function tree:list(filter) end

---Every node, parents first.
---
---Errors: raises an error when the tree is changed meanwhile.
---
---Example:
---```lua
---local n = 0
---for node in tree:walk() do
---	if #node.regs > 0 then n = n + 1 end
---end
---print(n)   --> 7
---```
---@return fun(): hvsh.fdt.node? iterator
function tree:walk() end

---Sets a property of a node; nil or false removes it, true makes an empty one.
---
---Errors: ENOENT when there is no such node; EFBIG when the tree grows too large.
---
---Example:
---```lua
---assert(tree:set("&uart1", "status", "okay"))
---assert(tree:set("&uart1", "clock-frequency", 24000000))
---print(tree:find("&uart1").status)   --> okay
---```
---@param node string|hvsh.fdt.node  A path, &label, alias or node.
---@param name string  The property.
---@param value any  [number] Text, a number of 32 bits, or a list of them.
---@param kind? "u32"|"u64"|"string"|"strings"|"cells"|"bytes"  What it is (default: as the value looks).
---@return true? ok
---@return string? message
---@return string? code
function tree:set(node, name, value, kind) end

---Adds a node, and those above it that are missing.
---
---Errors: EEXIST when it is there; EINVAL when that is no path of a node.
---
---Example:
---```lua
---local node = assert(tree:add "/soc/dma@9020000")
---node:set("compatible", "example,dma")
---print(node.compatible[1])   --> example,dma
---```
---@param path string  Full path of the new node.
---@return hvsh.fdt.node? node
---@return string? message
---@return string? code
function tree:add(path) end

---Removes a node with all below it.
---
---Errors: ENOENT when there is no such node.
---
---Example:
---```lua
---assert(tree:remove "&rtc")
---print((tree:find "/soc/rtc@9010000"))   --> nil
---```
---@param node string|hvsh.fdt.node  A path, &label, alias or node.
---@return true? ok
---@return string? message
---@return string? code
function tree:remove(node) end

---Applies a compiled overlay.
---
---Errors: ENOENT when there is no such file; EINVAL when it does not fit.
---
---Example:
---```lua
---print(select(3, tree:overlay "none.dtbo"))   --> ENOENT
---```
---@param other string|hvsh.fdt.tree  A file or a tree.
---@return true? ok
---@return string? message
---@return string? code
function tree:overlay(other) end

---Brings a tree that somebody wrote into line with a zone. Only what is given is changed; memory and virtio are complete lists.
---
---Errors: EINVAL when what was asked for does not fit the tree.
---
---Example:
---```lua
---assert(tree:patch {bootargs = "console=ttyAMA0", memory = {at = 0x50000000, size = "64M"}})
---print(tree:find("/chosen"):prop("bootargs", "string"))   --> console=ttyAMA0
---```
---@param wanted hvsh.fdt.guest_options  bootargs, stdout, initrd, memory, virtio.
---@return true? ok
---@return string? message
---@return string? code
function tree:patch(wanted) end

---Writes the compiled tree to a file.
---
---Errors: as the file gives them.
---
---Example:
---```lua
---assert(tree:save "changed.dtb")
---print(#fdt.diff(tree, fdt.open "changed.dtb"))   --> 0
---```
---@param path string  The file.
---@return true? ok
---@return string? message
---@return string? code
function tree:save(path) end

---The compiled tree as bytes.
---
---Errors: none.
---
---Example:
---```lua
---print((">I4"):unpack(tree:bytes()) == 0xd00dfeed)   --> true
---```
---@return string bytes
function tree:bytes() end

---The tree as source, with comments where it says more than the bytes.
---
---Errors: none.
---
---Example:
---```lua
---print(tree:text():find("pl011@9000000", 1, true) ~= nil)   --> true
---```
---@param depth? integer [count] Levels of children in full (default: all).
---@return string text
function tree:text(depth) end

---Closes the tree. Its nodes cannot be used any more.
---
---Errors: none; closing again does nothing.
---
---Example:
---```lua
---tree:close()
---print(tree)   --> device tree (closed)
---```
function tree:close() end

---@class hvsh.fdt.node
---A node of a tree. It remembers its path: after changes of the tree it finds itself again.
---
---Set-up:
---```lua
---local tree = assert(fdt.open "board.dtb")
---local node = assert(tree:find "&uart0")
---```
---@field tree hvsh.fdt.tree  Its tree.
---@field path string  Its path.
---@field name string  Its name with its unit address.
---@field label string?  Its label, in a tree that was compiled with symbols.
---@field phandle integer? [id] Its phandle.
---@field status string  "okay", "disabled" and so on.
---@field enabled boolean  Neither it nor a parent is disabled.
---@field compatible string[]  What it is compatible with, the closest first.
---@field regs hvsh.fdt.reg[]  Its registers, as CPU addresses.
---@field irqs hvsh.fdt.irq[]  Its interrupts, as the CPUs' controller numbers them.
---@field props table<string,string>  Bytes of its properties by name; as a list, the names in order.
---@field parent hvsh.fdt.node?  The node above.
---@field children hvsh.fdt.node[]  The nodes below.
local node = {}

---A property's value.
---
---Errors: ENOENT when it has no such property; EINVAL when the bytes are not of that type.
---
---Example:
---```lua
---print(node:prop("clock-names", "strings")[1])                        --> uartclk
---print(("0x%x"):format(node:prop("arm,primecell-periphid", "u32")))   --> 0x241011
---```
---@param name string  The property.
---@param kind? "u32"|"u64"|"string"|"strings"|"cells"|"bytes"  What it is (default "bytes").
---@return any value  [number]
---@return string? message
---@return string? code
function node:prop(name, kind) end

---A property as source.
---
---Errors: ENOENT when it has no such property.
---
---Example:
---```lua
---print(node:value "compatible")   --> "arm,pl011", "arm,primecell"
---```
---@param name string  The property.
---@return string? text
---@return string? message
---@return string? code
function node:value(name) end

---What the node needs of others: clocks, resets, power domains, pins and so on.
---
---Errors: none; a reference that leads nowhere has a problem.
---
---Example:
---```lua
---for _, ref in ipairs(node:refs()) do print(ref.kind, ref.name, ref.path) end
-----> clock	uartclk	/soc/clock-controller@9100000
-----> clock	apb_pclk	/osc
---```
---@return hvsh.fdt.ref[] refs
function node:refs() end

---Sets a property, as tree:set.
---
---Errors: EFBIG when the tree grows too large.
---
---Example:
---```lua
---assert(node:set("status", "disabled"))
---print(node.enabled)   --> false
---```
---@param name string  The property.
---@param value any  [number] Text, a number of 32 bits, or a list of them; nil or false removes it.
---@param kind? "u32"|"u64"|"string"|"strings"|"cells"|"bytes"  What it is (default: as the value looks).
---@return true? ok
---@return string? message
---@return string? code
function node:set(name, value, kind) end

---Whether the node is compatible with something.
---
---Errors: none.
---
---Example:
---```lua
---print(node:is "arm,primecell")   --> true
---```
---@param compatible string
---@return boolean yes
function node:is(compatible) end

---The node as source.
---
---Errors: none.
---
---Example:
---```lua
---print(node:text():find("interrupts", 1, true) ~= nil)   --> true
---```
---@param depth? integer [count] Levels of children in full (default: all).
---@return string text
function node:text(depth) end

---@class hvsh.fdt.filter
---@field compatible? string  Is compatible with it.
---@field name? string  Name, with or without its unit address.
---@field enabled? boolean  Is enabled, or is not.
---@field property? string  Has that property.
---@field phandle? integer [id] Phandle (tree:find only, alone).
local filter = {}

---@class hvsh.fdt.reg
---A stretch of registers.
---@field start integer? [address] CPU address.
---@field size integer? [bytes] How long it is.
---@field problem string?  Why the CPU cannot reach it.
---@field code string?  The problem's kind, "EINVAL" for one.
local reg = {}

---@class hvsh.fdt.irq
---An interrupt.
---@field number integer? [number] As the CPUs' controller has it: INTID of a GIC, source of a PLIC.
---@field trigger string?  "level high", "edge rising" and so on.
---@field controller string?  Path of the controller.
---@field type string?  "gicv2", "gicv3", "plic", "aplic".
---@field via string?  Path of a controller between the two.
---@field problem string?  Why it leads nowhere.
---@field code string?  The problem's kind, "EINVAL" for one.
local irq = {}

---@class hvsh.fdt.ref
---A reference to another node.
---@field kind string  "clock", "reset", "power-domain" and so on.
---@field property string  The property it stands in.
---@field slot integer [number] Its position there, from 1.
---@field name string?  Its name there.
---@field phandle integer [id] As written.
---@field node hvsh.fdt.node?  Where it leads.
---@field path string?  Path of that node.
---@field args integer[] [number] What stands behind it.
---@field problem string?  Why it leads nowhere.
local ref = {}

---@class hvsh.fdt.shared_page
---A page with registers of several nodes.
---@field start integer [address] Where it begins.
---@field size integer [bytes] How long it is.
---@field owners string  Paths of the enabled nodes.
---@field disabled string  Paths of the disabled ones.
local shared_page = {}
