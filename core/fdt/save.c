// SPDX-License-Identifier: GPL-2.0-or-later
#include "fdt/fdt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* A device or a pipe is written as it is: a rename would put a file in its place. */
static int write_through(const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = hv_file_write_all(fd, bytes, size);
	if (close(fd) < 0 && !rc)
		rc = -errno;
	return rc;
}

/* mode 0 = as the process creates files. */
static int write_beside(const char *path, const void *bytes, size_t size, mode_t mode)
{
	uint32_t suffix;
	char *name;
	int fd, rc;

	if (getrandom(&suffix, sizeof(suffix), 0) < 0)
		return -errno;
	if (asprintf(&name, "%s.%08x", path, suffix) < 0)
		return -ENOMEM;
	fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		rc = -errno;
		free(name);
		return rc;
	}
	rc = hv_file_write_all(fd, bytes, size);
	if (!rc && mode && fchmod(fd, mode) < 0)
		rc = -errno;
	if (!rc && fsync(fd) < 0)
		rc = -errno;
	if (close(fd) < 0 && !rc)
		rc = -errno;
	if (!rc && rename(name, path) < 0)
		rc = -errno;
	if (rc)
		unlink(name);
	free(name);
	return rc;
}

int hv_fdt_save(const struct hv_fdt *tree, const char *path, struct hv_err *err)
{
	char *real = realpath(path, NULL);
	const char *target = real ? real : path;
	struct stat st;
	const void *bytes;
	size_t size;
	int rc;

	bytes = hv_fdt_blob(tree, &size);
	if (stat(target, &st) < 0)
		rc = write_beside(target, bytes, size, 0);
	else if (S_ISREG(st.st_mode))
		rc = write_beside(target, bytes, size, st.st_mode & 07777);
	else
		rc = write_through(target, bytes, size);
	free(real);
	return rc ? hv_err_sys(err, -rc, "%s: cannot be written", path) : 0;
}
