// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <string.h>

/* Where a property of /aliases or /__symbols__ leads. */
static int by_name(const struct hv_fdt *tree, const char *table, const char *name, size_t len)
{
	int index = fdt_index_by_path(tree, table, strlen(table));
	const char *path;
	int size;

	if (index < 0)
		return -1;
	path = fdt_getprop_namelen(tree->blob, tree->nodes[index].offset, name, (int)len, &size);
	if (!path || size <= 0 || path[size - 1] != '\0')
		return -1;
	return fdt_index_by_path(tree, path, strlen(path));
}

/* Follows names from a node or, for an index below 0, fails. */
static int below(const struct hv_fdt *tree, int index, const char *rest)
{
	while (index >= 0 && *rest) {
		size_t len = strcspn(rest, "/");

		if (len)
			index = fdt_index_child(tree, index, rest, len);
		rest += len + (rest[len] == '/');
	}
	return index;
}

static int no_label(const struct hv_fdt *tree, const char *name, struct hv_err *err)
{
	if (fdt_index_by_path(tree, "/__symbols__", 12) < 0)
		return hv_err_set(
			err, ENOENT,
			"%s: it has no labels (/__symbols__ is missing: only dtc -@ writes "
			"it), so %s cannot be found: give its path",
			tree->label, name);
	return hv_err_set(err, ENOENT, "%s: there is no label %s", tree->label, name);
}

int hv_fdt_find(const struct hv_fdt *tree, const char *name, struct hv_err *err)
{
	size_t len = strcspn(name, "/");
	char path[FDT_PATH_TEXT];
	int index, at, next;

	if (*name == '/') {
		index = fdt_index_by_path(tree, name, strlen(name));
		if (index >= 0)
			return tree->nodes[index].offset;
		/* Say how far the path is right. */
		for (at = 0; *name; at = next) {
			while (*name == '/')
				name++;
			len = strcspn(name, "/");
			next = fdt_index_child(tree, at, name, len);
			if (next < 0)
				break;
			name += len;
		}
		return hv_err_set(err, ENOENT, "%s: %s has no node %.*s", tree->label,
				  fdt_index_path(tree, at, path, sizeof(path)), (int)len, name);
	}
	if (*name == '&') {
		index = below(tree, by_name(tree, "/__symbols__", name + 1, len ? len - 1 : 0),
			      name + len);
		if (index < 0)
			return no_label(tree, name, err);
		return tree->nodes[index].offset;
	}
	index = below(tree, by_name(tree, "/aliases", name, len), name + len);
	if (index < 0)
		return hv_err_set(err, ENOENT,
				  "%s: there is no alias %.*s (paths begin with /, labels with &)",
				  tree->label, (int)len, name);
	return tree->nodes[index].offset;
}

int hv_fdt_by_phandle(const struct hv_fdt *tree, uint32_t phandle)
{
	int index = phandle ? fdt_index_by_phandle(tree, phandle) : -1;

	return index < 0 ? -1 : tree->nodes[index].offset;
}

uint32_t hv_fdt_phandle(const struct hv_fdt *tree, int node)
{
	int index = fdt_index_of(tree, node);

	return index < 0 ? 0 : tree->nodes[index].phandle;
}

const char *hv_fdt_symbol(const struct hv_fdt *tree, int node)
{
	int table = fdt_index_by_path(tree, "/__symbols__", 12);
	int target = fdt_index_of(tree, node);
	const char *name, *path;
	int prop, len;

	if (table < 0 || target < 0)
		return NULL;
	fdt_for_each_property_offset(prop, tree->blob, tree->nodes[table].offset)
	{
		path = fdt_getprop_by_offset(tree->blob, prop, &name, &len);
		if (path && len > 0 && path[len - 1] == '\0' &&
		    fdt_index_by_path(tree, path, strlen(path)) == target)
			return name;
	}
	return NULL;
}

int hv_fdt_parent(const struct hv_fdt *tree, int node)
{
	int index = fdt_index_of(tree, node);

	if (index <= 0)
		return -1;
	return tree->nodes[tree->nodes[index].parent].offset;
}

int hv_fdt_child(const struct hv_fdt *tree, int node)
{
	int index = fdt_index_of(tree, node);

	if (index < 0 || index + 1 >= tree->nodes[index].end)
		return -1;
	return tree->nodes[index + 1].offset;
}

int hv_fdt_sibling(const struct hv_fdt *tree, int node)
{
	int index = fdt_index_of(tree, node);
	int next;

	if (index <= 0)
		return -1;
	next = tree->nodes[index].end;
	return next < tree->nodes[tree->nodes[index].parent].end ? tree->nodes[next].offset : -1;
}

const char *hv_fdt_name(const struct hv_fdt *tree, int node)
{
	const char *name =
		fdt_index_of(tree, node) < 0 ? NULL : fdt_get_name(tree->blob, node, NULL);

	return name ? name : "";
}

const void *hv_fdt_prop(const struct hv_fdt *tree, int node, const char *name, size_t *len)
{
	int index = fdt_index_of(tree, node);
	const void *value;
	int n = 0;

	value = index < 0 ? NULL : fdt_index_prop(tree, index, name, &n);
	*len = value ? (size_t)n : 0;
	return value;
}

int hv_fdt_each_prop(const struct hv_fdt *tree, int node, hv_fdt_prop_fn *f, void *arg)
{
	const char *name;
	const void *value;
	int prop, len, rc = 0;

	if (fdt_index_of(tree, node) < 0)
		return 0;
	fdt_for_each_property_offset(prop, tree->blob, node)
	{
		value = fdt_getprop_by_offset(tree->blob, prop, &name, &len);
		if (value)
			rc = f(name, value, (size_t)len, arg);
		if (rc)
			break;
	}
	return rc;
}

bool hv_fdt_compatible(const struct hv_fdt *tree, int node, const char *compatible)
{
	int index = fdt_index_of(tree, node);

	return index >= 0 && fdt_index_compatible(tree, index, compatible);
}

unsigned int hv_fdt_generation(const struct hv_fdt *tree)
{
	return tree->generation;
}

int hv_fdt_root(const struct hv_fdt *tree)
{
	return tree->nodes[0].offset;
}
