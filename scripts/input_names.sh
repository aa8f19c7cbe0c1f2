#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# input_names.sh COMPILER…: the names of linux/input-event-codes.h as entries of a C table, on stdout.
set -eu

echo '#include <linux/input-event-codes.h>' | "$@" -E -dM - |
	sed -n 's/^#define \(\(KEY\|BTN\)_[A-Z0-9_]*\) .*/\1/p' |
	grep -Ev '_(MAX|CNT)$|^KEY_(RESERVED|MIN_INTERESTING)$' | LC_ALL=C sort |
	sed 's/.*/{ "&", & },/'
