// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A change of a blob; 0 or libfdt's error. Done again, on a fresh copy, when there was no room. */
typedef int change_fn(void *blob, void *arg);

#define SLACK_MIN ((size_t)256)

/*
 * Works on a copy, larger where that is needed, so that a failed change leaves the tree as it was.
 * A libfdt error is put into *fdt_rc and -EINVAL returned, without a message.
 */
static int change(struct hv_fdt *tree, size_t need, change_fn *f, void *arg, int *fdt_rc,
		  struct hv_err *err)
{
	struct hv_fdt changed = { .label = tree->label, .generation = tree->generation + 1 };
	size_t slack = need + SLACK_MIN;
	int rc;

	*fdt_rc = 0;
	for (;; slack *= 4) {
		changed.size = (tree->size + slack + 7) & ~(size_t)7;
		if (changed.size > FDT_BLOB_MAX && tree->size + slack / 4 < FDT_BLOB_MAX)
			changed.size = FDT_BLOB_MAX;
		if (changed.size > FDT_BLOB_MAX) {
			*fdt_rc = 0;
			rc = hv_err_set(err, EFBIG, "%s: the device tree would grow over %zu bytes",
					tree->label, FDT_BLOB_MAX);
			goto fail;
		}
		free(changed.blob);
		/* Zeroed: padding goes into the guest's memory as well. */
		changed.blob = calloc(1, changed.size);
		if (!changed.blob) {
			rc = hv_err_nomem(err);
			goto fail;
		}
		*fdt_rc = fdt_open_into(tree->blob, changed.blob, (int)changed.size);
		if (!*fdt_rc)
			*fdt_rc = f(changed.blob, arg);
		if (*fdt_rc != -FDT_ERR_NOSPACE)
			break;
	}
	if (!*fdt_rc)
		*fdt_rc = fdt_pack(changed.blob);
	if (*fdt_rc) {
		rc = -EINVAL;
		goto fail;
	}
	changed.size = fdt_totalsize(changed.blob);
	rc = fdt_index_build(&changed, err);
	if (rc) {
		if (err)
			hv_err_prefix(err, "%s: ", tree->label);
		goto fail;
	}
	free(tree->blob);
	free(tree->nodes);
	free(tree->phandles);
	*tree = changed;
	return 0;

fail:
	free(changed.blob);
	free(changed.nodes);
	free(changed.phandles);
	return rc;
}

/* The header of a property, its name and its padded value. */
static size_t prop_room(const char *name, size_t len)
{
	return 32 + strlen(name) + len;
}

/* One property of /chosen to be set. */
struct setting {
	const char *name;
	const void *value;
	int len;
};

struct chosen {
	const struct setting *settings;
	int n;
};

static int apply_chosen(void *blob, void *arg)
{
	const struct chosen *c = arg;
	int node = fdt_path_offset(blob, "/chosen");
	int rc;

	if (node == -FDT_ERR_NOTFOUND)
		node = fdt_add_subnode(blob, 0, "chosen");
	if (node < 0)
		return node;
	for (int i = 0; i < c->n; i++) {
		rc = fdt_setprop(blob, node, c->settings[i].name, c->settings[i].value,
				 c->settings[i].len);
		if (rc)
			return rc;
	}
	return 0;
}

static int edit_chosen(struct hv_fdt *tree, const struct setting *settings, int n,
		       struct hv_err *err)
{
	struct chosen c = { settings, n };
	size_t need = 64;
	int rc, fdt_rc;

	for (int i = 0; i < n; i++)
		need += prop_room(settings[i].name, (size_t)settings[i].len);
	rc = change(tree, need, apply_chosen, &c, &fdt_rc, err);
	if (fdt_rc)
		return hv_err_set(err, EINVAL, "%s: cannot change /chosen: %s", tree->label,
				  fdt_strerror(fdt_rc));
	return rc;
}

int hv_fdt_set_bootargs(struct hv_fdt *tree, const char *bootargs, struct hv_err *err)
{
	size_t len = strlen(bootargs) + 1;
	struct setting setting = { "bootargs", bootargs, (int)len };

	if (len > FDT_BLOB_MAX)
		return hv_err_set(err, EFBIG, "%s: a command line of %zu bytes", tree->label, len);
	return edit_chosen(tree, &setting, 1, err);
}

int hv_fdt_set_initrd(struct hv_fdt *tree, uint64_t start, uint64_t end, struct hv_err *err)
{
	fdt64_t cells[2] = { cpu_to_fdt64(start), cpu_to_fdt64(end) };
	struct setting settings[2] = {
		{ "linux,initrd-start", &cells[0], 8 },
		{ "linux,initrd-end", &cells[1], 8 },
	};

	if (end < start)
		return hv_err_set(err, EINVAL,
				  "%s: the initrd ends at %#llx, before its start %#llx",
				  tree->label, (unsigned long long)end, (unsigned long long)start);
	return edit_chosen(tree, settings, 2, err);
}

/* Of a node at an offset, which a copy of the blob keeps. */
struct prop_change {
	int node;
	const char *name;
	const void *value;
	int len;
};

static int apply_prop(void *blob, void *arg)
{
	const struct prop_change *p = arg;

	return p->value ? fdt_setprop(blob, p->node, p->name, p->value, p->len)
			: fdt_delprop(blob, p->node, p->name);
}

static bool valid_name(const char *name, size_t len, size_t max, const char *marks)
{
	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr(marks, name[i]))
			return false;
	return true;
}

int hv_fdt_set_prop(struct hv_fdt *tree, const char *path, const char *name, const void *value,
		    size_t len, struct hv_err *err)
{
	struct prop_change p = { .name = name, .value = value, .len = (int)len };
	int rc, fdt_rc;

	p.node = hv_fdt_find(tree, path, err);
	if (p.node < 0)
		return p.node;
	if (!valid_name(name, strlen(name), 255, ",._+?#-"))
		return hv_err_set(err, EINVAL,
				  "%s: %s: \"%.64s\" is no property name: letters, digits and "
				  ",._+?#- are allowed",
				  tree->label, path, name);
	if (len > FDT_BLOB_MAX)
		return hv_err_set(err, EFBIG, "%s: %s: %s of %zu bytes", tree->label, path, name,
				  len);
	rc = change(tree, prop_room(name, len), apply_prop, &p, &fdt_rc, err);
	if (fdt_rc == -FDT_ERR_NOTFOUND)
		return hv_err_set(err, ENOENT, "%s: %s has no property %s", tree->label, path,
				  name);
	if (fdt_rc)
		return hv_err_set(err, EINVAL, "%s: %s: cannot set %s: %s", tree->label, path, name,
				  fdt_strerror(fdt_rc));
	return rc;
}

/* Adds the nodes of a path that are not there. */
static int apply_add(void *blob, void *arg)
{
	const char *rest = arg;
	int node = 0, next;

	while (*rest) {
		size_t len = strcspn(rest, "/");

		if (len) {
			next = fdt_subnode_offset_namelen(blob, node, rest, (int)len);
			if (next == -FDT_ERR_NOTFOUND)
				next = fdt_add_subnode_namelen(blob, node, rest, (int)len);
			if (next < 0)
				return next;
			node = next;
		}
		rest += len + (rest[len] == '/');
	}
	return 0;
}

int hv_fdt_add_node(struct hv_fdt *tree, const char *path, struct hv_err *err)
{
	size_t len;
	int rc, fdt_rc, depth = 0;

	if (*path != '/')
		return hv_err_set(err, EINVAL, "%s: %s: a new node needs its full path",
				  tree->label, path);
	if (fdt_index_by_path(tree, path, strlen(path)) >= 0)
		return hv_err_set(err, EEXIST, "%s: there is a node %s already", tree->label, path);
	for (const char *rest = path; *rest; rest += len + (rest[len] == '/')) {
		len = strcspn(rest, "/");
		if (len && !valid_name(rest, len, 255, ",._+-@"))
			return hv_err_set(err, EINVAL,
					  "%s: \"%.*s\" is no node name: letters, digits and "
					  ",._+-@ are allowed",
					  tree->label, (int)(len > 64 ? 64 : len), rest);
		depth += len > 0;
	}
	if (depth >= FDT_DEPTH_MAX)
		return hv_err_set(err, EINVAL, "%s: %.64s is nested deeper than %d levels",
				  tree->label, path, FDT_DEPTH_MAX);
	rc = change(tree, strlen(path) + 16 * (size_t)depth, apply_add, (void *)path, &fdt_rc, err);
	if (fdt_rc)
		return hv_err_set(err, EINVAL, "%s: cannot add %s: %s", tree->label, path,
				  fdt_strerror(fdt_rc));
	return rc;
}

static int apply_del(void *blob, void *arg)
{
	return fdt_del_node(blob, *(int *)arg);
}

int hv_fdt_del_node(struct hv_fdt *tree, const char *path, struct hv_err *err)
{
	int node = hv_fdt_find(tree, path, err);
	int rc, fdt_rc;

	if (node < 0)
		return node;
	if (node == 0)
		return hv_err_set(err, EINVAL, "%s: the root node cannot be removed", tree->label);
	rc = change(tree, 0, apply_del, &node, &fdt_rc, err);
	if (fdt_rc)
		return hv_err_set(err, EINVAL, "%s: cannot remove %s: %s", tree->label, path,
				  fdt_strerror(fdt_rc));
	return rc;
}

struct many {
	const int *indexes;
	size_t n;
	const struct hv_fdt *tree;
	bool remove;
};

/* From the last: offsets before a change stay as they are. */
static int apply_many(void *blob, void *arg)
{
	const struct many *m = arg;
	int rc = 0;

	for (size_t i = m->n; i-- > 0 && !rc;) {
		int node = m->tree->nodes[m->indexes[i]].offset;

		rc = m->remove ? fdt_nop_node(blob, node)
			       : fdt_setprop_string(blob, node, "status", "disabled");
	}
	return rc;
}

int fdt_remove_or_disable(struct hv_fdt *tree, const int *indexes, size_t n, bool remove,
			  struct hv_err *err)
{
	struct many m = { indexes, n, tree, remove };
	int rc, fdt_rc;

	if (!n)
		return 0;
	rc = change(tree, remove ? 0 : n * prop_room("status", 9), apply_many, &m, &fdt_rc, err);
	if (fdt_rc)
		return hv_err_set(err, EINVAL, "%s: cannot change nodes: %s", tree->label,
				  fdt_strerror(fdt_rc));
	return rc;
}

/* libfdt changes the overlay, too, also when it fails. */
struct overlay {
	const struct hv_fdt *tree;
	void *scratch;
};

static int apply_overlay(void *blob, void *arg)
{
	struct overlay *o = arg;

	memcpy(o->scratch, o->tree->blob, o->tree->size);
	return fdt_overlay_apply(blob, o->scratch);
}

/* The labels an overlay asks for and the tree does not have. */
static int missing_labels(const struct hv_fdt *tree, const struct hv_fdt *overlay,
			  struct hv_err *err)
{
	int fixups = fdt_index_by_path(overlay, "/__fixups__", 11);
	int symbols = fdt_index_by_path(tree, "/__symbols__", 12);
	const char *name;
	char list[256] = "";
	size_t used = 0;
	int prop, len;

	if (fixups < 0)
		return 0;
	fdt_for_each_property_offset(prop, overlay->blob, overlay->nodes[fixups].offset)
	{
		if (!fdt_getprop_by_offset(overlay->blob, prop, &name, &len))
			continue;
		if (symbols >= 0 &&
		    fdt_getprop(tree->blob, tree->nodes[symbols].offset, name, NULL))
			continue;
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "",
					 name);
		if (used >= sizeof(list))
			break;
	}
	if (!used)
		return 0;
	for (char *c = list; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return hv_err_set(err, ENOENT, "%s: cannot apply %s: %s %s%s", tree->label, overlay->label,
			  symbols < 0 ? "it has no labels (compile it with dtc -@); needed are"
				      : "it has no label",
			  list, used >= sizeof(list) ? "…" : "");
}

int hv_fdt_overlay(struct hv_fdt *tree, const struct hv_fdt *overlay, struct hv_err *err)
{
	struct overlay o = { .tree = overlay };
	int rc, fdt_rc = 0;

	rc = missing_labels(tree, overlay, err);
	if (rc)
		return rc;
	o.scratch = malloc(overlay->size);
	if (!o.scratch)
		return hv_err_nomem(err);
	rc = change(tree, overlay->size, apply_overlay, &o, &fdt_rc, err);
	free(o.scratch);
	if (fdt_rc)
		return hv_err_set(
			err, EINVAL, "%s: cannot apply %s: %s%s", tree->label, overlay->label,
			fdt_strerror(fdt_rc),
			fdt_rc == -FDT_ERR_NOTFOUND ? " (a target of it is not in the tree)" : "");
	return rc;
}
