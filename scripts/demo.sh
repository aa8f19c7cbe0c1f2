#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh BUILD: two zones of examples/boot_zones.lua on a simulated hypervisor, from check to stop. Prints
# each command as a person would type it; fails as soon as one does not do what it should.
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."
place=$(mktemp -d)
# A service that a failure has left.
leave() {
	local lock=$place/machine/lock
	[ ! -e "$lock" ] || flock -n "$lock" true || kill "$(cat "$lock")" || :
	rm -rf "$place"
}
trap leave EXIT
cp -R examples/. "$place"
cd "$place"
PATH=$build:$PATH
unset HVSH_LOG

bold='' red='' off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$'\e[1m' red=$'\e[1;31m' off=$'\e[0m'
fi

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$off"; }

fail() {
	printf '%sdemo: %s%s\n' "$red" "$*" "$off" >&2
	exit 1
}

# step CODE COMMAND…: shows the command, runs it, and wants that exit status.
step() {
	local want=$1 code=0
	shift
	printf '%s$ %s%s\n' "$bold" "$*" "$off"
	"$@" || code=$?
	[ "$code" = "$want" ] || fail "exit status $code where $want was expected"
}

# wants TEXT COMMAND…: what the machine must say now; shown only when it does not.
wants() {
	local text=$1 got
	shift
	got=$("$@" 2>&1) || true
	[[ $got == *"$text"* ]] || fail "no \"$text\" in what \"$*\" prints:"$'\n'"$got"
}
lacks() {
	local text=$1 got
	shift
	got=$("$@" 2>&1) || true
	[[ $got != *"$text"* ]] || fail "\"$text\" in what \"$*\" prints:"$'\n'"$got"
}

say "Kernels, device trees and disks to try the examples with (placeholders)"
step 0 hvsh images/make.lua

say "Everything about the zones of a script is checked before anything is touched"
step 0 hvsh --sim=machine check boot_zones.lua

say "What would be done? (exit status 2: there is something to do)"
step 2 hvsh --sim=machine plan boot_zones.lua

say "Start them: the script itself does that, and goes on serving their devices in the background"
step 0 hvsh -d --sim=machine boot_zones.lua

# A guest needs a moment to boot: wants_soon waits for what it is to say.
wants_soon() {
	local text=$1 got i
	shift
	for ((i = 0; i < 100; i++)); do
		got=$("$@" 2>&1) || true
		[[ $got == *"$text"* ]] && return
		sleep 0.1
	done
	fail "no \"$text\" in what \"$*\" prints:"$'\n'"$got"
}
# ask CONSOLE LINE WORD: types the line; WORD must be in what comes back.
ask() {
	local console=$1 line=$2 word=$3 got
	printf '%s$ echo "%s" | hvsh --sim=machine console %s%s\n' "$bold" "$line" "$console" "$off"
	got=$(printf '%s\r' "$line" | hvsh --sim=machine console --back 0 "$console" 2>/dev/null)
	printf '%s\n' "$got"
	[[ $got == *"$word"* ]] || fail "no \"$word\" in the answer to $line"
}

say "What runs, and what its devices have done"
wants_soon '"requests": 1' hvsh --sim=machine list --json
step 0 hvsh --sim=machine list

say "The guests have booted over virtio; this is what linux1 said. Its disk can be read, ..."
first=$(printf '' | hvsh --sim=machine console --back all linux1 2>/dev/null)
printf '%s\n' "$first"
[[ $first == *"hvsh guest: zone linux1"* ]] || fail "linux1 said nothing"
want=$(head -c 1048576 images/rootfs1.ext4 | gzip -c | tail -c 8 | od -An -tx4 -N4 | tr -d ' ')
ask linux1 "sum 0 1048576" "$want"

say "... and frames go between the two (of the same network inside, since this is a simulation)"
ask linux1 "ping 52:54:00:10:10:11" "answer from 52:54:00:10:10:11"
step 0 hvsh --sim=machine list

say "Stopped, so that the rest needs nobody who serves"
step 0 hvsh --sim=machine stop linux1 linux2
for ((i = 0; i < 100; i++)); do
	hvsh --sim=machine list >/dev/null 2>&1 && ! [ -S machine/control ] && break
	sleep 0.1
done
step 0 hvsh --sim=machine --no-serve apply boot_zones.lua

say "What runs, and where it lies"
step 0 hvsh --sim=machine list
step 0 hvsh --sim=machine map boot_zones.lua

say "Applied again it changes nothing"
step 0 hvsh --sim=machine --no-serve apply boot_zones.lua
wants '"name": "linux1"' hvsh --sim=machine list --json
wants '"name": "linux2"' hvsh --sim=machine list --json

cat >wrong.lua <<'LUA'
local board = require "board.qemu_virt"

zone "rtos" {
  id = 3, cpus = {3}, board = board,
  ram = {at = 0x48000000, size = "32M"},
  kernel = {image = "images/unikernel-arm64.bin", at = 0x48000000},
}

zone "dsp" {
  id = 4, cpus = {2}, board = board,
  ram = {at = 0x49000000, size = "32M"},
  kernel = {image = "images/unikernel-arm64.bin", at = 0x49000000},
}
LUA
say "A script with mistakes: two more zones, in each other's memory and on CPUs that are taken"
step 0 cat wrong.lua
step 1 hvsh --sim=machine check wrong.lua
lacks '"name": "rtos"' hvsh --sim=machine list --json

say "Stop one by name, then all of the script"
step 0 hvsh --sim=machine stop linux2
step 0 hvsh --sim=machine list
step 0 hvsh --sim=machine stop boot_zones.lua
step 0 hvsh --sim=machine list
lacks '"name": "linux' hvsh --sim=machine list --json

say "A zone with a screen and a keyboard: a test card with a terminal below it; a script types there"
step 0 hvsh -d --sim=machine screen.lua
wants_soon '"cursor_x"' hvsh --sim=machine devices --json
ask panel "cursor 800 250" "at 800 250"
typing='zones.panel:device("keys"):text("echo hello, world\n")'
printf "%s\$ hvsh --sim=machine attach -e '%s'%s\n" "$bold" "$typing" "$off"
hvsh --sim=machine attach -e "$typing"
wants_soon "key 28 0" hvsh --sim=machine console --back all panel
picture=$build/demo.png
step 0 hvsh --sim=machine screenshot panel "$picture"
[ "$(head -c 8 "$picture" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ] || fail "$picture is no PNG file"
step 0 hvsh --sim=machine stop panel
printf '%sThe picture: %s%s\n' "$bold" "$picture" "$off"

say "That was a simulated machine. On a board with hvisor the same commands work without --sim."
