// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "virtio/state_priv.h"

int state_make_dir(const char *dir, struct hv_err *err)
{
	struct stat st;

	hv_file_make_parent(dir);
	if (mkdir(dir, 0700) && errno != EEXIST)
		return hv_err_sys(err, errno, "making %s, where the devices' state is kept", dir);
	if (lstat(dir, &st))
		return hv_err_sys(err, errno, "looking at %s", dir);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return hv_err_set(err, EPERM,
				  "%s: must be a folder of the user who runs this, writable by "
				  "nobody else (chown, chmod 700)",
				  dir);
	return 0;
}

static int map_file(int fd, size_t size, void **at, const char *path, struct hv_err *err)
{
	*at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return *at == MAP_FAILED ? hv_err_sys(err, errno, "mapping %s", path) : 0;
}

/* Under another name until it is whole. Room is taken now: a full file system later is a signal. */
int state_make_file(const char *path, size_t size, void **at, struct hv_err *err)
{
	char part[PATH_MAX + 4];
	int fd, rc;

	snprintf(part, sizeof(part), "%s.new", path);
	fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return hv_err_sys(err, errno, "making %s", part);
	rc = posix_fallocate(fd, 0, (off_t)size);
	rc = rc ? hv_err_sys(err, rc, "making room for %s", part)
		: map_file(fd, size, at, part, err);
	close(fd);
	if (rc)
		unlink(part);
	return rc;
}

int state_place_file(const char *path, struct hv_err *err)
{
	char part[PATH_MAX + 4];

	snprintf(part, sizeof(part), "%s.new", path);
	return rename(part, path) ? hv_err_sys(err, errno, "making %s", path) : 0;
}

int state_open_file(const char *path, size_t *size, size_t more, void **at, struct hv_err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int rc;

	if (fd < 0)
		return hv_err_sys(err, errno, "opening %s", path);
	if (fstat(fd, &st))
		rc = hv_err_sys(err, errno, "looking at %s", path);
	else if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size < *size ||
		 (uint64_t)st.st_size > *size + more)
		rc = hv_err_set(err, EBADMSG,
				"%s: it is damaged, or of another version of hvsh (%lld bytes "
				"instead of %zu)",
				path, (long long)st.st_size, *size);
	else
		rc = map_file(fd, *size = (size_t)st.st_size, at, path, err);
	close(fd);
	return rc;
}
