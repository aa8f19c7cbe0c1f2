/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CLOCK_PLAN_H
#define HV_CLOCK_PLAN_H

#include "base/buf.h"
#include "clock/clk.h"
#include "clock/refs.h"

/*
 * What a device's clocks take when it goes to a zone that cannot drive the clock controller: the
 * root zone keeps them on, and the guest is told fixed rates (or asks by SCMI).
 *
 * What is known of clocks. All of it may be missing (NULL) but the tree, whose nodes are asked
 * about; it is the root zone's, so that clks and host speak of the same machine.
 */
struct hv_clock_facts {
	const struct hv_fdt *tree;
	const struct hv_clk_tree *clks;
	struct hv_clock_host *host;
};

struct hv_clock_need {
	unsigned int slot; /* place in the node's clocks */
	const char *name;  /* of clock-names; NULL */
	char provider[192];
	struct hv_clock_ref ref;
	bool known;
	uint64_t hz;   /* when known */
	char how[192]; /* where the rate comes from, or why it is not known */
	int clk;       /* index in clks, -1 = not identified */
	int64_t lent;  /* its id; -1: the root zone does not lend it */
};

/* No device has as many; further ones are left out. */
#define HV_CLOCK_NEEDS 64

/*
 * The clocks of one node, by path, alias or &label; empty slots are left out. Returns how many, up
 * to HV_CLOCK_NEEDS. -ENOENT: no such node; -EINVAL: its list is malformed.
 */
int hv_clock_needs(const struct hv_clock_facts *facts, const char *node,
		   struct hv_clock_need needs[HV_CLOCK_NEEDS], struct hv_err *err);

/*
 * The rate of a node's clock; 0 = not known. facts: a struct hv_clock_facts. Has the form of
 * hv_fdt_rate_fn (fdt/passthrough.h).
 */
uint64_t hv_clock_rate_of(const char *path, unsigned int slot, void *facts);

/*
 * Device tree source of the root zone's side: /hvisor_virtio_device with all it lends now, and
 * these clocks. Empty when they are lent already.
 */
int hv_clock_plan_root(const struct hv_clock_facts *facts, const struct hv_clock_need *needs,
		       unsigned int n, struct hv_buf *out, struct hv_err *err);
/*
 * Source of the guest's side: a fixed-clock for each different clock, with phandles that guest
 * (NULL: the tree itself) does not use, and the device's new `clocks`. Clocks without a known rate
 * get a rate of 0 and a comment.
 */
int hv_clock_plan_guest(const struct hv_clock_facts *facts, const char *node,
			const struct hv_fdt *guest, const struct hv_clock_need *needs,
			unsigned int n, struct hv_buf *out, struct hv_err *err);

#endif
