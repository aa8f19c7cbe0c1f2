# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced after tap.sh by tests of what a person sees: terminals of a tmux of their own.
#   T COMMAND…         that tmux; T new-session -d … opens a terminal
#   sees TEXT "what"   waits until the screen has it
#   type_line TEXT     types it, and Enter
# A test with several terminals has a screen() of its own.
command -v tmux >/dev/null || { echo "Bail out! tmux is missing: scripts/setup.sh test installs it"; exit 1; }
export HOME=$work/home
mkdir "$HOME"
unset TMUX
# A server that ended with its last session could be met on its way out by the next one's start.
echo 'set -s exit-empty off' >"$work/tmux.conf"
T() { tmux -S "$work/tmux" -f "$work/tmux.conf" "$@"; }
trap 'T kill-server 2>/dev/null; rm -rf "$work"' EXIT
screen() { T capture-pane -p -J 2>/dev/null; }
sees() {
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		out=$(screen)
		[[ $out == *"$1"* ]] && break
		sleep 0.1
	done
	code=- err=
	[[ $out == *"$1"* ]]
	tap $? "${2:-shows $1}"
}
type_line() { T send-keys -l -- "$1"; T send-keys Enter; }
