# SPDX-License-Identifier: GPL-2.0-or-later
# Much at once at the prompt: pasted text, long statements, UTF-8.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1
. "$HVSH_TESTS/lib/terminal.sh"

begin() { T new-session -d -x 80 -y 30 "'$HVSH' --sim 2>&1; echo left with \$?; sleep 60"; }
# With "-p" the terminal says that it is pasted; without, it looks typed.
paste() { T load-buffer -b text "$1"; T paste-buffer -b text -r $2; }

{ echo 'total = 0'; seq -f 'total = total + %.0f' 1 9998; echo '"sum " .. total'; } >statements
{ echo 'big = {'; seq -f '	key_%.0f = 1,' 1 9998; echo '}'; } >table
printf 'for i = 1, 2 do\n\tprint("é" .. i)\nend\n"half" .. ' >half

begin
sees "hvsh(sim)> "
paste statements
sees "sum 49985001" "10,000 lines that look typed"
paste statements -p
type_line '"total " .. total'
sees "total 49985001" "10,000 lines that are pasted"
type_line 'total = nil'
paste table
type_line '"keys " .. (big.key_1 + big.key_9998)'
sees "keys 2" "a statement of 10,000 lines"
type_line 'big = nil'
paste table -p
type_line '"again " .. (big.key_1 + big.key_9998)'
sees "again 2" "the same, pasted"
type_line 'total = 0'
paste half -p
sees $'é1\né2' "pasted tabs are no completion"
type_line '"typed"'
sees "halftyped" "what is pasted without an end can be gone on with"
type_line 'word = "größe"'
type_line 'word .. "|" .. utf8.len(word)'
sees "größe|5" "UTF-8"
T send-keys -l '"aé'
T send-keys BSpace
type_line 'b"'
sees $'\nab' "a character is erased as one"
paste statements -p
T send-keys C-c
# What follows at once may be taken for the rest of it.
for _ in $(seq 100); do
	type_line '"still " .. "here"'
	[[ $(screen) == *"still here"* ]] && break
	sleep 0.5
done
sees "still here" "Ctrl-C ends a paste"
type_line '"total " .. total'
sees "total " "and the prompt goes on"
T send-keys C-d
sees "left with 0"

finish
