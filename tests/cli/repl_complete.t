# SPDX-License-Identifier: GPL-2.0-or-later
# Tab at the prompt, and what is shown on narrow and on plain terminals.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1
. "$HVSH_TESTS/lib/terminal.sh"

begin() { T new-session -d -x "$1" -y 40 "$2 '$HVSH' --sim 2>&1; echo left with \$?; sleep 60"; }
end() { T kill-session; }
press() { T send-keys "$@"; }
# The line that is being typed, without blanks at its end.
types() { T send-keys -l -- "$1"; sees "$1" "${2:-$1 is typed}"; }

begin 80 ''
sees "hvsh(sim)> "
types 'string.rev'
press Tab
sees "hvsh(sim)> string.reverse" "Tab completes a field"
T send-keys -l '"abc"'
press Enter
sees $'\ncba' "and the line goes on"
types 'zones.s'
press Tab
sees "> zones.st" "as far as it is clear"
press Tab
sees $'\nstart  stop' "several are listed"
press C-c
type_line 'evil = setmetatable({seen = 1, other = 2}, {__index = function() print "EVIL" end, __pairs = function() print "EVIL" end})'
types 'evil.'
press Tab
sees "other  seen" "what an object has"
out=$(screen)
[[ $out != *$'\nEVIL'* ]]; tap $? "and nothing of it runs"
press C-c
type_line 'zone "demo" {'
types 'kern'
press Tab
sees "kernel = " "keys of a table that is not whole"
press C-c
mkdir -p files/inner
: >files/image.bin
types 'io.open("files/im'
press Tab
sees 'files/image.bin"' "names of files"
press C-c
types '.zo'
press Tab
sees "hvsh(sim)> .zones"
press Enter
sees "root-linux" "commands with a dot"
types 'nothing_like_this'
press Tab
type_line ' == nil'
sees $'\ntrue' "what is unknown stays as it is"
T send-keys C-d
sees "left with 0"
end

begin 40 'LANG=C TERM=dumb'
sees "hvsh(sim)> " "a plain, narrow terminal"
type_line 'zones.x.y.z = 1 -- a line that is much longer than the terminal is wide'
sees "attempt to index a nil value" "an error"
sees $'1 | zones.x.y.z' "with its line"
sees "^"
type_line '{{name = ("long "):rep(20), id = 7}}'
sees "7  long long long" "a table"
type_line '("é"):len()'
sees $'\n2' "UTF-8 typed"
T send-keys C-d
sees "left with 0"
out=$(T capture-pane -p -e)
[[ $out != *$'\e['* ]]; tap $? "no colours"
end

begin 80 'NO_COLOR=1'
sees "hvsh(sim)> "
type_line '{{name = "x", id = 7}}'
sees "7  x"
out=$(T capture-pane -p -e)
[[ $out != *$'\e['* ]]; tap $? "no colours with NO_COLOR"
end

finish
