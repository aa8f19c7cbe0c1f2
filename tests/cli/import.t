# SPDX-License-Identifier: GPL-2.0-or-later
. tests/lib/tap.sh

cp -R examples/. "$work"
run hvsh import examples/imported/zone1.json examples/imported/virtio.json
is 0 "a pair is imported"
out_has 'zone "' "as a script"
out_has "devices = {"
run hvsh import examples/imported/virtio.json examples/imported/zone1.json
is 0 "in either order"
run hvsh import examples/imported/virtio.json
is 1 "devices without their zone"
err_has "virtio.json:" "name the file"
err_has "/zones: this file only describes devices"
run hvsh import examples/imported/zone1.json -o "$work/zone.lua"
is 0 "into a file"
run cat "$work/zone.lua"
out_has "assert(zones.start())"
run hvsh import examples/imported/zone1.json -o "$work/no/such/folder.lua"
is 1 "into a folder that is not there"
err_has "no/such/folder.lua"
run hvsh import /nowhere.json
is 1 "a file that is not there"
err_has "/nowhere.json: No such file"
run hvsh import "$work"
is 1 "a folder"
err_has "$work"
head -c 2000000 /dev/zero >"$work/huge.json"
run hvsh import "$work/huge.json"
is 1 "a huge file"
err_has "too large"
run hvsh import
is 2 "nothing to import"
printf '{"zone_id": 1, "cpus": [\033[31m]}' >"$work/escape.json"
run hvsh import "$work/escape.json"
is 1 "a file with control characters"
printf '%s' "$err" | grep -q $'\033'
[ $? = 1 ]
tap $? "which do not reach the terminal"

# Two zone files at once make one script.
sed 's/"zone_id": 1/"zone_id": 2/; s/"name": "[a-z0-9]*"/"name": "second"/' examples/imported/zone1.json >"$work/zone2.json"
run hvsh import examples/imported/zone1.json "$work/zone2.json"
is 0 "two zones"
out_has 'zone "second"'
run hvsh import examples/imported/zone1.json examples/imported/zone1.json
is 1 "the same zone twice"
err_has "zone id 1 is also that of"
finish
