# SPDX-License-Identifier: GPL-2.0-or-later
# Called as `hvisor`: the old tool's command lines, its columns, but no silent failure.
. tests/lib/tap.sh

mkdir "$work/bin" "$work/zones"
ln -s "$HVSH" "$work/bin/hvisor"
hvisor=$work/bin/hvisor
"$HVSH" examples/images/make.lua "$work/zones" >/dev/null
cp examples/imported/*.json "$work/zones"
sed -i "s|\.\./images/||" "$work/zones/zone1.json"
cd "$work/zones" || exit 1
sim="--sim=$work/machine --board qemu_virt"

run "$hvisor" $sim zone start zone1.json
is 0 "a zone starts from its JSON file"
run "$hvisor" $sim zone list
is 0 "zones are listed"
[ "$(printf '%s\n' "$out" | head -n 1)" = '|     zone_id     |       cpus        |      name       |     status |' ]
tap $? "under the old headings"
printf '%s\n' "$out" | grep -qE '^\|               1 \|              2, 3 \| +linux[0-9a-z]* \|    running \|$'
tap $? "in the old columns"
run "$hvisor" $sim zone start zone1.json
is 0 "starting what runs as written does nothing"
sed 's/\[2, 3\]/[2]/' zone1.json >changed.json
run "$hvisor" $sim zone start changed.json
is 1 "starting what runs differently fails"
err_has "cpus"
sed 's/"zone_id": 1/"zone_id": 2/; s/"name": "[a-z0-9]*"/"name": "other"/' zone1.json >other.json
run "$hvisor" $sim zone start other.json
is 1 "a zone in another's memory is refused"
err_has "other.json:" "naming the JSON file and line"
run "$hvisor" $sim zone shutdown -id abc
is 2 "an id that is no number is no id"
err_has "'abc' is no zone id"
run "$hvisor" $sim zone shutdown -id 7
is 1 "an id that does not run"
err_has "7"
run "$hvisor" $sim zone shutdown -id 0
is 1 "the root zone cannot be shut down"
run "$hvisor" $sim zone shutdown -id 1
is 0 "a zone is shut down"
run "$hvisor" $sim zone list
out_lacks "linux1"
run "$hvisor" $sim zone start missing.json
is 1 "a missing file"
err_has "missing.json: No such file"
printf '{"zone_id": 1,\n' >broken.json
run "$hvisor" $sim zone start broken.json
is 1 "broken JSON"
err_has "broken.json:2: /: no valid JSON"
run "$hvisor" zone
is 2 "half a command"
run "$hvisor" zone strat zone1.json
is 2 "an unknown command"
err_has "zone strat"
run "$hvisor"
is 2 "no command"
run "$hvisor" --help
is 0 "help"
out_has "zone start FILE.json"
finish
