// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fdt/fdt_priv.h"
#include "fdt/write.h"

/* The tree of the running kernel: the blob it was given, or its nodes as folders and files. */

struct names {
	char **at;
	size_t n, cap;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->at[i]);
	free(names->at);
}

/* The entries of a folder in a fixed order. */
static int list(int fd, struct names *names, struct hv_err *err)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	struct dirent *entry;

	if (!dir) {
		if (again >= 0)
			close(again);
		return hv_err_sys(err, errno, "cannot list");
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (names->n == names->cap) {
			size_t cap = names->cap ? names->cap * 2 : 32;
			char **at = reallocarray(names->at, cap, sizeof(*at));

			if (!at)
				break;
			names->at = at;
			names->cap = cap;
		}
		names->at[names->n] = strdup(entry->d_name);
		if (!names->at[names->n])
			break;
		names->n++;
	}
	closedir(dir);
	if (entry)
		return hv_err_nomem(err);
	if (names->n)
		qsort(names->at, names->n, sizeof(*names->at), by_text);
	return 0;
}

static int add_property(struct fdt_write *w, int fd, const char *name, struct hv_err *err)
{
	struct stat st;
	size_t got = 0, cap;
	ssize_t n = 1;
	char *bytes = NULL;
	int rc = 0;

	if (fstat(fd, &st) < 0)
		return hv_err_sys(err, errno, "%s", name);
	cap = st.st_size > 0 && (uint64_t)st.st_size < FDT_BLOB_MAX ? (size_t)st.st_size : 4096;
	bytes = malloc(cap);
	while (bytes && got < cap && (n = read(fd, bytes + got, cap - got)) > 0)
		got += (size_t)n;
	if (!bytes)
		rc = hv_err_nomem(err);
	else if (n < 0)
		rc = hv_err_sys(err, errno, "%s", name);
	else
		fdt_write_prop(w, name, bytes, got);
	free(bytes);
	return rc;
}

/* The properties of a folder, then the folders in it. */
static int add_folder(struct fdt_write *w, int fd, int depth, struct hv_err *err)
{
	struct names names = { 0 };
	struct stat st;
	int rc, child;

	if (depth == FDT_DEPTH_MAX)
		return hv_err_set(err, EINVAL, "nested deeper than %d levels", FDT_DEPTH_MAX);
	rc = list(fd, &names, err);
	for (int folders = 0; folders < 2; folders++)
		for (size_t i = 0; i < names.n && !rc; i++) {
			const char *name = names.at[i];

			if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
				rc = hv_err_sys(err, errno, "%s", name);
			/* Each node's own name, which the kernel adds. */
			if (rc || S_ISDIR(st.st_mode) != folders ||
			    (!folders && (!S_ISREG(st.st_mode) || strcmp(name, "name") == 0)))
				continue;
			child = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
			if (child < 0) {
				/* A property that only root may read. */
				if (errno != EACCES || folders)
					rc = hv_err_sys(err, errno, "%s", name);
				continue;
			}
			if (folders) {
				fdt_write_node(w, "%s", name);
				rc = add_folder(w, child, depth + 1, err);
				fdt_write_end(w);
			} else {
				rc = add_property(w, child, name, err);
			}
			close(child);
		}
	free_names(&names);
	return rc;
}

int hv_fdt_open_folder(const char *path, struct hv_fdt **tree, struct hv_err *err)
{
	struct fdt_write w;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return hv_err_sys(err, errno, "%s: cannot open", path);
	fdt_write_begin(&w);
	rc = add_folder(&w, fd, 0, err);
	close(fd);
	if (rc) {
		fdt_write_free(&w);
		if (err)
			hv_err_prefix(err, "%s: ", path);
		return rc;
	}
	return fdt_write_finish(&w, path, tree, err);
}

int hv_fdt_open_running(struct hv_fdt **tree, struct hv_err *err)
{
	static const char blob[] = "/sys/firmware/fdt", folder[] = "/proc/device-tree";

	if (access(blob, R_OK) == 0)
		return hv_fdt_open_file(blob, tree, err);
	if (access(folder, R_OK) == 0)
		return hv_fdt_open_folder(folder, tree, err);
	return hv_err_set(err, ENOENT,
			  "this machine has no device tree: neither %s nor %s is there", blob,
			  folder);
}
