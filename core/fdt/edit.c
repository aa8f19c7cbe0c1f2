// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One property of /chosen to be set. */
struct setting {
	const char *name;
	const void *value;
	int len;
};

static int apply(void *blob, const struct setting *settings, int n)
{
	int node = fdt_path_offset(blob, "/chosen");
	int rc;

	if (node == -FDT_ERR_NOTFOUND)
		node = fdt_add_subnode(blob, 0, "chosen");
	if (node < 0)
		return node;
	for (int i = 0; i < n; i++) {
		rc = fdt_setprop(blob, node, settings[i].name, settings[i].value, settings[i].len);
		if (rc)
			return rc;
	}
	return 0;
}

/* Works on a copy, larger where that is needed, so that a failed change leaves the tree as it was.
 */
static int edit_chosen(struct hv_fdt *tree, const struct setting *settings, int n,
		       struct hv_err *err)
{
	/* A new node, and per property its header, its name and its padded value. */
	size_t need = 64;
	struct hv_fdt changed = { .label = tree->label };
	int rc;

	for (int i = 0; i < n; i++)
		need += 32 + strlen(settings[i].name) + (size_t)settings[i].len;
	need = (need + 7) & ~(size_t)7;
	changed.size = tree->size;
	for (;;) {
		if (changed.size > FDT_BLOB_MAX) {
			rc = hv_err_set(err, EFBIG, "the device tree would grow over %zu bytes",
					FDT_BLOB_MAX);
			goto fail;
		}
		free(changed.blob);
		/* Zeroed: the slack goes into the guest's memory as well. */
		changed.blob = calloc(1, changed.size);
		if (!changed.blob) {
			rc = hv_err_nomem(err);
			goto fail;
		}
		rc = fdt_open_into(tree->blob, changed.blob, (int)changed.size);
		if (!rc)
			rc = apply(changed.blob, settings, n);
		if (rc != -FDT_ERR_NOSPACE || changed.size >= tree->size + 2 * need)
			break;
		changed.size += need;
	}
	if (rc) {
		rc = hv_err_set(err, EINVAL, "cannot change /chosen: %s", fdt_strerror(rc));
		goto fail;
	}
	rc = fdt_index_build(&changed, err);
	if (rc)
		goto fail;
	free(tree->blob);
	free(tree->nodes);
	free(tree->phandles);
	*tree = changed;
	return 0;

fail:
	free(changed.blob);
	free(changed.nodes);
	free(changed.phandles);
	if (err)
		hv_err_prefix(err, "%s: ", tree->label);
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
