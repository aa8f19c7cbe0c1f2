// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "zone/give.h"

/* What a plan says against giving a device away, unless its author takes it. */

struct accepted {
	int *nodes;
	bool *used;
};

/* Whether the author takes a conflict with this node, or one above it. */
static bool takes(const struct give *g, struct accepted *a, const char *path)
{
	for (int node = hv_fdt_find(g->tree, path, NULL); node >= 0;
	     node = hv_fdt_parent(g->tree, node))
		for (size_t i = 0; i < g->spec->n_accept; i++)
			if (a->nodes[i] == node) {
				a->used[i] = true;
				return true;
			}
	return false;
}

static int find_accepted(struct give *g, struct accepted *a, struct hv_err *err)
{
	struct hv_err why;

	a->nodes = hv_arena_array(g->c->set->arena, g->spec->n_accept + 1, sizeof(*a->nodes));
	a->used = hv_arena_array(g->c->set->arena, g->spec->n_accept + 1, sizeof(*a->used));
	if (!a->nodes || !a->used)
		return hv_err_nomem(err);
	for (size_t i = 0; i < g->spec->n_accept; i++) {
		const struct hv_spec_accept *s = &g->spec->accept[i];

		a->nodes[i] = hv_fdt_find(g->tree, s->name, &why);
		a->used[i] = a->nodes[i] < 0; /* said once is enough */
		if (a->nodes[i] < 0)
			hv_report(g->c, g->e, s->name, &s->origin, HV_ERROR, "accept-unknown", "%s",
				  why.msg);
	}
	return 0;
}

static void report_problems(struct give *g, struct accepted *a)
{
	static const enum hv_severity severities[] = {
		[HV_PROBLEM_ERROR] = HV_ERROR,
		[HV_PROBLEM_WARNING] = HV_WARNING,
		[HV_PROBLEM_NOTE] = HV_NOTE,
	};

	for (size_t i = 0; i < g->plan->n_problems; i++) {
		const struct hv_fdt_plan_problem *p = &g->plan->problems[i];
		enum hv_severity severity = severities[p->kind];
		char text[HV_ERR_MSG_MAX + 256];

		if (severity != HV_NOTE && takes(g, a, p->path))
			severity = HV_NOTE;
		snprintf(text, sizeof(text), "%s %s", p->path, p->text);
		give_report(g, p->path, severity, "passthrough", text);
	}
}

static void report_shared(struct give *g, struct accepted *a)
{
	for (size_t i = 0; i < g->plan->n_nodes; i++) {
		const struct hv_fdt_plan_node *n = &g->plan->nodes[i];
		char text[1024];
		struct hv_finding *f;
		bool taken;

		if (n->role != HV_ROLE_SHARED)
			continue;
		taken = takes(g, a, n->path);
		snprintf(text, sizeof(text), "%s: %s", n->path,
			 n->why ? n->why : "the root zone needs it, too");
		f = give_report(g, n->path, taken ? HV_NOTE : HV_ERROR, "passthrough-shared", text);
		if (!taken)
			hv_report_fix(g->c, f,
				      "give it away as well, or take it that the guest has to do "
				      "without: accept = {\"%s\"} in passthrough",
				      n->path);
	}
}

/* Those of "a, b and others" that are enabled and not taken, as the list to be accepted. */
static bool open_owners(struct give *g, struct accepted *a, const char *others, struct hv_buf *list)
{
	const char *next;
	char path[256];
	bool open = false;

	for (; *others; others = next) {
		size_t len = strcspn(others, " ");
		int node;

		next = others + len;
		next += strspn(next, " ");
		if (len && others[len - 1] == ',')
			len--;
		if (*others != '/') {
			/* "and others" were not named: nobody can have accepted them. */
			open |= len == 6;
			continue;
		}
		snprintf(path, sizeof(path), "%.*s", (int)len, others);
		node = hv_fdt_find(g->tree, path, NULL);
		if (node < 0 || !hv_fdt_enabled(g->tree, node) || takes(g, a, path))
			continue;
		open = true;
		hv_buf_printf(list, "%s\"%s\"", list->len ? ", " : "", path);
	}
	return open;
}

static void report_pages(struct give *g, struct accepted *a)
{
	for (size_t i = 0; i < g->plan->n_pages; i++) {
		const struct hv_fdt_plan_page *p = &g->plan->pages[i];
		const char *end = strstr(p->given, ", ");
		size_t len = end ? (size_t)(end - p->given) : strlen(p->given);
		struct hv_buf list = { 0 };
		char text[1400], given[256];
		struct hv_finding *f;
		bool open;

		if (!p->enabled)
			continue;
		open = open_owners(g, a, p->others, &list);
		snprintf(given, sizeof(given), "%.*s", (int)len, p->given);
		snprintf(text, sizeof(text),
			 "page 0x%" PRIx64 " of %s holds registers of %s: the zone can reach "
			 "those as well",
			 p->start, p->given, p->others);
		f = give_report(g, given, open ? HV_ERROR : HV_NOTE, "passthrough-page", text);
		if (open)
			hv_report_fix(g->c, f,
				      "give those away as well, or trust the zone with them: "
				      "accept = {%s} in passthrough",
				      list.data ?: p->others);
		hv_buf_free(&list);
	}
}

int give_report_plan(struct give *g, struct hv_err *err)
{
	struct accepted a;
	int ret = find_accepted(g, &a, err);

	if (ret)
		return ret;
	report_problems(g, &a);
	report_shared(g, &a);
	report_pages(g, &a);
	give_report_rates(g);
	for (size_t i = 0; i < g->spec->n_accept; i++)
		if (!a.used[i])
			hv_report(g->c, g->e, g->spec->accept[i].name, &g->spec->accept[i].origin,
				  HV_WARNING, "accept-unused",
				  "there is no conflict with %s that would have to be accepted",
				  g->spec->accept[i].name);
	return 0;
}
