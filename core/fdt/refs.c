// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/refs.h"

#include <stdio.h>
#include <string.h>

#include "fdt/fdt_priv.h"

#define NO_DEFAULT (-1)

/* How the entries of a property are made. */
enum form {
	CELLS,	/* phandle and as many cells as a property of the provider says */
	PLAIN,	/* phandles alone */
	MAP,	/* (id base, phandle, output base, length) */
	IRQ_EX, /* phandle and #interrupt-cells */
};

struct rule {
	const char *property; /* "-x" = ends in it, "x-*" = x- and a number */
	enum hv_fdt_ref_kind kind;
	enum form form;
	const char *cells;
	int8_t absent; /* the count where the provider has no such property */
	const char *names;
};

static const struct rule rules[] = {
	{ "clocks", HV_REF_CLOCK, CELLS, "#clock-cells", NO_DEFAULT, "clock-names" },
	{ "assigned-clocks", HV_REF_CLOCK, CELLS, "#clock-cells", NO_DEFAULT, NULL },
	{ "assigned-clock-parents", HV_REF_CLOCK, CELLS, "#clock-cells", NO_DEFAULT, NULL },
	{ "resets", HV_REF_RESET, CELLS, "#reset-cells", NO_DEFAULT, "reset-names" },
	{ "power-domains", HV_REF_POWER, CELLS, "#power-domain-cells", NO_DEFAULT,
	  "power-domain-names" },
	{ "iommus", HV_REF_IOMMU, CELLS, "#iommu-cells", NO_DEFAULT, NULL },
	{ "iommu-map", HV_REF_IOMMU, MAP, NULL, 0, NULL },
	{ "phys", HV_REF_PHY, CELLS, "#phy-cells", NO_DEFAULT, "phy-names" },
	{ "phy-handle", HV_REF_PHY, PLAIN, NULL, 0, NULL },
	{ "usb-phy", HV_REF_PHY, PLAIN, NULL, 0, NULL },
	{ "dmas", HV_REF_DMA, CELLS, "#dma-cells", NO_DEFAULT, "dma-names" },
	{ "mboxes", HV_REF_MBOX, CELLS, "#mbox-cells", NO_DEFAULT, "mbox-names" },
	{ "pwms", HV_REF_PWM, CELLS, "#pwm-cells", NO_DEFAULT, "pwm-names" },
	{ "io-channels", HV_REF_IO_CHANNEL, CELLS, "#io-channel-cells", NO_DEFAULT,
	  "io-channel-names" },
	{ "hwlocks", HV_REF_HWLOCK, CELLS, "#hwlock-cells", NO_DEFAULT, "hwlock-names" },
	{ "interconnects", HV_REF_INTERCONNECT, CELLS, "#interconnect-cells", NO_DEFAULT, NULL },
	{ "nvmem", HV_REF_NVMEM, PLAIN, NULL, 0, "nvmem-names" },
	{ "nvmem-cells", HV_REF_NVMEM, CELLS, "#nvmem-cell-cells", 0, "nvmem-cell-names" },
	{ "thermal-sensors", HV_REF_THERMAL, CELLS, "#thermal-sensor-cells", NO_DEFAULT, NULL },
	{ "cooling-device", HV_REF_THERMAL, CELLS, "#cooling-cells", NO_DEFAULT, NULL },
	{ "sound-dai", HV_REF_SOUND, CELLS, "#sound-dai-cells", NO_DEFAULT, NULL },
	{ "mux-controls", HV_REF_MUX, CELLS, "#mux-control-cells", NO_DEFAULT,
	  "mux-control-names" },
	{ "mux-states", HV_REF_MUX, CELLS, "#mux-state-cells", NO_DEFAULT, "mux-state-names" },
	{ "access-controllers", HV_REF_ACCESS, CELLS, "#access-controller-cells", NO_DEFAULT,
	  "access-controller-names" },
	{ "msi-parent", HV_REF_MSI, CELLS, "#msi-cells", 0, NULL },
	{ "msi-map", HV_REF_MSI, MAP, NULL, 0, NULL },
	{ "gpio", HV_REF_GPIO, CELLS, "#gpio-cells", NO_DEFAULT, NULL },
	{ "gpios", HV_REF_GPIO, CELLS, "#gpio-cells", NO_DEFAULT, NULL },
	{ "-gpio", HV_REF_GPIO, CELLS, "#gpio-cells", NO_DEFAULT, NULL },
	{ "-gpios", HV_REF_GPIO, CELLS, "#gpio-cells", NO_DEFAULT, NULL },
	{ "interrupt-parent", HV_REF_IRQ, PLAIN, NULL, 0, NULL },
	{ "interrupts-extended", HV_REF_IRQ, IRQ_EX, NULL, 0, "interrupt-names" },
	{ "wakeup-parent", HV_REF_IRQ, PLAIN, NULL, 0, NULL },
	{ "-supply", HV_REF_SUPPLY, PLAIN, NULL, 0, NULL },
	{ "pinctrl-*", HV_REF_PINCTRL, PLAIN, NULL, 0, NULL },
	{ "memory-region", HV_REF_MEMORY, PLAIN, NULL, 0, "memory-region-names" },
	{ "operating-points-v2", HV_REF_OPP, PLAIN, NULL, 0, NULL },
	{ "required-opps", HV_REF_OPP, PLAIN, NULL, 0, NULL },
	{ "remote-endpoint", HV_REF_GRAPH, PLAIN, NULL, 0, NULL },
	{ "backlight", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "panel", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "extcon", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "leds", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "power-supplies", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "mdio-parent-bus", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "mmc-pwrseq", HV_REF_RESET, PLAIN, NULL, 0, NULL },
	{ "secure-monitor", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "amlogic,canvas", HV_REF_OTHER, PLAIN, NULL, 0, NULL },
	{ "syscon", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
	{ "amlogic,hhi-sysctrl", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
	{ "rockchip,grf", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
	{ "rockchip,pmu", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
	{ "rockchip,php-grf", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
	{ "rockchip,vo-grf", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
	{ "samsung,pmu-syscon", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
	{ "samsung,syscon-phandle", HV_REF_SYSCON, PLAIN, NULL, 0, NULL },
};

const char *hv_fdt_ref_kind_name(enum hv_fdt_ref_kind kind)
{
	static const char *const names[HV_REF_KINDS] = {
		"clock",     "reset",  "power-domain", "iommu",	 "phy",		 "dma",
		"mailbox",   "pwm",    "io-channel",   "hwlock", "interconnect", "nvmem",
		"thermal",   "sound",  "mux",	       "access", "msi",		 "gpio",
		"interrupt", "supply", "pinctrl",      "memory", "opp",		 "graph",
		"syscon",    "other",
	};

	return kind < HV_REF_KINDS ? names[kind] : "other";
}

static bool ends_in(const char *text, const char *tail)
{
	size_t n = strlen(text), m = strlen(tail);

	return n >= m && memcmp(text + n - m, tail, m + 1) == 0;
}

static const struct rule *rule_of(const char *property)
{
	/* Counts of lines, not references. */
	if (ends_in(property, "nr-gpios") || ends_in(property, "num-gpios"))
		return NULL;
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++) {
		const char *p = rules[i].property;
		size_t n = strlen(p);

		if (*p == '-' ? ends_in(property, p) : strcmp(property, p) == 0)
			return &rules[i];
		if (p[n - 1] == '*' && strncmp(property, p, n - 1) == 0 && property[n - 1] &&
		    property[n - 1 + strspn(property + n - 1, "0123456789")] == '\0')
			return &rules[i];
	}
	return NULL;
}

bool hv_fdt_ref_property(const char *property, enum hv_fdt_ref_kind *kind)
{
	const struct rule *rule = rule_of(property);

	if (rule)
		*kind = rule->kind;
	return rule;
}

/* The i-th of a list of strings, or NULL. */
static const char *string_at(const struct hv_fdt *tree, int index, const char *name, unsigned int i)
{
	int len;
	const char *text = (const char *)fdt_index_prop(tree, index, name, &len);
	const char *end;

	if (!text || len <= 0 || text[len - 1] != '\0')
		return NULL;
	for (end = text + len; text < end; text += strlen(text) + 1)
		if (i-- == 0)
			return text;
	return NULL;
}

/* How many cells follow the phandle of a provider; -1 with a problem. */
static int args_of(const struct hv_fdt *tree, int provider, const struct rule *rule, char *problem,
		   size_t cap)
{
	const struct fdt_node *node = &tree->nodes[provider];
	char path[FDT_PATH_TEXT];
	const fdt32_t *cell;
	uint32_t n;
	int len;

	if (rule->form == PLAIN)
		return 0;
	if (rule->form == IRQ_EX) {
		if (node->interrupt_cells >= 0)
			return node->interrupt_cells;
		snprintf(problem, cap, "%s has no #interrupt-cells",
			 fdt_index_path(tree, provider, path, sizeof(path)));
		return -1;
	}
	cell = fdt_index_prop(tree, provider, rule->cells, &len);
	if (!cell && rule->absent != NO_DEFAULT)
		return rule->absent;
	n = cell && len == 4 ? fdt32_ld(cell) : UINT32_MAX;
	if (n <= 16)
		return (int)n;
	snprintf(problem, cap, "%s has no %s%s", fdt_index_path(tree, provider, path, sizeof(path)),
		 cell ? "usable " : "", rule->cells);
	return -1;
}

struct walk {
	const struct hv_fdt *tree;
	int index;
	hv_fdt_ref_fn *f;
	void *arg;
	bool hog;
};

static int call(const struct walk *w, const struct hv_fdt_ref *ref)
{
	return w->f(w->tree, w->tree->nodes[w->index].offset, ref, w->arg);
}

static int give_up(const struct walk *w, struct hv_fdt_ref *ref, const char *problem)
{
	ref->node = -1;
	ref->n_args = 0;
	ref->problem = problem;
	return call(w, ref);
}

static int follow(const char *name, const void *value, size_t size, void *arg)
{
	const struct walk *w = arg;
	const struct rule *rule = rule_of(name);
	const fdt32_t *cell = value;
	struct hv_fdt_ref ref = { .property = name };
	char problem[FDT_PATH_TEXT + 64];
	size_t left = size / 4;
	int provider, n, rc;

	if (!rule || (w->hog && rule->kind == HV_REF_GPIO))
		return 0;
	ref.kind = rule->kind;
	if (size % 4 != 0) {
		snprintf(problem, sizeof(problem), "it has %zu bytes, no multiple of 4", size);
		return give_up(w, &ref, problem);
	}
	for (; left; ref.slot++) {
		size_t row = rule->form == MAP ? 4 : 1;

		if (left < row)
			return give_up(w, &ref, "it ends inside an entry");
		ref.phandle = fdt32_ld(cell + (rule->form == MAP));
		if (ref.phandle == 0) {
			cell += row;
			left -= row;
			continue;
		}
		provider = fdt_index_by_phandle(w->tree, ref.phandle);
		if (provider < 0) {
			snprintf(problem, sizeof(problem), "no node has phandle %#x", ref.phandle);
			return give_up(w, &ref, problem);
		}
		n = rule->form == MAP ? 0
				      : args_of(w->tree, provider, rule, problem, sizeof(problem));
		if (n < 0)
			return give_up(w, &ref, problem);
		if (left < row + (size_t)n)
			return give_up(w, &ref, "it ends inside an entry");
		ref.node = w->tree->nodes[provider].offset;
		ref.n_args = (unsigned int)n;
		for (int i = 0; i < n; i++)
			ref.args[i] = fdt32_ld(cell + 1 + i);
		if (rule->form == MAP) {
			ref.n_args = 3;
			ref.args[0] = fdt32_ld(cell);
			ref.args[1] = fdt32_ld(cell + 2);
			ref.args[2] = fdt32_ld(cell + 3);
		}
		ref.name = rule->names ? string_at(w->tree, w->index, rule->names, ref.slot) : NULL;
		rc = call(w, &ref);
		if (rc)
			return rc;
		cell += row + (size_t)n;
		left -= row + (size_t)n;
	}
	return 0;
}

/* Tables whose properties are named by people: a label may be "leds". */
static bool holds_names(const struct hv_fdt *tree, int index)
{
	const char *name = fdt_get_name(tree->blob, tree->nodes[index].offset, NULL);

	return tree->nodes[index].parent == 0 && name &&
	       (strncmp(name, "__", 2) == 0 || strcmp(name, "aliases") == 0);
}

int hv_fdt_each_ref_in(const struct hv_fdt *tree, int node, const char *property, hv_fdt_ref_fn *f,
		       void *arg)
{
	struct walk w = { tree, fdt_index_of(tree, node), f, arg, false };
	const void *value;
	int len;

	if (w.index < 0 || holds_names(tree, w.index))
		return 0;
	w.hog = fdt_index_prop(tree, w.index, "gpio-hog", &len);
	value = fdt_index_prop(tree, w.index, property, &len);
	return value ? follow(property, value, (size_t)len, &w) : 0;
}

int hv_fdt_each_ref(const struct hv_fdt *tree, int node, hv_fdt_ref_fn *f, void *arg)
{
	struct walk w = { tree, fdt_index_of(tree, node), f, arg, false };
	int len;

	if (w.index < 0 || holds_names(tree, w.index))
		return 0;
	w.hog = fdt_index_prop(tree, w.index, "gpio-hog", &len);
	return hv_fdt_each_prop(tree, node, follow, &w);
}
