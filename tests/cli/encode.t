# SPDX-License-Identifier: GPL-2.0-or-later
# hvsh encode and decode.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/zones.sh"

size() { stat -c %s "$1"; }
for pair in 3:2800 4A:3328 4B:2800 5A:3136 5B:3264 6:3296; do
	layout=${pair%:*}
	run hvsh encode two.lua --zone linux1 --abi "$layout" -o "$layout.bin"
	is 0 "encode as $layout"
	[ "$(size "$layout.bin")" = "${pair#*:}" ]
	tap $? "layout $layout is ${pair#*:} bytes"
	run hvsh decode "$layout.bin" --abi "$layout" --arch arm64
	is 0 "decode as $layout"
	out_has "linux1"
	out_has "0x50000000"
done
run hvsh decode 6.bin
is 0 "decode without being told the layout"
out_has "linux1"

"$HVSH" encode -o - --abi 5A two.lua --zone=linux1 >piped.bin
tap $? "to standard output"
same piped.bin 5A.bin "the same bytes"
printf 'print "words"\n' | cat - two.lua >chatty.lua
"$HVSH" encode chatty.lua --zone linux1 --abi 5A -o - >piped.bin 2>words.txt
same piped.bin 5A.bin "what a script prints does not get among them"
script -qec "'$HVSH' encode two.lua --zone linux1 --abi 5A -o -" /dev/null >tty.txt 2>&1 </dev/null
grep -q "not for a terminal" tty.txt
tap $? "not to a terminal"

run hvsh encode two.lua --abi 5A -o x.bin
is 1 "which of two zones"
err_has "linux1, rtos"
run hvsh encode two.lua --zone lunix1 --abi 5A -o x.bin
is 1 "a zone that is not there"
err_has "did you mean linux1?"
run hvsh encode two.lua --zone linux1 --abi 7 -o x.bin
[ "$code" != 0 ]
tap $? "a layout that is not there"
err_has "5A" "lists those that are"
run hvsh encode two.lua --zone linux1 --abi 5A
is 2 "no file"
err_has "-o FILE"
run hvsh encode two.lua --zone linux1 --abi 5A -o /nonexistent/x.bin
is 1 "a file that cannot be written"
err_has "/nonexistent/x.bin"
# What is no file is written to, never replaced. Through /proc, where nothing can be renamed: a test of this on
# /dev itself would, if it failed, take the machine's own device away.
"$HVSH" encode two.lua --zone linux1 --abi 5A -o /proc/self/fd/7 7>through.bin 2>words.txt
same through.bin 5A.bin "an open descriptor"
run hvsh encode two.lua --zone linux1 --abi 5A -o /proc/self/fd/7 7>/dev/full
is 1 "a full device"
err_has "No space left"
mkfifo pipe
cat pipe >piped.bin &
run timeout 20 "$HVSH" encode two.lua --zone linux1 --abi 5A -o pipe
[ "$code" = 0 ] || kill $! 2>/dev/null
wait
same piped.bin 5A.bin "a pipe gets the bytes"
[ -p pipe ]
tap $? "and stays one"
[ ! -e x.bin ]
tap $? "no file is left behind by any of these"

run hvsh encode two.lua --zone linux1 --abi 6 -o json.bin --json
is 0 "encode --json"
[[ ${out//[[:space:]]/} == *'"size":3296'*'"written":"json.bin"'*'"zone":"linux1"'* ]]
tap $? "says what was written"
same json.bin 6.bin "the bytes are in the file"
run hvsh encode two.lua --zone linux1 --abi 6 -o - --json
is 2 "not among JSON"
out_has '"error": "standard output has the bytes' "which says so"
printf '\005' | dd of=json.bin bs=1 seek=24 conv=notrunc 2>/dev/null
run hvsh decode json.bin --abi 6 --arch arm64 --json
is 1 "decode --json"
printf '%s' "$out" >out.json
"$HVSH" decode json.bin --abi 6 --arch arm64 >out.txt
cat >fields.lua <<'LUA'
local o = assert(require("hvsh.json").decode(io.open("out.json"):read "a"))
local lines, by_name = 0, {}
for _ in io.lines "out.txt" do lines = lines + 1 end
for _, f in ipairs(o.fields) do by_name[f.name] = f end
print(o.layout, o.arch, o.size, #o.fields + #o.notes + 1 == lines)
local cpus, name, type = by_name.cpus, by_name.name, by_name["memory_regions[0].type"]
print(cpus.at, cpus.value, cpus.meaning, name.value, name.meaning, by_name["memory_regions[0].size"].meaning)
print(type.value, type.meaning:match "^WRONG", o.notes[#o.notes])
LUA
run hvsh fields.lua
out_has $'6\tarm64\t3296\ttrue' "has every line"
out_has $'8\t0x4\tCPU 2\t"linux1"\tnil\t64M' "a field's place, value and meaning"
out_has $'0x5\tWRONG\t1 value cannot be meant' "and what is wrong"

run hvsh decode missing.bin
is 1 "no such file"
err_has "missing.bin"
head -c 100 5A.bin >short.bin
run hvsh decode short.bin
is 1 "truncated"
err_has "short.bin"
: >empty.bin
run hvsh decode empty.bin
is 1 "empty"
run hvsh decode /dev/zero
is 1 "endless"
err_has "too large"
head -c 3136 /dev/urandom >random.bin
run hvsh decode random.bin
[ "$code" -le 1 ]
tap $? "random bytes are explained or refused"
run hvsh decode
is 2 "decode needs a file"
finish
