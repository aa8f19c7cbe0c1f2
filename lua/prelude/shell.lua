-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a prompt does with what is typed. It knows no terminal: lua/repl.c has the one of this process, and a prompt
-- elsewhere sends its lines here.
--
--   local sh = shell.new { out = function(text) end, width = function() return 80 end, color = false, unicode = true }
--   sh:run(text)                     "more" (half a statement), "done" or "quit"; in the calling task, may wait
--   sh:complete(text, line, cursor)  where the word before the cursor begins, and what it may become; runs nothing
--   sh:close()
--   sh.prompt                        "hvsh(sim)> "
-- More options: err (where errors go; default out), console(name, find) -> true or nil, message (opens a console).
local core = require "hvsh.core"
local term = require "hvsh.term"
local tokens = require "hvsh.shell.tokens"

local shell = {}

-- The script may take them away.
local create, resume, status, close = coroutine.create, coroutine.resume, coroutine.status, coroutine.close
local dump, getinfo, load, pack, unpack = string.dump, debug.getinfo, load, table.pack, table.unpack

local PLACE = "=stdin"  -- where messages say that a statement is written
local WHOLE = 4096      -- longer texts are not compiled at every line
local STATEMENTS = 100  -- so many are remembered, for errors in their functions
-- What stands before the function itself in what string.dump gives.
local DUMP_HEAD = string.packsize "c4 B B c6 B B B j n" + 1

local Shell = {}
Shell.__index = Shell

local signs = { ["…"] = ".." }

function shell.new(options)
	local sh = setmetatable({}, Shell)
	sh.out, sh.err = options.out, options.err or options.out
	sh.width, sh.color, sh.unicode = options.width, options.color, options.unicode
	sh.console = options.console
	sh.prompt = core.options().sim and "hvsh(sim)> " or "hvsh> "
	-- Results belong to this prompt, everything else to all.
	sh.env = setmetatable({}, { __index = _G, __newindex = _G })
	sh.results, sh.statements = 0, {}
	return sh
end

function Shell:close()
	if self.stop then self.stop() end
	self.stop, self.statements = nil, {}
end

function Shell:sign_of(sign) return self.unicode and sign or signs[sign] end

-- ---- errors

-- The text in which a function was typed: that of the statement whose code has its code.
local function text_of(self)
	return function(f)
		local info = getinfo(f, "S")
		if info.source ~= PLACE then return nil end
		local code = info.what ~= "main" and dump(f, true):sub(DUMP_HEAD + 1)
		for i = #self.statements, 1, -1 do
			local s = self.statements[i]
			if s.chunk == f or code and dump(s.chunk, true):find(code, 1, true) then return s.text end
		end
	end
end

-- Says what went wrong; co: whose error it is. text: what did not compile.
function Shell:fail(err, co, text)
	local message, places, as_it_is = core.failure(err, co)
	if as_it_is then
		if message ~= "" then self.err(message:find "\n$" and message or message .. "\n") end
		return "done"
	end
	local ok, line = pcall(require("hvsh.excerpt").of, message, {
		width = self.width(), color = self.color, env = self.env, co = co, text_of = text_of(self), text = text, place = PLACE:sub(2),
		load = function(part) return load(part, PLACE, "t") end,
	})
	line = ok and line and "\n" .. line or ""
	self.err(("hvsh: %s%s%s\n"):format(term.clean(message), line, places))
	return "done"
end

-- Calls f in a coroutine of its own; what it raises is shown. true and its results, or false.
function Shell:execute(f)
	local co = create(f)
	local results = pack(core.statement(resume, co))
	if results[1] and status(co) == "dead" then return unpack(results, 1, results.n) end
	if results[1] then
		results[2] = "the statement yielded outside of its coroutines, and nothing will resume it"
	end
	self:fail(results[2], co)
	close(co)
	return false
end

-- ---- statements

-- "x?" asks what x is: no Lua has a question mark behind a name.
local function is_question(text) return text:find "^%s*[%w_.:]*%s*%?%s*$" ~= nil end

-- The function of a statement, or of an expression. nil, message, and whether more lines may make it right.
-- That of an expression returns a nil before its values: a call at the end would not be seen in tracebacks.
function Shell:compile(text)
	local f = load("return nil, " .. text, PLACE, "t", self.env)
	if f then return f, nil, nil, true end
	local message
	f, message = load(text, PLACE, "t", self.env)
	if f then return f end
	-- A quoted string does not go on in the next line, unless its end says so.
	local more = message:find "<eof>$" and not (message:find "unfinished string near <eof>$" and not text:find "\\%s*$")
	return nil, message, more
end

-- Whether the text is certainly half a statement. To compile a long one again at every line would take ever longer.
function Shell:is_open(text)
	local half = self.half
	if not half or #text <= half.size or text:sub(1, half.size) ~= half.text then
		half = { balance = tokens.balance(), compile_at = WHOLE }
		self.half = half
	end
	half.text, half.size = text, #text
	if not half.balance:is_open(text) or #text < WHOLE then return false end
	if #text < half.compile_at then return true end
	half.compile_at = #text + #text // 4
	return false
end

-- nil, "ENOENT: why", "ENOENT" is how operations fail: said in one line.
local function is_failure(results)
	return results.n == 4 and results[2] == nil and type(results[3]) == "string" and type(results[4]) == "string"
		and results[3]:sub(1, #results[4] + 2) == results[4] .. ": "
end

function Shell:show(results)
	local value = require("hvsh.print").value
	local options = { width = self.width(), color = self.color, unicode = self.unicode }
	if is_failure(results) then
		self.out("nil  " .. term.clean(results[3]) .. "\n")
		return
	end
	for i = 2, results.n do self.out(value(results[i], options) .. "\n") end
end

-- The values of an expression are _1, _2 and so on, the first one _ as well.
function Shell:keep(results)
	for i = results.n, self.results do self.env["_" .. i] = nil end
	self.results = results.n - 1
	for i = 2, results.n do rawset(self.env, "_" .. i - 1, results[i]) end
	rawset(self.env, "_", results[2])
end

function Shell:run(text)
	local dots = text:find "^%s*%." and require "hvsh.shell.dots"
	local name, rest
	if dots then name, rest = dots.parse(text) end
	if name then return dots.run(self, name, rest) end
	if is_question(text) then
		self:execute(function() require("hvsh.help").prompt(text) end)
		return "done"
	end
	if text:find "\n" and self:is_open(text) then return "more" end
	local f, message, more, is_expression = self:compile(text)
	if more then return "more" end
	self.half = nil
	if not f then return self:fail(message, nil, text) end
	table.insert(self.statements, { chunk = f, text = text })
	if #self.statements > STATEMENTS then table.remove(self.statements, 1) end
	local results = pack(self:execute(f))
	if results[1] and is_expression then results = pack(unpack(results, 2, results.n)) end
	-- In front of the values is nil or true.
	if results.n > 1 then
		self:keep(results)
		self:execute(function() self:show(results) end)
	end
	return "done"
end

function Shell:complete(text, line, cursor)
	if text == "" and line:find "^%s*%." then
		local from, list = require("hvsh.shell.dots").complete(self, line, cursor)
		if from then return from, list end
	end
	return require("hvsh.shell.complete").lua(self.env, text, line, cursor)
end

-- ---- the terminal of this process

-- A line above the one that is being typed; on standard error where there is none.
function shell.notice(text) core.notice(term.clean(text)) end

local function write(file)
	return function(text)
		file:write(text)
		file:flush()
	end
end

-- Names a console by what find knows.
local function open_console(name, find)
	return core.console_attach(find(name).handle, 0, {})
end

-- What a person wants to know who did not ask: of devices, only that something is wrong.
-- What a prompt says of an event: nothing of what every guest does when it boots.
function shell.notice_of(e)
	if e.event == "device" and e.what ~= "broken" and e.what ~= "error" then return nil end
	return tostring(e.message or ("%s: %s"):format(e.device and e.zone .. "/" .. e.device or e.zone, e.what or e.event))
end

-- What the log has said here is not said again.
local function on_event(e)
	local level = require("hvsh.event").level(e)
	local text = not (level and core.log_seen(level)) and shell.notice_of(e)
	if text then shell.notice(text) end
end

-- The prompt on standard input and output.
function shell.of_terminal()
	local sh = shell.new {
		out = write(io.stdout), err = write(io.stderr), width = function() return core.columns(1) end,
		color = core.color(1), unicode = term.unicode(), console = open_console,
	}
	sh.stop = require("hvsh.event").listen(on_event)
	return sh
end

return shell
