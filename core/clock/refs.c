// SPDX-License-Identifier: GPL-2.0-or-later
#include "clock/refs.h"

#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#define PATH_TEXT 256

static const struct {
	const char *list, *names, *cells;
} properties[HV_LENT_KINDS] = {
	[HV_LENT_CLOCK] = { "clocks", "clock-names", "#clock-cells" },
	[HV_LENT_RESET] = { "resets", "reset-names", "#reset-cells" },
	[HV_LENT_POWER] = { "power-domains", "power-domain-names", "#power-domain-cells" },
};

static const void *blob_of(const struct hv_fdt *tree)
{
	size_t size;

	return hv_fdt_blob(tree, &size);
}

static int malformed(const struct hv_fdt *tree, int node, const char *property, unsigned int i,
		     const char *why, struct hv_err *err)
{
	char path[PATH_TEXT];

	return hv_err_set(err, EINVAL, "%s: %s: %s, entry %u: %s", hv_fdt_label(tree),
			  hv_fdt_path(tree, node, path, sizeof(path)), property, i, why);
}

void hv_clock_refs_begin(struct hv_clock_refs *it, const struct hv_fdt *tree, int node,
			 enum hv_lent kind)
{
	int len;

	*it = (struct hv_clock_refs){ .tree = tree, .node = node, .kind = kind, .provider = -1 };
	it->cells = fdt_getprop(blob_of(tree), node, properties[kind].list, &len);
	it->bytes = it->cells && len > 0 ? (unsigned int)len : 0;
}

static int find_provider(struct hv_clock_refs *it, uint32_t phandle, struct hv_err *err)
{
	const char *property = properties[it->kind].list;
	const void *blob = blob_of(it->tree);
	const fdt32_t *count;
	int len;

	/* Mostly the same provider again: looking one up costs a walk of the blob. */
	if (phandle == it->phandle && it->provider >= 0)
		return 0;
	it->phandle = phandle;
	it->provider = -1;
	it->n_cells = 0;
	if (!phandle)
		return 0;
	it->provider = fdt_node_offset_by_phandle(blob, phandle);
	if (it->provider < 0)
		return malformed(it->tree, it->node, property, it->index,
				 "no node has this phandle", err);
	count = fdt_getprop(blob, it->provider, properties[it->kind].cells, &len);
	if (!count || len != 4 || fdt32_ld(count) > HV_CLOCK_CELLS)
		return malformed(it->tree, it->node, property, it->index,
				 "its provider has no valid cell count", err);
	it->n_cells = fdt32_ld(count);
	return 0;
}

int hv_clock_refs_next(struct hv_clock_refs *it, struct hv_clock_ref *ref, struct hv_err *err)
{
	const fdt32_t *cells = it->cells;
	unsigned int n = it->bytes / 4;
	int len, rc;

	if (it->bytes % 4)
		return malformed(it->tree, it->node, properties[it->kind].list, it->index,
				 "the list's length is no multiple of 4", err);
	if (it->at >= n || it->index == HV_CLOCK_REFS_MAX)
		return 0;
	rc = find_provider(it, fdt32_ld(&cells[it->at]), err);
	if (rc < 0)
		return rc;
	if (it->n_cells > n - it->at - 1)
		return malformed(it->tree, it->node, properties[it->kind].list, it->index,
				 "it ends too early", err);
	*ref = (struct hv_clock_ref){ .provider = it->provider,
				      .phandle = it->phandle,
				      .n_cells = it->n_cells };
	for (unsigned int i = 0; i < it->n_cells; i++)
		ref->cells[i] = fdt32_ld(&cells[it->at + 1 + i]);
	ref->name = fdt_stringlist_get(blob_of(it->tree), it->node, properties[it->kind].names,
				       (int)it->index, &len);
	it->at += 1 + it->n_cells;
	it->index++;
	return 1;
}

static int read_entry(const struct hv_fdt *tree, int node, enum hv_lent kind, unsigned int i,
		      struct hv_clock_ref *ref, struct hv_err *err)
{
	struct hv_clock_refs it;
	char path[PATH_TEXT];
	int rc;

	hv_clock_refs_begin(&it, tree, node, kind);
	do
		rc = hv_clock_refs_next(&it, ref, err);
	while (rc > 0 && it.index <= i);
	if (rc)
		return rc < 0 ? rc : 0;
	return hv_err_set(err, ENOENT, "%s: %s has no entry %u in %s", hv_fdt_label(tree),
			  hv_fdt_path(tree, node, path, sizeof(path)), i, properties[kind].list);
}

static int get_symbol(const struct hv_fdt *tree, const char *label)
{
	const void *blob = blob_of(tree);
	int symbols = fdt_path_offset(blob, "/__symbols__"), len;
	const char *path = symbols < 0 ? NULL : fdt_getprop(blob, symbols, label, &len);

	if (!path || len < 2 || path[len - 1])
		return -FDT_ERR_NOTFOUND;
	return fdt_path_offset(blob, path);
}

int hv_clock_ref_node(const struct hv_fdt *tree, const char *path, int *node, struct hv_err *err)
{
	int at = *path == '&' ? get_symbol(tree, path + 1) : fdt_path_offset(blob_of(tree), path);

	if (at >= 0) {
		*node = at;
		return 0;
	}
	if (*path == '&')
		return hv_err_set(
			err, ENOENT,
			"%s: no node has the label %s (labels are in a tree compiled with "
			"-@ only; its path works always)",
			hv_fdt_label(tree), path + 1);
	return hv_err_set(err, ENOENT, "%s: there is no node %s", hv_fdt_label(tree), path);
}

int hv_clock_ref_lender(const struct hv_fdt *tree, int *node, struct hv_err *err)
{
	*node = fdt_path_offset(blob_of(tree), "/hvisor_virtio_device");
	if (*node >= 0)
		return 0;
	return hv_err_set(err, ENOENT, "%s has no node /hvisor_virtio_device: zone0 lends nothing",
			  hv_fdt_label(tree));
}

int hv_clock_ref_lent(const struct hv_fdt *tree, enum hv_lent kind, const struct hv_clock_ref *ref,
		      uint32_t *id, struct hv_err *err)
{
	struct hv_clock_refs it;
	struct hv_clock_ref lent;
	int lender, rc = hv_clock_ref_lender(tree, &lender, err);

	if (rc < 0)
		return rc;
	hv_clock_refs_begin(&it, tree, lender, kind);
	while ((rc = hv_clock_refs_next(&it, &lent, err)) > 0)
		if (lent.phandle == ref->phandle && lent.n_cells == ref->n_cells &&
		    !memcmp(lent.cells, ref->cells, ref->n_cells * sizeof(ref->cells[0]))) {
			*id = it.index - 1;
			return 0;
		}
	if (rc < 0)
		return rc;
	return hv_err_set(err, ENOENT,
			  "%s: this %s is not among the %s of /hvisor_virtio_device, so it is not "
			  "lent; add it there",
			  hv_fdt_label(tree), hv_lent_name(kind), properties[kind].list);
}

bool hv_clock_ref_is(const char *text)
{
	return *text == '/' || *text == '&';
}

static int find_entry(const struct hv_fdt *tree, int node, enum hv_lent kind, const char *entry,
		      struct hv_clock_ref *ref, struct hv_err *err)
{
	char *end, path[PATH_TEXT];
	unsigned long number = strtoul(entry, &end, 10);
	int i;

	if (end != entry && !*end && number < HV_CLOCK_REFS_MAX)
		return read_entry(tree, node, kind, (unsigned int)number, ref, err);
	i = fdt_stringlist_search(blob_of(tree), node, properties[kind].names, entry);
	if (i < 0)
		return hv_err_set(err, ENOENT, "%s: %s has no \"%s\" in %s", hv_fdt_label(tree),
				  hv_fdt_path(tree, node, path, sizeof(path)), entry,
				  properties[kind].names);
	return read_entry(tree, node, kind, (unsigned int)i, ref, err);
}

int hv_clock_ref_id(const struct hv_fdt *tree, enum hv_lent kind, const char *text, uint32_t *id,
		    struct hv_err *err)
{
	struct hv_clock_ref ref;
	const char *entry = strrchr(text, ':');
	char path[PATH_TEXT];
	size_t len;
	int node, rc;

	/* A ':' before the last '/' belongs to a node's name. */
	if (entry && strchr(entry, '/'))
		entry = NULL;
	len = entry ? (size_t)(entry - text) : strlen(text);
	if (len >= sizeof(path))
		return hv_err_set(err, EINVAL, "the reference %.40s… is too long", text);
	memcpy(path, text, len);
	path[len] = '\0';
	rc = hv_clock_ref_node(tree, path, &node, err);
	if (rc == 0)
		rc = find_entry(tree, node, kind, entry ? entry + 1 : "0", &ref, err);
	if (rc == 0 && !ref.phandle)
		rc = hv_err_set(err, ENOENT, "%s: %s is an empty slot", hv_fdt_label(tree), text);
	if (rc == 0)
		rc = hv_clock_ref_lent(tree, kind, &ref, id, err);
	return rc < 0 ? rc : 0;
}
