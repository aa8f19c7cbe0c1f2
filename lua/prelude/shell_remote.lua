-- SPDX-License-Identifier: GPL-2.0-or-later
-- A prompt inside the service, from this terminal: what hvsh.shell has, but what is typed runs there. The line is edited
-- here; statements, completion and output go over a channel (docs/control-protocol.md, Prompts).
local control = require "hvsh.control"
local core = require "hvsh.core"
local json = require "hvsh.json"
local term = require "hvsh.term"

local remote = {}

-- The number of Ctrl-C that leaves.
local PRESSES = 3

local methods = {}
local object = { __index = methods }

local function tell(s, event)
	local text = json.encode(event)
	if text then s.channel:tell(text) end
	return text ~= nil
end

local heard = {}

function heard.done(s, event)
	if event.statement == s.number then s.done = event end
end

function heard.completed(s, event)
	if event.id == s.number then s.completed = event end
end

function heard.notice(s, event)
	if s.events then s.notice(tostring(event.text)) end
end

-- Reads whatever comes, until the channel's end.
local function listen(s)
	for kind, bytes in s.channel.receive, s.channel do
		if kind == "data" then
			-- At the prompt it is from tasks that the person has begun.
			if s.running then s.arrived[#s.arrived + 1] = bytes else s.notice((bytes:gsub("\n$", ""))) end
		else
			local event = json.decode(bytes)
			local f = type(event) == "table" and heard[event.event]
			if f then f(s, event) end
		end
		s.channel:wake()
	end
	local _, why = s.channel:receive()
	s.gone = s.gone or why
	s.channel:wake()
end

local function write_arrived(s)
	while #s.arrived > 0 do
		local parts = s.arrived
		s.arrived = {}
		for _, bytes in ipairs(parts) do s.out(bytes) end
	end
end

-- Waits until ready(s), or the service has gone; Ctrl-C is passed on to the statement, and PRESSES of them are too many.
-- Where there is no statement one is. false: it is not waited for any more.
local function wait_for(s, ready, statement)
	local presses = 0
	while true do
		write_arrived(s)
		if ready(s) or s.gone then return true end
		local ok, why = pcall(s.channel.wait, s.channel)
		if not ok then
			local pressed, ends = core.interrupted()
			if not pressed then error(why, 0) end
			if ends then return false end
			core.interrupt_clear()
			if not statement then return false end
			presses = presses + 1
			s.interrupted = true
			if presses == PRESSES then return false end
			tell(s, { event = "interrupt", statement = statement })
		end
	end
end

local function leave(s, why)
	if not s.left then s.notice("hvsh: " .. why) end
	s.left = why
	return "quit", true
end

-- .console NAME: of this terminal, over a connection of its own.
local function console(name)
	local connection, message = control.connect()
	if not connection then return nil, message end
	local _ <close> = connection
	return connection:attach(name, {})
end

-- As hvsh.shell's; the second result: it failed.
function methods:run(text)
	local s = self
	local name = text:match "^%s*%.console%s+(%S+)%s*$"
	if name then
		local ok, message = console(name)
		if not ok then s.notice("hvsh: " .. core.plain(message)) end
		return "done", not ok
	end
	if s.gone then return leave(s, s.gone) end
	-- A file's name means what it means here; the service is in another folder.
	local file = text:match "^%s*%.source%s+([^/%s].*)$"
	if file then text = (".source %s/%s"):format(core.working_folder(), file) end
	s.number = s.number + 1
	s.done, s.running, s.interrupted = nil, true, false
	local columns = core.columns()
	if columns ~= s.columns then
		s.columns = columns
		tell(s, { event = "resize", cols = columns })
	end
	s.channel:send(text)
	tell(s, { event = "run", statement = s.number })
	local stayed = wait_for(s, function() return s.done end, s.number)
	s.running = false
	if not stayed then return leave(s, "left; the service ends the statement") end
	if not s.done then return leave(s, s.gone) end
	return s.done.state, s.done.failed == true
end

function methods:complete(text, line, cursor)
	local s = self
	if s.gone then return 1, {} end
	s.number = s.number + 1
	s.completed = nil
	if not tell(s, { event = "complete", id = s.number, text = text, line = line, cursor = cursor }) then return 1, {} end
	-- The line stays, without what would have been added to it.
	wait_for(s, function() return s.completed end)
	local reply = s.completed
	if not reply or not reply.from then return 1, {} end
	return reply.from, table.move(reply.candidates, 1, #reply.candidates, 1, {})
end

-- Returns the exit code of a program that was this prompt.
function methods:close()
	self.listener:cancel()
	self.channel:close()
	self.connection:close()
	return self.interrupted and 130 or self.gone and 1 or 0
end

-- A prompt in the service. out(text): what statements print; notice(text): lines at other times; events: also what happens
-- to zones. nil, message, code.
function remote.open(options)
	local connection, message, code = control.connect()
	if not connection then return nil, message, code end
	local columns = core.columns()
	local reply
	reply, message, code = control.call(connection, {
		request = "shell", cols = columns, color = core.color(1), unicode = term.unicode(),
	})
	if not reply then
		connection:close()
		return nil, message, code
	end
	local channel
	channel, message, code = connection:shell(reply.channel)
	if not channel then
		connection:close()
		return nil, message, code
	end
	local s = setmetatable({
		connection = connection, channel = channel, prompt = reply.prompt, columns = columns,
		out = options.out, notice = options.notice, events = options.events, number = 0, arrived = {},
	}, object)
	s.listener = core.spawn("listening to the service", listen, s)
	return s
end

return remote
