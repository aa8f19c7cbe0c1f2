// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* Whole pages, and who else lives in them. */

#define LARGE_PAGE (2 * HV_MIB)
#define PATHS_SHOWN 6

/* The pages of one reg entry. */
struct span {
	uint64_t start, end;
	int index;
};

static int by_start(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* A bus whose reg only says where its children are. */
static bool covers_children(const struct hv_fdt *tree, int index)
{
	uint64_t start, size, at, n;

	if (!plan_is_bus(tree, index) || fdt_reg(tree, index, 0, &start, &size, NULL))
		return false;
	if (fdt_index_compatible(tree, index, "simple-bus"))
		return true;
	for (int i = index + 1; i < tree->nodes[index].end; i = tree->nodes[i].end)
		if (!fdt_reg(tree, i, 0, &at, &n, NULL) && at >= start && at - start < size)
			return true;
	return false;
}

static void collect(const struct hv_fdt *tree, struct hv_fdt_passthrough *p, int index,
		    struct plan_list *spans, uint64_t align)
{
	uint64_t start, size;
	struct span *span;

	for (unsigned int i = 0;; i++) {
		int rc = fdt_reg(tree, index, i, &start, &size, NULL);

		if (rc == -ENOENT || rc == -EINVAL)
			return;
		if (rc || !size)
			continue;
		span = plan_add(p, spans, sizeof(*span));
		if (!span)
			return;
		*span = (struct span){ hv_align_down(start, align),
				       hv_align_up(start + size, align), index };
	}
}

/* Paths with ", " between them, each once. */
struct names {
	struct hv_fdt_passthrough *p;
	char *text;
	int shown[PATHS_SHOWN];
	int n;
	int more;
};

static void add_name(struct names *names, int index)
{
	for (int i = 0; i < names->n; i++)
		if (names->shown[i] == index)
			return;
	if (names->n == PATHS_SHOWN) {
		names->more++;
		return;
	}
	names->shown[names->n++] = index;
	names->text = hv_arena_printf(names->p->arena, "%s%s%s", names->text ? names->text : "",
				      names->text ? ", " : "", plan_path(names->p, index));
	if (!names->text)
		names->p->nomem = true;
}

static const char *end_names(struct names *names)
{
	if (names->more && names->text)
		names->text = hv_arena_printf(names->p->arena, "%s and others", names->text);
	return names->text ? names->text : "";
}

static void merge(struct hv_fdt_passthrough *p, struct plan_list *spans, struct plan_list *regions)
{
	struct span *s = spans->at;
	struct hv_fdt_plan_region *region;

	if (spans->n)
		qsort(s, spans->n, sizeof(*s), by_start);
	for (size_t i = 0, k; i < spans->n && !p->nomem; i = k) {
		struct names names = { .p = p };
		uint64_t end = s[i].end;

		for (k = i; k < spans->n && s[k].start <= end; k++) {
			end = s[k].end > end ? s[k].end : end;
			add_name(&names, s[k].index);
		}
		region = plan_add(p, regions, sizeof(*region));
		if (region)
			*region = (struct hv_fdt_plan_region){ s[i].start, end - s[i].start,
							       end_names(&names) };
	}
}

/* Who has registers in a stretch of pages that are all alike. */
struct sweep {
	const struct span *spans;
	size_t n, next;
	size_t *active;
	size_t n_active;
	uint64_t *cuts;
	size_t n_cuts;
};

static int sweep_begin(struct sweep *s, struct plan_list *spans)
{
	struct span *at = spans->at;
	size_t n = 0;

	if (spans->n)
		qsort(at, spans->n, sizeof(*at), by_start);
	*s = (struct sweep){ .spans = at, .n = spans->n };
	s->active = calloc(spans->n + 1, sizeof(*s->active));
	s->cuts = calloc(2 * spans->n + 1, sizeof(*s->cuts));
	if (!s->active || !s->cuts)
		return -ENOMEM;
	for (size_t i = 0; i < spans->n; i++) {
		s->cuts[n++] = at[i].start;
		s->cuts[n++] = at[i].end;
	}
	if (n)
		qsort(s->cuts, n, sizeof(*s->cuts), by_value);
	for (size_t i = 0; i < n; i++)
		if (!i || s->cuts[i] != s->cuts[s->n_cuts - 1])
			s->cuts[s->n_cuts++] = s->cuts[i];
	return 0;
}

static void sweep_to(struct sweep *s, uint64_t start)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n_active; i++)
		if (s->spans[s->active[i]].end > start)
			s->active[kept++] = s->active[i];
	s->n_active = kept;
	for (; s->next < s->n && s->spans[s->next].start <= start; s->next++)
		if (s->spans[s->next].end > start)
			s->active[s->n_active++] = s->next;
}

static void sweep_end(struct sweep *s)
{
	free(s->active);
	free(s->cuts);
}

static const struct hv_fdt_plan_region *region_at(const struct hv_fdt_passthrough *p, uint64_t at)
{
	const struct hv_fdt_plan_region *r = p->regions.at;

	for (size_t i = 0; i < p->regions.n; i++)
		if (at >= r[i].start && at - r[i].start < r[i].size)
			return &r[i];
	return NULL;
}

/* The pages of regions that somebody else lives in. */
static void find_pages(struct hv_fdt_passthrough *p, struct plan_list *spans)
{
	const struct hv_fdt *tree = p->tree;
	const struct hv_fdt_plan_region *region;
	struct hv_fdt_plan_page *page;
	struct sweep s;

	if (sweep_begin(&s, spans))
		p->nomem = true;
	for (size_t c = 0; c + 1 < s.n_cuts && !p->nomem; c++) {
		struct names given = { .p = p }, others = { .p = p };
		bool enabled = false;

		sweep_to(&s, s.cuts[c]);
		region = s.n_active ? region_at(p, s.cuts[c]) : NULL;
		if (!region)
			continue;
		for (size_t i = 0; i < s.n_active; i++) {
			int index = s.spans[s.active[i]].index;

			add_name(plan_owned(p, index) ? &given : &others, index);
			enabled |= !plan_owned(p, index) && tree->nodes[index].enabled;
		}
		if (!others.n)
			continue;
		page = plan_add(p, &p->pages, sizeof(*page));
		if (!page)
			break;
		page->start = s.cuts[c];
		page->size = s.cuts[c + 1] - s.cuts[c];
		page->given = given.n ? end_names(&given) : region->what;
		page->others = end_names(&others);
		page->enabled = enabled;
	}
	sweep_end(&s);
}

/* A static `reg` of reserved memory that comes along. */
static void take_memory(struct hv_fdt_passthrough *p, int index, struct plan_list *spans)
{
	size_t before = spans->n;

	collect(p->tree, p, index, spans, HV_PAGE_SIZE);
	if (spans->n == before)
		plan_problem(p, HV_PROBLEM_NOTE, index,
			     "is reserved memory without a place of its own: the guest takes it "
			     "from its own RAM");
}

static void check_ram(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt_plan_region *r = p->regions.at;
	const struct hv_fdt *tree = p->tree;
	const char *type;
	uint64_t start, size;

	for (int i = 1; i < tree->n_nodes; i = tree->nodes[i].end) {
		type = fdt_index_string(tree, i, "device_type");
		if (!type || strcmp(type, "memory") != 0)
			continue;
		for (unsigned int k = 0; !fdt_reg(tree, i, k, &start, &size, NULL); k++)
			for (size_t n = 0; n < p->regions.n; n++)
				if (r[n].start < start + size && start < r[n].start + r[n].size)
					plan_problem(p, HV_PROBLEM_ERROR, i,
						     "is RAM that lies in the pages of %s (%#llx)",
						     r[n].what, (unsigned long long)r[n].start);
	}
}

static void check_registers(struct hv_fdt_passthrough *p, int index)
{
	struct hv_err err;
	uint64_t start, size;

	for (unsigned int i = 0;; i++) {
		int rc = fdt_reg(p->tree, index, i, &start, &size, &err);

		if (rc == -ENOENT)
			return;
		/* Below a bus of another kind: numbers of chips, ports and the like. */
		if (rc == -EXDEV && p->roles[index] != HV_ROLE_NAMED)
			return;
		if (rc)
			plan_problem(p, HV_PROBLEM_ERROR, index, "its registers: %s", err.msg);
		if (rc == -EINVAL)
			return;
	}
}

void plan_regs(struct hv_fdt_passthrough *p, bool coalesce)
{
	const struct hv_fdt *tree = p->tree;
	struct plan_list given = { 0 }, memory = { 0 }, all = { 0 };

	for (int i = 1; i < tree->n_nodes; i++) {
		if (plan_is_memory(tree, i)) {
			if (p->roles[i] == HV_ROLE_COMES)
				take_memory(p, i, &memory);
			continue;
		}
		if (!covers_children(tree, i))
			collect(tree, p, i, &all, HV_PAGE_SIZE);
		if (!plan_owned(p, i))
			continue;
		check_registers(p, i);
		collect(tree, p, i, &given, coalesce ? LARGE_PAGE : HV_PAGE_SIZE);
	}
	merge(p, &given, &p->regions);
	merge(p, &memory, &p->memory);
	find_pages(p, &all);
	check_ram(p);
	free(given.at);
	free(memory.at);
	free(all.at);
}

void plan_shared_pages(struct hv_fdt_passthrough *p)
{
	const struct hv_fdt *tree = p->tree;
	struct hv_fdt_plan_page *page;
	struct plan_list all = { 0 };
	struct sweep s = { 0 };

	for (int i = 1; i < tree->n_nodes && !p->nomem; i++)
		if (!plan_is_memory(tree, i) && !covers_children(tree, i))
			collect(tree, p, i, &all, HV_PAGE_SIZE);
	if (sweep_begin(&s, &all))
		p->nomem = true;
	for (size_t c = 0; c + 1 < s.n_cuts && !p->nomem; c++) {
		struct names enabled = { .p = p }, disabled = { .p = p };

		sweep_to(&s, s.cuts[c]);
		for (size_t i = 0; i < s.n_active; i++) {
			int index = s.spans[s.active[i]].index;

			add_name(tree->nodes[index].enabled ? &enabled : &disabled, index);
		}
		if (enabled.n + disabled.n < 2)
			continue;
		page = plan_add(p, &p->pages, sizeof(*page));
		if (!page)
			break;
		page->start = s.cuts[c];
		page->size = s.cuts[c + 1] - s.cuts[c];
		page->given = end_names(&enabled);
		page->others = end_names(&disabled);
		page->enabled = enabled.n > 1;
	}
	sweep_end(&s);
	free(all.at);
}
