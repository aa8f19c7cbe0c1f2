# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh check: right scripts, wrong scripts, scripts that are none.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/zones.sh"

sim check two.lua
is 0 "a right script is 0"
out_has "two.lua: 2 zones, nothing wrong"

sim check two.lua --json
is 0 "as JSON"
out_has '"errors": 0'
out_has '"findings": []'

# The second zone gets the first one's memory and CPU.
sed 's/cpus = {3}/cpus = {2}/; s/at = 0x58000000/at = 0x51000000/; s/at = 0x58400000/at = 0x51400000/' two.lua >clash.lua
sim check clash.lua
is 1 "zones in each other's way are 1"
out_has "error: "
out_has "clash.lua:5" "names the line of the one"
out_has "clash.lua:12" "and of the other"
out_has "linux1"
out_has "rtos"
out_has "clash.lua: 2 zones, 2 errors"

sim check --json clash.lua
is 1 "as JSON, the option first"
out_has '"severity": "error"'
out_has '"file": "clash.lua"'
out_has '"line": 12'

# Without any hypervisor a script can be checked, too.
run hvsh check two.lua
is 0 "no hypervisor is needed to check"

sim check missing.lua
is 1 "a missing script is 1"
err_has "missing.lua: no such script"

printf 'zone "x" {\n  id = 1,\n  cpus = {2\n}\n' >syntax.lua
sim check syntax.lua
is 1 "a syntax error is 1"
err_has "syntax.lua:5:"

printf 'zone "x" {\n  id = 1,\n  cpsu = {2},\n}\n' >field.lua
sim check field.lua
is 1 "an unknown field is 1"
err_has "field.lua:3"
err_has "cpus" "suggests the field that was meant"

printf 'local x = nil\nassert(nil, "ENOENT: nothing there")\n' >assert.lua
sim check assert.lua
is 1 "a failing script is 1"
err_has "assert.lua:2: ENOENT: nothing there" "with the line that assert does not give"

printf 'os.exit(3)\n' >exit.lua
sim check exit.lua
is 1 "a script that gives up is 1"
err_has "exit.lua:1: the script gave up"

echo 'print "hello"' >empty.lua
sim check empty.lua
is 1 "a script without zones is 1"
err_has "empty.lua: defines no zone"
out_lacks "hello" "what a script prints is not the command's output"
err_has "hello"

sim check .
is 1 "a folder is no script"

# Reading a script starts nothing, stops nothing, and ends where a running zone is needed.
cat two.lua - >live.lua <<'LUA'
assert(zones.linux1:start())
assert(zones.linux1:restart())
assert(zones.stop())
print(arg[0], ...)
if zones.linux1:state() == "same" then error "not reached" end
error "not reached"
LUA
sim check live.lua one two
is 0 "what is defined up to there is checked"
err_has "live.lua is read up to line 20, which needs a running zone"
err_has "live.lua	one	two" "the script gets its arguments"
sim list
out_lacks "linux1" "nothing was started"

cat two.lua - >over.lua <<'LUA'
assert(zones.start())
os.exit(0)
LUA
sim check over.lua
is 0 "a script that ends itself is read all the same"
out_has "2 zones"

# How it is called.
sim check
is 2 "no script is a usage error"
err_has "SCRIPT is missing"
err_has "usage: hvsh check SCRIPT"
sim check two.lua --jsno
is 2 "an unknown option is a usage error"
err_has "did you mean --json?"
sim check two.lua -- --jsno
is 0 "after -- everything belongs to the script"
sim chekc two.lua
is 2 "an unknown command is a usage error"
err_has "did you mean check?"
run hvsh help
is 0 "help"
out_has "encode"
run hvsh help plan
out_has "Exit 0: nothing to do, 2: something to do"
run hvsh plan --help
is 0 "--help behind a command"
out_has "--restart"
run hvsh help plna
is 2 "help for what is none"
run hvsh check two.lua --json=x
is 2 "a value where none belongs"

# Without a hypervisor everything else is checked, and why it could not be asked is said once.
run hvsh check two.lua
is 0 "a check needs no hypervisor"
[ "$(printf '%s\n' "$out" | grep -c '^note:.*zones that run')" = 1 ]
tap $? "one note says what was not looked at"

# Terminal control characters of a script do not reach the terminal.
printf 'error("bad \\27[2J name")\n' >escape.lua
sim check escape.lua
err_has 'bad \x1b[2J name'
finish
