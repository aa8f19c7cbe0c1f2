// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/near.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *word, const char *const *candidates, const char *best)
{
	struct hv_near near = HV_NEAR(word);

	for (; *candidates; candidates++)
		hv_near_offer(&near, *candidates);
	assert_string_equal(near.best, best);
}

static void test_fewest_errors(void **state)
{
	static const char *const clocks[] = { "uart0", "uart1", "spi0", "a", NULL };

	(void)state;
	expect("uart0", clocks, "uart0");
	expect("uart9", clocks, "uart0"); /* the first of those that are equally near */
	expect("uatr1", clocks, "uart1"); /* swapped letters are one error */
	expect("spi", clocks, "spi0");
	expect("sppi0", clocks, "spi0");
	expect("b", clocks, "a");
	expect("ethernet", clocks, "");
	expect("", clocks, "a");
}

static void test_long_words(void **state)
{
	char word[HV_NEAR_MAX + 2], same[HV_NEAR_MAX + 2];
	const char *candidates[] = { same, NULL };

	(void)state;
	memset(word, 'x', sizeof(word));
	word[HV_NEAR_MAX] = '\0';
	memcpy(same, word, sizeof(word));
	same[0] = 'y';
	expect(word, candidates, same);
	word[HV_NEAR_MAX] = 'x';
	word[HV_NEAR_MAX + 1] = '\0';
	memcpy(same, word, sizeof(word));
	expect(word, candidates, "");
	word[1] = '\0';
	expect(word, candidates, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fewest_errors),
		cmocka_unit_test(test_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
