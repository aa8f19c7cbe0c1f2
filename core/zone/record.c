// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "zone/record_codec.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

struct hv_records {
	char *dir; /* NULL: in memory */
	uint64_t boot_id[2];
	uint32_t reported; /* bit per zone whose damaged file was spoken of */
	struct hv_record *memory[HV_MAX_ZONES];
};

static int read_boot_id(uint64_t id[2], struct hv_err *err)
{
	char text[64] = "";
	int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
	size_t digits = 0;
	ssize_t n;

	if (fd < 0)
		return hv_err_sys(err, errno, "cannot read %s", BOOT_ID_PATH);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	id[0] = id[1] = 0;
	for (ssize_t i = 0; i < n && digits < 32; i++) {
		const char *hex = "0123456789abcdef";
		const char *at = text[i] ? strchr(hex, text[i] | 0x20) : NULL;

		if (!at)
			continue;
		id[digits / 16] = id[digits / 16] << 4 | (uint64_t)(at - hex);
		digits++;
	}
	if (digits < 32)
		return hv_err_set(err, EIO, "%s holds no boot id", BOOT_ID_PATH);
	return 0;
}

/* 0 or -EPERM: only what this user alone can change is believed. */
static int trusted(const struct stat *st, const char *path, const char *what, struct hv_err *err)
{
	if (st->st_uid != geteuid())
		return hv_err_set(err, EPERM, "%s: the %s belongs to user %u, not to user %u", path,
				  what, (unsigned int)st->st_uid, (unsigned int)geteuid());
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return hv_err_set(
			err, EPERM,
			"%s: the %s is writable by others (mode %04o); chmod go-w makes it right",
			path, what, (unsigned int)(st->st_mode & 07777));
	return 0;
}

/* An fd of the folder, -ENOENT while it does not exist. */
static int open_dir(const struct hv_records *records, struct hv_err *err)
{
	int fd = open(records->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int ret;

	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return hv_err_set(err, EPERM, "%s is no folder (symlinks are not followed)",
				  records->dir);
	if (fd < 0)
		return hv_err_sys(err, errno, "cannot open %s", records->dir);
	if (fstat(fd, &st))
		ret = hv_err_sys(err, errno, "cannot look at %s", records->dir);
	else
		ret = trusted(&st, records->dir, "folder", err);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static int make_dir(const struct hv_records *records, struct hv_err *err)
{
	char parent[PATH_MAX];
	char *slash;

	if (snprintf(parent, sizeof(parent), "%s", records->dir) >= (int)sizeof(parent))
		return hv_err_sys(err, ENAMETOOLONG, "cannot make the folder for records");
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		if (mkdir(parent, 0755) && errno != EEXIST)
			return hv_err_sys(err, errno, "cannot make %s", parent);
	}
	if (mkdir(records->dir, 0700) && errno != EEXIST)
		return hv_err_sys(err, errno, "cannot make %s", records->dir);
	return 0;
}

int hv_records_open(const char *dir, struct hv_records **out, struct hv_err *err)
{
	struct hv_records *records = calloc(1, sizeof(*records));
	struct hv_err missing;
	int ret;

	if (!records)
		return hv_err_nomem(err);
	if (!dir) {
		*out = records;
		return 0;
	}
	ret = read_boot_id(records->boot_id, err);
	if (ret)
		goto fail;
	ret = -ENOMEM;
	records->dir = strdup(dir);
	if (!records->dir) {
		hv_err_nomem(err);
		goto fail;
	}
	ret = open_dir(records, &missing);
	if (ret >= 0) {
		close(ret);
	} else if (ret != -ENOENT) {
		hv_err_set(err, missing.code, "%s", missing.msg);
		goto fail;
	}
	*out = records;
	return 0;
fail:
	hv_records_close(records);
	return ret;
}

void hv_records_close(struct hv_records *records)
{
	if (!records)
		return;
	for (size_t i = 0; i < HV_MAX_ZONES; i++)
		free(records->memory[i]);
	free(records->dir);
	free(records);
}

static void file_name(uint32_t id, char out[32])
{
	snprintf(out, 32, "zone%" PRIu32, id);
}

/* Whole or not at all: a reader sees the old file or the new one, also after a power cut. */
static int replace_file(int dir, const char *path, const char *name, const void *bytes, size_t size,
			struct hv_err *err)
{
	char temp[48];
	int fd, ret;

	snprintf(temp, sizeof(temp), ".%s.new", name);
	/* The lock makes the fixed name ours; what is there is left from a crash. */
	if (flock(dir, LOCK_EX))
		return hv_err_sys(err, errno, "cannot lock %s", path);
	if (unlinkat(dir, temp, 0) && errno != ENOENT)
		return hv_err_sys(err, errno, "cannot remove %s/%s", path, temp);
	fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return hv_err_sys(err, errno, "cannot make %s/%s", path, temp);
	ret = hv_file_write_all(fd, bytes, size);
	if (!ret && fsync(fd))
		ret = -errno;
	if (close(fd) && !ret)
		ret = -errno;
	if (!ret && renameat(dir, temp, dir, name))
		ret = -errno;
	if (ret) {
		unlinkat(dir, temp, 0);
		return hv_err_sys(err, -ret, "cannot write %s/%s", path, name);
	}
	if (fsync(dir))
		return hv_err_sys(err, errno, "cannot write %s", path);
	return 0;
}

static int put_memory(struct hv_records *records, const struct hv_record *record,
		      struct hv_err *err)
{
	struct hv_record **slot = &records->memory[record->config.id];

	if (!*slot)
		*slot = malloc(sizeof(**slot));
	if (!*slot)
		return hv_err_nomem(err);
	**slot = *record;
	return 0;
}

int hv_records_put(struct hv_records *records, const struct hv_record *record, struct hv_err *err)
{
	struct hv_record *mine;
	uint8_t *bytes;
	char name[32];
	size_t size;
	int dir = -1, ret;

	mine = malloc(sizeof(*mine));
	bytes = malloc(HV_RECORD_BYTES_MAX);
	if (!mine || !bytes) {
		ret = hv_err_nomem(err);
		goto out;
	}
	*mine = *record;
	memcpy(mine->boot_id, records->boot_id, sizeof(mine->boot_id));
	/* In memory, too: what cannot be written is refused the same way. */
	ret = hv_record_encode(mine, bytes, HV_RECORD_BYTES_MAX, &size, err);
	if (ret)
		goto out;
	if (!records->dir) {
		ret = put_memory(records, mine, err);
		goto out;
	}
	ret = make_dir(records, err);
	if (ret)
		goto out;
	ret = dir = open_dir(records, err);
	if (dir < 0)
		goto out;
	file_name(mine->config.id, name);
	ret = replace_file(dir, records->dir, name, bytes, size, err);
	if (!ret)
		records->reported &= ~(1u << mine->config.id);
out:
	if (dir >= 0)
		close(dir);
	free(bytes);
	free(mine);
	return ret;
}

/* Says once that a file is not believed, and makes it "there is none". */
static int not_believed(struct hv_records *records, uint32_t id, const struct hv_err *why,
			struct hv_err *err)
{
	if (!(records->reported & 1u << id))
		hv_log_warn("the record of zone %" PRIu32 " is ignored: %s", id, why->msg);
	records->reported |= 1u << id;
	return hv_err_set(err, ENOENT, "no usable record of zone %" PRIu32 ": %s", id, why->msg);
}

/* How many bytes the file has; more than cap means too many. */
static ssize_t read_all(int fd, uint8_t *bytes, size_t cap)
{
	size_t size = 0;

	while (size < cap) {
		ssize_t n = read(fd, bytes + size, cap - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		size += (size_t)n;
	}
	return (ssize_t)size;
}

/* What this process lacks for a moment says nothing about a file. */
static bool is_passing(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR;
}

/* -ENOENT: there is no file. -EINVAL, -EPERM: there is one, not to be believed. */
static int read_file(int dir, const char *path, uint32_t id, uint8_t *bytes,
		     struct hv_record *record, struct hv_err *err)
{
	char name[32], full[PATH_MAX];
	struct stat st;
	ssize_t size;
	int fd, ret;

	file_name(id, name);
	snprintf(full, sizeof(full), "%s/%s", path, name);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return hv_err_set(err, ENOENT, "no record of zone %" PRIu32, id);
	if (fd < 0 && is_passing(errno))
		return hv_err_sys(err, errno, "cannot open %s", full);
	if (fd < 0)
		return errno == ELOOP
			       ? hv_err_set(err, EPERM, "%s is a symlink", full)
			       : hv_err_set(err, EINVAL, "%s: %s", full, strerrordesc_np(errno));
	ret = fstat(fd, &st) ? hv_err_sys(err, errno, "%s", full) : trusted(&st, full, "file", err);
	if (!ret && !S_ISREG(st.st_mode))
		ret = hv_err_set(err, EPERM, "%s is no regular file", full);
	if (!ret) {
		/* One byte more than a record can have shows a file that is too long. */
		size = read_all(fd, bytes, HV_RECORD_BYTES_MAX + 1);
		ret = size < 0 ? hv_err_sys(err, (int)-size, "cannot read it")
			       : hv_record_decode(bytes, (size_t)size, record, err);
		if (ret)
			hv_err_prefix(err, "%s: ", full);
	}
	close(fd);
	if (!ret && record->config.id != id)
		ret = hv_err_set(err, EINVAL, "%s is of zone %" PRIu32, full, record->config.id);
	return ret;
}

static int get_file(struct hv_records *records, uint32_t id, struct hv_record *record,
		    struct hv_err *err)
{
	uint8_t *bytes;
	struct hv_err why;
	int dir, ret;

	ret = dir = open_dir(records, &why);
	if (ret == -ENOENT)
		return hv_err_set(err, ENOENT, "no record of zone %" PRIu32, id);
	if (dir < 0)
		return hv_err_set(err, why.code, "%s", why.msg);
	bytes = malloc(HV_RECORD_BYTES_MAX + 1);
	if (!bytes) {
		close(dir);
		return hv_err_nomem(err);
	}
	ret = read_file(dir, records->dir, id, bytes, record, &why);
	free(bytes);
	close(dir);
	if (ret == -ENOENT || is_passing(-ret))
		return hv_err_set(err, -ret, "%s", why.msg);
	if (ret)
		return not_believed(records, id, &why, err);
	if (memcmp(record->boot_id, records->boot_id, sizeof(record->boot_id)))
		return hv_err_set(err, ENOENT,
				  "the record of zone %" PRIu32 " is from before the last boot",
				  id);
	return 0;
}

int hv_records_get(struct hv_records *records, uint32_t id, struct hv_record *record,
		   struct hv_err *err)
{
	struct hv_record *mine;
	int ret;

	if (!id || id >= HV_MAX_ZONES || (!records->dir && !records->memory[id]))
		return hv_err_set(err, ENOENT, "no record of zone %" PRIu32, id);
	if (!records->dir) {
		*record = *records->memory[id];
		return 0;
	}
	/* The caller's is touched only by what is believed. */
	mine = malloc(sizeof(*mine));
	if (!mine)
		return hv_err_nomem(err);
	ret = get_file(records, id, mine, err);
	if (!ret)
		*record = *mine;
	free(mine);
	return ret;
}

int hv_records_drop(struct hv_records *records, uint32_t id, struct hv_err *err)
{
	char name[32];
	struct hv_err why;
	int dir, ret = 0;

	if (!id || id >= HV_MAX_ZONES)
		return 0;
	if (!records->dir) {
		free(records->memory[id]);
		records->memory[id] = NULL;
		return 0;
	}
	dir = open_dir(records, &why);
	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return hv_err_set(err, why.code, "%s", why.msg);
	file_name(id, name);
	if (unlinkat(dir, name, 0) && errno != ENOENT)
		ret = hv_err_sys(err, errno, "cannot remove %s/%s", records->dir, name);
	close(dir);
	records->reported &= ~(1u << id);
	return ret;
}
