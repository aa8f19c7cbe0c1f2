-- SPDX-License-Identifier: GPL-2.0-or-later
-- The first value of f() that is neither nil nor false, for scripts of tests: waits 30 s for it, and raises an error then.
function until_(f)
	for _ = 1, 6000 do
		local value = f()
		if value then return value end
		sleep "5ms"
	end
	error("it did not come", 2)
end
