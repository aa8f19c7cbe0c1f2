// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "clock/host.h"

/* Clocks, resets and power domains that zones may use: are they there, and who shares them. */

#define NAMES_LISTED 6

struct lent {
	const struct hv_entry *entry;
	const struct hv_spec_device *device;
	struct hv_origin origin[HV_LENT_KINDS];
	uint64_t allowed[HV_LENT_KINDS][HV_LENT_IDS / 64];
};

static const char *const option_keys[HV_LENT_KINDS] = {
	[HV_LENT_CLOCK] = "clocks",
	[HV_LENT_RESET] = "resets",
	[HV_LENT_POWER] = "powers",
};

static bool has(const struct lent *l, int kind, uint32_t id)
{
	return l->allowed[kind][id / 64] >> (id % 64) & 1;
}

static void add(struct lent *l, int kind, int64_t id)
{
	if (id >= 0 && id < HV_LENT_IDS)
		l->allowed[kind][id / 64] |= UINT64_C(1) << (id % 64);
}

static void report_unknown(struct hv_check *c, const struct lent *l, const struct hv_origin *origin,
			   const struct hv_err *why)
{
	char what[HV_WHAT_TEXT];

	hv_report(c, l->entry, hv_device_what(l->device, what), origin, HV_ERROR, "lent-unknown",
		  "%s: %s", what, why->msg);
}

/* One list of a device. The ids of a simulated machine are not those of the board. */
static int read_list(struct hv_check *c, struct lent *l, int kind, const struct hv_spec_option *o,
		     struct hv_clock_host *host)
{
	char name[HV_LENT_NAME];
	struct hv_err why;
	uint32_t id, n = 0;
	int ret = 0;

	l->origin[kind] = o->origin;
	if (o->type == HV_OPT_STRING && hv_clock_host_count(host, kind, &n, &why) == 0)
		for (id = 0; id < n; id++)
			add(l, kind, id);
	for (size_t i = 0; i < o->n_ints; i++) {
		add(l, kind, o->ints[i]);
		if (hv_hyp_is_sim(c->machine->hyp) || o->ints[i] < 0 || o->ints[i] > UINT32_MAX)
			continue;
		ret = hv_clock_host_name(host, kind, (uint32_t)o->ints[i], name, &why);
		if (ret == -ENOENT)
			report_unknown(c, l, &o->origin, &why);
	}
	for (size_t i = 0; i < o->n_strings; i++) {
		ret = hv_clock_host_find(host, kind, o->strings[i], &id, &why);
		if (ret == 0)
			add(l, kind, id);
		else if (ret != -ENOMEM)
			report_unknown(c, l, &o->origin, &why);
	}
	return ret == -ENOMEM ? ret : 0;
}

/* What both may use, as "uart0, spi0 and 3 more"; how many. */
static unsigned int common(const struct lent *a, const struct lent *b, int kind,
			   struct hv_clock_host *host, struct hv_buf *out)
{
	char name[HV_LENT_NAME];
	struct hv_err why;
	unsigned int n = 0;

	for (uint32_t id = 0; id < HV_LENT_IDS; id++) {
		if (!has(a, kind, id) || !has(b, kind, id) || ++n > NAMES_LISTED)
			continue;
		if (hv_clock_host_name(host, kind, id, name, &why) == 0)
			hv_buf_printf(out, "%s%s", n > 1 ? ", " : "", name);
		else
			hv_buf_printf(out, "%s%" PRIu32, n > 1 ? ", " : "", id);
	}
	if (n > NAMES_LISTED)
		hv_buf_printf(out, " and %u more", n - NAMES_LISTED);
	return n;
}

static void check_shared(struct hv_check *c, const struct lent *a, const struct lent *b, int kind,
			 struct hv_clock_host *host)
{
	static const char *const rules[HV_LENT_KINDS] = {
		[HV_LENT_CLOCK] = ("it stays on while one of them wants it, and neither changes "
				   "its rate while the other uses it"),
		[HV_LENT_RESET] = "neither resets it while the other uses it",
		[HV_LENT_POWER] = "it stays on while one of them wants it",
	};
	char what[HV_WHAT_TEXT];
	struct hv_buf names = { 0 };
	struct hv_finding *f;
	unsigned int n = common(a, b, kind, host, &names);

	if (n && !names.failed) {
		hv_device_what(b->device, what);
		f = hv_report(c, b->entry, what, &b->origin[kind], HV_WARNING, "lent-shared",
			      "%s%s %s may be used by %s as well: %s",
			      hv_lent_name((enum hv_lent)kind), n > 1 ? "s" : "", names.data,
			      a->entry->zone.spec->name, rules[kind]);
		hv_device_what(a->device, what);
		hv_report_other(c, f, a->entry, what, &a->origin[kind]);
	}
	hv_buf_free(&names);
}

static size_t find_devices(const struct hv_check *c, struct lent *list)
{
	size_t n = 0;

	for (size_t i = 0; i < c->set->n; i++) {
		const struct hv_zone_spec *spec = c->set->entries[i]->zone.spec;

		for (size_t d = 0; d < spec->n_devices; d++) {
			if (strcmp(spec->devices[d].type, "scmi"))
				continue;
			if (list) {
				list[n].entry = c->set->entries[i];
				list[n].device = &spec->devices[d];
			}
			n++;
		}
	}
	return n;
}

static int check_all(struct hv_check *c, struct lent *list, size_t n, struct hv_clock_host *host)
{
	for (size_t i = 0; i < n; i++)
		for (int kind = 0; kind < HV_LENT_KINDS; kind++) {
			const struct hv_spec_option *o =
				hv_spec_option(list[i].device, option_keys[kind]);

			if (o && read_list(c, &list[i], kind, o, host) < 0)
				return -ENOMEM;
		}
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			for (int kind = 0; kind < HV_LENT_KINDS; kind++)
				if (list[k].entry != list[i].entry)
					check_shared(c, &list[k], &list[i], kind, host);
	return 0;
}

int hv_check_lent(struct hv_check *c, struct hv_err *err)
{
	size_t n = c->machine->hyp ? find_devices(c, NULL) : 0;
	struct hv_clock_host *host = NULL;
	struct hv_fdt *tree = NULL;
	struct lent *list = NULL;
	struct hv_err why;
	int ret;

	if (!n)
		return 0;
	ret = hv_clock_host_new(&hv_clock_backend_hyp, c->machine->hyp, &host, err);
	if (ret)
		return ret;
	/* Without a tree, references say themselves that they need one. */
	if (!hv_hyp_is_sim(c->machine->hyp) && !hv_fdt_open_running(&tree, &why))
		hv_clock_host_set_tree(host, tree);
	list = calloc(n, sizeof(*list));
	ret = list ? 0 : -ENOMEM;
	if (!ret) {
		find_devices(c, list);
		ret = check_all(c, list, n, host);
	}
	free(list);
	hv_clock_host_put(host);
	hv_fdt_close(tree);
	return ret ? hv_err_nomem(err) : 0;
}
