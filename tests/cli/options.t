# SPDX-License-Identifier: GPL-2.0-or-later
# The command line as lua has it, our options, and what a root process must not take from outside.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1

run hvsh -e 'print(1)' -e 'print(2)'
is 0 "-e"
out_is $'1\n2' "-e runs in order"
run hvsh -e'x = 3' -e 'print(x)'
out_is 3 "-e without a space, globals stay"
run hvsh -e
is 2 "-e without code is a usage error"

cat >args.lua <<'LUA'
print(#arg, arg[0], arg[1], arg[2], arg[-1] ~= nil, ...)
LUA
run hvsh args.lua a --sim
out_is $'2\targs.lua\ta\t--sim\ttrue\ta\t--sim' "a script's arguments are its own"
run hvsh -- args.lua -x
out_has "args.lua" "-- ends the options"
run hvsh -e 'y = 4' args.lua q
out_has "args.lua" "-e and a script"

run hvsh -l string -e 'print(string.rep("a", 3))'
out_is aaa "-l"
run hvsh -l s=string -e 'print(s.rep("b", 2), string ~= nil)'
out_is $'bb\ttrue' "-l name=module"
run hvsh -l no.such.module
is 1 "-l of a module that is not there"
err_has "no.such.module"

printf 'print("from stdin", ...)' >in.lua
code=0; out=$("$HVSH" - 1 2 <in.lua 2>.err) || code=$?; err=$(cat .err)
is 0 "- reads standard input"
out_is $'from stdin\t1\t2' "- takes arguments"
code=0; out=$("$HVSH" <in.lua 2>.err) || code=$?; err=$(cat .err)
out_is "from stdin" "no argument and no terminal: standard input is the script"
code=0; out=$("$HVSH" -i <in.lua 2>.err) || code=$?; err=$(cat .err)
out_is "from stdin" "-i without a terminal prints no prompt"

printf '#!%s\nprint("shebang", ...)\n' "$HVSH" >run.me
chmod +x run.me
run ./run.me x
is 0 "a script with #! runs"
out_is $'shebang\tx'
printf '#!%s --sim\nprint(hv.backend)\n' "$HVSH" >sim.me
chmod +x sim.me
run ./sim.me
out_is sim "a #! line may carry an option"

run hvsh --version
is 0 "--version"
out_has "hvsh "
run hvsh --help
is 0 "--help"
out_has "apply"

# ---- usage errors: exit 2 and what would be right
run hvsh chek x.lua
is 2 "an unknown command"
err_has "check" "names the nearest command"
run hvsh nothing.lua
is 2 "a script that is not there"
err_has "nothing.lua"
run hvsh --nonsense
is 2 "an unknown option"
err_has "--nonsense"
run hvsh -ix
is 2 "an option with something behind it"
run hvsh --abi 5 -e ''
is 2 "--abi 5 is ambiguous"
err_has "5A"
run hvsh --abi 77 -e ''
is 2 "--abi of nobody"
run hvsh --arch vax -e ''
is 2 "--arch of nobody"
err_has "arm64"
run hvsh --log loud -e ''
is 2 "--log of no level"
run hvsh --color=sometimes -e ''
is 2 "--color of no kind"
run hvsh --sim= -e ''
is 2 "--sim= without a folder"
run hvsh --json=1 -e ''
is 2 "--json takes no value"
run hvsh --sim-fault busy-cpu:2 -e ''
is 2 "--sim-fault without --sim"
run hvsh --abi
is 2 "--abi without a value"
run hvsh list --abi 5
is 2 "options for all commands may stand behind one"

run hvsh --log=debug -e 'print(log.level())'
out_is debug "--log"
run hvsh --arch riscv64 --abi 5b --json --board qemu_virt -e 'local o = require("hvsh.core").options()
	print(o.arch, o.abi, o.json, o.board, o.sim)'
out_is $'riscv64\t5B\ttrue\tqemu_virt\tfalse' "options are told to our Lua"
run hvsh --color=always -e 'print(require("hvsh.core").color(1))'
out_is true "--color=always"
NO_COLOR=1 run hvsh -e 'print(require("hvsh.core").color(1))'
out_is false "no terminal, no colour"

# ---- the simulated machine says so, and only when it is used
run hvsh --sim -e 'print(1)'
err_lacks simulated "--sim alone says nothing"
run hvsh --sim -e 'print(hv.backend, hv.arch); print(hv.version)'
is 0 "hv under --sim"
err_has "simulated hypervisor (--sim): nothing on this machine is changed"
[ "$(grep -c simulated "$work/.err")" = 1 ]; tap $? "said once"
run hvsh --sim --arch riscv64 --abi 5A -e 'print(hv.arch, hv.version)'
out_is $'riscv64\t5' "--arch and --abi make the simulated machine"
run hvsh --sim --sim-fault nonsense -e 'print(hv.info())'
out_has "nonsense" "a fault nobody knows"
run hvsh --sim --sim-fault errno:list:EIO -e 'print(zones.list())'
out_has "EIO" "an injected fault arrives"

# ---- nothing from the environment, nothing precompiled
export LUA_INIT='print "init"' LUA_INIT_5_4='print "init"' LUA_PATH="$work/?.lua" LUA_CPATH="$work/?.so"
printf 'print "evil" return {}' >evil.lua
run hvsh -e 'print "ok"'
out_is ok "LUA_INIT is not run"
run hvsh -e 'require "evil"'
is 1 "LUA_PATH is not searched"
out_lacks evil
run hvsh -e 'print(package.cpath == "", package.loadlib, #package.searchers)'
out_is $'true\tnil\t3' "no C modules"
run hvsh -e 'print((package.path:gsub("/etc/hvsh/modules/%?.lua;/[%w/]+/share/hvsh/modules/%?.lua", "fixed")))'
out_is fixed "package.path is fixed"
unset LUA_INIT LUA_INIT_5_4 LUA_PATH LUA_CPATH

run hvsh -e 'io.open("chunk.luac", "wb"):write(string.dump(function() print "bytes" end)):close()'
run hvsh chunk.luac
is 1 "a precompiled script is refused"
out_lacks bytes
run hvsh -e 'print(load(string.dump(function() print "bytes" end)))'
out_has "attempt to load a binary chunk" "load refuses bytes"
run hvsh -e 'print(pcall(load, string.dump(print and function() end), "x", "b"))'
out_has "false" "load mode b"
run hvsh -e 'print(loadfile "chunk.luac")'
out_has "attempt to load a binary chunk" "loadfile refuses bytes"
run hvsh -e 'dofile "chunk.luac"'
is 1 "dofile refuses bytes"
run hvsh -e 'package.path = "./?.luac" require "chunk"'
is 1 "require refuses bytes"
out_lacks bytes
run hvsh -e 'local env = {} load("x = 1", "n", nil, env)() print(env.x, x, load("return ...", "n")(7))'
out_is $'1\tnil\t7' "load takes an environment and arguments"
printf 'return ..., 5' >five.lua
run hvsh -e 'print(dofile "five.lua", loadfile("five.lua")(2))'
out_is $'nil\t2\t5' "dofile and loadfile return"

# ---- globals are there when they are asked for
run hvsh -e 'print(package.loaded["hvsh.globals"]) local _ = zone print(package.loaded["hvsh.globals"] ~= nil)'
out_is $'nil\ntrue' "our Lua is loaded at the first use"
run hvsh -e 'print(rawget(_G, "zones")) local z = zones print(rawget(_G, "zones") == z, require("hvsh").zones == z)'
out_is $'nil\ntrue\ttrue' "require hvsh is the same"
run hvsh -e 'print(no_such_global)'
out_is nil "an unknown global is nil"

finish
