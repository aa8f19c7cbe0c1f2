-- SPDX-License-Identifier: GPL-2.0-or-later
-- Prompts inside the service for people at other terminals (`hvsh attach`): each has a channel, an evaluator of its own
-- (hvsh.shell), and one task for each statement. What the wire has is in docs/control-protocol.md.
local core = require "hvsh.core"
local json = require "hvsh.json"

local server = {}

-- Bytes of one statement.
local STATEMENT = 256 << 10

-- What became of a statement; its end is told once and behind its output, however it ends.
local Statement = {}

function Statement.__close(statement)
	if statement.told then return end
	statement.told = true
	if not statement.state then
		statement.channel:write "hvsh: interrupted\n"
		statement.interrupted, statement.failed = true, true
	end
	statement.channel:finish(json.encode {
		event = "done", statement = statement.number, state = statement.state or "done", failed = statement.failed,
		interrupted = statement.interrupted,
	})
end

local function run(channel, sh, statement, text)
	channel:begin(statement.number)
	function sh.err(message)
		statement.failed = true
		channel:write(message)
	end
	local _ <close> = statement
	local ok, state = channel:try(sh.run, sh, text)
	if not ok then
		sh.err(("hvsh: %s\n"):format(tostring(state)))
		state = "done"
	end
	statement.state = state
end

local answers = {}

function answers.run(s, event)
	if s.task and s.task.state ~= "done" and s.task.state ~= "failed" and s.task.state ~= "cancelled" then
		return nil, "a statement came before the end of the one before"
	end
	local text = table.concat(s.parts)
	s.parts, s.size = {}, 0
	s.number = math.tointeger(event.statement)
	if not s.number then return nil, "a statement without a number" end
	s.statement = setmetatable({ channel = s.channel, number = s.number, failed = false }, Statement)
	s.task = core.spawn(("statement %d of %s"):format(s.number, s.who), run, s.channel, s.sh, s.statement, text)
	return true
end

-- One that computes was interrupted before this could be read.
function answers.interrupt(s, event)
	if not s.task or event.statement ~= s.number then return true end
	s.task:cancel()
	-- One that has not begun has nothing to close.
	Statement.__close(s.statement)
	return true
end

function answers.complete(s, event)
	local ok, from, candidates = pcall(s.sh.complete, s.sh, tostring(event.text or ""), tostring(event.line or ""),
		math.tointeger(event.cursor) or 0)
	local reply = { event = "completed", id = event.id }
	if ok and math.type(from) == "integer" and type(candidates) == "table" then
		reply.from, reply.candidates = from, json.array(table.move(candidates, 1, #candidates, 1, {}))
	end
	s.channel:event(json.encode(reply) or json.encode { event = "completed", id = event.id })
	-- Others have their turn before the next.
	core.sleep_until(core.now())
	return true
end

function answers.resize(s, event)
	s.columns = math.tointeger(event.cols) or s.columns
	return true
end

-- nil and why the channel ends.
local function take(s, kind, bytes)
	if kind == "data" then
		s.size = s.size + #bytes
		s.parts[#s.parts + 1] = bytes
		if s.size > STATEMENT then return nil, ("a statement has at most %d KiB"):format(STATEMENT >> 10) end
		return true
	end
	local event = json.decode(bytes)
	local f = type(event) == "table" and answers[event.event]
	if not f then return true end
	return f(s, event)
end

local function closing(s)
	return setmetatable({}, { __close = function()
		if s.stop then s.stop() end
		if s.task then s.task:cancel() end
		pcall(s.sh.close, s.sh)
		s.channel:close()
	end })
end

local function serve(s)
	s.channel:own()
	local _ <close> = closing(s)
	s.stop = require("hvsh.event").listen(function(e)
		local notice = require("hvsh.shell").notice_of(e)
		local text = notice and json.encode { event = "notice", text = notice }
		if text then s.channel:event(text) end
	end)
	for kind, bytes in s.channel.receive, s.channel do
		local ok, why = take(s, kind, bytes)
		if not ok then
			s.channel:close(why)
			return
		end
	end
end

-- {"request":"shell","cols":80,"color":true,"unicode":true} -> {"channel": 1, "prompt": "service> "}
function server.open(request, connection)
	local channel, message, code = core.shell_open(connection)
	if not channel then return nil, message, code end
	local s = { channel = channel, columns = math.tointeger(request.cols) or 80, parts = {}, size = 0, who = channel:who() }
	s.sh = require("hvsh.shell").new {
		out = function(text) channel:write(text) end,
		width = function() return s.columns end,
		color = request.color == true, unicode = request.unicode == true,
	}
	core.spawn(s.who, serve, s)
	return { channel = channel:number(), prompt = (s.sh.prompt:gsub("^hvsh", "service")) }
end

return server
