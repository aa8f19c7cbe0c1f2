// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct hv_finding *hv_report(struct hv_check *c, const struct hv_entry *e, const char *what,
			     const struct hv_origin *origin, enum hv_severity severity,
			     const char *code, const char *fmt, ...)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	struct hv_finding *f;
	char text[1536];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f = hv_findings_add(c->findings, severity, code, "%s", text);
	if (!origin->file && !origin->line && !origin->field)
		origin = &spec->origin;
	hv_finding_party(c->findings, f, 0, spec->name, what, origin);
	return f;
}

void hv_report_other(struct hv_check *c, struct hv_finding *f, const struct hv_entry *other,
		     const char *what, const struct hv_origin *origin)
{
	if (!origin->file && !origin->line && !origin->field)
		origin = &other->zone.spec->origin;
	hv_finding_party(c->findings, f, 1, other->zone.spec->name, what, origin);
}

void hv_report_running(struct hv_check *c, struct hv_finding *f, const struct hv_running *other,
		       const char *what)
{
	char text[HV_WHAT_TEXT + 16];

	snprintf(text, sizeof(text), "%s (running)", what);
	hv_finding_party(c->findings, f, 1, other->info.name, text, NULL);
}

/* A sentence about the machine, not about one zone. */
static struct hv_finding *report_machine(struct hv_check *c, const char *zone, const char *what,
					 enum hv_severity severity, const char *code,
					 const char *message)
{
	struct hv_finding *f = hv_findings_add(c->findings, severity, code, "%s", message);

	hv_finding_party(c->findings, f, 0, zone, what, NULL);
	return f;
}

/* A caller that knows why there is no hypervisor has said it better. */
static bool said(const struct hv_check *c, const char *code)
{
	for (size_t i = 0; i < c->findings->n; i++)
		if (!strcmp(c->findings->items[i].code, code))
			return true;
	return false;
}

/* Nothing is left out silently: what could not be looked at is said, once. */
static void report_unknowns(struct hv_check *c)
{
	const struct hv_host *host = c->machine->host;
	struct hv_finding *f;
	char text[512];

	if (!c->board) {
		f = report_machine(
			c, NULL, NULL, HV_WARNING, "no-board",
			"no board description: whether the CPUs and the RAM exist and where "
			"the hypervisor's own memory lies was not checked");
		hv_report_fix(c, f, "name the board: board = require \"board.…\"");
	} else if (!c->board->hypervisor.size) {
		report_machine(c, NULL, NULL, HV_NOTE, "hypervisor-memory-unknown",
			       "the board does not say where the hypervisor's own memory lies: not "
			       "checked");
	}
	if (!(host && host->addresses_known) && !(c->board && c->board->n_root_ram)) {
		f = report_machine(c, NULL, NULL, c->board ? HV_NOTE : HV_WARNING,
				   "zone0-memory-unknown",
				   "where zone0's own RAM lies is not known: not checked");
		hv_report_fix(c, f, c->board ? "run as root on the board" :
					       "run as root on the board, or name the board");
	}
	if (!c->view.root_cpus)
		report_machine(c, NULL, NULL, HV_NOTE, "zone0-cpus-unknown",
			       "which CPUs zone0 has is not known: not checked");
	if (!c->view.asked && !said(c, "no-hypervisor"))
		report_machine(c, NULL, NULL, HV_NOTE, "no-hypervisor",
			       "no hypervisor to ask: zones that run already were not looked at");
	for (size_t i = 0; i < c->view.n; i++) {
		const struct hv_running *r = &c->view.zones[i];

		if (r->known || r->aside)
			continue;
		snprintf(text, sizeof(text),
			 "zone %s (id %" PRIu32
			 ") runs, but was not started by hvsh: its memory and "
			 "interrupts are not known, only its CPUs were checked",
			 r->info.name, r->info.id);
		f = report_machine(c, r->info.name, "running zone", HV_WARNING, "running-unknown",
				   text);
		hv_report_fix(c, f,
			      "stop it and start it with hvsh, or make sure that it uses nothing "
			      "of these zones");
	}
}

static void check_arch(struct hv_check *c, struct hv_entry *e)
{
	const struct hv_zone_spec *spec = e->zone.spec;
	const struct hv_board *board = spec->board ?: c->board;

	if (c->machine->hyp && hv_hyp_arch(c->machine->hyp) != spec->arch)
		hv_report(c, e, "zone", &spec->origin, HV_ERROR, "arch-mismatch",
			  "the zone is for %s, this hypervisor runs on %s",
			  hv_arch_name(spec->arch), hv_arch_name(hv_hyp_arch(c->machine->hyp)));
	else if (board && board->arch != spec->arch)
		hv_report(c, e, "zone", &spec->origin, HV_ERROR, "arch-mismatch",
			  "the zone is for %s, the board %s is %s", hv_arch_name(spec->arch),
			  board->name, hv_arch_name(board->arch));
	if (board && c->board && strcmp(board->name, c->board->name))
		hv_report(c, e, "zone", &spec->origin, HV_ERROR, "board-differs",
			  "the zone is made for board %s, the others for %s", board->name,
			  c->board->name);
}

static bool concerns(const struct hv_finding *f, const char *zone)
{
	return (f->a.zone && !strcmp(f->a.zone, zone)) || (f->b.zone && !strcmp(f->b.zone, zone));
}

static void count_errors(struct hv_check *c, size_t from)
{
	for (size_t j = 0; j < c->set->n; j++) {
		struct hv_entry *e = c->set->entries[j];

		e->n_errors = 0;
		for (size_t i = from; i < c->findings->n; i++)
			e->n_errors += c->findings->items[i].severity == HV_ERROR &&
				       concerns(&c->findings->items[i], e->zone.spec->name);
	}
}

/* Only for zones without other errors: what cannot be encoded then is the layout's fault. */
static void check_expressible(struct hv_check *c, struct hv_entry *e)
{
	struct hv_finding *f;
	struct hv_err why;

	if (!c->machine->hyp || !e->zone.resolved || e->n_errors)
		return;
	if (!hv_hyp_zone_expressible(c->machine->hyp, &e->zone.abi, &why))
		return;
	f = hv_report(c, e, "zone", &e->zone.spec->origin, HV_ERROR, "abi-limit", "%s", why.msg);
	hv_report_fix(c, f, "leave it out, or use a hvisor whose configuration can say it");
	e->n_errors++;
}

/*
 * A version nobody knows is one cause: it is said once, and no zone can be
 * started. A hypervisor that does not answer at all ends the check.
 */
static int check_layouts(struct hv_check *c, struct hv_err *err)
{
	struct hv_finding *f;
	enum hv_layout layout;
	struct hv_err why;
	int ret;

	if (!c->machine->hyp)
		return 0;
	ret = hv_hyp_layout(c->machine->hyp, &layout, &why);
	if (ret && ret != -EAGAIN && ret != -ENOTSUP)
		return hv_err_set(err, why.code, "%s", why.msg);
	for (size_t i = 0; ret != -ENOTSUP && i < c->set->n; i++)
		check_expressible(c, c->set->entries[i]);
	if (ret != -ENOTSUP)
		return 0;
	f = report_machine(c, NULL, NULL, HV_ERROR, "abi-unknown", why.msg);
	hv_report_fix(c, f, "--abi LAYOUT, if you know that this hvisor uses one of them");
	for (size_t i = 0; i < c->set->n; i++)
		c->set->entries[i]->n_errors++;
	return 0;
}

static int check_all(struct hv_check *c, struct hv_err *err)
{
	struct hv_zone_set *set = c->set;
	size_t from = c->findings->n;
	int ret = 0;

	for (size_t i = 0; i < set->n; i++)
		hv_entry_reset(set->entries[i]);
	if (set->n >= HV_MAX_ZONES) {
		/* Comparing each with each would say little and cost much. */
		hv_report(c, set->entries[HV_MAX_ZONES - 1], "zone",
			  &set->entries[HV_MAX_ZONES - 1]->zone.spec->origin, HV_ERROR,
			  "too-many-zones", "%zu zones are defined: hvisor can hold %d, nothing else was checked",
			  set->n, HV_MAX_ZONES - 1);
		count_errors(c, from);
		return hv_map_build(set, c->machine, &c->view, false, &c->map, err);
	}
	for (size_t i = 0; i < set->n && !ret; i++)
		ret = hv_give_devices(c, set->entries[i], err);
	if (ret)
		return ret;
	hv_check_ids(c);
	for (size_t i = 0; i < set->n; i++) {
		hv_check_limits(c, set->entries[i]);
		check_arch(c, set->entries[i]);
	}
	for (size_t i = 0; i < set->n && !ret; i++)
		ret = hv_resolve(c, set->entries[i], err);
	if (!ret)
		ret = hv_map_build(set, c->machine, &c->view, false, &c->map, err);
	if (ret)
		return ret;

	hv_check_cpus(c);
	hv_check_memory(c);
	hv_check_irqs(c);
	hv_check_windows(c);
	hv_check_pci(c);
	hv_check_ivc(c);
	hv_check_devices(c);
	ret = hv_check_lent(c, err);
	for (size_t i = 0; i < set->n && !ret; i++) {
		struct hv_entry *e = set->entries[i];

		hv_check_layout(c, e);
		if (e->zone.resolved) {
			hv_check_images(c, e);
			hv_check_ivc_node(c, e);
			ret = hv_check_tree(c, e, err);
		}
	}
	count_errors(c, from);
	report_unknowns(c);
	return ret ?: check_layouts(c, err);
}

int hv_zone_set_check(struct hv_zone_set *set, const struct hv_machine *machine,
		      struct hv_findings *findings, struct hv_err *err)
{
	struct hv_check c = { .set = set, .machine = machine, .findings = findings };
	size_t from = findings->n;
	int ret;

	c.board = hv_set_board(set, machine);
	set->checked = false;
	ret = hv_view_read(set, machine, &c.view, err);
	if (!ret)
		ret = check_all(&c, err);
	if (!ret && findings->failed)
		ret = hv_err_nomem(err);
	if (!ret) {
		hv_findings_sort(findings, from);
		set->checked = true;
	}
	hv_memmap_free(c.map);
	hv_view_free(&c.view);
	return ret;
}
