// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "fdt/fdt_priv.h"
#include "fdt/refs.h"

#define BYTES_MAX ((size_t)4096) /* of one property */

struct printer {
	const struct hv_fdt *tree;
	const char **labels; /* of each node, or NULL */
	struct hv_buf *out;
};

static int collect_labels(struct printer *p, struct hv_err *err)
{
	const struct hv_fdt *tree = p->tree;
	int table = fdt_index_by_path(tree, "/__symbols__", 12);
	const char *name, *path;
	int prop, len, target;

	p->labels = calloc((size_t)tree->n_nodes, sizeof(*p->labels));
	if (!p->labels)
		return hv_err_nomem(err);
	if (table < 0)
		return 0;
	fdt_for_each_property_offset(prop, tree->blob, tree->nodes[table].offset)
	{
		path = fdt_getprop_by_offset(tree->blob, prop, &name, &len);
		if (!path || len <= 0 || path[len - 1] != '\0')
			continue;
		target = fdt_index_by_path(tree, path, strlen(path));
		if (target >= 0 && !p->labels[target])
			p->labels[target] = name;
	}
	return 0;
}

/* Text of the tree: nothing that a terminal would take for a command. */
static void put_clean(struct hv_buf *out, const char *text, size_t len, bool quoted)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (quoted && (c == '"' || c == '\\'))
			hv_buf_printf(out, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			hv_buf_printf(out, "\\x%02x", c);
		else
			hv_buf_add(out, text + i, 1);
	}
}

/* Words separated and ended by NULs, none of them empty but a lone one. */
static bool is_text(const char *value, size_t len)
{
	if (len == 0 || value[len - 1] != '\0')
		return false;
	if (len > 1 && value[0] == '\0')
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c == '\0' ? i + 1 < len && value[i + 1] == '\0' : c < ' ' || c >= 0x7f)
			return false;
	}
	/* A lone cell of 0 is a number. */
	return len > 1;
}

static void put_text(const struct printer *p, const char *value, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = strnlen(value + at, len - at);

		hv_buf_puts(p->out, at ? ", \"" : "\"");
		put_clean(p->out, value + at, n, true);
		hv_buf_puts(p->out, "\"");
		at += n + 1;
	}
}

static void put_bytes(const struct printer *p, const unsigned char *value, size_t len)
{
	size_t shown = len < BYTES_MAX ? len : BYTES_MAX;

	hv_buf_puts(p->out, "[");
	for (size_t i = 0; i < shown; i++)
		hv_buf_printf(p->out, i ? " %02x" : "%02x", value[i]);
	if (shown < len)
		hv_buf_printf(p->out, " … %zu more", len - shown);
	hv_buf_puts(p->out, "]");
}

static void put_cells(const struct printer *p, const fdt32_t *cell, size_t n)
{
	size_t shown = n < BYTES_MAX / 4 ? n : BYTES_MAX / 4;

	hv_buf_puts(p->out, "<");
	for (size_t i = 0; i < shown; i++) {
		uint32_t value = fdt32_ld(cell + i);

		hv_buf_printf(p->out, value < 10 ? "%s%u" : "%s0x%x", i ? " " : "", value);
	}
	if (shown < n)
		hv_buf_printf(p->out, " … %zu more", n - shown);
	hv_buf_puts(p->out, ">");
}

struct ref_list {
	const struct printer *p;
	size_t start;
	unsigned int slots;
	bool broken;
};

static int put_ref(const struct hv_fdt *tree, int node, const struct hv_fdt_ref *ref, void *arg)
{
	struct ref_list *list = arg;
	struct hv_buf *out = list->p->out;
	char path[FDT_PATH_TEXT];
	int index;

	(void)node;
	if (ref->node < 0) {
		list->broken = true;
		return 1;
	}
	for (; list->slots < ref->slot; list->slots++)
		hv_buf_puts(out, list->slots ? ", <0>" : "<0>");
	hv_buf_puts(out, list->slots++ ? ", <" : "<");
	index = fdt_index_of(tree, ref->node);
	if (list->p->labels[index]) {
		hv_buf_puts(out, "&");
		put_clean(out, list->p->labels[index], strlen(list->p->labels[index]), false);
	} else {
		hv_buf_printf(out, "&{%s}", fdt_index_path(tree, index, path, sizeof(path)));
	}
	for (unsigned int i = 0; i < ref->n_args; i++)
		hv_buf_printf(out, ref->args[i] < 10 ? " %u" : " 0x%x", ref->args[i]);
	hv_buf_puts(out, ">");
	return 0;
}

/* Whether the property is a list of references that can all be followed, and was written as one. */
static bool put_refs(const struct printer *p, int index, const char *name)
{
	struct ref_list list = { .p = p, .start = p->out->len };
	enum hv_fdt_ref_kind kind;

	/* A map's rows begin with numbers. */
	if (!hv_fdt_ref_property(name, &kind) || strstr(name, "-map"))
		return false;
	hv_fdt_each_ref_in(p->tree, p->tree->nodes[index].offset, name, put_ref, &list);
	if (!list.broken && list.slots)
		return true;
	if (p->out->data) {
		p->out->len = list.start;
		p->out->data[list.start] = '\0';
	}
	return false;
}

static bool is_number(const char *name)
{
	static const char *const names[] = {
		"reg",		 "ranges",  "dma-ranges", "interrupts",
		"interrupt-map", "phandle", "bus-range",  "assigned-clock-rates",
	};

	if (*name == '#')
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void put_value(const struct printer *p, int index, const char *name, const void *value,
		      size_t len)
{
	if (put_refs(p, index, name))
		return;
	if (!is_number(name) && is_text(value, len))
		put_text(p, value, len);
	else if (len % 4 == 0)
		put_cells(p, value, len / 4);
	else
		put_bytes(p, value, len);
}

static void put_regs(const struct printer *p, int index)
{
	char size_text[HV_SIZE_TEXT];
	uint64_t addr, size;
	unsigned int i;
	int rc = 0;

	for (i = 0; i < 64 && !(rc = fdt_reg(p->tree, index, i, &addr, &size, NULL)); i++)
		hv_buf_printf(p->out, "%s 0x%" PRIx64 " %s", i ? "," : " /* CPU", addr,
			      hv_size_format(size, size_text));
	if (i)
		hv_buf_puts(p->out, " */");
}

static void put_irqs(const struct printer *p, int index)
{
	struct hv_fdt_irq irq;
	unsigned int shown = 0;
	int rc;

	for (unsigned int i = 0; i < 64; i++) {
		rc = fdt_irq(p->tree, index, i, &irq, NULL);
		if (rc == -ENODATA || rc == -EOPNOTSUPP)
			continue;
		if (rc)
			break;
		hv_buf_puts(p->out, shown++ ? ", " : " /* ");
		if (irq.controller == HV_IRQC_GICV2 || irq.controller == HV_IRQC_GICV3)
			hv_buf_printf(p->out, "INTID %u", irq.number);
		else
			hv_buf_printf(p->out, "source %u", irq.number);
		if (irq.trigger != HV_IRQ_TRIGGER_UNKNOWN)
			hv_buf_printf(p->out, " %s", hv_irq_trigger_name(irq.trigger));
	}
	if (shown)
		hv_buf_puts(p->out, " */");
}

struct props {
	const struct printer *p;
	int index;
	size_t indent;
};

static int put_prop(const char *name, const void *value, size_t len, void *arg)
{
	const struct props *c = arg;
	struct hv_buf *out = c->p->out;

	if (strcmp(name, "phandle") == 0 || strcmp(name, "linux,phandle") == 0)
		return 0;
	hv_buf_repeat(out, "    ", c->indent);
	put_clean(out, name, strlen(name), false);
	if (len) {
		hv_buf_puts(out, " = ");
		put_value(c->p, c->index, name, value, len);
	}
	hv_buf_puts(out, ";");
	if (strcmp(name, "reg") == 0)
		put_regs(c->p, c->index);
	else if (strcmp(name, "interrupts") == 0 || strcmp(name, "interrupts-extended") == 0 ||
		 strcmp(name, "amlogic,channel-interrupts") == 0)
		put_irqs(c->p, c->index);
	hv_buf_puts(out, "\n");
	return 0;
}

static void put_node(const struct printer *p, int index, int depth, size_t indent)
{
	const struct hv_fdt *tree = p->tree;
	const struct fdt_node *node = &tree->nodes[index];
	struct props props = { p, index, indent + 1 };
	const char *name = fdt_get_name(tree->blob, node->offset, NULL);

	hv_buf_repeat(p->out, "    ", indent);
	if (p->labels[index]) {
		put_clean(p->out, p->labels[index], strlen(p->labels[index]), false);
		hv_buf_puts(p->out, ": ");
	}
	if (index == 0)
		hv_buf_puts(p->out, "/");
	else
		put_clean(p->out, name ? name : "", name ? strlen(name) : 0, false);
	if (depth < 0) {
		hv_buf_puts(p->out, " { … };\n");
		return;
	}
	hv_buf_puts(p->out, " {\n");
	hv_fdt_each_prop(tree, node->offset, put_prop, &props);
	for (int i = index + 1; i < node->end; i = tree->nodes[i].end)
		put_node(p, i, depth - 1, indent + 1);
	hv_buf_repeat(p->out, "    ", indent);
	hv_buf_puts(p->out, "};\n");
}

int hv_fdt_print(const struct hv_fdt *tree, int node, int depth, struct hv_buf *out,
		 struct hv_err *err)
{
	struct printer p = { .tree = tree, .out = out };
	int index = fdt_index_of(tree, node);
	int rc;

	if (index < 0)
		return hv_err_set(err, EINVAL, "%s: no node at offset %d", tree->label, node);
	rc = collect_labels(&p, err);
	if (!rc)
		put_node(&p, index, depth < 0 ? FDT_DEPTH_MAX : depth, 0);
	free(p.labels);
	if (!rc && out->failed)
		return hv_err_nomem(err);
	return rc;
}

int hv_fdt_print_value(const struct hv_fdt *tree, int node, const char *name, struct hv_buf *out,
		       struct hv_err *err)
{
	struct printer p = { .tree = tree, .out = out };
	int index = fdt_index_of(tree, node);
	const void *value;
	size_t len;
	int rc;

	value = hv_fdt_prop(tree, node, name, &len);
	if (!value)
		return hv_err_set(err, ENOENT, "%s: there is no property %s", tree->label, name);
	rc = collect_labels(&p, err);
	if (!rc && len)
		put_value(&p, index, name, value, len);
	free(p.labels);
	if (!rc && out->failed)
		return hv_err_nomem(err);
	return rc;
}
