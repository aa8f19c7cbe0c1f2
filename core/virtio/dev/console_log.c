// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/console_log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/opener.h"

static int open_file(const char *path, int *out, uint64_t *size, struct hv_err *err)
{
	/* A FIFO without a reader would keep us here. */
	int fd = hv_opener_open(
		path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640);
	struct stat st;
	int rc;

	if (fd < 0)
		return hv_err_sys(err, errno, "cannot open its log '%s'", path);
	if (fstat(fd, &st) < 0)
		rc = hv_err_sys(err, errno, "cannot look at its log '%s'", path);
	else if (!S_ISREG(st.st_mode))
		rc = hv_err_set(err, EINVAL, "its log '%s' is not a regular file", path);
	else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		rc = errno == EWOULDBLOCK
			     ? hv_err_set(err, EBUSY,
					  "its log '%s' is the log of another console; "
					  "each needs a file of its own",
					  path)
			     : hv_err_sys(err, errno, "cannot lock its log '%s'", path);
	else
		rc = 0;
	if (rc) {
		close(fd);
		return rc;
	}
	*out = fd;
	*size = (uint64_t)st.st_size;
	return 0;
}

int hv_console_log_open(struct hv_console_log *log, const char *path, uint64_t max,
			unsigned int keep, struct hv_err *err)
{
	int rc = open_file(path, &log->fd, &log->size, err);

	if (rc)
		return rc;
	log->path = strdup(path);
	if (!log->path) {
		close(log->fd);
		return hv_err_nomem(err);
	}
	log->max = log->full_at = max;
	log->keep = keep;
	log->missing = 0;
	return 0;
}

void hv_console_log_close(struct hv_console_log *log)
{
	if (!log->path)
		return;
	close(log->fd);
	free(log->path);
	log->path = NULL;
}

static int number(const struct hv_console_log *log, unsigned int n, char out[PATH_MAX])
{
	int len = n ? snprintf(out, PATH_MAX, "%s.%u", log->path, n)
		    : snprintf(out, PATH_MAX, "%s", log->path);

	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* path.n-1 becomes path.n, …, path becomes path.1. */
static int shift(const struct hv_console_log *log, struct hv_err *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned int n = log->keep; n; n--) {
		if (number(log, n, to) || number(log, n - 1, from))
			return hv_err_sys(err, ENAMETOOLONG, "cannot rename its log '%s'",
					  log->path);
		if (hv_opener_rename(from, to) < 0 && errno != ENOENT)
			return hv_err_sys(err, errno, "cannot rename its log '%s' to '%s'", from,
					  to);
	}
	return 0;
}

static int rotate(struct hv_console_log *log, struct hv_err *err)
{
	uint64_t size;
	int fd, rc;

	if (!log->keep) {
		if (ftruncate(log->fd, 0) < 0)
			return hv_err_sys(err, errno, "cannot empty its log '%s'", log->path);
		log->size = 0;
		log->full_at = log->max;
		return 0;
	}
	rc = shift(log, err);
	if (rc)
		return rc;
	rc = open_file(log->path, &fd, &size, err);
	if (rc)
		return rc;
	close(log->fd);
	log->fd = fd;
	log->size = size;
	log->full_at = log->max;
	return 0;
}

int hv_console_log_write(struct hv_console_log *log, const void *bytes, size_t len,
			 struct hv_err *err)
{
	const char *at = bytes;
	int problem = 0;

	while (len) {
		size_t part = len;
		ssize_t n;

		if (log->max && log->size >= log->full_at) {
			int rc = rotate(log, err);

			/* Better a file too large than output lost; later once more. */
			if (rc) {
				log->full_at = log->size + log->max;
				problem = log->stuck ? 0 : rc;
			}
			log->stuck = rc;
		}
		if (log->max && part > log->full_at - log->size)
			part = (size_t)(log->full_at - log->size);
		n = write(log->fd, at, part);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log->missing += len;
			return hv_err_sys(err, n ? errno : EIO, "cannot write its log '%s'",
					  log->path);
		}
		at += n;
		len -= (size_t)n;
		log->size += (uint64_t)n;
	}
	return problem;
}
