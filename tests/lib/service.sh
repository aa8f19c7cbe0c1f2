# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced after tap.sh by tests of commands and the service they talk to: a copy of examples/ with its placeholders is the
# working folder, and the simulated machine is $work/m. What serves it at the end is killed, as is whose pid is in
# $work/pids.
#   sim COMMAND…       runs hvsh on that machine: $out, $err, $code
#   json_is EXPR TEXT  the value of a Lua expression over the last output, which is JSON, as `o`
cp -R examples/. "$work"
cd "$work" || exit 1
"$HVSH" images/make.lua >/dev/null || exit 1
trap 'stop_held "$work"/m/lock; kill $(cat "$work"/pids 2>/dev/null) 2>/dev/null; rm -rf "$work"' EXIT

sim() { run timeout 120 "$HVSH" --sim="$work/m" "$@"; }
json_is() {
	printf '%s' "$out" >out.json
	printf 'local o = assert(require("hvsh.json").decode(io.open("out.json"):read "a")) print(%s)' "$1" >expr.lua
	local value
	value=$("$HVSH" expr.lua 2>&1)
	[ "$value" = "$2" ]
	tap $? "${3:-$1 is $2} (it is $value)"
}
