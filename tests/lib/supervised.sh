# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced after examples.sh: two zones of the simulated machine for a supervisor, in zones.lua with what tests say about them.
#   script <<'LUA'            runs it with them: $out, $err, $code
cat >zones.lua <<'LUA'
local board = require "board.qemu_virt"
function guest(name, id, ram, window, cpu)
  return zone(name) {
    id = id, cpus = {cpu or id + 1}, board = board, ram = {at = ram, size = "32M"},
    kernel = {image = "images/unikernel-arm64.bin", at = ram},
    dtb = {image = "images/linux1.dtb", patch = true}, devices = {console "hvc0" {at = window}},
  }
end
one, two = guest("one", 1, 0x50000000, 0xa003800), guest("two", 2, 0x58000000, 0xa003200)
supervise = require "policy.supervise"
quick = {from = "1ms", to = "5ms"}
-- hvisor is asked twice a second what runs; here the time is better spent.
every("5ms", function() require("hvsh.core").stop(63) end)
function tell(zone, line)
  local con <close> = assert(zone:device "hvc0":open())
  assert(con:write(line .. "\r"))
end
changes = {}
event.listen(function(e)
  if e.event == "supervise" then changes[#changes + 1] = ("%s:%s"):format(e.zone, e.what) end
end)
function is(s, name, state)
  for _, row in ipairs(s:status()) do if row.zone == name then return row.state == state, row.reason, row end end
end
function until_(s, name, state)
  for _ = 1, 6000 do
    local there, reason, row = is(s, name, state)
    if there then return reason, row end
    sleep "5ms"
  end
  error(("zone %s did not become %s:\n%s"):format(name, state, s))
end
-- Does something that ends a zone's life, and waits until the next one is ready.
function reborn(s, name, f)
  local _, _, row = is(s, name, "ready")
  f()
  for _ = 1, 6000 do
    local ready, _, now = is(s, name, "ready")
    if ready and now.starts > row.starts then return true end
    sleep "5ms"
  end
  error(("zone %s did not come back:\n%s"):format(name, s))
end
function path()
  sleep(0)
  sleep(0)
  local text = table.concat(changes, " ")
  changes = {}
  return text
end
LUA
script() {
	{
		printf '%s\n' 'dofile "zones.lua"'
		cat
		printf '%s\n' 'os.exit(0)'
	} >script.lua
	run timeout "${limit:-600}" "$HVSH" --sim script.lua
}
