// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "sandbox/opener.h"
#include "virtio/dev/blk_overlay_priv.h"

static int allocate(struct hv_overlay *ov, struct hv_err *err)
{
	ov->cluster = UINT64_C(1) << ov->header.cluster_shift;
	ov->map = calloc(1, (size_t)ov->header.map_bytes);
	ov->dirty = calloc(1, (size_t)(ov->header.map_bytes / HV_PAGE_SIZE));
	ov->scratch = malloc((size_t)ov->cluster);
	return ov->map && ov->dirty && ov->scratch ? 0 : hv_err_nomem(err);
}

static struct hv_overlay *prepare(const char *path, const struct hv_blk_file *base, bool lasting)
{
	struct hv_overlay *ov = calloc(1, sizeof(*ov));

	if (!ov)
		return NULL;
	ov->path = strdup(path);
	if (!ov->path) {
		free(ov);
		return NULL;
	}
	ov->fd = -1;
	ov->base_fd = base->fd;
	ov->base_bytes = base->bytes & ~UINT64_C(511);
	ov->lasting = lasting;
	pthread_mutex_init(&ov->lock, NULL);
	pthread_mutex_init(&ov->syncing, NULL);
	return ov;
}

static void destroy(struct hv_overlay *ov)
{
	if (ov->fd >= 0)
		close(ov->fd);
	pthread_mutex_destroy(&ov->lock);
	pthread_mutex_destroy(&ov->syncing);
	free((void *)ov->map);
	free(ov->dirty);
	free(ov->scratch);
	free(ov->path);
	free(ov);
}

/* The file's name is durable only when its directory is. */
static int sync_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX] = ".";
	int fd, rc;

	if (slash && (size_t)(slash - path) < sizeof(dir)) {
		size_t len = slash == path ? 1 : (size_t)(slash - path);

		memcpy(dir, path, len);
		dir[len] = '\0';
	}
	fd = hv_opener_open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc == -EINVAL || rc == -EROFS ? 0 : rc;
}

/*
 * A new file: the header is durable before the length is, so a file cut short by a power failure
 * is known by its length and laid out again.
 */
static int lay_out(struct hv_overlay *ov, const struct hv_blk_file *base, struct hv_err *err)
{
	int rc = hv_overlay_header_plan(&ov->header, base->bytes & ~UINT64_C(511), err);

	if (rc)
		return hv_err_prefix(err, "%s: ", ov->path);
	ov->header.base_bytes = base->bytes;
	hv_overlay_boot_id(ov->header.boot);
	rc = hv_overlay_base_print(base, &ov->header.base_print, err);
	if (!rc)
		rc = allocate(ov, err);
	if (rc)
		return rc;
	rc = hv_overlay_header_write(ov->fd, &ov->header);
	if (!rc && (fdatasync(ov->fd) ||
		    ftruncate(ov->fd, (off_t)(ov->header.data_at + ov->header.bytes)) ||
		    fdatasync(ov->fd)))
		rc = -errno;
	if (!rc)
		rc = sync_name(ov->path);
	return rc ? hv_err_sys(err, -rc, "%s: cannot make an overlay of it", ov->path) : 0;
}

static int check_base(const struct hv_overlay *ov, const struct hv_blk_file *base,
		      struct hv_err *err)
{
	uint32_t print;
	int rc = hv_overlay_base_print(base, &print, err);

	if (rc)
		return rc;
	if (ov->header.base_bytes != base->bytes)
		return hv_err_set(err, ESTALE,
				  "%s: was made above an image of %" PRIu64
				  " bytes, but %s has %" PRIu64
				  "; together they would be a corrupt disk",
				  ov->path, ov->header.base_bytes, base->path, base->bytes);
	if (ov->header.base_print != print)
		return hv_err_set(
			err, ESTALE,
			"%s: was made above another image, or %s has been written to since; "
			"together they would be a corrupt disk",
			ov->path, base->path);
	return 0;
}

static int find_dirty(struct hv_overlay *ov, struct hv_err *err)
{
	uint8_t page[HV_PAGE_SIZE];

	for (uint64_t p = 0; p < ov->header.map_bytes / HV_PAGE_SIZE; p++) {
		int rc = hv_overlay_pread(ov->fd, page, sizeof(page),
					  HV_OVERLAY_HEADER_BYTES + p * HV_PAGE_SIZE);

		if (rc)
			return hv_err_sys(err, -rc, "%s: cannot read its map", ov->path);
		ov->dirty[p] = memcmp(page, (const uint8_t *)ov->map + p * HV_PAGE_SIZE,
				      sizeof(page)) != 0;
	}
	return 0;
}

/*
 * Takes the map that can be trusted: the live one while the machine has not been booted since, else
 * the stable one. From then on live is what is true, and this boot's.
 */
static int load_map(struct hv_overlay *ov, struct hv_err *err)
{
	char boot[HV_OVERLAY_BOOT_BYTES];
	uint64_t stable = HV_OVERLAY_HEADER_BYTES, live = stable + ov->header.map_bytes;
	bool same_boot;
	int rc;

	hv_overlay_boot_id(boot);
	same_boot = *boot && !strcmp(boot, ov->header.boot);
	rc = hv_overlay_pread(ov->fd, (void *)ov->map, ov->header.map_bytes,
			      same_boot ? live : stable);
	if (rc)
		return hv_err_sys(err, -rc, "%s: cannot read its map", ov->path);
	if (same_boot)
		return find_dirty(ov, err);
	/* Before the header says that it is valid. */
	rc = hv_overlay_pwrite(ov->fd, (const void *)ov->map, ov->header.map_bytes, live);
	if (!rc && fdatasync(ov->fd))
		rc = -errno;
	memcpy(ov->header.boot, boot, sizeof(boot));
	if (!rc)
		rc = hv_overlay_header_write(ov->fd, &ov->header);
	return rc ? hv_err_sys(err, -rc, "%s: cannot write its map", ov->path) : 0;
}

static int adopt(struct hv_overlay *ov, const struct hv_blk_file *base, struct hv_err *err)
{
	int rc = hv_overlay_header_read(ov->fd, ov->path, &ov->header, err);

	if (!rc)
		rc = check_base(ov, base, err);
	if (!rc)
		rc = allocate(ov, err);
	return rc ? rc : load_map(ov, err);
}

static bool unfinished(int fd, uint64_t size)
{
	char magic[8];

	return !size || (size == sizeof(struct hv_overlay_header) &&
			 !hv_overlay_pread(fd, magic, sizeof(magic), 0) &&
			 !memcmp(magic, HV_OVERLAY_MAGIC, sizeof(magic)));
}

int hv_overlay_open(const char *path, const struct hv_blk_file *base, struct hv_overlay **out,
		    struct hv_err *err)
{
	struct hv_overlay *ov = prepare(path, base, true);
	struct stat st;
	int rc;

	if (!ov)
		return hv_err_nomem(err);
	ov->fd = hv_opener_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (ov->fd < 0 || fstat(ov->fd, &st)) {
		rc = hv_err_sys(err, errno, "%s: cannot open the overlay", path);
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		rc = hv_err_set(err, EINVAL, "%s: an overlay is a regular file", path);
		goto fail;
	}
	rc = hv_blk_set_blocking(ov->fd);
	if (rc) {
		hv_err_sys(err, -rc, "%s: cannot change how it is open", path);
		goto fail;
	}
	rc = hv_blk_lock(ov->fd, path, true, err);
	if (rc)
		goto fail;
	/* Another may have made it between open and lock. */
	if (fstat(ov->fd, &st))
		rc = hv_err_sys(err, errno, "%s: cannot ask for its size", path);
	else
		rc = unfinished(ov->fd, (uint64_t)st.st_size) ? lay_out(ov, base, err)
							      : adopt(ov, base, err);
	if (rc)
		goto fail;
	*out = ov;
	return 0;
fail:
	destroy(ov);
	return rc;
}

static int nameless(const char *dir)
{
	char name[PATH_MAX];
	int fd;

	if (!dir)
		return memfd_create("hvsh-snapshot", MFD_CLOEXEC);
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (snprintf(name, sizeof(name), "%s/.hvsh-snapshot-XXXXXX", dir) >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

int hv_overlay_anonymous(const char *dir, const struct hv_blk_file *base, struct hv_overlay **out,
			 struct hv_err *err)
{
	struct hv_overlay *ov = prepare(dir ? dir : "memory", base, false);
	int rc;

	if (!ov)
		return hv_err_nomem(err);
	rc = hv_overlay_header_plan(&ov->header, base->bytes & ~UINT64_C(511), err);
	if (rc)
		goto fail;
	ov->header.data_at = 0;
	rc = allocate(ov, err);
	if (rc)
		goto fail;
	ov->fd = nameless(dir);
	if (ov->fd < 0 || ftruncate(ov->fd, (off_t)ov->header.bytes)) {
		rc = hv_err_sys(err, errno, "cannot make the snapshot's file in %s", ov->path);
		goto fail;
	}
	*out = ov;
	return 0;
fail:
	destroy(ov);
	return rc;
}

int hv_overlay_close(struct hv_overlay *ov)
{
	int rc;

	if (!ov)
		return 0;
	rc = hv_overlay_sync(ov);
	destroy(ov);
	return rc;
}

int hv_overlay_resize(struct hv_overlay *ov, uint64_t bytes, struct hv_err *err)
{
	struct hv_overlay_header header;
	int rc = 0;

	pthread_mutex_lock(&ov->lock);
	header = ov->header;
	header.bytes = bytes;
	if ((bytes + ov->cluster - 1) >> header.cluster_shift > header.map_bytes * 8)
		rc = hv_err_set(err, EFBIG,
				"%s: the overlay's map has room for a disk of %" PRIu64 " bytes",
				ov->path, (header.map_bytes * 8) << header.cluster_shift);
	if (!rc && ftruncate(ov->fd, (off_t)(header.data_at + bytes)))
		rc = hv_err_sys(err, errno, "%s: cannot make it longer", ov->path);
	if (!rc && ov->lasting) {
		rc = hv_overlay_header_write(ov->fd, &header);
		if (!rc && fdatasync(ov->fd))
			rc = -errno;
		if (rc)
			hv_err_sys(err, -rc, "%s: cannot write its header", ov->path);
	}
	if (!rc)
		ov->header.bytes = bytes;
	pthread_mutex_unlock(&ov->lock);
	return rc;
}

uint64_t hv_overlay_bytes(const struct hv_overlay *ov)
{
	return ov->header.bytes;
}

int hv_overlay_fd(const struct hv_overlay *ov)
{
	return ov->fd;
}

const char *hv_overlay_path(const struct hv_overlay *ov)
{
	return ov->path;
}

uint32_t hv_overlay_cluster(const struct hv_overlay *ov)
{
	return (uint32_t)ov->cluster;
}
