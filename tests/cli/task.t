# SPDX-License-Identifier: GPL-2.0-or-later
# Tasks as a person meets them: what is said of failures, Ctrl-C, the end of a script, the prompt.
. "$HVSH_TESTS/lib/tap.sh" || exit 1
cd "$work" || exit 1

# ---- failures
cat >fail.lua <<'LUA'
local function inner() error "deep" end
local function outer() sleep(0) inner() end
local task = spawn(function() outer() return 1 end)
task:wait()
print(task.state)
LUA
run hvsh fail.lua
is 0 "a task that fails does not end the script"
out_is failed
err_has "error: task fail.lua:3: fail.lua:1: deep" "the log names the task and the place"
err_has "    at fail.lua:2, in upvalue outer" "and how it got there"
err_lacks "hvsh.task" "without our own Lua"
err_lacks "[C]" "or C"

run hvsh -e 'every("1ms", function() error "tick" end):wait() print "still here"'
out_is "still here" "a timer that fails ends alone"
[ "$(grep -c tick .err)" = 1 ]; tap $? "and fails once"

run hvsh -e 'spawn(function() local c <close> = setmetatable({}, {__close = function() error "second" end}) error "first" end):wait()'
err_has "first" "the error of a task"
err_has "while it was closed: " "and that of its handler"
err_has "second"

run hvsh -e 'local task = spawn(function() sleep "1m" end) sleep(0) error "main fails"' --no-serve
is 1 "the script's own error ends it"

run hvsh -e 'local m = coroutine.running() spawn(function() coroutine.close(m) end) sleep "1m"'
is 1 "a script that is closed by its task"
err_has "closed by one of its tasks"

cat >define.lua <<'LUA'
every("1ms", function() error "began" end)
spawn(function() error "began" end)
after("1ms", function() error "began" end):cancel()
sleep "1m"
error "too far"
LUA
run hvsh check define.lua
err_has "is read up to line 4, which needs time to pass" "check reads up to a sleep"
err_lacks began "and begins nothing"

cat >reading.lua <<'LUA'
sleep(0)
print(pcall(require, "waits"))
print(select(2, pcall(string.gsub, "x", "x", function() sleep(0) end)))
LUA
run hvsh reading.lua
out_has "reading.lua:3: cannot wait here" "where nothing can be suspended, the line is named"

# ---- the end
cat >leave.lua <<'LUA'
local function closer(name)
	return setmetatable({}, { __close = function() io.stderr:write("closed ", name, "\n") end })
end
for _, name in ipairs { "first", "second" } do
	spawn(function() local c <close> = closer(name) sleep "10m" end)
end
sleep "1ms"
if arg[1] == "task" then spawn(function() os.exit(3) end) sleep "10m" end
os.exit(3, arg[1] == "close")
LUA
run hvsh leave.lua
is 3 "os.exit with tasks"
[ "$err" = $'closed second\nclosed first' ]; tap $? "closes them, the newest first"
run hvsh leave.lua task
is 3 "os.exit in a task"
[ "$err" = $'closed second\nclosed first' ]; tap $? "closes the others"
cat >handler.lua <<'LUA'
local task = spawn(function()
	local a <close> = setmetatable({}, { __close = function() io.stderr:write "outer\n" end })
	local b <close> = setmetatable({}, { __close = function() os.exit(4) end })
	sleep "10m"
end)
sleep(0)
task:cancel()
LUA
run hvsh handler.lua
is 4 "os.exit in a handler of a task"
run hvsh leave.lua close
is 3 "os.exit that closes the state"

# ---- Ctrl-C. The script says when; what does not stop is ended.
begin() {
	mkfifo ready
	bounded 60 "$HVSH" "$@" >ready 2>.err &
	pid=$!
	exec 3<ready
	rm ready
	read -r out <&3
}
ends() {
	code=0
	{ wait $pid || code=$?; } 2>/dev/null
	exec 3<&-
	err=$(cat .err)
	is 130 "$1"
}
# Without job control, what runs in the background ignores SIGINT.
set -m
begin -e 'local c <close> = setmetatable({}, {__close = function(_, e) io.stderr:write("closed: ", e, "\n") end})
	print "go" sleep "10m"'
kill -INT $pid
ends "Ctrl-C while the script sleeps"
err_has "hvsh: (command line):2: interrupted" "at the line that sleeps"
err_has "closed: (command line):2: interrupted" "handlers run"

begin -e 'print "go" while true do pcall(sleep, "10m") end'
kill -INT $pid
ends "a script that catches it and sleeps again"

begin -e 'print "go" spawn(function() sleep "10m" end):wait()'
kill -INT $pid
ends "Ctrl-C while it waits for a task"
err_lacks "error: task" "which is closed without a word"

begin -e 'local o <close> = setmetatable({}, {__close = function() io.stderr:write "outer closed\n" end})
	coroutine.wrap(function()
	local c <close> = setmetatable({}, {__close = function()
		local n = 0 for i = 1, 1000 do n = n + i end io.stderr:write("closed ", n, "\n") end})
	print "go" sleep "10m" end)()'
kill -INT $pid
ends "in a coroutine of the script"
err_has "closed 500500" "whose handlers have time to run"
err_has "outer closed" "and those around it"

begin -e 'spawn(function() local c <close> = setmetatable({}, {__close = function()
		local n = 0 for i = 1, 100000 do n = n + 1 end io.stderr:write("closed ", n, "\n") end})
	print "go" sleep "10m" end) sleep "10m"'
kill -INT $pid
ends "with other tasks"
err_has "closed 100000" "whose handlers run, too"

begin -e 'spawn(function() print "go" for i = 1, 1000000 do end sleep "10m" end) sleep "10m"'
kill -INT $pid
ends "Ctrl-C while another task computes"
err_lacks "error: task" "does not hit that when it waits again soon"

begin -e 'spawn(function() print "go" while true do end end) sleep "10m"'
kill -INT $pid
ends "a task that computes and holds up the loop"
err_has "error: task (command line):1" "is named"

begin -e 'every("1ms", function() end) for i = 1, 50 do every("1ms", function() sleep(0) end) end
	sleep "10ms" print "go" sleep "10m"'
kill -INT $pid
ends "many timers"

# The first one has been seen when the handler speaks; the third ends the process.
begin -e 'local c <close> = setmetatable({}, {__close = function()
	print "closing" while true do pcall(function() while true do end end) end end}) print "go" sleep "10m"'
kill -INT $pid
read -r out <&3
kill -INT $pid
# Two that arrive together count once.
while kill -INT $pid 2>/dev/null; do sleep 0.05; done
ends "Ctrl-C three times, when a handler does not end"
set +m

# ---- the prompt
. "$HVSH_TESTS/lib/terminal.sh"
T new-session -d -x 100 -y 50 "'$HVSH' 2>&1; echo left with \$?; sleep 60"
sees "hvsh> "
type_line 'ticks = 0 timer = every("1ms", function() ticks = ticks + 1 end)'
type_line 'after("1ms", function() print("while the " .. "prompt waits") end)'
sees "while the prompt waits" "tasks go on while nothing is typed"
type_line 'sleep "1ms" print("sl" .. "ept")'
sees $'\nslept' "sleep at the prompt"
type_line 'spawn(function() return 6 * 7 end):wait()'
sees $'\n42' "and waiting for a task"
type_line 'print("sleep" .. "ing") sleep "10m"'
sees $'\nsleeping' "it sleeps"
T send-keys C-c
sees "stdin:1: interrupted" "Ctrl-C ends the sleep"
type_line 'seen = ticks while ticks < seen + 3 do sleep "1ms" end print(timer.state .. "!")'
sees "waiting!" "and nothing else: the timer goes on"
T send-keys -l 'half a line'
sees "half a line"
T send-keys C-c
type_line 'seen = ticks while ticks < seen + 3 do sleep "1ms" end print(timer.state .. "!!")'
sees "waiting!!" "also after Ctrl-C at the prompt"
type_line 'spawn(function() print "first" print("task " .. "spins") while true do end end)'
sees "task spins" "what a task prints is seen while it holds up the prompt"
T send-keys C-c
sees "error: task stdin:1: stdin:1: interrupted" "Ctrl-C ends a task that holds up the prompt"
type_line '"still " .. "here"'
sees "still here"
type_line 'timer:cancel()'
sees $'\ntrue' "the timer is cancelled"
T send-keys C-d
sees "left with 0" "Ctrl-D leaves"

finish
