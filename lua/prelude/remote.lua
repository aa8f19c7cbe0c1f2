-- SPDX-License-Identifier: GPL-2.0-or-later
-- Checks, plans and steps for the zones of a script, made by whoever serves this machine's zones: its hypervisor, its
-- records and its devices are the ones that count. The script is read by the command; its definitions travel as data
-- with the lines they were written on.
local control = require "hvsh.control"
local core = require "hvsh.core"
local dsl = require "hvsh.dsl"
local json = require "hvsh.json"
local operate = require "hvsh.operate"
local policies = require "hvsh.policy.define"
local report = require "hvsh.report"
local term = require "hvsh.term"

local remote = {}

-- ---- definitions as data

-- {v = the table, p = {{key, path}…}}: a part, and where its fields were written.
local function pack(part, places)
	local value, marks = {}, {}
	for key, v in next, part do value[key] = type(v) == "table" and pack(v, places) or v end
	for key, path in next, places[part] or {} do marks[#marks + 1] = json.array { key, path } end
	return { v = value[1] ~= nil and json.array(value) or value, p = #marks > 0 and json.array(marks) or nil }
end

local function unpack_part(packed, places)
	local part, marks = {}, {}
	for key, v in next, packed.v do part[key] = type(v) == "table" and unpack_part(v, places) or v end
	for _, mark in ipairs(packed.p or {}) do marks[mark[1]] = mark[2] end
	if next(marks) ~= nil then places[part] = marks end
	return part
end

function remote.pack(specs)
	local list = {}
	for i, spec in ipairs(specs) do
		local data = dsl.behind(spec)
		list[i] = { spec = pack(data.spec, data.places), origins = data.origins }
	end
	return json.array(list)
end

function remote.unpack(list)
	local specs = {}
	for i, data in ipairs(list) do
		local places = {}
		specs[i] = dsl.restore { spec = unpack_part(data.spec, places), origins = data.origins, places = places }
	end
	return specs
end

-- ---- the service's side: answers to requests

-- A copy, marked as a list.
local function list_of(values)
	return json.array(table.move(values, 1, #values, 1, {}))
end

-- {findings=, left_out=}: of very many the first ones.
local function found(findings)
	local list, left_out = report.first(findings)
	return { findings = list_of(list), left_out = left_out }
end

-- Nil and a message for what no command has packed.
local function specs_of(request)
	local ok, specs = pcall(remote.unpack, request.specs)
	if not ok then return nil, "EINVAL: the specs of this request cannot be read: " .. tostring(specs) end
	return specs
end

local function plan_of(request)
	local names = request.names and table.move(request.names, 1, #request.names, 1, {})
	local options = { names = names, restart = request.restart == true, force = request.force == true }
	local specs, why = specs_of(request)
	if not specs then return nil, nil, why, "EINVAL" end
	local plan, message, code, findings = operate.plan(specs, options)
	if plan then return plan, specs end
	if findings then
		local reply = found(findings)
		reply.failed, reply.code = message, code
		return nil, reply
	end
	return nil, nil, message, code
end

local function as_data(plan)
	local deltas = {}
	for i, delta in ipairs(plan.deltas) do
		deltas[i] = {}
		for key, value in pairs(delta) do deltas[i][key] = type(value) == "table" and list_of(value) or value end
	end
	local data = found(plan.findings)
	data.deltas, data.steps = json.array(deltas), json.array(plan.steps)
	return data
end

-- What runs by these definitions now is what later commands and the service's own script mean by the names.
local function adopt(plan, specs)
	local runs = {}
	for _, step in ipairs(plan.steps) do
		if step.kind == "start" then runs[step.zone] = true end
	end
	for _, delta in ipairs(plan.deltas) do
		if delta.state == "same" then runs[delta.zone] = true end
	end
	for _, spec in ipairs(specs) do
		local one, name = { spec }, { [spec.name] = true }
		-- Functions stay with who has read the script, which may be this process, and then by another definition.
		local bound = policies.find(one, name) or require("hvsh.custom").find(one, name)
		if runs[spec.name] and not bound then dsl.adopt(spec) end
	end
end

remote.answers = {}

-- {"request":"check","specs":[…]} -> {"findings": […]}; of very many the first, and "left_out" counts the others
function remote.answers.check(request)
	local specs, why = specs_of(request)
	if not specs then return nil, why, "EINVAL" end
	local findings, message, code = operate.check(specs)
	if not findings then return nil, message, code end
	return found(findings)
end

-- {"request":"plan","specs":[…],"names":[…],"restart":false,"force":false} -> {"deltas", "steps", "findings"}; where the
-- zones are wrong {"findings", "failed", "code"}
function remote.answers.plan(request)
	local plan, other, message, code = plan_of(request)
	if not plan then return other, message, code end
	return as_data(plan)
end

-- The same with "keep" and "hint" of operate.carry_out; what was planned is done. "failed" and "code" when it was not.
function remote.answers.apply(request)
	local plan, specs, message, code = plan_of(request)
	if not plan then return specs, message, code end
	local keep = request.keep == true
	local ok
	ok, message, code = operate.carry_out(plan, { keep = keep, hint = request.hint })
	local reply = as_data(plan)
	if ok or keep and code == "EEXIST" then adopt(plan, specs) end
	if not ok then reply.failed, reply.code = message, code end
	return reply
end

-- {"request":"map","specs":[…],"svg":true | "spans":true | "width","color","unicode"} -> {"text"} | {"spans"}
function remote.answers.map(request)
	local specs, why = specs_of(request)
	if not specs then return nil, why, "EINVAL" end
	local map, message, code = core.memmap(specs)
	if not map then return nil, message, code end
	if request.spans then return { spans = json.array(map:spans()) } end
	local text
	if request.svg then
		text, message, code = map:svg()
	else
		text, message, code = map:draw { width = request.width, color = request.color, unicode = request.unicode }
	end
	if not text then return nil, message, code end
	return { text = text }
end

-- {"request":"info"} -> what core.info says
function remote.answers.info()
	return core.info()
end

-- ---- the command's side: what operate has, asked of the service

local machine = {}

-- request with the definitions; they cannot all be said in JSON.
local function with(specs, request)
	require("hvsh.sandbox").grant(specs)
	request.specs = remote.pack(specs)
	return request
end

local function findings_of(reply)
	return report.findings_list(table.move(reply.findings, 1, #reply.findings, 1, {}), reply.left_out)
end

function machine.check(specs)
	local reply, message, code = control.ask(with(specs, { request = "check" }))
	if not reply then return nil, message, code end
	return findings_of(reply)
end

local function planned(reply, message, code)
	if not reply then return nil, message, code end
	local findings = findings_of(reply)
	if reply.failed and not reply.steps then return nil, reply.failed, reply.code, findings end
	reply.findings = findings
	return reply
end

function machine.plan(specs, options)
	local plan, message, code, findings = planned(control.ask(with(specs, {
		request = "plan", names = options.names and list_of(options.names), restart = options.restart, force = options.force,
	})))
	if not plan then return nil, message, code, findings end
	plan.specs, plan.options = specs, options
	return plan
end

-- The service makes its plan anew: what runs may have changed since. plan becomes what was done.
function machine.carry_out(plan, options)
	local begins = {}
	for _, step in ipairs(plan.steps) do begins[step.zone] = true end
	local name = require("hvsh.custom").find(plan.specs, begins)
	if name then
		return nil, ("ENOTSUP: %s is a custom device: its functions cannot be given to the service that runs; let that read the script"):format(name),
			"ENOTSUP"
	end
	name = policies.find(plan.specs, begins)
	if name then
		return nil, ("ENOTSUP: %s has a policy with a function, which cannot be given to the service that runs: "
			.. 'write it to a file and say policy = {file = "…"}, or let that read the script'):format(name), "ENOTSUP"
	end
	local done, message, code = planned(control.ask(with(plan.specs, {
		request = "apply", names = plan.options.names and list_of(plan.options.names), restart = plan.options.restart, force = plan.options.force,
		keep = options.keep, hint = options.hint,
	})))
	if not done then return nil, message, code end
	plan.deltas, plan.steps = done.deltas, done.steps
	if done.failed then return nil, done.failed, done.code end
	return true
end

function machine.map(specs, options)
	local reply, message, code = control.ask(with(specs, {
		request = "map", svg = options.svg, spans = options.spans, width = options.width, color = options.color, unicode = options.unicode,
	}))
	if not reply then return nil, message, code end
	return options.spans and reply.spans or reply.text
end

function machine.info() return control.ask { request = "info" } end

local here = { check = operate.check, plan = operate.plan, carry_out = operate.carry_out, info = core.info }

function here.map(specs, options)
	local map, message, code = core.memmap(specs)
	if not map then return nil, message, code end
	if options.spans then return map:spans() end
	if options.svg then return map:svg() end
	return map:draw(options)
end

-- Who looks after this machine's zones: the service where one runs, else this process. nil and a message when there is
-- one that cannot be asked. To be called before the script is read: paths that travel must be whole.
function remote.machine()
	if core.options().no_serve then return here end
	local service, message, code = control.connect()
	if not service then
		-- Whoever may not ask the service may still check, and finds out otherwise at /dev/hvisor.
		if code == "ENOENT" or code == "EACCES" or code == "EPERM" then return here end
		return nil, message
	end
	service:close()
	if core.options().sim then
		io.stderr:write("hvsh: simulated hypervisor (--sim): nothing on this machine is changed\n")
	end
	dsl.resolve_from(core.working_folder())
	return machine
end

-- The first line of what is about a machine; a simulated one must not be mistaken.
function remote.banner(who, color)
	local info, message = who.info()
	local sim = core.options().sim
	if not info then
		return { (sim and term.paint(color, "yellow", "SIMULATED hypervisor") or "hypervisor")
			.. " (" .. term.clean(core.plain(message)) .. ")" }
	end
	if info.backend ~= "sim" then return {} end
	return { ("%s (%s%s)"):format(term.paint(color, "yellow", "SIMULATED hypervisor"), info.arch,
		info.layout and ", layout " .. info.layout or "") }
end

return remote
