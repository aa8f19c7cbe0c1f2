// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "virtio/dev/blk_overlay_priv.h"
#include "virtio/queue.h"

#define PAGE_WORDS (HV_PAGE_SIZE / 8)
#define SLICE_MAX 256 /* buffers written at once */

static bool present(const struct hv_overlay *ov, uint64_t c)
{
	return atomic_load_explicit(&ov->map[c / 64], memory_order_acquire) >> (c % 64) & 1;
}

static uint64_t last_cluster(const struct hv_overlay *ov, uint64_t end)
{
	return (end - 1) >> ov->header.cluster_shift;
}

/* The first cluster after c, at most last + 1, that is not as c is. */
static uint64_t run_end(const struct hv_overlay *ov, uint64_t c, uint64_t last)
{
	bool like = present(ov, c);

	for (c++; c <= last;) {
		uint64_t word = atomic_load_explicit(&ov->map[c / 64], memory_order_acquire);
		uint64_t differs = (like ? ~word : word) >> (c % 64);

		if (differs) {
			c += (uint64_t)__builtin_ctzll(differs);
			break;
		}
		c = (c / 64 + 1) * 64;
	}
	return c <= last ? c : last + 1;
}

void hv_overlay_map(struct hv_overlay *ov, uint64_t off, uint64_t len, bool write,
		    struct hv_extent *extent)
{
	unsigned int shift = ov->header.cluster_shift;
	uint64_t c = off >> shift, end = run_end(ov, c, last_cluster(ov, off + len)) << shift;

	*extent = (struct hv_extent){ .fd = -1, .len = end - off < len ? end - off : len };
	if (present(ov, c)) {
		extent->kind = HV_EXTENT_FILE;
		extent->fd = ov->fd;
		extent->at = ov->header.data_at + off;
	} else if (write) {
		extent->kind = HV_EXTENT_ALLOC;
	} else if (off >= ov->base_bytes) {
		extent->kind = HV_EXTENT_ZERO;
	} else {
		extent->kind = HV_EXTENT_FILE;
		extent->fd = ov->base_fd;
		extent->at = off;
		if (extent->len > ov->base_bytes - off)
			extent->len = ov->base_bytes - off;
	}
}

/* ---- changes: lock held */

/*
 * The clusters' data is in the file: write the live map, then let readers see them. The order of
 * the two does not matter to readers, but to whoever opens the file after this process was killed.
 */
static int appear(struct hv_overlay *ov, uint64_t first, uint64_t n)
{
	uint64_t word = first / 64, last = (first + n - 1) / 64;

	for (uint64_t w = word; w <= last; w++) {
		uint64_t from = w == word ? first % 64 : 0;
		uint64_t to = w == last ? (first + n - 1) % 64 : 63;
		uint64_t bits = (UINT64_MAX << from) & (UINT64_MAX >> (63 - to));
		uint64_t before = atomic_load_explicit(&ov->map[w], memory_order_relaxed);
		uint64_t value = before | bits;

		if (value == before)
			continue;
		if (ov->lasting) {
			int rc = hv_overlay_pwrite(ov->fd, &value, sizeof(value),
						   HV_OVERLAY_HEADER_BYTES + ov->header.map_bytes +
							   w * 8);

			if (rc)
				return rc;
			ov->dirty[w / PAGE_WORDS] = 1;
		}
		atomic_store_explicit(&ov->map[w], value, memory_order_release);
	}
	return 0;
}

/* The disk's part of a cluster; the last one may be cut by the disk's end. */
static uint64_t cluster_bytes(const struct hv_overlay *ov, uint64_t c)
{
	uint64_t left = ov->header.bytes - (c << ov->header.cluster_shift);

	return left < ov->cluster ? left : ov->cluster;
}

/* Reads what the base has of a cluster into scratch, zeroes beyond. */
static int read_base(struct hv_overlay *ov, uint64_t c)
{
	uint64_t off = c << ov->header.cluster_shift, there = 0;

	if (off < ov->base_bytes)
		there = ov->base_bytes - off < ov->cluster ? ov->base_bytes - off : ov->cluster;
	memset(ov->scratch + there, 0, (size_t)(ov->cluster - there));
	return there ? hv_overlay_pread(ov->base_fd, ov->scratch, there, off) : 0;
}

static int write_scratch(struct hv_overlay *ov, uint64_t c)
{
	return hv_overlay_pwrite(ov->fd, ov->scratch, cluster_bytes(ov, c),
				 ov->header.data_at + (c << ov->header.cluster_shift));
}

/* Writes part of a buffer list, which need not be covered by one slice or one call. */
static int write_iov(int fd, const struct iovec *iov, unsigned int n, uint64_t skip, uint64_t len,
		     uint64_t at)
{
	while (len) {
		struct iovec part[SLICE_MAX];
		unsigned int m = 0;
		uint64_t left = len;
		size_t begin = (size_t)skip;
		ssize_t done;

		for (unsigned int i = 0; i < n && left && m < SLICE_MAX; i++) {
			size_t here = iov[i].iov_len;

			if (begin >= here) {
				begin -= here;
				continue;
			}
			here -= begin;
			if (here > left)
				here = (size_t)left;
			part[m++] = (struct iovec){ (uint8_t *)iov[i].iov_base + begin, here };
			left -= here;
			begin = 0;
		}
		done = pwritev(fd, part, (int)m, (off_t)at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		skip += (uint64_t)done;
		at += (uint64_t)done;
		len -= (uint64_t)done;
	}
	return 0;
}

static bool covered(const struct hv_overlay *ov, uint64_t c, uint64_t off, uint64_t end)
{
	uint64_t start = c << ov->header.cluster_shift;

	return off <= start && end >= start + cluster_bytes(ov, c);
}

static int write_locked(struct hv_overlay *ov, const struct iovec *iov, unsigned int n,
			uint64_t off, uint64_t len, bool quick)
{
	unsigned int shift = ov->header.cluster_shift;
	uint64_t end = off + len, at = off;
	int rc = 0;

	while (!rc && at < end) {
		uint64_t c = at >> shift, first = c, last = last_cluster(ov, end), stop;

		/* Together whatever needs nothing of the base. */
		while (c <= last && (present(ov, c) || covered(ov, c, at, end)))
			c++;
		if (c > first) {
			stop = c << shift < end ? c << shift : end;
			rc = write_iov(ov->fd, iov, n, at - off, stop - at,
				       ov->header.data_at + at);
			if (!rc)
				rc = appear(ov, first, c - first);
		} else {
			uint64_t in = at - (c << shift);

			if (quick)
				return -EAGAIN;
			stop = (c + 1) << shift < end ? (c + 1) << shift : end;
			rc = read_base(ov, c);
			if (!rc) {
				hv_iov_read(iov, n, (size_t)(at - off), ov->scratch + in,
					    (size_t)(stop - at));
				rc = write_scratch(ov, c);
			}
			if (!rc)
				rc = appear(ov, c, 1);
		}
		at = stop;
	}
	return rc;
}

/* Written to again, a file that somebody cut off would seem whole, with zeroes where data was. */
static int check_whole(const struct hv_overlay *ov)
{
	struct stat st;

	if (!ov->lasting)
		return 0;
	if (fstat(ov->fd, &st))
		return -errno;
	return (uint64_t)st.st_size < ov->header.data_at + ov->header.bytes ? -ENODATA : 0;
}

int64_t hv_overlay_write(struct hv_overlay *ov, const struct iovec *iov, unsigned int n,
			 uint64_t off, uint64_t len, bool quick)
{
	int rc;

	if (!quick)
		pthread_mutex_lock(&ov->lock);
	else if (pthread_mutex_trylock(&ov->lock))
		return -EAGAIN;
	rc = check_whole(ov);
	if (!rc)
		rc = write_locked(ov, iov, n, off, len, quick);
	pthread_mutex_unlock(&ov->lock);
	return rc ? rc : (int64_t)len;
}

/* Whole clusters become holes that are known to be there. */
static int zero_clusters(struct hv_overlay *ov, uint64_t first, uint64_t n)
{
	unsigned int shift = ov->header.cluster_shift;
	uint64_t at = ov->header.data_at + (first << shift);
	uint64_t len = ((n - 1) << shift) + cluster_bytes(ov, first + n - 1);
	int rc;

	do {
		rc = fallocate(ov->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
			       (off_t)len);
	} while (rc && errno == EINTR);
	if (rc && errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	if (rc) {
		rc = hv_blk_write_zeroes(ov->fd, at, len);
		if (rc)
			return rc;
	}
	return appear(ov, first, n);
}

static int zero_part(struct hv_overlay *ov, uint64_t off, uint64_t len)
{
	uint64_t c = off >> ov->header.cluster_shift;
	int rc;

	if (present(ov, c))
		return hv_blk_write_zeroes(ov->fd, ov->header.data_at + off, len);
	rc = read_base(ov, c);
	if (rc)
		return rc;
	memset(ov->scratch + (off & (ov->cluster - 1)), 0, (size_t)len);
	rc = write_scratch(ov, c);
	return rc ? rc : appear(ov, c, 1);
}

static int zero_range(struct hv_overlay *ov, uint64_t off, uint64_t len, bool edges)
{
	unsigned int shift = ov->header.cluster_shift;
	uint64_t end = off + len;
	int rc;

	pthread_mutex_lock(&ov->lock);
	rc = check_whole(ov);
	while (!rc && off < end) {
		uint64_t c = off >> shift, first = c, last = last_cluster(ov, end), stop;

		while (c <= last && covered(ov, c, off, end))
			c++;
		if (c > first) {
			rc = zero_clusters(ov, first, c - first);
			stop = c << shift < end ? c << shift : end;
		} else {
			stop = (c + 1) << shift < end ? (c + 1) << shift : end;
			rc = edges ? zero_part(ov, off, stop - off) : 0;
		}
		off = stop;
	}
	pthread_mutex_unlock(&ov->lock);
	return rc;
}

int hv_overlay_zero(struct hv_overlay *ov, uint64_t off, uint64_t len)
{
	return zero_range(ov, off, len, true);
}

int hv_overlay_discard(struct hv_overlay *ov, uint64_t off, uint64_t len)
{
	return zero_range(ov, off, len, false);
}

/* ---- durability */

/* The pages of the map that are behind, as they are now: {page, contents} after each other. */
static uint64_t *take_dirty(struct hv_overlay *ov, uint64_t *n)
{
	uint64_t pages = ov->header.map_bytes / HV_PAGE_SIZE, *copy, *to;

	*n = 0;
	for (uint64_t p = 0; p < pages; p++)
		*n += ov->dirty[p];
	to = copy = malloc(*n * (PAGE_WORDS + 1) * sizeof(*copy) + 1);
	if (!copy)
		return NULL;
	for (uint64_t p = 0; p < pages; p++) {
		if (!ov->dirty[p])
			continue;
		ov->dirty[p] = 0;
		*to++ = p;
		for (uint64_t w = 0; w < PAGE_WORDS; w++)
			*to++ = atomic_load_explicit(&ov->map[p * PAGE_WORDS + w],
						     memory_order_relaxed);
	}
	return copy;
}

static int write_stable(struct hv_overlay *ov, const uint64_t *copy, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t *page = copy + i * (PAGE_WORDS + 1);
		int rc = hv_overlay_pwrite(ov->fd, page + 1, HV_PAGE_SIZE,
					   HV_OVERLAY_HEADER_BYTES + *page * HV_PAGE_SIZE);

		if (rc)
			return rc;
	}
	return n && fdatasync(ov->fd) ? -errno : 0;
}

int hv_overlay_sync(struct hv_overlay *ov)
{
	uint64_t *copy, n;
	int rc;

	if (!ov->lasting)
		return 0;
	/* Whoever comes second must not return before the pages that the first took are written. */
	pthread_mutex_lock(&ov->syncing);
	pthread_mutex_lock(&ov->lock);
	copy = take_dirty(ov, &n);
	pthread_mutex_unlock(&ov->lock);
	if (!copy) {
		pthread_mutex_unlock(&ov->syncing);
		return -ENOMEM;
	}
	rc = fdatasync(ov->fd) ? -errno : 0;
	if (!rc)
		rc = write_stable(ov, copy, n);
	if (rc) {
		pthread_mutex_lock(&ov->lock);
		for (uint64_t i = 0; i < n; i++)
			ov->dirty[copy[i * (PAGE_WORDS + 1)]] = 1;
		pthread_mutex_unlock(&ov->lock);
	}
	pthread_mutex_unlock(&ov->syncing);
	free(copy);
	return rc;
}
