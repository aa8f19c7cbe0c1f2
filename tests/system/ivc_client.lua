-- SPDX-License-Identifier: GPL-2.0-or-later
-- zone0's end of the channel, with ivc_peer at the other one: what each test says stands on a line.
local NUMBER, TEXT = 0, 64
local c <close> = assert(ivc.open(0))
print("opened", c, #ivc.list())

-- One question and its answer. What does not come in time is an interrupt that was lost.
local function ask(n, text)
	assert(c:write("shared", TEXT, text))
	assert(c:store("shared", NUMBER, 4, n))
	assert(c:notify(1))
	repeat
		local ok, why = c:wait { timeout = "30s" }
		if not ok then error(("question %d: %s; the peer has answered %d"):format(n, why, c:load(1, NUMBER, 4))) end
	until c:load(1, NUMBER, 4) == n
	return c:read(1, TEXT, #text)
end

print("answer", ask(1, "hello from zone0"))
print("idle", select(3, c:wait { timeout = "200ms" }))
for n = 2, 1001 do
	local text = ("question %d"):format(n)
	local answer = ask(n, text)
	if answer ~= text:upper() then error(("%q was answered with %q"):format(text, answer)) end
end
print("questions", c:load(1, NUMBER, 4))
print("refused", select(3, c:write(1, 0, "x")), select(3, c:read("shared", 4095, 2)))

-- The answer comes while nobody waits.
assert(c:store("shared", NUMBER, 4, 2000))
assert(c:notify())
repeat sleep "10ms" until c:load(1, NUMBER, 4) == 2000
print("kept", c:wait { timeout = "30s" })

assert(c:store("shared", NUMBER, 4, 0))
assert(c:notify())
