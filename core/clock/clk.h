/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CLOCK_CLK_H
#define HV_CLOCK_CLK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hv_hyp;

/*
 * The clocks of zone0's kernel as it shows them in debugfs: clk_summary, a table whose columns
 * grew over the versions (5.4 to 6.12 and later are known, by the header), or clk_dump, JSON.
 */
struct hv_clk_user {
	const char *device;	/* "9000000.serial"; NULL: no device */
	const char *connection; /* "baud"; NULL: not named */
};

struct hv_clk {
	const char *name;
	int parent; /* index; -1: an oscillator, or not connected */
	uint32_t enable_count, prepare_count, protect_count;
	uint64_t rate, accuracy;     /* Hz; ppb */
	uint64_t min_rate, max_rate; /* clk_dump of later kernels; 0 = not known */
	int phase;		     /* degrees; -1 = not known */
	int duty;		     /* of 100000; -1 = not known */
	char hardware;		     /* 'Y', 'N': running; '?' = not known */
	unsigned int first_user, n_users;
};

struct hv_clk_tree {
	size_t n;
	struct hv_clk *clks; /* parents before children */
	size_t n_users;
	struct hv_clk_user *users; /* known from kernel 6.5 on */
	/* private */
	struct hv_arena *arena;
	size_t cap, users_cap;
};

#define HV_CLK_MAX 65536
#define HV_CLK_DEPTH 64
#define HV_CLK_TEXT_MAX ((size_t)8 << 20)

/*
 * Either format, told by the first character. label names the text in messages ("label:line: …").
 * -EINVAL: neither; nothing is taken of a text that is wrong somewhere.
 */
int hv_clk_parse(const char *text, size_t len, const char *label, struct hv_clk_tree **tree,
		 struct hv_err *err);

/*
 * zone0's clocks; dir NULL = /sys/kernel/debug/clk. clk_summary for its users, or clk_dump where
 * that cannot be understood. Messages tell apart a debugfs that is not mounted, no permission, and
 * a kernel without it.
 */
int hv_clk_read(const char *dir, struct hv_clk_tree **tree, struct hv_err *err);
/* Those of a simulated machine. */
int hv_clk_read_sim(struct hv_hyp *hyp, struct hv_clk_tree **tree, struct hv_err *err);
void hv_clk_free(struct hv_clk_tree *tree);

/* -1: none of that name. */
int hv_clk_find(const struct hv_clk_tree *tree, const char *name);
/*
 * The next clock from index `from` on that a device uses; connection NULL = any. -1: none.
 */
int hv_clk_find_user(const struct hv_clk_tree *tree, size_t from, const char *device,
		     const char *connection);

/* "24M", "24MHz", "32.768k", "1000000": decimal units of hertz. -EINVAL, -ERANGE over 2^63-1. */
int hv_hz_parse(const char *text, uint64_t *hz);
/* "24 MHz", "32.768 kHz", "1000.001 kHz": exact. */
#define HV_HZ_TEXT 32
const char *hv_hz_format(uint64_t hz, char out[HV_HZ_TEXT]);

#endif
