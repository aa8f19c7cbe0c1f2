// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "clock/clk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* clk_summary or clk_dump: whatever is taken is a tree, and all of it can be looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_clk_tree *tree;
	struct hv_err err = { 0 };
	char text[HV_HZ_TEXT];
	uint64_t hz;
	size_t users = 0;

	if (hv_clk_parse((const char *)data, size, "fuzz", &tree, &err)) {
		if (!err.code || !*err.msg)
			abort();
		return 0;
	}
	for (size_t i = 0; i < tree->n; i++) {
		const struct hv_clk *clk = &tree->clks[i];

		if (clk->parent >= (int)i || clk->parent < -1 || clk->rate > INT64_MAX)
			abort();
		if (clk->first_user != users || clk->first_user + clk->n_users > tree->n_users)
			abort();
		users += clk->n_users;
		for (unsigned int u = 0; u < clk->n_users; u++) {
			const struct hv_clk_user *user = &tree->users[clk->first_user + u];

			if (!user->device && !user->connection)
				abort();
			if (user->device && hv_clk_find_user(tree, 0, user->device, NULL) > (int)i)
				abort();
		}
		if (hv_hz_parse(hv_hz_format(clk->rate, text), &hz) || hz != clk->rate)
			abort();
		if (i < 64 && hv_clk_find(tree, clk->name) > (int)i)
			abort();
	}
	if (users != tree->n_users)
		abort();
	hv_clk_free(tree);
	return 0;
}
