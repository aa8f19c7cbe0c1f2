# SPDX-License-Identifier: GPL-2.0-or-later
# What a service keeps of its rights, seen from outside and tried from inside.
. "$HVSH_TESTS/lib/tap.sh"
. "$HVSH_TESTS/lib/examples.sh"
trap 'stop_held "$work"/*/lock "$work"/u/s/lock; rm -rf "$work"' EXIT

sim() { run timeout 120 "$HVSH" --sim="$work/m" "$@"; }

# The words of one line in the status of every thread of a process, each once.
threads_say() { sort -u <(sed -n "s/^$2:[[:space:]]*//p" /proc/"$1"/task/*/status) | tr '\n' ' '; }

# Waits until the command succeeds; 30 s at most.
until_ok() {
	local i
	for ((i = 0; i < 300; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

seccomp=0 landlock=0
case $(sed -n 's/^Seccomp://p' /proc/self/status) in '') ;; *) seccomp=2 ;; esac

# ---- from outside

sim -d boot_zones.lua
is 0 "a service starts"
pid=$(cat m/lock)
until_ok grep -q "^NoNewPrivs:.1" /proc/"$pid"/status
tap $? "it closes its sandbox"
sim hv
out_has "sandbox         capabilities 0" "hv says what is in force"
[[ $out == *"landlock "* ]] && landlock=1
[[ $out == *"seccomp, "* ]] || seccomp=0
out_has ", opener"
sim hv --json
out_has '"sandbox"' "also as JSON"
[ "$(threads_say "$pid" CapPrm)" = "0000000000000000 " ]
tap $? "no thread has a capability"
[ "$(threads_say "$pid" NoNewPrivs)" = "1 " ]
tap $? "no thread gets new privileges"
if [ $seccomp = 2 ]; then
	[ "$(threads_say "$pid" Seccomp)" = "2 " ]
	tap $? "every thread is filtered"
else
	tap 0 "every thread is filtered # SKIP this kernel has no seccomp"
fi
[ "$(awk '/^Max core file size/ {print $6}' /proc/"$pid"/limits)" = 0 ]
tap $? "it leaves no core"

# ---- what goes on

mkdir elsewhere other
cp -R images elsewhere/images
sed 's/name == "linux2"/name == "none"/' boot_zones.lua >elsewhere/boot_zones.lua
cd other || exit 1
sim apply --restart ../elsewhere/boot_zones.lua
is 0 "a command brings images from another folder"
sim stop linux2
is 0 "a zone is stopped"
sim start linux2
is 0 "and started again"
sim restart linux1
is 0 "or restarted"
cd ..
until_ok eval 'printf "echo again\r" | "$HVSH" --sim=m console --back all linux1 2>/dev/null | grep -q "^again"'
tap $? "and its guest answers"
[ "$(threads_say "$pid" CapPrm)$(threads_say "$pid" NoNewPrivs)" = "0000000000000000 1 " ]
tap $? "threads that came later are no freer"
! grep -q "refused system call\|the sandbox keeps" m/service.log
tap $? "nothing of that was refused"
kill -9 "$pid"
until_ok eval '! pgrep -f "^$HVSH --sim=$work/m " >/dev/null'
tap $? "when the service is killed, the opener ends"

# ---- from inside

cat >inside.lua <<'LUA'
dofile "boot_zones.lua"
local execute = os.execute
print("before", (io.open("made.before", "w")), os.execute "true")
spawn(function()
	while not tostring(hv.sandbox):find "^capabilities" do sleep "20ms" end
	print("execute", os.execute "touch executed")
	print("kept", execute "touch executed")
	print("popen", io.popen "touch executed")
	print("read", (io.open("boot_zones.lua")))
	print("proc", (io.open("/proc/self/stat")))
	print("write", (io.open("made.after", "w")))
	print("shadow", (io.open("/etc/shadow")))
	print("allowed", (io.open("allowed/file", "w")))
	print("state", (io.open("i/file", "w")))
	local z = zones.linux1
	-- A guest that still comes up would take the next disk into use.
	local con <close> = assert(z:device "hvc0":open {back = "all"})
	assert(con:expect("linux1> ", {timeout = "60s"}))
	assert(z:device "root":detach())
	print("attached", z:attach(blk "data" {image = "images/rootfs2.ext4"}))
	print("unnamed", z:attach(blk "more" {image = "/etc/hostname"}))
	assert(zones.stop())
	print "stopped"
end)
LUA
mkdir allowed
run timeout 120 "$HVSH" --sim=i --allow allowed inside.lua
is 0 "a policy inside"
[ ! -e i/opener ]
tap $? "the service takes its opener's socket along"
out_has "before	file ("
out_has "execute	nil	EPERM: a service in its sandbox starts no programs; --no-sandbox lifts that" "starts no programs"
out_has "popen	nil	EPERM: a service in its sandbox"
[[ ! -e executed && $out == *"kept	nil"* || $seccomp = 0 ]]
tap $? "by no other way either"
out_has "read	file (" "reads its scripts' folder"
out_has "proc	file (" "and what the kernel tells"
out_has "allowed	file (" "writes where --allow says"
out_has "state	file (" "and into its own folder"
if [ $landlock = 1 ]; then
	out_has "write	nil" "writes nowhere else"
	out_has "shadow	nil" "reads no secrets"
else
	tap 0 "writes nowhere else # SKIP this kernel has no Landlock"
	tap 0 "reads no secrets # SKIP this kernel has no Landlock"
fi
out_has "attached	blk linux1/data: idle" "gives a zone another disk"
out_has "stopped" "and stops its zones"

# ---- without, and as an ordinary user

run timeout 60 "$HVSH" --sim=n --no-sandbox -d boot_zones.lua
is 0 "--no-sandbox"
run timeout 60 "$HVSH" --sim=n hv
out_has "sandbox         none (--no-sandbox)"
[ "$(threads_say "$(cat n/lock)" NoNewPrivs)" = "0 " ]
tap $? "keeps all rights"
run timeout 60 "$HVSH" --sim --allow none -e ''
is 2 "--allow names a folder that is there"
err_has "--allow: none: No such file or directory"

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	mkdir u && cp -R images boot_zones.lua u && chown -R 65534 u && chmod 755 "$work"
	cd u || exit 1
	run timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups "$HVSH" --sim=s -d boot_zones.lua
	is 0 "an ordinary user's service"
	until_ok grep -q "^NoNewPrivs:.1" /proc/"$(cat s/lock)"/status
	tap $? "closes its sandbox, too"
	run timeout 60 setpriv --reuid=65534 --regid=65534 --clear-groups "$HVSH" --sim=s hv
	out_has "sandbox         capabilities 0"
	cd ..
else
	tap 0 "an ordinary user's service # SKIP this takes root and setpriv"
fi
finish
