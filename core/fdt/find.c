// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/near.h"

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

/* ---- what was meant by a name that is none */

#define HINT_TEXT (FDT_PATH_TEXT + 32)
#define HINT_OFFERS 4096 /* of a hostile tree no more are compared */

/* " (did you mean …?)" in out, or "". */
static const char *hint_near(const struct hv_near *near, const char *prefix, char out[HINT_TEXT])
{
	out[0] = '\0';
	if (*near->best)
		snprintf(out, HINT_TEXT, " (did you mean %s%s?)", prefix, near->best);
	return out;
}

/* Of the properties of /aliases or /__symbols__. */
static const char *hint_name(const struct hv_fdt *tree, const char *table, const char *name,
			     const char *prefix, char out[HINT_TEXT])
{
	int index = fdt_index_by_path(tree, table, strlen(table));
	struct hv_near near = HV_NEAR(name);
	int prop, n = 0;

	if (index < 0)
		return hint_near(&near, prefix, out);
	fdt_for_each_property_offset(prop, tree->blob, tree->nodes[index].offset)
	{
		const char *candidate;

		if (fdt_getprop_by_offset(tree->blob, prop, &candidate, NULL) && n++ < HINT_OFFERS)
			hv_near_offer(&near, candidate);
	}
	return hint_near(&near, prefix, out);
}

/* The node of that very name elsewhere in the tree, where there is but one; otherwise a near child.
 */
static const char *hint_node(const struct hv_fdt *tree, int at, const char *name, size_t len,
			     char out[HINT_TEXT])
{
	char word[HV_NEAR_MAX + 2], path[FDT_PATH_TEXT];
	struct hv_near near = HV_NEAR(word);
	int found = -1, n = 0;

	out[0] = '\0';
	if (len > HV_NEAR_MAX)
		return out;
	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	for (int i = 1; i < tree->n_nodes && n < 2; i++)
		if (strcmp(hv_fdt_name(tree, tree->nodes[i].offset), word) == 0) {
			found = i;
			n++;
		}
	if (n == 1) {
		snprintf(out, HINT_TEXT, " (did you mean %s?)",
			 fdt_index_path(tree, found, path, sizeof(path)));
		return out;
	}
	n = 0;
	for (int i = at + 1; i < tree->nodes[at].end && n++ < HINT_OFFERS; i = tree->nodes[i].end)
		hv_near_offer(&near, hv_fdt_name(tree, tree->nodes[i].offset));
	return hint_near(&near, "", out);
}

static int no_label(const struct hv_fdt *tree, const char *name, struct hv_err *err)
{
	char label[HV_NEAR_MAX + 2], hint[HINT_TEXT];

	if (fdt_index_by_path(tree, "/__symbols__", 12) < 0)
		return hv_err_set(
			err, ENOENT,
			"%s: it has no labels (/__symbols__ is missing: only dtc -@ writes "
			"it), so %s cannot be found: give its path",
			tree->label, name);
	snprintf(label, sizeof(label), "%.*s", (int)strcspn(name + 1, "/"), name + 1);
	return hv_err_set(err, ENOENT, "%s: there is no label %s%s", tree->label, name,
			  hint_name(tree, "/__symbols__", label, "&", hint));
}

static int no_alias(const struct hv_fdt *tree, const char *name, size_t len, struct hv_err *err)
{
	char alias[HV_NEAR_MAX + 2], hint[HINT_TEXT];
	const char *near;

	snprintf(alias, sizeof(alias), "%.*s", (int)len, name);
	near = hint_name(tree, "/aliases", alias, "", hint);
	return hv_err_set(err, ENOENT, "%s: there is no alias %.*s%s", tree->label, (int)len, name,
			  *near ? near : " (paths begin with /, labels with &)");
}

/* Says how far the path is right. */
static int no_path(const struct hv_fdt *tree, const char *name, struct hv_err *err)
{
	char path[FDT_PATH_TEXT], hint[HINT_TEXT];
	size_t len = 0;
	int at = 0, next;

	for (; *name; at = next) {
		while (*name == '/')
			name++;
		len = strcspn(name, "/");
		next = fdt_index_child(tree, at, name, len);
		if (next < 0)
			break;
		name += len;
	}
	return hv_err_set(err, ENOENT, "%s: %s has no node %.*s%s", tree->label,
			  fdt_index_path(tree, at, path, sizeof(path)), (int)len, name,
			  hint_node(tree, at, name, len, hint));
}

int hv_fdt_find(const struct hv_fdt *tree, const char *name, struct hv_err *err)
{
	size_t len = strcspn(name, "/");
	int index;

	if (*name == '/') {
		index = fdt_index_by_path(tree, name, strlen(name));
		if (index >= 0)
			return tree->nodes[index].offset;
		return err ? no_path(tree, name, err) : -ENOENT;
	}
	if (*name == '&') {
		index = below(tree, by_name(tree, "/__symbols__", name + 1, len ? len - 1 : 0),
			      name + len);
		if (index >= 0)
			return tree->nodes[index].offset;
		return err ? no_label(tree, name, err) : -ENOENT;
	}
	index = below(tree, by_name(tree, "/aliases", name, len), name + len);
	if (index >= 0)
		return tree->nodes[index].offset;
	return err ? no_alias(tree, name, len, err) : -ENOENT;
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
