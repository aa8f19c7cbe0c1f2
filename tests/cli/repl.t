# SPDX-License-Identifier: GPL-2.0-or-later
# The prompt, over a terminal of tmux.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1
. "$HVSH_TESTS/lib/terminal.sh"

begin() { T new-session -d -x 100 -y 50 "'$HVSH' $* 2>&1; echo left with \$?; sleep 60"; }
end() { T kill-session; }

begin --sim
sees "hvsh(sim)> " "the prompt says that it is simulated"
type_line '6 * 7, "text"'
sees $'42\ntext' "expressions print their values"
type_line 'for i = 1, 2 do'
sees ">> " "a statement goes on over lines"
type_line 'print("line " .. i)'
type_line 'end'
sees $'line 1\nline 2' "and runs when it is whole"
type_line 'error "bad thing"'
sees "hvsh: stdin:1: bad thing" "an error is shown and the prompt comes back"
type_line 'kept = 5 local lost = 6'
type_line 'kept, lost'
sees $'5\nnil' "globals stay, locals are of their line"
type_line 'x = = 2'
sees "unexpected symbol" "a syntax error"
T send-keys -l 'half a line'
sees "half a line"
T send-keys C-c
type_line '"after " .. "clear"'
sees "after clear" "Ctrl-C clears the line"
type_line 'print "busy" while true do end'
sees $'\nbusy' "a loop begins"
T send-keys C-c
sees "interrupted" "Ctrl-C stops what runs"
type_line '"still " .. "here"'
sees "still here" "and the prompt goes on"
type_line 'while true do pcall(function() while true do end end) end'
T send-keys C-c
type_line '"and " .. "again"'
sees "and again" "also after a loop that catches errors"
type_line 'hv.backend'
sees $'\nsim' "the globals are there"
type_line '(require "hvsh.core").mode()'
sees "repl" "our Lua knows the mode"
T send-keys C-d
sees "left with 0" "Ctrl-D leaves"
end

[ "$(stat -c %a "$HOME/.hvsh_history")" = 600 ]; tap $? "history is for its owner alone"
grep -qx '6 \* 7, "text"' "$HOME/.hvsh_history"; tap $? "and holds what was typed"

chmod 644 "$HOME/.hvsh_history"
begin
sees "hvsh> " "the plain prompt"
T send-keys Up
type_line '.. " again"'
sees "repl again" "the arrow key brings back a line of the last time"
type_line '"new " .. "line"'
sees "new line"
T send-keys C-d
sees "left with 0"
end
[ "$(stat -c %a "$HOME/.hvsh_history")" = 600 ]; tap $? "open permissions are closed"

echo untouched >victim
rm "$HOME/.hvsh_history"
ln -s "$work/victim" "$HOME/.hvsh_history"
begin
sees "hvsh> "
type_line '"through the " .. "link"'
sees "through the link"
T send-keys C-d
sees "left with 0"
end
[ "$(cat victim)" = untouched ]; tap $? "a symbolic link is not followed"

# readline is loaded for the prompt: nothing else needs it.
mkdir broken
: >broken/libreadline.so.8
T new-session -d -x 100 -y 50 "LD_LIBRARY_PATH='$work/broken' '$HVSH' --sim 2>&1; echo left with \$?; sleep 60"
sees "hvsh: the prompt needs libreadline.so.8, which cannot be loaded" "there is no prompt without readline"
sees "install libreadline8" "and what to do"
sees "left with 1"
end
LD_LIBRARY_PATH=$work/broken run "$HVSH" -e 'print(6 * 7)'
out_is 42 "what is no prompt does without"

rm "$HOME/.hvsh_history"
printf '1 + 1\n' | "$HVSH" >/dev/null 2>&1
[ ! -e "$HOME/.hvsh_history" ]; tap $? "without a terminal there is no history"

begin -i -e "'y = 8'"
sees "hvsh> " "-i after -e"
type_line 'y * 2'
sees $'\n16' "and the prompt has its globals"
end

finish
