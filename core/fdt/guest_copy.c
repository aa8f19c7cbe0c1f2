// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/guest_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nodes of the host's tree as the guest gets them. */

#define IRQS_MAX 1024u
#define ROLE_NONE 0xff

static void fail_nomem(struct guest_build *b)
{
	if (!b->rc)
		b->rc = hv_err_nomem(b->err);
}

/* ---- what stands in for a provider that stays */

/* One fixed clock for each rate. 0 = not known, which is noted. */
static uint32_t clock_of(struct guest_build *b, int index, unsigned int slot)
{
	const struct hv_fdt_plan_need *need = NULL;
	struct guest_clock *grown;
	uint64_t rate;
	size_t used = strlen(b->missing);

	for (size_t i = 0; i < b->plan->n_needs && !need; i++)
		if (b->plan->needs[i].node == b->host->nodes[index].offset &&
		    b->plan->needs[i].slot == slot &&
		    strcmp(b->plan->needs[i].property, "clocks") == 0)
			need = &b->plan->needs[i];
	if ((!need || !need->rate) && !b->desc->unknown_rates) {
		char path[FDT_PATH_TEXT];

		if (b->n_missing++ < 4)
			snprintf(b->missing + used, sizeof(b->missing) - used, "%s%.90s %.30s",
				 used ? ", " : "",
				 fdt_index_path(b->host, index, path, sizeof(path)),
				 need && need->name ? need->name : "clock");
		return 0;
	}
	rate = need ? need->rate : 0;
	if (rate > UINT32_MAX && !b->rc)
		b->rc = hv_err_set(b->err, EINVAL,
				   "a fixed-clock of %" PRIu64
				   " Hz (%s) cannot be written: at most "
				   "%u are",
				   rate, need->path, UINT32_MAX);
	for (size_t i = 0; i < b->n_clocks; i++)
		if (b->clocks[i].rate == rate)
			return b->clocks[i].phandle;
	grown = reallocarray(b->clocks, b->n_clocks + 1, sizeof(*grown));
	if (!grown) {
		fail_nomem(b);
		return 0;
	}
	b->clocks = grown;
	grown[b->n_clocks] = (struct guest_clock){ rate, guest_phandle(b) };
	return grown[b->n_clocks++].phandle;
}

/* A supply that always gives one voltage; 0 = its voltage varies or is not known. */
static uint32_t supply_of(struct guest_build *b, int provider)
{
	const fdt32_t *min, *max;
	struct guest_supply *grown;
	int min_len, max_len;

	for (size_t i = 0; i < b->n_supplies; i++)
		if (b->supplies[i].provider == provider)
			return b->supplies[i].phandle;
	min = fdt_index_prop(b->host, provider, "regulator-min-microvolt", &min_len);
	max = fdt_index_prop(b->host, provider, "regulator-max-microvolt", &max_len);
	if (!min || !max || min_len != 4 || max_len != 4 || fdt32_ld(min) != fdt32_ld(max))
		return 0;
	grown = reallocarray(b->supplies, b->n_supplies + 1, sizeof(*grown));
	if (!grown) {
		fail_nomem(b);
		return 0;
	}
	b->supplies = grown;
	grown[b->n_supplies] = (struct guest_supply){ provider, guest_phandle(b), fdt32_ld(min) };
	return grown[b->n_supplies++].phandle;
}

void guest_write_standins(struct guest_build *b)
{
	for (size_t i = 0; i < b->n_clocks; i++) {
		const struct guest_clock *c = &b->clocks[i];

		fdt_write_node(&b->w, "zone-clock-%" PRIu64, c->rate);
		fdt_write_string(&b->w, "compatible", "fixed-clock");
		fdt_write_u32s(&b->w, "#clock-cells", 0);
		fdt_write_u32s(&b->w, "clock-frequency", (uint32_t)c->rate);
		fdt_write_u32s(&b->w, "phandle", c->phandle);
		fdt_write_end(&b->w);
	}
	for (size_t i = 0; i < b->n_supplies; i++) {
		const struct guest_supply *s = &b->supplies[i];
		const char *name;

		fdt_write_node(&b->w, "zone-supply-%zu", i);
		fdt_write_string(&b->w, "compatible", "regulator-fixed");
		name = fdt_index_string(b->host, s->provider, "regulator-name");
		fdt_write_string(&b->w, "regulator-name", name ? name : "supply");
		fdt_write_u32s(&b->w, "regulator-min-microvolt", s->microvolts);
		fdt_write_u32s(&b->w, "regulator-max-microvolt", s->microvolts);
		fdt_write_flag(&b->w, "regulator-always-on");
		fdt_write_u32s(&b->w, "phandle", s->phandle);
		fdt_write_end(&b->w);
	}
}

/* ---- properties */

/* How a property with references goes over. */
struct refs {
	struct guest_build *b;
	int index;
	uint32_t *cells;
	size_t n, cap;
	unsigned int slots;
	bool outside; /* a reference leaves what the guest has, and nothing stands in */
	bool dry;     /* only asked whether it stays */
	bool rewrite; /* clocks and supplies: cells are the new value */
};

static void put(struct refs *r, uint32_t cell)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		uint32_t *grown = reallocarray(r->cells, cap, sizeof(*grown));

		if (!grown) {
			fail_nomem(r->b);
			return;
		}
		r->cells = grown;
		r->cap = cap;
	}
	r->cells[r->n++] = cell;
}

static int take_ref(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	struct refs *r = arg;
	struct guest_build *b = r->b;
	int provider = ref->node < 0 ? -1 : fdt_index_of(tree, ref->node);
	uint32_t phandle = ref->phandle;

	(void)node;
	for (; r->slots < ref->slot; r->slots++)
		put(r, 0);
	r->slots++;
	if (provider >= 0 && (guest_has(b, provider) || provider == b->host_irqc)) {
		put(r, phandle);
		for (unsigned int i = 0; i < ref->n_args; i++)
			put(r, ref->args[i]);
		return 0;
	}
	if (provider >= 0 && r->rewrite && ref->kind == HV_REF_CLOCK) {
		put(r, r->dry ? 0 : clock_of(b, r->index, ref->slot));
		return 0;
	}
	if (provider >= 0 && r->rewrite && ref->kind == HV_REF_SUPPLY) {
		phandle = supply_of(b, provider);
		if (phandle) {
			put(r, phandle);
			return 0;
		}
	}
	r->outside = true;
	return 1;
}

/* Writes it, changed where something stands in; false = it has to be left out. */
static bool copy_refs(struct guest_build *b, int index, const char *name, enum hv_fdt_ref_kind kind,
		      bool dry, const void *value, size_t len)
{
	struct refs r = { .b = b, .index = index, .dry = dry };

	r.rewrite = kind == HV_REF_SUPPLY || strcmp(name, "clocks") == 0;
	hv_fdt_each_ref_in(b->host, b->host->nodes[index].offset, name, take_ref, &r);
	if (!dry && !r.outside) {
		if (r.rewrite)
			fdt_write_cells(&b->w, name, r.cells, r.n);
		else
			fdt_write_prop(&b->w, name, value, len);
	}
	free(r.cells);
	return !r.outside;
}

static bool is_kept(struct guest_build *b, int index, const char *name)
{
	enum hv_fdt_ref_kind kind;
	int len;
	const void *value = fdt_index_prop(b->host, index, name, &len);

	return value && hv_fdt_ref_property(name, &kind) &&
	       copy_refs(b, index, name, kind, true, value, (size_t)len);
}

/* What a property says of another, which may have been left out; NULL = of none. */
static const char *belongs_to(const char *name)
{
	static const char *const pairs[][2] = {
		{ "clock-names", "clocks" },
		{ "assigned-clock-rates", "assigned-clocks" },
		{ "assigned-clock-rates-u64", "assigned-clocks" },
		{ "assigned-clock-parents", "assigned-clocks" },
		{ "reset-names", "resets" },
		{ "power-domain-names", "power-domains" },
		{ "phy-names", "phys" },
		{ "dma-names", "dmas" },
		{ "mbox-names", "mboxes" },
		{ "pwm-names", "pwms" },
		{ "io-channel-names", "io-channels" },
		{ "hwlock-names", "hwlocks" },
		{ "interconnect-names", "interconnects" },
		{ "nvmem-names", "nvmem" },
		{ "nvmem-cell-names", "nvmem-cells" },
		{ "mux-control-names", "mux-controls" },
		{ "mux-state-names", "mux-states" },
		{ "access-controller-names", "access-controllers" },
		{ "memory-region-names", "memory-region" },
		{ "pinctrl-names", "pinctrl-0" },
		{ "iommu-map-mask", "iommu-map" },
		{ "msi-map-mask", "msi-map" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (strcmp(name, pairs[i][0]) == 0)
			return pairs[i][1];
	return NULL;
}

static bool about_irqs(const char *name)
{
	return strcmp(name, "interrupts") == 0 || strcmp(name, "interrupts-extended") == 0 ||
	       strcmp(name, "interrupt-names") == 0 || strcmp(name, "interrupt-parent") == 0;
}

struct node_copy {
	struct guest_build *b;
	int index;
	bool frame; /* only the bus */
};

static bool in_frame(const char *name)
{
	static const char *const names[] = {
		"#address-cells", "#size-cells", "ranges", "dma-ranges",
		"dma-coherent",	  "phandle",	 "reg",	   "linux,phandle"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int copy_prop(const char *name, const void *value, size_t len, void *arg)
{
	const struct node_copy *c = arg;
	struct guest_build *b = c->b;
	enum hv_fdt_ref_kind kind;
	const char *base;

	if (c->frame) {
		if (in_frame(name))
			fdt_write_prop(&b->w, name, value, len);
		return 0;
	}
	if (strcmp(name, "status") == 0 || about_irqs(name))
		return 0;
	if (hv_fdt_ref_property(name, &kind)) {
		if (strcmp(name, "assigned-clock-parents") != 0 ||
		    is_kept(b, c->index, "assigned-clocks"))
			copy_refs(b, c->index, name, kind, false, value, len);
		return 0;
	}
	base = belongs_to(name);
	if (!base || is_kept(b, c->index, base))
		fdt_write_prop(&b->w, name, value, len);
	return 0;
}

/* ---- interrupts */

static void copy_names(struct guest_build *b, int index, const bool *kept, unsigned int n)
{
	int len;
	const char *names = (const char *)fdt_index_prop(b->host, index, "interrupt-names", &len);
	const char *name, *end;
	char *out;
	size_t used = 0;

	if (!names || len <= 0 || names[len - 1] != '\0')
		return;
	out = malloc((size_t)len);
	if (!out) {
		fail_nomem(b);
		return;
	}
	end = names + len;
	name = names;
	for (unsigned int i = 0; i < n && name < end; i++, name += strlen(name) + 1)
		if (kept[i]) {
			memcpy(out + used, name, strlen(name) + 1);
			used += strlen(name) + 1;
		}
	if (used)
		fdt_write_prop(&b->w, "interrupt-names", out, used);
	free(out);
}

/* To a controller that the guest has as well: as they are. */
static void copy_irqs_raw(struct guest_build *b, int index, int parent)
{
	static const char *const names[] = { "interrupts", "interrupt-names" };
	const void *value;
	int len;

	fdt_write_u32s(&b->w, "interrupt-parent", b->host->nodes[parent].phandle);
	for (size_t i = 0; i < 2; i++) {
		value = fdt_index_prop(b->host, index, names[i], &len);
		if (value)
			fdt_write_prop(&b->w, names[i], value, (size_t)len);
	}
}

/*
 * Decoded, and written anew for the guest's controller: maps, routers and parents on the way are
 * the host's business. Those that cannot be decoded are left out, the plan names them.
 */
static void copy_irqs(struct guest_build *b, int index)
{
	const struct hv_fdt *host = b->host;
	struct hv_fdt_irq irq;
	uint32_t *cells;
	bool *kept;
	unsigned int n, decoded = 0;
	size_t used = 0;
	int len, parent;

	if (fdt_index_prop(host, index, "amlogic,channel-interrupts", &len)) {
		fdt_write_u32s(&b->w, "interrupt-parent", b->irqc_phandle);
		return;
	}
	if (fdt_index_prop(host, index, "interrupts", &len) &&
	    !fdt_index_prop(host, index, "interrupts-extended", &len)) {
		parent = fdt_irq_parent(host, index);
		if (parent >= 0 && guest_has(b, parent) && host->nodes[parent].phandle) {
			copy_irqs_raw(b, index, parent);
			return;
		}
	}
	for (n = 0; n < IRQS_MAX; n++) {
		int rc = fdt_irq(host, index, n, &irq, NULL);

		if (rc == -ENOENT || rc == -EINVAL)
			break;
	}
	if (!n)
		return;
	cells = calloc(n, 4 * sizeof(*cells));
	kept = calloc(n, sizeof(*kept));
	if (!cells || !kept) {
		fail_nomem(b);
		goto out;
	}
	for (unsigned int i = 0; i < n; i++) {
		if (fdt_irq(host, index, i, &irq, NULL) || irq.controller != b->desc->irqc)
			continue;
		kept[i] = true;
		decoded++;
		used += (size_t)guest_irq_cells(b, irq.number, irq.trigger, cells + used);
	}
	if (decoded) {
		fdt_write_u32s(&b->w, "interrupt-parent", b->irqc_phandle);
		fdt_write_cells(&b->w, "interrupts", cells, used);
		copy_names(b, index, kept, n);
	}
out:
	free(cells);
	free(kept);
}

/* ---- nodes */

static void copy_node(struct guest_build *b, int index)
{
	const struct hv_fdt *host = b->host;
	struct node_copy c = { b, index, b->roles[index] == HV_ROLE_BUS };
	const char *name = fdt_get_name(host->blob, host->nodes[index].offset, NULL);
	int len;

	fdt_write_node(&b->w, "%s", name ? name : "node");
	/*
	 * The bus' own driver needs what stays with the host. A folder of nodes that is no bus
	 * there, or memory that is shared out, is none here.
	 */
	if (c.frame && fdt_index_prop(host, index, "ranges", &len) &&
	    fdt_index_prop(host, index, "compatible", &len) &&
	    !fdt_index_compatible(host, index, "mmio-sram"))
		fdt_write_string(&b->w, "compatible", "simple-bus");
	hv_fdt_each_prop(host, host->nodes[index].offset, copy_prop, &c);
	if (!c.frame)
		copy_irqs(b, index);
	guest_copy_children(b, index);
	fdt_write_end(&b->w);
}

void guest_copy_children(struct guest_build *b, int index)
{
	int reserved = fdt_index_by_path(b->host, "/reserved-memory", 16);

	for (int i = index + 1; i < b->host->nodes[index].end; i = b->host->nodes[i].end)
		if (b->roles[i] != ROLE_NONE && i != reserved)
			copy_node(b, i);
}

struct aliases {
	struct guest_build *b;
	bool any;
};

static int copy_alias(const char *name, const void *value, size_t len, void *arg)
{
	struct aliases *a = arg;
	const char *path = value;
	int target;

	if (!len || path[len - 1] != '\0')
		return 0;
	target = fdt_index_by_path(a->b->host, path, strlen(path));
	if (target < 0 || !guest_has(a->b, target))
		return 0;
	if (!a->any)
		fdt_write_node(&a->b->w, "aliases");
	a->any = true;
	fdt_write_prop(&a->b->w, name, value, len);
	return 0;
}

void guest_copy_aliases(struct guest_build *b)
{
	int index = b->plan ? fdt_index_by_path(b->host, "/aliases", 8) : -1;
	struct aliases a = { b, false };

	if (index < 0)
		return;
	hv_fdt_each_prop(b->host, b->host->nodes[index].offset, copy_alias, &a);
	if (a.any)
		fdt_write_end(&b->w);
}
