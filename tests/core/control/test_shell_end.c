// SPDX-License-Identifier: GPL-2.0-or-later
#include "control_rig.h"

#include <lauxlib.h>
#include <lua.h>

#include "lua/shell_end.h"

/* More than any buffer takes: as if memory were out, with the head added and the body not. */
#define TOO_MUCH ((size_t)-1 / 2 + 5)

static void expect(lua_State *L, struct hv_shell_end *end, const char *first, const char *second)
{
	lua_settop(L, 0);
	assert_int_equal(hv_shell_end_receive(L, end), 2);
	if (first)
		assert_string_equal(lua_tostring(L, 1), first);
	else
		assert_true(lua_isnil(L, 1));
	assert_string_equal(lua_tostring(L, 2), second);
}

static void test_no_memory_for_the_first(void **state)
{
	struct hv_shell_end end = { 0 };

	(void)state;
	assert_false(hv_shell_end_put(&end, false, "{}", TOO_MUCH));
	assert_int_equal(hv_shell_end_waiting(&end), 0);
	hv_shell_end_free(&end);
}

/* What came before is taken whole, and behind it comes the end. */
static void test_no_memory_for_a_later_one(void **state)
{
	struct hv_shell_end end = { 0 };
	lua_State *L = luaL_newstate();
	size_t waiting;

	(void)state;
	assert_non_null(L);
	assert_true(hv_shell_end_put(&end, false, "{\"event\":\"one\"}", 15));
	assert_true(hv_shell_end_put(&end, true, "two", 3));
	waiting = hv_shell_end_waiting(&end);
	assert_false(hv_shell_end_put(&end, false, "{\"event\":\"three\"}", TOO_MUCH));
	assert_int_equal(hv_shell_end_waiting(&end), waiting);
	hv_shell_end_close(&end, "out of memory");
	expect(L, &end, "event", "{\"event\":\"one\"}");
	expect(L, &end, "data", "two");
	expect(L, &end, NULL, "out of memory");
	hv_shell_end_free(&end);
	lua_close(L);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory_for_the_first),
		cmocka_unit_test(test_no_memory_for_a_later_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
