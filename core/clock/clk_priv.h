/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CLOCK_CLK_PRIV_H
#define HV_CLOCK_CLK_PRIV_H

#include "base/arena.h"
#include "clock/clk.h"

struct clk_text {
	const char *at, *end;
	const char *label;
	unsigned int line;
};

int clk_bad(const struct clk_text *text, struct hv_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Adds a clock; what is not known of it is set so. NULL with a message when there is no room. */
struct hv_clk *clk_add(struct hv_clk_tree *tree, const struct clk_text *text, const char *name,
		       size_t len, int parent, struct hv_err *err);
/* To the last clock. Words that mean "none" are none. */
int clk_add_user(struct hv_clk_tree *tree, const char *device, size_t device_len,
		 const char *connection, size_t connection_len, struct hv_err *err);

int clk_parse_summary(struct hv_clk_tree *tree, struct clk_text *text, struct hv_err *err);
int clk_parse_dump(struct hv_clk_tree *tree, struct clk_text *text, struct hv_err *err);

#endif
