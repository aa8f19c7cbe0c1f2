// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/near.h"

#include <string.h>

static unsigned int least_of(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters to insert, delete, replace or swap to get from a to b. */
static unsigned int distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
	unsigned int rows[3][HV_NEAR_MAX + 1];
	unsigned int *before = rows[0], *row = rows[1], *current = rows[2], *spare;

	for (size_t j = 0; j <= n_b; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= n_a; i++) {
		current[0] = (unsigned int)i;
		for (size_t j = 1; j <= n_b; j++) {
			current[j] = least_of(least_of(row[j], current[j - 1]) + 1,
					      row[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				current[j] = least_of(current[j], before[j - 2] + 1);
		}
		spare = before;
		before = row;
		row = current;
		current = spare;
	}
	return row[n_b];
}

void hv_near_offer(struct hv_near *near, const char *candidate)
{
	size_t n_word = strlen(near->word), n = strlen(candidate);
	unsigned int most = n_word / 3 > 1 ? (unsigned int)(n_word / 3) : 1;
	unsigned int errors;

	if (n_word > HV_NEAR_MAX || n > HV_NEAR_MAX)
		return;
	errors = distance(near->word, n_word, candidate, n);
	if (errors > most || (*near->best && errors >= near->least))
		return;
	near->least = errors;
	memcpy(near->best, candidate, n + 1);
}
