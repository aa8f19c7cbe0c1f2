# SPDX-License-Identifier: GPL-2.0-or-later
# What happens while a line is typed or a statement runs: events, output of tasks, the log, resizing, Ctrl-C.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1
. "$HVSH_TESTS/lib/terminal.sh"

begin() { T new-session -d -x 80 -y 40 "'$HVSH' --sim $* 2>&1; echo left with \$?; sleep 60"; }
end() { T kill-session; }

cp -R "$HVSH_TESTS/../examples" examples
"$HVSH" examples/images/make.lua examples/images >/dev/null

begin
sees "hvsh(sim)> "
type_line 'go = false'
type_line 'spawn(function() while not go do sleep "20ms" end print "of a task" io.write "written" log.warn "of the log" end)'
sees "waiting"
type_line 'after("200ms", function() go = true end)'
T send-keys -l 'half .. '
sees $'of a task\nwritten\nhvsh: warn: of the log\nhvsh(sim)> half ..' "output of tasks and the log stand above the line"
T send-keys -l '"x"'
sees 'half .. "x"' "which goes on"
T send-keys C-c
type_line '.source examples/boot_zones.lua'
sees "zone linux2 (2) has started" "zones that start"
T send-keys -l 'typing'
sees "> typing"
T send-keys C-c
type_line 'after("300ms", function() zones.linux1:stop() end)'
T send-keys -l 'typing on'
sees $'zone linux1 (1) was stopped\nhvsh(sim)> typing on' "an event while a line is typed"
T resize-window -x 50 -y 20
T send-keys -l ' and on, until the line is longer than that'
sees "hvsh(sim)> typing on and on, until the line is longer than that" "another width"
T resize-window -x 100 -y 40
T send-keys -l '!'
sees "hvsh(sim)> typing on and on, until the line is longer than that!" "and another"
[ "$(screen | grep -c 'typing on and')" = 1 ]; tap $? "the line is there once"
T send-keys C-c
type_line 'for i = 1, 5000 do spawn(function() sleep "10ms" print("storm", i) end) end'
sees "storm   5000" "all of it is shown, however much comes at a time"
for _ in $(seq 100); do
	type_line '"after " .. "the storm"'
	[[ $(screen) == *"after the storm"* ]] && break
	sleep 0.5
done
sees "after the storm" "and the prompt lives"

type_line 'print "begun" while true do end'
sees $'\nbegun'
T send-keys C-c
sees "interrupted" "Ctrl-C in a hot loop"
sees "1 | print \"begun\" while true do end" "says where"
T send-keys C-l
type_line 'print "going" while true do pcall(function() while true do pcall(string.rep, "x", 10) end end) end'
sees $'\ngoing'
T send-keys C-c
type_line '"back " .. 1'
sees "back 1" "in loops that catch everything"
type_line 'print "rep" while true do local s = ("x"):rep(1 << 28) end'
sees $'\nrep'
T send-keys C-c
type_line '"back " .. 2'
sees "back 2" "in string.rep"
type_line 'print "co" coroutine.wrap(function() while true do pcall(coroutine.wrap(function() while true do end end)) end end)()'
sees $'\nco'
T send-keys C-c
type_line '"back " .. 3'
sees "back 3" "in coroutines"
type_line 'print "asleep" sleep "10m"'
sees $'\nasleep'
T send-keys C-c
type_line '"back " .. 4'
sees "back 4" "in a wait"
type_line 'setmetatable({}, {__tostring = function() print "shown" while true do end end})'
sees $'\nshown'
T send-keys C-c
type_line '"back " .. 5'
sees "back 5" "while a value is printed"
type_line '#zones.linux2:devices()'
sees $'\n3' "and the devices are served all the same"
type_line 'beside = after("1s", function() log.warn "logged meanwhile" print "printed\nmeanwhile" log.warn "at the left" end)'
type_line '.console linux2'
sees "attached (Ctrl-] ends)" "a console"
T send-keys C-m
sees "linux2>" "of the zone"
sees $'\nhvsh: warn: logged meanwhile\nprinted\nmeanwhile\nhvsh: warn: at the left' "what is said meanwhile stands at the left"
T send-keys C-]
sees "detached" "is left"
T send-keys C-]
type_line '"back " .. 6'
sees "back 6" "for the prompt"
type_line '.quit'
sees "closing 3 devices" "the end closes them"
sees "left with 0"
end

# What ends the process while a line is typed leaves the terminal as it was.
cat >terminal.sh <<'SH'
echo "left with $?: $(stty -a | tr -s ' ;' '\n' | grep -xE -- '-?(icanon|echo)' | tr '\n' ' ')"
sleep 60
SH
begin_watched() {
	T new-session -d -x 80 -y 40 "'$HVSH' --sim 2>&1; . '$work/terminal.sh'"
	sees "hvsh(sim)> "
}
begin_watched
type_line 'spawn(function() while not io.open "leave" do sleep "20ms" end os.exit(3) end)'
sees "waiting"
T send-keys -l 'half a line'
sees "> half a line"
: >leave
sees $'> half a line\nleft with 3: icanon echo' "os.exit in a task while a line is typed"
end
begin_watched
type_line 'do local f <close> = io.open("pid", "w") f:write((io.open("/proc/self/stat"):read "n")) end'
type_line '"writ" .. "ten"'
sees "written"
T send-keys -l 'half a line'
sees "> half a line"
kill -TERM "$(cat pid)"
sees 'left with 143: icanon echo' "SIGTERM"
end

# Nothing in Lua can stop a function of C; the third one ends it. The shell around it must not end by that, too.
T new-session -d -x 80 -y 40 "trap : INT; '$HVSH' --sim 2>&1; echo left with \$?; while :; do sleep 1; done"
sees "hvsh(sim)> "
type_line 'print "stuck" local s = ("a"):rep(200) s:find(("a*"):rep(40) .. "c")'
sees $'\nstuck'
T send-keys C-c
T send-keys C-c
for _ in $(seq 200); do
	T send-keys C-c
	[[ $(screen) == *"left with"* ]] && break
	sleep 0.1
done
sees "left with 130" "Ctrl-C three times leaves"
end

finish
