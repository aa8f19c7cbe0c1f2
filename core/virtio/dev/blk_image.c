// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/blk_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size.h"
#include "sandbox/opener.h"

static int open_error(int code, const char *path, bool readonly, struct hv_err *err)
{
	if (!readonly && (code == EROFS || code == EACCES || code == EPERM))
		return hv_err_sys(err, code,
				  "%s: cannot open it for writing (readonly = true, or a "
				  "snapshot or overlay above it, would do without)",
				  path);
	if (code == EBUSY)
		return hv_err_set(
			err, code,
			"%s: the kernel has it in use: it is mounted, swap, or part of a volume",
			path);
	return hv_err_sys(err, code, "%s: cannot open it", path);
}

static const char *kind_name(mode_t mode)
{
	return S_ISDIR(mode)	? "a directory"
	       : S_ISFIFO(mode) ? "a pipe"
	       : S_ISCHR(mode)	? "a character device"
				: "neither a file nor a block device";
}

int hv_blk_set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;
}

/* A partition's queue is its disk's. */
static bool device_discards(dev_t dev)
{
	static const char *const where[] = { "queue", "../queue" };
	bool discards = false;

	for (unsigned int i = 0; i < 2 && !discards; i++) {
		char path[96];
		unsigned long long bytes = 0;
		FILE *f;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s/discard_max_bytes",
			 major(dev), minor(dev), where[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		discards = fscanf(f, "%llu", &bytes) == 1 && bytes;
		fclose(f);
	}
	return discards;
}

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static int measure_device(struct hv_blk_file *file, const struct stat *st, struct hv_err *err)
{
	int logical = 0;
	unsigned int physical = 0;
	uint64_t bytes = 0;

	if (ioctl(file->fd, BLKGETSIZE64, &bytes) || ioctl(file->fd, BLKSSZGET, &logical))
		return hv_err_sys(err, errno, "%s: cannot ask for its size", file->path);
	if (logical < 512 || logical > 65536 || !is_power_of_two((uint64_t)logical))
		return hv_err_set(err, EINVAL, "%s: blocks of %d bytes are not supported",
				  file->path, logical);
	file->bytes = bytes;
	file->block = (uint32_t)logical;
	file->physical = file->block;
	if (!ioctl(file->fd, BLKPBSZGET, &physical) && physical > file->block &&
	    physical <= HV_MIB && is_power_of_two(physical))
		file->physical = physical;
	file->punches = device_discards(st->st_rdev);
	return 0;
}

static void measure_file(struct hv_blk_file *file, const struct stat *st)
{
	file->bytes = (uint64_t)st->st_size;
	/* What O_DIRECT needs can be asked from Linux 6.1 on; the file system's block always
	 * suffices. */
	file->block = 512;
	file->physical = 4096;
	if (st->st_blksize >= 512 && st->st_blksize <= 65536 &&
	    is_power_of_two((uint64_t)st->st_blksize))
		file->physical = (uint32_t)st->st_blksize;
	/* Beyond the end there is nothing to lose, so asking changes nothing. */
	file->punches = !file->readonly &&
			!fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   (off_t)hv_align_up(file->bytes, HV_MIB), HV_PAGE_SIZE);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int open_direct(struct hv_blk_file *file, struct hv_err *err)
{
	int flags = (file->readonly ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC;
	char path[48];

	/* Another description of the very same file, whatever its name leads to by now. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd);
	file->direct_fd = open(path, flags);
	/* In the sandbox descriptors are not opened anew; the opener knows only names. */
	if (file->direct_fd < 0 && hv_opener_sealed()) {
		file->direct_fd = hv_opener_open(file->path, flags, 0);
		if (file->direct_fd >= 0 && !same_file(file->fd, file->direct_fd))
			return hv_err_set(err, EINVAL, "%s: changed while it was opened",
					  file->path);
	}
	if (file->direct_fd < 0)
		return hv_err_sys(err, errno, "%s: direct = true is not possible here", file->path);
	return 0;
}

int hv_blk_file_open(struct hv_blk_file *file, const char *path, bool readonly, bool direct,
		     struct hv_err *err)
{
	int flags = (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct stat st;
	int rc;

	*file = (struct hv_blk_file){ .fd = -1, .direct_fd = -1, .readonly = readonly };
	if (hv_opener_stat(path, &st))
		return open_error(errno, path, readonly, err);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return hv_err_set(err, EINVAL, "%s: is %s: a disk is a file or a block device",
				  path, kind_name(st.st_mode));
	file->path = strdup(path);
	if (!file->path)
		return hv_err_nomem(err);
	/* The kernel's own users of a block device (mounts, volumes) are asked by O_EXCL. */
	file->fd = hv_opener_open(path, flags | (S_ISBLK(st.st_mode) && !readonly ? O_EXCL : 0), 0);
	if (file->fd < 0) {
		rc = open_error(errno, path, readonly, err);
		goto fail;
	}
	/* The name may have become something else in between. */
	if (fstat(file->fd, &st)) {
		rc = hv_err_sys(err, errno, "%s: cannot look at it", path);
		goto fail;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		rc = hv_err_set(err, EINVAL, "%s: changed while it was opened", path);
		goto fail;
	}
	rc = hv_blk_set_blocking(file->fd);
	if (rc) {
		hv_err_sys(err, -rc, "%s: cannot change how it is open", path);
		goto fail;
	}
	file->block_device = S_ISBLK(st.st_mode);
	rc = hv_blk_lock(file->fd, path, !readonly, err);
	if (rc)
		goto fail;
	if (file->block_device)
		rc = measure_device(file, &st, err);
	else
		measure_file(file, &st);
	if (!rc && direct) {
		if (!file->block_device)
			file->block = file->physical;
		rc = open_direct(file, err);
	}
	if (rc)
		goto fail;
	return 0;
fail:
	hv_blk_file_close(file);
	return rc;
}

void hv_blk_file_close(struct hv_blk_file *file)
{
	if (file->direct_fd >= 0)
		close(file->direct_fd);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	*file = (struct hv_blk_file){ .fd = -1, .direct_fd = -1 };
}

int64_t hv_blk_file_size(const struct hv_blk_file *file)
{
	struct stat st;
	uint64_t bytes;

	if (file->block_device)
		return ioctl(file->fd, BLKGETSIZE64, &bytes) ? -errno : (int64_t)bytes;
	return fstat(file->fd, &st) ? -errno : st.st_size;
}

int hv_blk_image_sync(struct hv_blk_image *image)
{
	if (image->readonly)
		return 0;
	if (image->overlay)
		return hv_overlay_sync(image->overlay);
	return fdatasync(image->base.fd) ? -errno : 0;
}

int hv_blk_write_zeroes(int fd, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[65536];

	while (len) {
		size_t part = len < sizeof(zeroes) ? (size_t)len : sizeof(zeroes);
		ssize_t n = pwrite(fd, zeroes, part, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* Is it still as long as that? Otherwise writing zeroes would make it longer. */
static int check_length(const struct hv_blk_file *file, uint64_t end)
{
	int64_t bytes = hv_blk_file_size(file);

	if (bytes < 0)
		return (int)bytes;
	return (uint64_t)bytes < end ? -ENODATA : 0;
}

int hv_blk_image_zero(struct hv_blk_image *image, uint64_t off, uint64_t len, bool unmap)
{
	int mode = unmap && image->base.punches ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
	int rc;

	if (image->overlay)
		return hv_overlay_zero(image->overlay, off, len);
	rc = check_length(&image->base, off + len);
	if (rc)
		return rc;
	do {
		rc = fallocate(image->base.fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
	} while (rc && errno == EINTR);
	if (!rc)
		return 0;
	if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)
		return -errno;
	return hv_blk_write_zeroes(image->base.fd, off, len);
}

int hv_blk_image_discard(struct hv_blk_image *image, uint64_t off, uint64_t len)
{
	int rc;

	if (image->overlay)
		return hv_overlay_discard(image->overlay, off, len);
	do {
		rc = fallocate(image->base.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)off, (off_t)len);
	} while (rc && errno == EINTR);
	/* A hint: what cannot give space back keeps it. */
	return !rc || errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS ? 0 : -errno;
}
