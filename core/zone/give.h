/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_GIVE_H
#define HV_ZONE_GIVE_H

#include "clock/clk.h"
#include "clock/plan.h"
#include "zone/zone_priv.h"

/* Giving devices to one zone: what the files of it share. */
struct give {
	struct hv_check *c;
	struct hv_entry *e;
	const struct hv_spec_passthrough *spec;
	const struct hv_fdt *tree;
	const struct hv_fdt_plan *plan; /* NULL until it is made */
	int *nodes;			/* of spec->devices; -1 for those by compatible */
	struct give_rate *rates;	/* of spec->rates */
	struct hv_clk_tree *clks;	/* this machine's; NULL = they cannot be read */
	char unreadable[HV_ERR_MSG_MAX + 2]; /* ": " and why, where they should be */
	struct hv_clock_facts facts;
};

/* Where what is said of a node was written: the entry of the list that it is given by. */
const struct hv_origin *give_origin(const struct give *g, const char *path);
struct hv_finding *give_report(struct give *g, const char *path, enum hv_severity severity,
			       const char *code, const char *message);

/* give_rates.c: the rates the author gave, and those that can be measured. */
int give_rates_begin(struct give *g, struct hv_fdt_passthrough_opts *opts, struct hv_err *err);
void give_rates_end(struct give *g);
void give_report_rates(struct give *g);

/* give_report.c: what stands against it. */
int give_report_plan(struct give *g, struct hv_err *err);

#endif
