// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "zone/give.h"

/* Rates of clocks that stay with the root zone: what the author says, then what this machine's
 * have. */

struct give_rate {
	int node; /* of the device; -1 = there is no such clock, which was reported */
	unsigned int slot;
	bool used;
};

/* The place of a name among clock-names; -1 with the names there are. */
static int slot_of(const struct hv_fdt *tree, int node, const char *name, char names[128])
{
	size_t len, used = 0;
	const char *text = hv_fdt_prop(tree, node, "clock-names", &len), *end = text + len;

	names[0] = '\0';
	if (!text || !len || end[-1])
		return -1;
	for (int slot = 0; text < end; slot++, text += strlen(text) + 1) {
		if (!strcmp(text, name))
			return slot;
		if (used < 127)
			used += (size_t)snprintf(names + used, 128 - used, "%s%s", slot ? ", " : "",
						 text);
	}
	return -1;
}

static uint64_t rate_of(const char *path, unsigned int slot, void *arg)
{
	struct give *g = arg;
	int node = hv_fdt_find(g->tree, path, NULL);

	for (size_t i = 0; i < g->spec->n_rates; i++)
		if (g->rates[i].node == node && g->rates[i].slot == slot) {
			g->rates[i].used = true;
			return g->spec->rates[i].hz;
		}
	return hv_clock_rate_of(path, slot, &g->facts);
}

int give_rates_begin(struct give *g, struct hv_fdt_passthrough_opts *opts, struct hv_err *err)
{
	const struct hv_spec_passthrough *p = g->spec;
	char names[128];
	struct hv_err why;
	int ret, slot;

	opts->rate = rate_of;
	opts->rate_arg = g;
	g->facts.tree = g->tree;
	if (hv_check_real(g->c)) {
		ret = hv_clk_read(NULL, &g->clks, &why);
		if (ret == -ENOMEM)
			return hv_err_nomem(err);
		if (ret)
			snprintf(g->unreadable, sizeof(g->unreadable), ": %s", why.msg);
		g->facts.clks = g->clks;
	}
	g->rates = hv_arena_array(g->c->set->arena, p->n_rates + 1, sizeof(*g->rates));
	if (!g->rates)
		return hv_err_nomem(err);
	for (size_t i = 0; i < p->n_rates; i++) {
		const struct hv_spec_rate *r = &p->rates[i];

		g->rates[i].node = hv_fdt_find(g->tree, r->device, &why);
		g->rates[i].slot = r->slot;
		if (g->rates[i].node >= 0 && r->clock) {
			slot = slot_of(g->tree, g->rates[i].node, r->clock, names);
			g->rates[i].slot = slot < 0 ? 0 : (unsigned int)slot;
			if (slot < 0) {
				g->rates[i].node = -1;
				hv_err_set(&why, ENOENT, "%s has no clock %s (%s)", r->device,
					   r->clock, *names ? names : "it names none: count them");
			}
		}
		if (g->rates[i].node >= 0)
			continue;
		hv_report(g->c, g->e, "rates", &r->origin, HV_ERROR, "rate-unknown", "%s", why.msg);
		g->e->plan_failed = true;
	}
	return 0;
}

void give_rates_end(struct give *g)
{
	hv_clk_free(g->clks);
	g->clks = NULL;
}

static bool is_missing(const struct hv_fdt_plan_need *n)
{
	return n->kind == HV_REF_CLOCK && n->role == HV_ROLE_HOST && !n->rate &&
	       !strcmp(n->property, "clocks");
}

static bool is_word(const char *text)
{
	const char *p = text;

	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	return p > text && !*p && !isdigit((unsigned char)*text);
}

/* The missing ones of a device: named in text, as the fields of rates in fix. Returns how many. */
static unsigned int missing_of(struct give *g, size_t first, struct hv_buf *text,
			       struct hv_buf *fix)
{
	const char *path = g->plan->needs[first].path;
	unsigned int count = 0;

	for (size_t i = first; i < g->plan->n_needs; i++) {
		const struct hv_fdt_plan_need *n = &g->plan->needs[i];
		const char *sep = count ? ", " : "";

		if (!is_missing(n) || strcmp(n->path, path) != 0)
			continue;
		count++;
		if (!n->name) {
			hv_buf_printf(text, "%s%u", sep, n->slot + 1);
			hv_buf_printf(fix, "%s[%u] = …", sep, n->slot + 1);
			continue;
		}
		hv_buf_printf(text, "%s%s", sep, n->name);
		hv_buf_printf(fix, is_word(n->name) ? "%s%s = …" : "%s[\"%s\"] = …", sep, n->name);
	}
	return count;
}

/*
 * A tree that is made needs them. Elsewhere than on the machine they cannot be read, so that
 * there it is a warning.
 */
void give_report_rates(struct give *g)
{
	bool real = hv_check_real(g->c), made = g->e->written->dtb_auto;
	struct hv_finding *f;

	for (size_t i = 0; i < g->plan->n_needs; i++) {
		const struct hv_fdt_plan_need *n = &g->plan->needs[i];
		struct hv_buf text = { 0 }, fix = { 0 };
		bool before = false, many;

		for (size_t k = 0; k < i && !before; k++)
			before = is_missing(&g->plan->needs[k]) &&
				 !strcmp(g->plan->needs[k].path, n->path);
		if (!is_missing(n) || before)
			continue;
		many = missing_of(g, i, &text, &fix) > 1;
		f = hv_report(g->c, g->e, n->path, give_origin(g, n->path),
			      !made  ? HV_NOTE
			      : real ? HV_ERROR
				     : HV_WARNING,
			      "rate-missing", "the rate%s of clock%s %s of %s %s not known%s",
			      many ? "s" : "", many ? "s" : "", text.data ?: "?", n->path,
			      many ? "are" : "is",
			      !made  ? ": the given dtb has to say it"
			      : real ? g->unreadable
				     : " here; on the board itself they may be readable");
		hv_report_fix(g->c, f, "rates = {[\"%s\"] = {%s}} in passthrough", n->path,
			      fix.data ?: "");
		hv_buf_free(&text);
		hv_buf_free(&fix);
	}
	for (size_t i = 0; i < g->spec->n_rates; i++)
		if (!g->rates[i].used)
			hv_report(g->c, g->e, "rates", &g->spec->rates[i].origin, HV_WARNING,
				  "rate-unused",
				  "nothing that is given away uses this clock of %s: its rate is "
				  "not needed",
				  g->spec->rates[i].device);
}
