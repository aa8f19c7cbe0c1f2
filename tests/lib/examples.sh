# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced after tap.sh: a copy of examples/ is the working folder, with placeholders for its images.
cp -R examples/. "$work"
cd "$work" || exit 1
"$HVSH" images/make.lua >/dev/null || exit 1
