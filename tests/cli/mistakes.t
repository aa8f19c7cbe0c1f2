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

# Standard output that is closed.
"$HVSH" --sim list >&- 2>"$work/.err"
code=$? out= err=$(cat "$work/.err")
is 1 "a list that nobody can read is a failure"
err_has "standard output could not be written"

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
