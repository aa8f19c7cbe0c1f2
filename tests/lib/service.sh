# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced after tap.sh by tests of commands and the service they talk to: examples.sh makes the working folder, and the
# simulated machine is $work/m. What serves it at the end is killed, as is whose pid is in
# $work/pids.
#   sim COMMAND…       runs hvsh on that machine: $out, $err, $code
#   serve SCRIPT ZONE  runs a script there in the background, until it lists that zone: its pid is $service, what it says is
#                      in service.log
#   stop_service       ends it, as SIGTERM does
#   json_is EXPR TEXT  the value of a Lua expression over the last output, which is JSON, as `o`
. "$HVSH_TESTS/lib/examples.sh"
trap 'stop_held "$work"/m/lock; kill $(cat "$work"/pids 2>/dev/null) 2>/dev/null; rm -rf "$work"' EXIT

sim() { run timeout 120 "$HVSH" --sim="$work/m" "$@"; }
serve() {
	bounded 600 "$HVSH" --sim="$work/m" "$1" >service.log 2>&1 &
	service=$!
	for _ in $(seq 600); do
		"$HVSH" --sim="$work/m" list 2>/dev/null | grep -q "$2" && return
		sleep 0.1
	done
	tap 1 "$1 serves $2 within a minute"
}
stop_service() {
	kill "$service"
	wait "$service"
}
json_is() {
	printf '%s' "$out" >out.json
	printf 'local o = assert(require("hvsh.json").decode(io.open("out.json"):read "a")) print(%s)' "$1" >expr.lua
	local value
	value=$("$HVSH" expr.lua 2>&1)
	[ "$value" = "$2" ]
	tap $? "${3:-$1 is $2} (it is $value)"
}
