// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct hv_fdt *tree;
	int cap;
	int stack[FDT_DEPTH_MAX];
	int depth;
};

static int8_t cell_count(const struct fdt_property *prop, int len, uint32_t max)
{
	fdt32_t cell;
	uint32_t count;

	if (len != 4)
		return CELLS_BAD;
	memcpy(&cell, prop->data, 4);
	count = fdt32_to_cpu(cell);
	return count > max ? CELLS_BAD : (int8_t)count;
}

static bool status_enabled(const char *status, int len)
{
	return (len == 5 && memcmp(status, "okay", 5) == 0) ||
	       (len == 3 && memcmp(status, "ok", 3) == 0);
}

static int enter_node(struct walk *w, int offset, struct hv_err *err)
{
	struct hv_fdt *tree = w->tree;
	struct fdt_node *node;
	const char *name;
	int len;

	if (w->depth == FDT_DEPTH_MAX)
		return hv_err_set(err, EINVAL, "nodes are nested deeper than %d levels",
				  FDT_DEPTH_MAX);
	if (w->depth == 0 && tree->n_nodes > 0)
		return hv_err_set(err, EINVAL, "a second root node");
	name = fdt_get_name(tree->blob, offset, &len);
	if (!name)
		return hv_err_set(err, EINVAL, "a node without a readable name");
	if (w->depth == 0 && len > 0)
		return hv_err_set(err, EINVAL, "the first node is not the root: it has a name");
	if (tree->n_nodes == w->cap) {
		int cap = w->cap ? w->cap * 2 : 64;

		node = reallocarray(tree->nodes, (size_t)cap, sizeof(*node));
		if (!node)
			return hv_err_nomem(err);
		tree->nodes = node;
		w->cap = cap;
	}
	node = &tree->nodes[tree->n_nodes];
	*node = (struct fdt_node){
		.offset = offset,
		.parent = w->depth ? w->stack[w->depth - 1] : -1,
		.address_cells = CELLS_ABSENT,
		.size_cells = CELLS_ABSENT,
		.interrupt_cells = CELLS_ABSENT,
		.enabled = true,
	};
	/* Properties come before subnodes: the parent's status has been seen. */
	if (w->depth)
		node->enabled = tree->nodes[node->parent].enabled;
	w->stack[w->depth++] = tree->n_nodes++;
	return 0;
}

static int take_property(struct walk *w, int offset, struct hv_err *err)
{
	struct hv_fdt *tree = w->tree;
	const struct fdt_property *prop;
	struct fdt_node *node;
	const char *name;
	int len;

	if (w->depth == 0)
		return hv_err_set(err, EINVAL, "a property outside the root node");
	prop = fdt_get_property_by_offset(tree->blob, offset, &len);
	/* libfdt up to 1.6 takes lengths over 2 GiB for negative ones, and hands them on. */
	if (!prop || len < 0)
		return hv_err_set(err, EINVAL, "a property that cannot be read");
	name = fdt_string(tree->blob, (int)fdt32_to_cpu(prop->nameoff));
	if (!name)
		return hv_err_set(err, EINVAL, "a property whose name is outside the strings");
	/* The last node begun: a property after a subnode belongs to nobody. */
	if (w->stack[w->depth - 1] != tree->n_nodes - 1)
		return hv_err_set(err, EINVAL, "property %.64s stands after a subnode", name);
	node = &tree->nodes[tree->n_nodes - 1];
	if (strcmp(name, "#address-cells") == 0)
		node->address_cells = cell_count(prop, len, ADDR_CELLS_MAX);
	else if (strcmp(name, "#size-cells") == 0)
		node->size_cells = cell_count(prop, len, ADDR_CELLS_MAX);
	else if (strcmp(name, "#interrupt-cells") == 0)
		node->interrupt_cells = cell_count(prop, len, IRQ_CELLS_MAX);
	else if (strcmp(name, "status") == 0)
		node->enabled = node->enabled && status_enabled(prop->data, len);
	else if (len == 4 && (strcmp(name, "phandle") == 0 ||
			      (strcmp(name, "linux,phandle") == 0 && node->phandle == 0)))
		node->phandle = fdt32_ld((const fdt32_t *)(const void *)prop->data);
	return 0;
}

static int by_phandle(const void *a, const void *b)
{
	const struct fdt_phandle *x = a, *y = b;

	if (x->phandle != y->phandle)
		return x->phandle < y->phandle ? -1 : 1;
	return x->node < y->node ? -1 : x->node > y->node;
}

static int collect_phandles(struct hv_fdt *tree, struct hv_err *err)
{
	size_t n = 0;

	for (int i = 0; i < tree->n_nodes; i++)
		n += tree->nodes[i].phandle != 0;
	tree->phandles = calloc(n ? n : 1, sizeof(*tree->phandles));
	if (!tree->phandles)
		return hv_err_nomem(err);
	for (int i = 0; i < tree->n_nodes; i++)
		if (tree->nodes[i].phandle)
			tree->phandles[tree->n_phandles++] =
				(struct fdt_phandle){ tree->nodes[i].phandle, i };
	qsort(tree->phandles, n, sizeof(*tree->phandles), by_phandle);
	return 0;
}

int fdt_index_build(struct hv_fdt *tree, struct hv_err *err)
{
	struct walk w = { .tree = tree };
	int offset, next = 0, rc = 0;
	uint32_t tag;

	free(tree->nodes);
	free(tree->phandles);
	tree->nodes = NULL;
	tree->phandles = NULL;
	tree->n_nodes = 0;
	tree->n_phandles = 0;
	do {
		offset = next;
		tag = fdt_next_tag(tree->blob, offset, &next);
		if (next < 0)
			rc = hv_err_set(err, EINVAL,
					next == -FDT_ERR_TRUNCATED
						? "the structure ends in the middle"
						: "no valid structure token");
		else if (next <= offset)
			rc = hv_err_set(err, EINVAL, "a length that leads backwards");
		else if (tag == FDT_BEGIN_NODE)
			rc = enter_node(&w, offset, err);
		else if (tag == FDT_PROP)
			rc = take_property(&w, offset, err);
		else if (tag == FDT_END_NODE && w.depth == 0)
			rc = hv_err_set(err, EINVAL, "the end of a node that was not begun");
		else if (tag == FDT_END_NODE)
			tree->nodes[w.stack[--w.depth]].end = tree->n_nodes;
		else if (tag == FDT_END && w.depth > 0)
			rc = hv_err_set(err, EINVAL, "the structure ends inside a node");
		else if (tag == FDT_END && tree->n_nodes == 0)
			rc = hv_err_set(err, EINVAL, "there is no root node");
	} while (rc == 0 && tag != FDT_END);
	if (rc == -EINVAL && err)
		hv_err_prefix(err, "device tree is broken at offset %#llx: ",
			      (unsigned long long)offset + fdt_off_dt_struct(tree->blob));
	return rc ? rc : collect_phandles(tree, err);
}

int fdt_index_of(const struct hv_fdt *tree, int node)
{
	int low = 0, high = tree->n_nodes;

	while (low < high) {
		int mid = low + (high - low) / 2;

		if (tree->nodes[mid].offset < node)
			low = mid + 1;
		else
			high = mid;
	}
	return low < tree->n_nodes && tree->nodes[low].offset == node ? low : -1;
}

int fdt_index_by_phandle(const struct hv_fdt *tree, uint32_t phandle)
{
	size_t low = 0, high = tree->n_phandles;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (tree->phandles[mid].phandle < phandle)
			low = mid + 1;
		else
			high = mid;
	}
	return low < tree->n_phandles && tree->phandles[low].phandle == phandle
		       ? tree->phandles[low].node
		       : -1;
}

const fdt32_t *fdt_index_prop(const struct hv_fdt *tree, int index, const char *name, int *len)
{
	return fdt_getprop(tree->blob, tree->nodes[index].offset, name, len);
}

const char *fdt_index_string(const struct hv_fdt *tree, int index, const char *name)
{
	int len;
	const char *text = (const char *)fdt_index_prop(tree, index, name, &len);

	return text && memchr(text, 0, (size_t)len) ? text : NULL;
}

int fdt_index_child(const struct hv_fdt *tree, int index, const char *name, size_t len)
{
	/* Checked when the tree was opened: each name is terminated within the blob. */
	const char *names = (const char *)tree->blob + fdt_off_dt_struct(tree->blob) + FDT_TAGSIZE;
	bool whole = memchr(name, '@', len);
	int found = -1;

	for (int i = index + 1; i < tree->nodes[index].end; i = tree->nodes[i].end) {
		const char *text = names + tree->nodes[i].offset;

		if (strncmp(text, name, len) != 0)
			continue;
		if (text[len] == '\0')
			return i;
		if (!whole && text[len] == '@' && found < 0)
			found = i;
	}
	return found;
}

int fdt_index_by_path(const struct hv_fdt *tree, const char *path, size_t len)
{
	const char *end = path + len, *slash;
	int index = 0;

	if (!len || *path != '/')
		return -1;
	while (index >= 0) {
		while (path < end && *path == '/')
			path++;
		if (path == end)
			return index;
		slash = memchr(path, '/', (size_t)(end - path));
		if (!slash)
			slash = end;
		index = fdt_index_child(tree, index, path, (size_t)(slash - path));
		path = slash;
	}
	return -1;
}

bool fdt_index_compatible(const struct hv_fdt *tree, int index, const char *compatible)
{
	return fdt_node_check_compatible(tree->blob, tree->nodes[index].offset, compatible) == 0;
}

/* Written from the end, so that what does not fit is cut at the front: the last name says most. */
const char *fdt_index_path(const struct hv_fdt *tree, int index, char *out, size_t cap)
{
	static const char cut[] = "…";
	const size_t cut_len = sizeof(cut) - 1;
	size_t pos, n;
	const char *name;
	int len;

	if (cap == 0)
		return out;
	pos = cap - 1;
	out[pos] = '\0';
	if (index == 0 && pos > 0)
		out[--pos] = '/';
	for (; index > 0; index = tree->nodes[index].parent) {
		name = fdt_get_name(tree->blob, tree->nodes[index].offset, &len);
		n = name ? (size_t)len : 0;
		if (n + 1 > pos) {
			/* Keep room for the mark even if that costs part of what was written. */
			while (pos < cap - 1 && pos < cut_len)
				pos++;
			while (n > 0 && pos > cut_len)
				out[--pos] = name[--n];
			if (pos >= cut_len) {
				pos -= cut_len;
				memcpy(out + pos, cut, cut_len);
			}
			break;
		}
		pos -= n;
		if (n)
			memcpy(out + pos, name, n);
		out[--pos] = '/';
	}
	memmove(out, out + pos, cap - pos);
	/* A hostile name must not reach the terminal's escape sequences. */
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return out;
}
