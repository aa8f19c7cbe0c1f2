#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# soak.sh BUILD [CYCLES]: starts and stops a zone with a disk, a network card, a console and an
# entropy source CYCLES times (1000), every third time in the middle of things; descriptors, threads
# and memory must end where they began. BUILD is one without sanitizers: they keep what is freed.
set -eu
build=$1
HVSH_SOAK=${2:-1000}
export HVSH_SOAK
export CMOCKA_MESSAGE_OUTPUT=TAP
exec prove --verbose --timer --exec scripts/run-test "$build/tests/core/guest/test_guest"
