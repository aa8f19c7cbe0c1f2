// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"

static void test_alloc(void **state)
{
	struct hv_arena *arena = hv_arena_new();
	unsigned int seed = 1;
	struct {
		unsigned char *at;
		size_t size;
	} blocks[400];

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		blocks[i].size = (size_t)rand_r(&seed) % (i % 50 ? 200 : 30000);
		blocks[i].at = hv_arena_alloc(arena, blocks[i].size);
		assert_non_null(blocks[i].at);
		assert_int_equal((uintptr_t)blocks[i].at % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < blocks[i].size; k++)
			assert_int_equal(blocks[i].at[k], 0);
		memset(blocks[i].at, (int)i, blocks[i].size);
	}
	for (size_t i = 0; i < 400; i++)
		for (size_t k = 0; k < blocks[i].size; k++)
			assert_int_equal(blocks[i].at[k], (unsigned char)i);
	hv_arena_free(arena);
	hv_arena_free(NULL);
}

static void test_too_much(void **state)
{
	struct hv_arena *arena = hv_arena_new();

	(void)state;
	assert_null(hv_arena_alloc(arena, SIZE_MAX));
	assert_null(hv_arena_array(arena, SIZE_MAX / 2, 3));
	assert_null(hv_arena_array(arena, SIZE_MAX, SIZE_MAX));
	assert_non_null(hv_arena_array(arena, 0, 8));
	assert_non_null(hv_arena_alloc(arena, 1));
	hv_arena_free(arena);
}

static void test_text(void **state)
{
	struct hv_arena *arena = hv_arena_new();
	char long_text[20001];

	(void)state;
	memset(long_text, 'x', 20000);
	long_text[20000] = '\0';
	assert_string_equal(hv_arena_strdup(arena, "abc"), "abc");
	assert_string_equal(hv_arena_strdup(arena, ""), "");
	assert_null(hv_arena_strdup(arena, NULL));
	assert_string_equal(hv_arena_strndup(arena, "abcdef", 3), "abc");
	assert_string_equal(hv_arena_strndup(arena, "abc", 100), "abc");
	assert_string_equal(hv_arena_strndup(arena, "abc", SIZE_MAX), "abc");
	assert_string_equal(hv_arena_printf(arena, "%d-%s", 7, "x"), "7-x");
	assert_string_equal(hv_arena_printf(arena, "%s", long_text), long_text);
	hv_arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
