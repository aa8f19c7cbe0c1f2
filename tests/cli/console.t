# SPDX-License-Identifier: GPL-2.0-or-later
# Consoles as people use them: over terminals of tmux, with a service elsewhere and at the prompt.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
. "$HVSH_TESTS/lib/examples.sh"
. "$HVSH_TESTS/lib/terminal.sh"
trap 'T kill-server 2>/dev/null; kill $(cat "$work"/m*/lock 2>/dev/null) 2>/dev/null; rm -rf "$work"' EXIT

# Terminals have names; `at NAME` says which one is meant from now on.
at() { terminal=$1; }
begin() { # NAME COMMAND…: runs it in a shell's line, so that the terminal is seen before and after
	at "$1"
	shift
	T new-session -d -s "$terminal" -x 100 -y 40 \
		"stty -g >$terminal.before; $*; echo left with \$?; stty -g >$terminal.after; echo end; sleep 600"
}
end() { T kill-session -t "$terminal"; }
screen() { T capture-pane -p -J -S - -t "$terminal" 2>/dev/null; }
keys() { T send-keys -t "$terminal" "$@"; }
line() { T send-keys -t "$terminal" -l -- "$1"; keys Enter; }
restored() {
	sees $'\nend' "$1"
	cmp -s "$terminal.before" "$terminal.after"
	tap $? "the terminal is as it was"
}
sim() { run timeout 120 "$HVSH" --sim="$work/m" "$@"; }
until_has() {
	local text=$1 i
	shift
	for ((i = 0; i < 600; i++)); do
		sim "$@"
		[[ $out$err == *"$text"* ]] && return
		sleep 0.1
	done
}

sim -d boot_zones.lua
is 0 "a service"

# ---- one person

begin one "'$HVSH' --sim=m console linux1"
sees "linux1> " "recent output comes first"
sees "Ctrl-]" "it is said how to leave"
line "echo from one"
sees $'\nfrom one' "what is typed is answered"
line "help"
sees "the zone crashes" "a long answer comes whole"
line "echo $(printf '%0150d' 7)"
sees $'\n'"$(printf '%0150d' 7)" "and a wide one"
keys C-c
line "echo after"
sees $'\nafter' "Ctrl-C is the guest's"
T resize-window -t one -x 73 -y 21
until_has '"columns": 73' list --json
out_has '"rows": 21' "the guest's terminal has the window's size"

# ---- and a second one

begin two "'$HVSH' --sim=m console linux1"
sees "from one" "a second person sees the same"
sees "has the keyboard" "and who types"
keys -l 'echo no'
at one
line "echo mine"
sees $'\nmine' "only the first one types"
at two
sees $'\nmine' "the second one reads along"
keys C-]
restored "Ctrl-] leaves"
out_has "left with 0"
end
begin three "'$HVSH' --sim=m console --force linux1"
sees "linux1> "
line "echo forced"
sees $'\nforced' "--force takes the keyboard"
at one
sees "keyboard" "which the first one is told"
keys C-]
restored "and leaves"
end
at three
keys C-]
restored "as the other"
end
begin four "'$HVSH' --sim=m console --readonly linux1"
sees "forced"
line "echo unwanted"
keys C-]
restored "who only looks leaves the same way"
out_lacks $'\nunwanted' "and has typed nothing"
end

# ---- what ends a console

begin five "'$HVSH' --sim=m console linux2"
sees "linux2> "
sim stop linux2
restored "the zone is stopped"
out_has "hvsh: linux2: linux2/hvc0 is gone" "that is said"
out_has "left with 0"
end
begin six "'$HVSH' --sim=m console linux1"
sees "linux1> "
kill -KILL "$(cat m/lock)"
restored "the service is killed"
out_has "left with 1" "which is a failure"
[[ $out == *"hvsh: the service (pid "*") has gone"* ]]
tap $? "and said"
end
sim console linux1
is 1 "no service"
err_has "hvsh: no service runs"

# ---- a service in a terminal

rm -rf m
begin seven "'$HVSH' --sim=m boot_zones.lua"
sees "serving 6 devices of 2 zones; Ctrl-C ends it"
until_has "linux2/hvc0" list
keys C-c
sees "closing 6 devices; their zones are not stopped" "Ctrl-C ends it"
sees "left with 0" "in order"
end
rm -rf m
begin eight "'$HVSH' --sim=m boot_zones.lua"
sees "Ctrl-C ends it"
pid=$(cat m/lock)
end
for ((i = 0; i < 600; i++)); do
	kill -0 "$pid" 2>/dev/null || break
	sleep 0.1
done
! kill -0 "$pid" 2>/dev/null
tap $? "it ends with its terminal"
sim list
is 0 "and leaves a machine that can be used"

# ---- at the prompt

rm -rf m
begin nine "NO_COLOR=1 '$HVSH' --sim=m -i boot_zones.lua"
sees "hvsh(sim)> "
line 'con = zones.linux1:device "hvc0":open {back = "all"}'
line 'con:expect("linux1> ", {timeout = "30s"})'
sees $'\nlinux1> ' "a console is read at the prompt"
printf 'echo while it waits\r' >typed
for ((i = 0; i < 300; i++)); do
	"$HVSH" --sim=m console linux2 <typed >elsewhere 2>/dev/null
	grep -q '^while it waits' elsewhere && break
	sleep 0.1
done
grep -q '^while it waits' elsewhere
tap $? "zones are served while nobody types"
line 'con:attach()'
sees "Ctrl-]"
line "echo attached"
sees $'\nattached' "the terminal is the guest's"
keys C-]
sees "linux1/hvc0: detached"
line '"back " .. "again"'
sees "back again" "and the prompt's again"
line 'con:write "echo still\r"; con:expect("\nstill", {timeout = "30s"})'
line '#virtio.list()'
sees $'\n6'
keys C-d
sees "closing 6 devices; their zones are not stopped" "Ctrl-D leaves"
restored "the prompt"
out_has "left with 0"
end

# ---- output that nobody takes

rm -rf m
sim -d boot_zones.lua
"$HVSH" --sim=m list 2>/dev/null | head -1 >first
[ "$(cat first)" = "SIMULATED hypervisor" ]
tap $? "list into head"
"$HVSH" --sim=m console --back all linux1 </dev/null 2>pipe.err | head -1 >/dev/null
"$HVSH" --sim=m list >&- 2>closed.err
[ $? = 1 ] && grep -q "standard output" closed.err
tap $? "a closed standard output is a failure that is said"
sim stop linux1 linux2
is 0
finish
