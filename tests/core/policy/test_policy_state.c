// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/policy/policy_rig.h"

#include <errno.h>

#include "base/now.h"
#include "lua/policy_state.h"

/*
 * Far beyond any deadline, and far below what those loops would take that are not stopped: of
 * processor time, with room for sanitizers.
 */
#define BOUND_NS UINT64_C(20000000000)

static const struct hv_answer allow = { .word = HV_ANSWER_ALLOW };

static int make(const char *text, bool bounded, struct hv_policy_state **state, struct hv_err *err)
{
	const struct hv_policy_source source = rig_source(text);
	uint64_t before = hv_cpu_time();
	int rc = hv_policy_state_new(&source, bounded, NULL, state, err);

	assert_true(hv_cpu_time() - before < BOUND_NS);
	return rc;
}

/* Decides once; the reason in why. */
static int decide(const char *text, bool bounded, struct hv_answer *answer, char why[1024])
{
	const struct hv_question q = rig_question();
	struct hv_buf said = { 0 };
	struct hv_policy_state *state;
	struct hv_err err;
	uint64_t before;
	int rc;

	if (make(text, bounded, &state, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	before = hv_cpu_time();
	rc = hv_policy_state_decide(state, &q, answer, &said);
	assert_true(hv_cpu_time() - before < BOUND_NS);
	answer->data = NULL;
	snprintf(why, 1024, "%s", said.data ? said.data : "");
	hv_buf_free(&said);
	hv_policy_state_free(state);
	return rc;
}

static void test_decides(void **state)
{
	struct hv_answer a;
	char why[1024];

	(void)state;
	assert_int_equal(decide("return function(r) return r.sector == 1 and r.bytes == 4096 and "
				"r.op == 'write' and 'deny' or nil, 'unsupp' end",
				true, &a, why),
			 0);
	assert_int_equal(a.word, HV_ANSWER_DENY);
	assert_int_equal(a.status, 2);
	assert_int_equal(
		decide("return {decide = function() return {delay = '1ms'} end}", true, &a, why),
		0);
	assert_int_equal(a.word, allow.word);
	assert_int_equal(a.delay_ns, 1000000);
	assert_int_equal(decide("print('at', 1) return function() print 'then' end", true, &a, why),
			 0);
	assert_string_equal(rig_printed, "at\t1\nthen\n");
}

/* What cannot be loaded, and what is said about it. */
static void test_loading(void **state)
{
	static const struct {
		const char *text, *says;
	} files[] = {
		{ "return 1 +", "night.lua:1:" },
		{ "\n\nerror 'no'", "night.lua:3: no" },
		{ "return 7", "night.lua returns no function" },
		{ "return {}", "night.lua returns no function" },
		{ "", "night.lua returns no function" },
		{ "while true do end", "night.lua:1: it has used up its 250ms of processor time" },
		{ "local t = {} while true do t[#t + 1] = {} end",
		  "it has used up its 1M of memory" },
		{ "return string.rep('x', 1 << 30)", "it has used up its 1M of memory" },
		{ "return string.rep('x', 1 << 40)", "resulting string too large" },
		{ "\x1bLua", "attempt to load a binary chunk" },
		{ "os.exit()", "exit" },
		{ "io.open '/etc/passwd'", "io" },
		{ "require 'x'", "require" },
		{ "load 'return 1'", "load" },
		{ "dofile 'x'", "dofile" },
		{ "loadfile 'x'", "loadfile" },
		{ "collectgarbage 'stop'", "collectgarbage" },
		{ "debug.sethook()", "debug" },
		{ "coroutine.wrap(print)", "coroutine" },
		{ "string.dump(print)", "dump" },
		{ "setmetatable({}, {__gc = function() while true do end end})", "no finalizers" },
		{ "zones.linux1:stop()", "zones" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		for (int bounded = 0; bounded < 2; bounded++) {
			struct hv_policy_state *s;
			struct hv_err err;

			if (make(files[i].text, bounded, &s, &err) != -EINVAL)
				fail_msg("%s was loaded", files[i].text);
			rig_has(err.msg, files[i].says);
		}
}

static void test_args(void **state)
{
	struct hv_policy_source source =
		rig_source("local a, b = ... assert(a == 'x' and b.y == 2) return function() end");
	struct hv_policy_state *s;
	struct hv_err err;

	(void)state;
	source.args = "return 'x', {y = 2}";
	source.args_len = strlen(source.args);
	assert_int_equal(hv_policy_state_new(&source, true, NULL, &s, &err), 0);
	hv_policy_state_free(s);
}

/* What never ends in Lua, memory that never ends, stacks that never end: at both levels. */
static void test_endless(void **state)
{
	static const struct {
		const char *body, *says;
	} bodies[] = {
		{ "while true do end", "night.lua:1: it has used up its 100ms of processor time" },
		{ "while true do pcall(function() while true do end end) end", "processor time" },
		{ "while true do pcall(error) end", "processor time" },
		{ "pcall(pcall, function() while true do end end) while true do end",
		  "processor time" },
		{ "while true do pcall(string.rep, 'x', 1 << 30) end", "processor time" },
		{ "local s = string.rep('x', 1 << 18) while true do local t = s .. s end",
		  "processor time" },
		{ "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) "
		  "return t[1]",
		  "" },
		{ "local t <close> = setmetatable({}, {__close = function() while true do end "
		  "end})",
		  "processor time" },
		{ "error(setmetatable({}, {__tostring = function() while true do end end}))",
		  "an error whose text cannot be had" },
		{ "xpcall(function() while true do end end, function() while true do end end) "
		  "while "
		  "true do end",
		  "processor time" },
		{ "local t = {} while true do t[#t + 1] = {} end",
		  "it has used up its 1M of memory" },
		{ "return string.rep('x', 1 << 30)", "it has used up its 1M of memory" },
		{ "return string.rep('x', 1 << 40)", "resulting string too large" },
		{ "local s = 'x' while true do s = s .. s end", "it has used up its 1M of memory" },
		{ "local function f() return 1 + f() end f()", "" },
		{ "local function f(...) return f(1, ...) end f()", "" },
		/* C that calls C, with no instruction in between. */
		{ "local s = string.rep('x', 300000) local t = {} for i = 1, 16000 do t[i] = s end "
		  "table.sort(t, string.find)",
		  "processor time" },
		{ "local s = string.rep('x', 300000) getmetatable('').__close = utf8.len "
		  "local function f(n) local x <close> = s if n > 0 then f(n - 1) end error() end "
		  "pcall(f, 2000) error 'all are closed'",
		  "processor time" },
		{ "error 'out of order'", "night.lua:1: out of order" },
		{ "error {}", "an error that is a table value" },
		{ "return 7", "decide answered number" },
		{ "return {data = 'x'}", "the data of a disk's request cannot be replaced" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		for (int bounded = 0; bounded < 2; bounded++) {
			struct hv_answer a;
			char text[512], why[1024];

			snprintf(text, sizeof(text), "return function(r) %s end", bodies[i].body);
			if (decide(text, bounded, &a, why) != -EINVAL)
				fail_msg("%s did not fail", text);
			rig_has(why, bodies[i].says);
		}
}

/* In C, where no hook is called: what cannot be killed has nothing of that kind. */
static void test_bounded(void **state)
{
	static const char *const bodies[] = {
		"string.rep('a', 60):find(string.rep('a?', 60) .. string.rep('a', 60))",
		"string.rep('a', 100000):match('.-.-.-.-b')",
		"string.rep('a', 100000):gsub('.-.-.-.-b', '')",
		"for _ in string.gmatch('x', '.') do end",
		"table.move({}, 1, math.maxinteger - 1, 2)",
		"table.move({}, 1, 9e15, 2, {})",
		"table.move({}, '1', '9223372036854775806', '2')",
		"table.concat({}, '', 1, math.maxinteger)",
		"table.unpack({}, -9e15, 9e15)",
		"table.concat(setmetatable({}, {__index = getmetatable, __metatable = ''}), '', 1, "
		"9e15)",
		"table.insert(setmetatable({}, {__len = function() return 1 << 62 end}), 1, 1)",
		"table.remove(setmetatable({}, {__len = function() return 1 << 62 end}), 1)",
		"table.sort({3, 2, 1}, function() while true do end end)",
		"local t = {} for i = 0, 40000 do t[i] = string.rep('x', 2000) .. i end "
		"table.sort(t)",
		"table.sort({1, 'x'})",
		"while true do string.rep('', 1 << 62) end",
		"table.move(t or {1}, 1, 65536, 1, setmetatable({}, {__newindex = print}), nil)",
		"string.format(('%.0s'):rep(1000), table.unpack({}, 1, 1000))",
	};
	struct hv_answer a;
	char text[512], why[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		snprintf(text, sizeof(text), "return function(r) %s end", bodies[i]);
		if (decide(text, true, &a, why) != -EINVAL)
			fail_msg("%s did not fail", text);
	}
	/* What is left does what it always does. */
	snprintf(text, sizeof(text),
		 "return function() local t = {3, 1, 2} table.sort(t) "
		 "assert(table.concat(t, ',') == '1,2,3') table.insert(t, 4) "
		 "assert(select('#', table.unpack(t)) == 4 and #table.move(t, 1, 4, 5, {}) >= 0) "
		 "assert(table.remove(t) == 4) table.sort(t, function(a, b) return a > b end) "
		 "assert(t[1] == 3) return 'deny' end");
	assert_int_equal(decide(text, true, &a, why), 0);
	snprintf(text, sizeof(text),
		 "return function() local f = string.find local a, b = f('abcabc', 'ca') "
		 "assert(a == 3 and b == 4) assert(f('abc', 'c', -1) == 3) assert(f('a.c', '.', 1, "
		 "true) == 2) assert(not f('abc', 'x')) assert(f('abc', '', 4) == 4) "
		 "assert(not f('abc', '', 5)) assert(('ab'):rep(2, '-') == 'ab-ab') "
		 "assert(('').rep('', 1 << 62) == '') "
		 "assert(('abc'):find('b', math.mininteger) == 2) return 'deny' end");
	if (decide(text, true, &a, why) != 0)
		fail_msg("%s", why);
	assert_int_equal(a.word, HV_ANSWER_DENY);
}

/* One failure leaves the next decision alone, and memory comes back. */
static void test_goes_on(void **state)
{
	const struct hv_policy_source source = rig_source(
		"local n = 0 return function() n = n + 1 if n % 2 == 1 then local t = {} "
		"while true do t[#t + 1] = {} end end return 'deny' end");
	const struct hv_question q = rig_question();
	struct hv_policy_state *s;
	struct hv_answer a;
	struct hv_buf why = { 0 };

	(void)state;
	assert_int_equal(hv_policy_state_new(&source, true, NULL, &s, NULL), 0);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(hv_policy_state_decide(s, &q, &a, &why), i % 2 ? 0 : -EINVAL);
		if (i % 2)
			assert_int_equal(a.word, HV_ANSWER_DENY);
	}
	hv_buf_free(&why);
	hv_policy_state_free(s);
}

/* Told to stop, it does, however long its deadline is. */
static void test_stop(void **state)
{
	struct hv_policy_source source = rig_source("return function() while true do end end");
	struct hv_policy_stop stop = { .fd = -1 };
	const struct hv_question q = rig_question();
	struct hv_policy_state *s;
	struct hv_answer a;
	struct hv_buf why = { 0 };

	(void)state;
	source.deadline = UINT64_C(3600000000000);
	assert_int_equal(hv_policy_state_new(&source, true, &stop, &s, NULL), 0);
	atomic_store(&stop.now, true);
	assert_int_equal(hv_policy_state_decide(s, &q, &a, &why), -ECANCELED);
	hv_buf_free(&why);
	hv_policy_state_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decides), cmocka_unit_test(test_loading),
		cmocka_unit_test(test_args),	cmocka_unit_test(test_endless),
		cmocka_unit_test(test_bounded), cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests_name("policy_state", tests, NULL, NULL);
}
