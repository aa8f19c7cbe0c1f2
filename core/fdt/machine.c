// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct gather {
	const struct hv_fdt *tree;
	struct hv_fdt_machine *m;
	hv_fdt_note_fn *note;
	void *arg;
};

__attribute__((format(printf, 3, 4))) static void say(const struct gather *g, int index,
						      const char *fmt, ...)
{
	char path[FDT_PATH_TEXT];
	char text[HV_ERR_MSG_MAX];
	va_list ap;

	if (!g->note)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	g->note(g->arg, fdt_index_path(g->tree, index, path, sizeof(path)), text);
}

static bool has_type(const struct hv_fdt *tree, int index, const char *type)
{
	int len;
	const char *text = (const char *)fdt_index_prop(tree, index, "device_type", &len);

	return text && (size_t)len == strlen(type) + 1 && memcmp(text, type, (size_t)len) == 0;
}

static bool is_named(const struct hv_fdt *tree, int index, const char *name)
{
	size_t n = strlen(name);
	const char *text;
	int len;

	text = fdt_get_name(tree->blob, tree->nodes[index].offset, &len);
	return text && strncmp(text, name, n) == 0 && (text[n] == '\0' || text[n] == '@');
}

static void gather_memory(const struct gather *g, int index)
{
	struct hv_fdt_machine *m = g->m;
	struct hv_err err;
	uint64_t start, size;
	int rc;

	if (!has_type(g->tree, index, "memory")) {
		say(g, index, "has no device_type = \"memory\": Linux does not take it for RAM");
		return;
	}
	for (unsigned int i = 0;; i++) {
		rc = fdt_reg(g->tree, index, i, &start, &size, &err);
		if (rc == -ENOENT && i > 0)
			return;
		if (rc) {
			say(g, index, "%s", err.msg);
			return;
		}
		if (size == 0) {
			say(g, index, "reg entry %u has size 0, and nothing fills it in for a zone",
			    i);
			continue;
		}
		if (m->n_memory == HV_FDT_MAX_MEMORY) {
			say(g, index, "more than %d ranges of memory: the rest is not looked at",
			    HV_FDT_MAX_MEMORY);
			return;
		}
		m->memory[m->n_memory].start = start;
		m->memory[m->n_memory++].size = size;
	}
}

static void gather_virtio(const struct gather *g, int index)
{
	struct hv_fdt_machine *m = g->m;
	struct hv_fdt_irq irq;
	struct hv_err err;
	uint64_t start, size;

	if (m->n_virtio == HV_FDT_MAX_VIRTIO) {
		say(g, index, "more than %d virtio,mmio nodes: this one is not looked at",
		    HV_FDT_MAX_VIRTIO);
		return;
	}
	if (fdt_reg(g->tree, index, 0, &start, &size, &err)) {
		say(g, index, "%s", err.msg);
		return;
	}
	if (fdt_irq(g->tree, index, 0, &irq, &err)) {
		say(g, index, "%s", err.msg);
		irq = (struct hv_fdt_irq){ .controller = HV_IRQC_NONE, .controller_node = -1 };
	}
	m->virtio[m->n_virtio].node = g->tree->nodes[index].offset;
	m->virtio[m->n_virtio].start = start;
	m->virtio[m->n_virtio].size = size;
	m->virtio[m->n_virtio++].irq = irq;
}

static bool read_initrd(const struct gather *g, int index, const char *name, uint64_t *value)
{
	const fdt32_t *prop;
	int len;

	prop = fdt_index_prop(g->tree, index, name, &len);
	if (!prop)
		return false;
	if (len != 4 && len != 8) {
		say(g, index, "%s has %d bytes, not 4 or 8", name, len);
		return false;
	}
	*value = fdt32_ld(prop);
	if (len == 8)
		*value = *value << 32 | fdt32_ld(prop + 1);
	return true;
}

static void gather_chosen(const struct gather *g, int index)
{
	struct hv_fdt_machine *m = g->m;
	const char *args;
	bool start, end;
	int len;

	args = (const char *)fdt_index_prop(g->tree, index, "bootargs", &len);
	if (args && (len == 0 || args[len - 1] != '\0'))
		say(g, index, "bootargs is not a terminated string");
	else if (args)
		m->bootargs = args;
	start = read_initrd(g, index, "linux,initrd-start", &m->initrd_start);
	end = read_initrd(g, index, "linux,initrd-end", &m->initrd_end);
	if (start != end)
		say(g, index, "has only one of linux,initrd-start and linux,initrd-end");
	else if (start && m->initrd_end < m->initrd_start)
		say(g, index, "linux,initrd-end %#llx lies before linux,initrd-start %#llx",
		    (unsigned long long)m->initrd_end, (unsigned long long)m->initrd_start);
	else
		m->has_initrd = start;
}

static void gather_controller(const struct gather *g, int index)
{
	struct hv_fdt_machine *m = g->m;
	struct hv_err err;
	uint64_t start, size;
	int rc;

	m->irqc = fdt_irq_controller(g->tree, index);
	m->irqc_node = g->tree->nodes[index].offset;
	for (unsigned int i = 0;; i++) {
		rc = fdt_reg(g->tree, index, i, &start, &size, &err);
		if (rc == -ENOENT)
			return;
		if (rc) {
			say(g, index, "%s", err.msg);
			return;
		}
		if (m->n_irqc_reg == sizeof(m->irqc_reg) / sizeof(*m->irqc_reg)) {
			say(g, index, "more than %u register ranges: the rest is not looked at",
			    m->n_irqc_reg);
			return;
		}
		m->irqc_reg[m->n_irqc_reg].start = start;
		m->irqc_reg[m->n_irqc_reg++].size = size;
	}
}

/* The root's interrupt-parent; otherwise the first controller we decode; otherwise any. */
static int find_controller(const struct gather *g)
{
	const struct hv_fdt *tree = g->tree;
	enum hv_irq_controller kind;
	int index, len, other = -1;
	const fdt32_t *prop;

	prop = fdt_index_prop(tree, 0, "interrupt-parent", &len);
	if (prop && len == 4) {
		index = fdt_index_by_phandle(tree, fdt32_ld(prop));
		if (index >= 0 && fdt_irq_controller(tree, index) != HV_IRQC_NONE)
			return index;
		say(g, 0, "interrupt-parent is phandle %#x, which no interrupt controller has",
		    fdt32_ld(prop));
	} else if (prop) {
		say(g, 0, "interrupt-parent is not one cell");
	}
	for (index = 0; index < tree->n_nodes; index++) {
		if (!tree->nodes[index].enabled)
			continue;
		kind = fdt_irq_controller(tree, index);
		if (kind != HV_IRQC_NONE && kind != HV_IRQC_OTHER)
			return index;
		if (kind == HV_IRQC_OTHER && other < 0)
			other = index;
	}
	return other;
}

int hv_fdt_machine(const struct hv_fdt *tree, struct hv_fdt_machine *m, hv_fdt_note_fn *note,
		   void *arg, struct hv_err *err)
{
	struct gather g = { tree, m, note, arg };
	int cpus = -1, chosen = -1, parent, index;

	(void)err;
	*m = (struct hv_fdt_machine){ .irqc_node = -1 };
	for (index = 1; index < tree->n_nodes; index++) {
		parent = tree->nodes[index].parent;
		if (parent == 0 && is_named(tree, index, "cpus"))
			cpus = index;
		/* The first, as everybody who looks for /chosen finds it. */
		if (parent == 0 && chosen < 0 && is_named(tree, index, "chosen")) {
			chosen = index;
			gather_chosen(&g, index);
		}
		if (!tree->nodes[index].enabled)
			continue;
		if (parent == cpus && has_type(tree, index, "cpu"))
			m->n_cpus++;
		if (parent == 0 &&
		    (has_type(tree, index, "memory") || is_named(tree, index, "memory")))
			gather_memory(&g, index);
		if (fdt_index_compatible(tree, index, "virtio,mmio"))
			gather_virtio(&g, index);
		if (fdt_index_compatible(tree, index, "arm,gic-v3-its"))
			m->has_its = true;
	}
	index = find_controller(&g);
	if (index >= 0)
		gather_controller(&g, index);
	return 0;
}
