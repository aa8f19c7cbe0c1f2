# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by tests/cli/*.t after tap.sh: a folder with two small zones on QEMU's virt board, and a
# simulated machine that lives between commands.
#   sim CMD…    runs hvsh on that machine
cd "$work" || exit 1
head -c 100000 /dev/urandom >image.bin
cat >two.lua <<'LUA'
local board = require "board.qemu_virt"
zone "linux1" {
  id = 1,
  cpus = {2},
  ram = {at = 0x50000000, size = "64M"},
  kernel = {image = "image.bin", at = 0x50400000},
  board = board,
}
zone "rtos" {
  id = 2,
  cpus = {3},
  ram = {at = 0x58000000, size = "32M"},
  kernel = {image = "image.bin", at = 0x58400000},
  board = board,
}
LUA
sim() { run hvsh "--sim=$work/machine" "$@"; }
