// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "hypervisor/ops.h"

/*
 * Chunks end at multiples of this in physical memory, so that every chunk but the
 * first starts on a page of any size.
 */
#define CHUNK (4 * HV_MIB)

int hv_load_truncated(struct hv_err *err)
{
	return hv_err_set(err, EIO, "the file is truncated: it ended before all of it was loaded");
}

/* The kernel writes into the mapping, so a file that shrinks is a short read, not a SIGBUS. */
static int copy_mapped(const struct hv_load_src *src, uint64_t at, uint8_t *to, size_t size,
		       struct hv_err *err)
{
	if (src->fd < 0) {
		if (src->bytes)
			memcpy(to, src->bytes + at, size);
		else
			memset(to, 0, size);
		return 0;
	}
	for (size_t done = 0; done < size;) {
		ssize_t n =
			pread(src->fd, to + done, size - done, (off_t)(src->offset + at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hv_err_sys(err, errno, "reading the file into the zone's memory");
		if (n == 0)
			return hv_load_truncated(err);
		done += (size_t)n;
	}
	return 0;
}

int hv_load_check(const struct hv_load_src *src, uint64_t size, struct hv_err *err)
{
	struct stat st;
	uint64_t end;

	if (src->fd < 0)
		return 0;
	if (__builtin_add_overflow(src->offset, size, &end) || end > INT64_MAX)
		return hv_err_set(err, EINVAL, "no file has 0x%" PRIx64 " bytes from 0x%" PRIx64,
				  size, src->offset);
	if (fstat(src->fd, &st) < 0)
		return hv_err_sys(err, errno, "looking at the file");
	if (S_ISREG(st.st_mode) && (uint64_t)st.st_size < end)
		return hv_err_set(err, EIO,
				  "the file is truncated: it has %" PRIu64 " bytes, %" PRIu64
				  " are to be loaded from %" PRIu64,
				  (uint64_t)st.st_size, size, src->offset);
	return 0;
}

static int load(struct hv_hyp *hyp, const struct hv_load_src *src, uint64_t size, uint64_t phys,
		hv_progress_fn *progress, void *arg, struct hv_err *err)
{
	void *mapped = NULL;
	uint64_t done = 0;
	uint64_t end;
	int rc;

	if (!size)
		return 0;
	if (__builtin_add_overflow(phys, size, &end))
		return hv_err_set(err, EFAULT, "it does not end within 64 bits");
	/* What is known to be missing is refused before the first byte is written. */
	rc = hv_load_check(src, size, err);
	if (rc == 0 && hyp->ops->load_begin)
		rc = hyp->ops->load_begin(hyp, phys, size, err);
	while (rc == 0 && done < size) {
		uint64_t room = CHUNK - ((phys + done) & (CHUNK - 1));
		size_t n = (size_t)(size - done < room ? size - done : room);

		if (!mapped) {
			rc = hyp->ops->load(hyp, src, done, n, phys + done, err);
			if (rc == -EOPNOTSUPP)
				rc = hv_hyp_map(hyp, phys, size, &mapped, err);
			if (rc < 0)
				break;
		}
		if (mapped) {
			rc = copy_mapped(src, done, (uint8_t *)mapped + done, n, err);
			if (rc < 0)
				break;
		}
		done += n;
		if (progress && progress(done, size, arg))
			rc = hv_err_set(err, ECANCELED,
					"cancelled after %" PRIu64 " of %" PRIu64 " bytes", done,
					size);
	}
	if (mapped) {
		if (hyp->ops->publish)
			hyp->ops->publish(mapped, done);
		hv_hyp_unmap(hyp, mapped, size);
	}
	return rc;
}

static int load_from(struct hv_hyp *hyp, const struct hv_load_src *src, uint64_t size,
		     uint64_t phys, hv_progress_fn *progress, void *arg, struct hv_err *err)
{
	struct hv_err detail = { 0 };
	int rc = load(hyp, src, size, phys, progress, arg, &detail);

	if (rc < 0)
		return hv_hyp_fail(hyp, HV_OP_LOAD, rc, &detail, err,
				   "loading %" PRIu64 " bytes to 0x%" PRIx64, size, phys);
	return 0;
}

int hv_hyp_load_fd(struct hv_hyp *hyp, int fd, uint64_t offset, uint64_t size, uint64_t phys,
		   hv_progress_fn *progress, void *arg, struct hv_err *err)
{
	struct hv_load_src src = { .fd = fd, .offset = offset };

	if (fd < 0)
		return hv_err_set(err, EBADF, "loading to 0x%" PRIx64 ": no file", phys);
	return load_from(hyp, &src, size, phys, progress, arg, err);
}

int hv_hyp_load_mem(struct hv_hyp *hyp, const void *bytes, uint64_t size, uint64_t phys,
		    struct hv_err *err)
{
	struct hv_load_src src = { .fd = -1, .bytes = bytes };

	return load_from(hyp, &src, size, phys, NULL, NULL, err);
}
