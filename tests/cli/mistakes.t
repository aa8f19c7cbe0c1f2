# SPDX-License-Identifier: GPL-2.0-or-later
# Things a tired operator does.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/zones.sh"

# Output over input.
cp two.lua precious.lua
sim encode precious.lua --zone linux1 --abi 6 -o precious.lua
is 1 "encode does not write over its script"
err_has "is what this is made from"
same two.lua precious.lua "which is as it was"
sim map precious.lua --svg ./precious.lua
is 1 "neither does map"
same two.lua precious.lua "the script is as it was"
printf '{"zone_id": 1}' >old.json
cp old.json keep.json
run hvsh import old.json -o ./old.json
same old.json keep.json "import does not write over its input"

# A file's name forgotten: the next word is taken for it.
sim map --svg precious.lua
is 1 "a script behind --svg is no drawing"
err_has "precious.lua is there already and is no drawing (SVG), so it is not overwritten"
err_has "name another file, as in hvsh map --svg map.svg precious.lua"
same two.lua precious.lua "the script is as it was"
sim map --json --svg precious.lua
out_has '"error": "precious.lua is there already' "as data"
for _ in first again; do
	sim map --svg memory.svg two.lua
	is 0 "a drawing is overwritten by the next one"
done
: >empty.svg
sim map --svg empty.svg two.lua
is 0 "and so is an empty file"
sim encode two.lua --zone linux1 --abi 6 -o old.json
is 1 "encode writes over no text"
err_has "old.json is there already and is no zone configuration"
for _ in first again; do
	sim encode two.lua --zone linux1 --abi 6 -o config
	is 0 "but over its earlier output"
done
run hvsh import -o old.json "$HVSH_TESTS/../examples/imported/zone1.json"
is 1 "import writes over no JSON"
err_has "old.json is there already and is no script"
same old.json keep.json "which is as it was"
sim screenshot linux1 precious.lua
is 1 "nor a screenshot over a script"
err_has "precious.lua is there already and is no picture (PNG)"
sim export microkit two.lua precious.lua
is 1 "nor an export"
err_has "precious.lua is there already and is no system description (XML)"
same two.lua precious.lua "which is as it was"

# Standard output that is closed.
"$HVSH" --sim list >&- 2>"$work/.err"
code=$? out= err=$(cat "$work/.err")
is 1 "a list that nobody can read is a failure"
err_has "standard output could not be written"

# A start that fails where nobody looks.
looks_away() {
	{ cat two.lua; printf '%s\n' "$@"; } >away.lua
	run hvsh --sim --sim-fault=errno:start:EIO away.lua
}
line=$(($(wc -l <two.lua) + 1))
for call in 'zones.start()' 'zones.start "rtos"' 'zones.apply()' 'zones.linux1:start()' 'zones.linux1:restart()' \
	'local function f() zones.start() end f()'; do
	looks_away "$call"
	is 1 "$call fails the script"
	err_has "away.lua:$line: "
	err_has "EIO"
	err_has "the script went on; assert around the call ends it there"
done
looks_away 'return zones.start()'
is 1 "as the last of it"
err_has "the script went on"
looks_away 'zones.start "linux3"'
is 1 "a name that is none, too"
err_has "away.lua:$line: there is no zone linux3 (did you mean linux1?)"
looks_away 'assert(zones.start())'
is 1 "with assert"
err_lacks "went on" "it is said once"
looks_away 'if not zones.start() then assert(zones.start()) end'
is 0 "a second try that succeeds makes up for it"
err_lacks "went on"
looks_away 'spawn(function() print(zones.start()) end)'
is 0 "a task answers for itself"
out_has "EIO"
err_lacks "went on"
looks_away 'if not zones.start() then print "not today" os.exit(0) end'
is 0 "so does a script that says how it ends"
err_lacks "went on"

# Options of a module that is part of hvsh: the places are the script's.
cat >watched.lua <<'LUA'
dofile "two.lua"
local supervise = require "policy.supervise"
local function keep(options) local s = supervise(options) return s end
keep {zones.linux1, restrat = "always"}
LUA
run hvsh --sim watched.lua
is 1 "an option of a module that is none"
[ "$(grep -v 'simulated hypervisor' <<<"$err")" = 'hvsh: watched.lua:3: supervise: there is no option restrat (did you mean restart?)
    3 | local function keep(options) local s = supervise(options) return s end
    at watched.lua:3, in local keep
    at watched.lua:4, main chunk' ]
tap $? "is said of the script, and of no line inside hvsh"

# Bytes that are no configuration.
head -c 3296 /dev/zero | tr '\0' '\377' >rubbish
run hvsh decode rubbish
is 1 "rubbish does not decode"

# Names that would be taken for something else.
for name in 1 root-linux zone0; do
	sed "s/\"linux1\"/\"$name\"/" two.lua >named.lua
	sim check named.lua
	is 1 "no zone is called $name"
	err_has "the name \"$name\""
done

# A board that is not the script's.
sim --board imx8mp check two.lua
is 1 "--board against the script"
err_has "names the board"

# More zones than there can be: one error, not a thousand.
cat >many.lua <<'LUA'
for i = 1, 300 do
	zone("z" .. i) { id = i, cpus = {2}, arch = "arm64", ram = {at = 0x50000000 + i * 4096, size = 4096}, kernel = false }
end
LUA
sim check many.lua
is 1 "300 zones"
out_has "300 zones are defined"
[ "$(printf '%s\n' "$out" | wc -l)" -lt 10 ]
tap $? "in a few lines"

# A version that cannot be had: the list still says that it is simulated.
run hvsh --sim --sim-fault 'errno:version:EIO:*' list
out_has "SIMULATED"
finish
