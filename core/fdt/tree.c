// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/opener.h"

/* The header, in words: what fdt_check_full only has numbers for. */
static int check_header(const void *blob, size_t size, struct hv_err *err)
{
	const unsigned char *bytes = blob;
	uint32_t total;

	if (size < FDT_V17_SIZE)
		return hv_err_set(err, EINVAL,
				  "not a device tree: %zu bytes, the header alone has %zu", size,
				  (size_t)FDT_V17_SIZE);
	if (fdt_magic(blob) != FDT_MAGIC)
		return hv_err_set(
			err, EINVAL,
			"not a device tree blob: it starts with %02x %02x %02x %02x, not with "
			"d0 0d fe ed (a .dts source must be compiled with dtc first)",
			bytes[0], bytes[1], bytes[2], bytes[3]);
	total = fdt_totalsize(blob);
	if (total > size)
		return hv_err_set(
			err, EINVAL,
			"truncated device tree: its header (offset 4) says %u bytes, there are %zu",
			total, size);
	if (fdt_version(blob) < 16 || fdt_last_comp_version(blob) > FDT_LAST_SUPPORTED_VERSION)
		return hv_err_set(
			err, EINVAL,
			"device tree format version %u (offset 20) is not supported: only 16 and "
			"17 are; convert it with dtc -I dtb -O dtb",
			fdt_version(blob));
	if (total < FDT_V17_SIZE || fdt_off_dt_struct(blob) % 4 != 0 || fdt_check_header(blob) != 0)
		return hv_err_set(
			err, EINVAL,
			"broken device tree header: the blocks at offsets %#x (structure), %#x "
			"(strings) and %#x (reservations) do not fit in its %u bytes",
			fdt_off_dt_struct(blob), fdt_off_dt_strings(blob), fdt_off_mem_rsvmap(blob),
			total);
	if (fdt_num_mem_rsv(blob) < 0)
		return hv_err_set(
			err, EINVAL,
			"broken device tree: the memory reservations at offset %#x do not end",
			fdt_off_mem_rsvmap(blob));
	return 0;
}

static int check_and_index(struct hv_fdt *tree, struct hv_err *err)
{
	int rc = fdt_index_build(tree, err);
	int full;

	if (rc)
		return rc;
	full = fdt_check_full(tree->blob, tree->size);
	if (full)
		return hv_err_set(err, EINVAL, "broken device tree: %s", fdt_strerror(full));
	return 0;
}

int hv_fdt_open(const void *blob, size_t size, const char *label, struct hv_fdt **out,
		struct hv_err *err)
{
	/* libfdt wants the blob 8-aligned, also to look at its header. */
	uint64_t header[FDT_V17_SIZE / 8] = { 0 };
	struct hv_fdt *tree;
	int rc;

	if (!label)
		label = "device tree";
	tree = calloc(1, sizeof(*tree));
	if (!tree)
		return hv_err_nomem(err);
	tree->label = strdup(label);
	if (!tree->label) {
		rc = hv_err_nomem(err);
		goto fail;
	}
	if (size)
		memcpy(header, blob, size < sizeof(header) ? size : sizeof(header));
	if (size >= sizeof(header) && fdt_magic(header) == FDT_MAGIC &&
	    fdt_totalsize(header) < size)
		size = fdt_totalsize(header);
	if (size > FDT_BLOB_MAX) {
		rc = hv_err_set(err, EFBIG,
				"%zu bytes are too many for a device tree: the limit is %zu", size,
				FDT_BLOB_MAX);
		goto fail;
	}
	tree->blob = malloc(size ? size : 1);
	if (!tree->blob) {
		rc = hv_err_nomem(err);
		goto fail;
	}
	if (size)
		memcpy(tree->blob, blob, size);
	tree->size = size;
	rc = check_header(tree->blob, size, err);
	if (!rc)
		rc = check_and_index(tree, err);
	if (rc)
		goto fail;
	*out = tree;
	return 0;

fail:
	hv_fdt_close(tree);
	if (err)
		hv_err_prefix(err, "%s: ", label);
	return rc;
}

static int read_all(int fd, void *bytes, size_t size, const char *path, struct hv_err *err)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = pread(fd, (char *)bytes + got, size - got, (off_t)got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hv_err_sys(err, errno, "%s: cannot read", path);
		if (n == 0)
			return hv_err_set(err, EIO, "%s: became shorter while it was read", path);
		got += (size_t)n;
	}
	return 0;
}

int hv_fdt_open_file(const char *path, struct hv_fdt **tree, struct hv_err *err)
{
	struct stat st;
	void *bytes = NULL;
	int fd, rc;

	/* Without O_NONBLOCK a FIFO would wait for its writer. */
	fd = hv_opener_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
	if (fd < 0)
		return hv_err_sys(err, errno, "%s: cannot open", path);
	if (fstat(fd, &st) < 0) {
		rc = hv_err_sys(err, errno, "%s: cannot stat", path);
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = hv_err_set(err, EINVAL, "%s: not a regular file, which a device tree must be",
				path);
		goto out;
	}
	if ((uint64_t)st.st_size > FDT_BLOB_MAX) {
		rc = hv_err_set(err, EFBIG,
				"%s: %lld bytes are too many for a device tree: the limit is %zu",
				path, (long long)st.st_size, FDT_BLOB_MAX);
		goto out;
	}
	bytes = malloc(st.st_size ? (size_t)st.st_size : 1);
	if (!bytes) {
		rc = hv_err_nomem(err);
		goto out;
	}
	rc = read_all(fd, bytes, (size_t)st.st_size, path, err);
	if (!rc)
		rc = hv_fdt_open(bytes, (size_t)st.st_size, path, tree, err);
out:
	free(bytes);
	close(fd);
	return rc;
}

void hv_fdt_close(struct hv_fdt *tree)
{
	if (!tree)
		return;
	free(tree->blob);
	free(tree->label);
	free(tree->nodes);
	free(tree->phandles);
	free(tree);
}

const void *hv_fdt_blob(const struct hv_fdt *tree, size_t *size)
{
	*size = tree->size;
	return tree->blob;
}

const char *hv_fdt_label(const struct hv_fdt *tree)
{
	return tree->label;
}

const char *hv_fdt_path(const struct hv_fdt *tree, int node, char *out, size_t cap)
{
	int index = fdt_index_of(tree, node);

	if (index >= 0)
		return fdt_index_path(tree, index, out, cap);
	if (cap)
		out[0] = '\0';
	return out;
}

int fdt_err_place(const struct hv_fdt *tree, int index, int rc, struct hv_err *err)
{
	char path[FDT_PATH_TEXT];

	if (rc < 0 && err)
		hv_err_prefix(err, "%s: %s: ", tree->label,
			      fdt_index_path(tree, index, path, sizeof(path)));
	return rc;
}

bool hv_fdt_enabled(const struct hv_fdt *tree, int node)
{
	int index = fdt_index_of(tree, node);

	return index >= 0 && tree->nodes[index].enabled;
}

int hv_fdt_each(const struct hv_fdt *tree, hv_fdt_node_fn *f, void *arg)
{
	int rc = 0;

	for (int i = 0; i < tree->n_nodes && rc == 0; i++)
		rc = f(tree, tree->nodes[i].offset, arg);
	return rc;
}

int hv_fdt_each_compatible(const struct hv_fdt *tree, const char *compatible, hv_fdt_node_fn *f,
			   void *arg)
{
	int rc = 0;

	for (int i = 0; i < tree->n_nodes && rc == 0; i++)
		if (tree->nodes[i].enabled && fdt_index_compatible(tree, i, compatible))
			rc = f(tree, tree->nodes[i].offset, arg);
	return rc;
}
