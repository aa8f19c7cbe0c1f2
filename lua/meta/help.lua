-- SPDX-License-Identifier: GPL-2.0-or-later
-- title: Help
---@meta

---Prints what is known of a function, an object or a name; alone, an overview. At the prompt `zones.start?` does the same.
---
---Errors: none; when nothing is known, near names are printed.
---
---Example:
---```lua
---help()
---help(zones.start)
---help "zone.ram.size"
---```
---@param what? any  A function, an object, or a name: "zones.start", "blk.image".
function help(what) end
