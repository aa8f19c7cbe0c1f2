#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh BUILD: two zones of examples/boot_zones.lua on a simulated hypervisor, from check to stop. Prints
# each command as a person would type it; fails as soon as one does not do what it should.
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
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

say "Start them: the script itself does that"
step 0 hvsh --sim=machine boot_zones.lua

say "What runs, and where it lies"
step 0 hvsh --sim=machine list
step 0 hvsh --sim=machine map boot_zones.lua

say "Applied again it changes nothing"
step 0 hvsh --sim=machine apply boot_zones.lua
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

say "That was a simulated machine. On a board with hvisor the same commands work without --sim."
