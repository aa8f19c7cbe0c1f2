// SPDX-License-Identifier: GPL-2.0-or-later
#include "clock/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#define FACTOR_DEPTH 8
#define DEVICE_TEXT 128

static const void *blob_of(const struct hv_fdt *tree)
{
	size_t size;

	return hv_fdt_blob(tree, &size);
}

static bool cell(const void *blob, int node, const char *name, uint32_t *value)
{
	int len;
	const fdt32_t *cells = fdt_getprop(blob, node, name, &len);

	if (!cells || len != 4)
		return false;
	*value = fdt32_ld(cells);
	return true;
}

/* ---- rates */

/* Clocks whose rate the tree itself says. */
static bool tree_rate(const struct hv_fdt *tree, int provider, unsigned int depth, uint64_t *hz)
{
	const void *blob = blob_of(tree);
	uint32_t value, mult, div;
	struct hv_clock_refs it;
	struct hv_clock_ref ref;
	unsigned __int128 rate;

	if (fdt_node_check_compatible(blob, provider, "fixed-clock") == 0) {
		if (!cell(blob, provider, "clock-frequency", &value))
			return false;
		*hz = value;
		return true;
	}
	if (depth == FACTOR_DEPTH ||
	    fdt_node_check_compatible(blob, provider, "fixed-factor-clock") ||
	    !cell(blob, provider, "clock-mult", &mult) ||
	    !cell(blob, provider, "clock-div", &div) || !div)
		return false;
	hv_clock_refs_begin(&it, tree, provider, HV_LENT_CLOCK);
	if (hv_clock_refs_next(&it, &ref, NULL) <= 0 || ref.provider < 0 ||
	    !tree_rate(tree, ref.provider, depth + 1, hz))
		return false;
	rate = (unsigned __int128)*hz * mult / div;
	*hz = rate > INT64_MAX ? INT64_MAX : (uint64_t)rate;
	return true;
}

/* The name Linux gives a platform device: its address and the node's name. */
static bool device_name(const struct hv_fdt *tree, int node, char out[DEVICE_TEXT])
{
	const char *name;
	uint64_t addr, size;
	int len;

	if (hv_fdt_reg(tree, node, 0, &addr, &size, NULL) < 0)
		return false;
	name = fdt_get_name(blob_of(tree), node, &len);
	if (!name)
		return false;
	snprintf(out, DEVICE_TEXT, "%" PRIx64 ".%.*s", addr, (int)strcspn(name, "@"), name);
	return true;
}

/* The clock's own name, where its provider's node says it. */
static const char *output_name(const void *blob, const struct hv_clock_ref *ref)
{
	uint32_t index = ref->n_cells ? ref->cells[0] : 0;
	const fdt32_t *indices;
	int len;

	if (ref->n_cells > 1)
		return NULL;
	indices = fdt_getprop(blob, ref->provider, "clock-indices", &len);
	if (indices) {
		int i, n = len / 4;

		for (i = 0; i < n && fdt32_ld(&indices[i]) != index; i++)
			;
		if (i == n)
			return NULL;
		index = (uint32_t)i;
	}
	if (index > INT32_MAX)
		return NULL;
	return fdt_stringlist_get(blob, ref->provider, "clock-output-names", (int)index, &len);
}

/* Which of the kernel's clocks it is; how says what tells it. */
static int identify(const struct hv_clock_facts *facts, int node, const struct hv_clock_need *need,
		    bool alone, char *how, size_t how_size)
{
	const struct hv_clk_tree *clks = facts->clks;
	char device[DEVICE_TEXT];
	const char *output;
	int clk = -1;

	if (!clks)
		return -1;
	if (device_name(facts->tree, node, device)) {
		if (need->name)
			clk = hv_clk_find_user(clks, 0, device, need->name);
		else if (alone)
			clk = hv_clk_find_user(clks, 0, device, NULL);
		if (clk >= 0) {
			snprintf(how, how_size, "%s of the kernel, used by %s%s%s",
				 clks->clks[clk].name, device, need->name ? " as " : "",
				 need->name ? need->name : "");
			return clk;
		}
	}
	output = output_name(blob_of(facts->tree), &need->ref);
	if (output)
		clk = hv_clk_find(clks, output);
	if (clk >= 0)
		snprintf(how, how_size, "%s of the kernel, by its provider's clock-output-names",
			 output);
	return clk;
}

static bool lent_rate(const struct hv_clock_facts *facts, int64_t id, uint64_t *hz)
{
	struct hv_clock_agent *agent;
	int rc;

	if (!facts->host || id < 0 || hv_clock_agent_new(facts->host, "the plan", &agent, NULL) < 0)
		return false;
	rc = hv_clock_rate(agent, (uint32_t)id, hz, NULL);
	hv_clock_agent_free(agent);
	return rc >= 0;
}

static void measure(const struct hv_clock_facts *facts, int node, bool alone,
		    struct hv_clock_need *need)
{
	char how[sizeof(need->how)] = "";

	need->clk = identify(facts, node, need, alone, how, sizeof(how));
	need->known = true;
	if (tree_rate(facts->tree, need->ref.provider, 0, &need->hz)) {
		snprintf(need->how, sizeof(need->how), "fixed in the tree");
	} else if (lent_rate(facts, need->lent, &need->hz)) {
		snprintf(need->how, sizeof(need->how), "asked of the kernel, which lends it as %d",
			 (int)need->lent);
	} else if (need->clk >= 0) {
		need->hz = facts->clks->clks[need->clk].rate;
		memcpy(need->how, how, sizeof(how));
	} else {
		need->known = false;
		need->hz = 0;
		snprintf(need->how, sizeof(need->how), "%s",
			 !facts->clks
				 ? "the kernel's clocks could not be read"
				 : "no driver in the root zone uses it under its name: lend it, or "
				   "look for it in /sys/kernel/debug/clk/clk_summary");
	}
}

/* ---- needs */

static int read_needs(const struct hv_clock_facts *facts, int node,
		      struct hv_clock_need needs[HV_CLOCK_NEEDS], struct hv_err *err)
{
	struct hv_clock_refs it;
	struct hv_clock_ref ref;
	int n = 0, rc;

	hv_clock_refs_begin(&it, facts->tree, node, HV_LENT_CLOCK);
	while ((rc = hv_clock_refs_next(&it, &ref, err)) > 0 && n < HV_CLOCK_NEEDS) {
		struct hv_clock_need *need = &needs[n];
		uint32_t id;

		if (ref.provider < 0)
			continue;
		*need = (struct hv_clock_need){
			.slot = it.index - 1, .name = ref.name, .ref = ref, .clk = -1, .lent = -1
		};
		hv_fdt_path(facts->tree, ref.provider, need->provider, sizeof(need->provider));
		if (hv_clock_ref_lent(facts->tree, HV_LENT_CLOCK, &ref, &id, NULL) == 0)
			need->lent = id;
		n++;
	}
	return rc < 0 ? rc : n;
}

int hv_clock_needs(const struct hv_clock_facts *facts, const char *path,
		   struct hv_clock_need needs[HV_CLOCK_NEEDS], struct hv_err *err)
{
	int node, n, rc = hv_clock_ref_node(facts->tree, path, &node, err);

	if (rc < 0)
		return rc;
	n = read_needs(facts, node, needs, err);
	for (int i = 0; i < n; i++)
		measure(facts, node, n == 1, &needs[i]);
	return n;
}

uint64_t hv_clock_rate_of(const char *path, unsigned int slot, void *facts)
{
	struct hv_clock_need *needs = calloc(HV_CLOCK_NEEDS, sizeof(*needs));
	uint64_t hz = 0;
	int n;

	if (!needs)
		return 0;
	n = hv_clock_needs(facts, path, needs, NULL);
	for (int i = 0; i < n; i++)
		if (needs[i].slot == slot && needs[i].known)
			hz = needs[i].hz;
	free(needs);
	return hz;
}

/* ---- source */

static void put_ref(const struct hv_fdt *tree, const struct hv_clock_ref *ref, struct hv_buf *out)
{
	char path[256];

	if (ref->provider < 0) {
		hv_buf_puts(out, "<0>");
		return;
	}
	hv_buf_printf(out, "<&{%s}", hv_fdt_path(tree, ref->provider, path, sizeof(path)));
	for (unsigned int i = 0; i < ref->n_cells; i++)
		hv_buf_printf(out, " %u", ref->cells[i]);
	hv_buf_puts(out, ">");
}

/* Text of a tree for a string or a comment of the source; what would end them is left out. */
static void put_plain(const char *text, struct hv_buf *out)
{
	for (; *text; text++)
		if ((unsigned char)*text >= ' ' && (unsigned char)*text < 0x7f &&
		    !strchr("\"\\*", *text))
			hv_buf_add(out, text, 1);
}

static void put_string(const char *text, struct hv_buf *out)
{
	hv_buf_puts(out, "\"");
	put_plain(text, out);
	hv_buf_puts(out, "\"");
}

/* A fixed-clock says its rate in one cell. */
static bool fits(const struct hv_clock_need *need)
{
	return need->known && need->hz <= UINT32_MAX;
}

static bool same(const struct hv_clock_ref *a, const struct hv_clock_ref *b)
{
	return a->phandle == b->phandle && a->n_cells == b->n_cells &&
	       !memcmp(a->cells, b->cells, a->n_cells * sizeof(a->cells[0]));
}

/* The first need of the same clock. */
static unsigned int first_of(const struct hv_clock_need *needs, unsigned int i)
{
	for (unsigned int k = 0; k < i; k++)
		if (same(&needs[k].ref, &needs[i].ref))
			return k;
	return i;
}

int hv_clock_plan_root(const struct hv_clock_facts *facts, const struct hv_clock_need *needs,
		       unsigned int n, struct hv_buf *out, struct hv_err *err)
{
	struct hv_buf clocks = { 0 }, names = { 0 };
	unsigned int i, missing = 0, count = 0;
	bool has_names = true;
	const char *indent;
	struct hv_clock_refs it;
	struct hv_clock_ref ref;
	int lender = -1, rc = 0;

	for (i = 0; i < n; i++)
		missing += needs[i].lent < 0 && first_of(needs, i) == i;
	if (!missing)
		return 0;
	if (hv_clock_ref_lender(facts->tree, &lender, NULL) == 0) {
		hv_clock_refs_begin(&it, facts->tree, lender, HV_LENT_CLOCK);
		while ((rc = hv_clock_refs_next(&it, &ref, err)) > 0) {
			hv_buf_puts(&clocks, count ? ", " : "");
			put_ref(facts->tree, &ref, &clocks);
			hv_buf_puts(&names, count++ ? ", " : "");
			put_string(ref.name ? ref.name : "", &names);
			has_names = has_names && ref.name;
		}
		if (rc < 0)
			goto out;
	}
	for (i = 0; i < n; i++) {
		if (needs[i].lent >= 0 || first_of(needs, i) != i)
			continue;
		hv_buf_puts(&clocks, count ? ", " : "");
		put_ref(facts->tree, &needs[i].ref, &clocks);
		hv_buf_puts(&names, count++ ? ", " : "");
		put_string(needs[i].name ? needs[i].name : "", &names);
		has_names = has_names && needs[i].name;
	}
	indent = lender >= 0 ? "" : "\t";
	if (lender >= 0)
		hv_buf_puts(out, "&{/hvisor_virtio_device} {\n");
	else
		hv_buf_puts(out, "&{/} {\n\thvisor_virtio_device {\n");
	hv_buf_printf(out, "%s\tclocks = %s;\n", indent, clocks.data ? clocks.data : "");
	if (has_names)
		hv_buf_printf(out, "%s\tclock-names = %s;\n", indent,
			      names.data ? names.data : "");
	hv_buf_printf(out, "%s};\n", indent);
	if (lender < 0)
		hv_buf_puts(out, "};\n");
	if (clocks.failed || names.failed || out->failed)
		rc = hv_err_nomem(err);
out:
	hv_buf_free(&clocks);
	hv_buf_free(&names);
	return rc;
}

int hv_clock_plan_guest(const struct hv_clock_facts *facts, const char *node,
			const struct hv_fdt *guest, const struct hv_clock_need *needs,
			unsigned int n, struct hv_buf *out, struct hv_err *err)
{
	uint32_t phandle = 0, given[HV_CLOCK_NEEDS];
	char rate[HV_HZ_TEXT];
	bool has_names = true;

	if (fdt_find_max_phandle(blob_of(guest ? guest : facts->tree), &phandle) < 0)
		return hv_err_set(err, EINVAL, "%s: its phandles cannot be read",
				  hv_fdt_label(guest ? guest : facts->tree));
	if (phandle > UINT32_MAX - 2 - HV_CLOCK_NEEDS)
		return hv_err_set(err, ENOSPC, "%s: no phandle is left above 0x%x",
				  hv_fdt_label(guest ? guest : facts->tree), phandle);
	if (!n)
		return 0;
	hv_buf_puts(out, "/ {\n");
	for (unsigned int i = 0; i < n; i++) {
		unsigned int first = first_of(needs, i);

		if (first != i) {
			given[i] = given[first];
			continue;
		}
		given[i] = ++phandle;
		hv_buf_printf(out, "\tclock-%x { /* ", given[i]);
		put_plain(needs[i].name ? needs[i].name : needs[i].provider, out);
		if (fits(&needs[i]))
			hv_buf_printf(out, ": %s */\n", hv_hz_format(needs[i].hz, rate));
		else if (needs[i].known)
			hv_buf_printf(out, ": %s is more than a fixed-clock can say */\n",
				      hv_hz_format(needs[i].hz, rate));
		else
			hv_buf_puts(out, ": the rate is not known, fill it in */\n");
		hv_buf_puts(out, "\t\tcompatible = \"fixed-clock\";\n\t\t#clock-cells = <0>;\n");
		hv_buf_printf(out, "\t\tclock-frequency = <%" PRIu64 ">;\n\t\tphandle = <0x%x>;\n",
			      fits(&needs[i]) ? needs[i].hz : 0, given[i]);
		hv_buf_puts(out, "\t};\n");
	}
	hv_buf_printf(out, "};\n\n/* in the guest's node for %s */\nclocks = ", node);
	for (unsigned int i = 0; i < n; i++)
		hv_buf_printf(out, "%s<0x%x>", i ? ", " : "", given[i]);
	hv_buf_puts(out, ";\n");
	for (unsigned int i = 0; i < n; i++)
		has_names = has_names && needs[i].name;
	for (unsigned int i = 0; i < n && has_names; i++) {
		hv_buf_puts(out, i ? ", " : "clock-names = ");
		put_string(needs[i].name, out);
	}
	hv_buf_puts(out, has_names ? ";\n" : "");
	return out->failed ? hv_err_nomem(err) : 0;
}
