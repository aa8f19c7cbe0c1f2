// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "virtio/dev/blk_priv.h"

#define SLOW_NS 100000 /* an operation of no bytes that takes longer has waited for the disk */
#define STREAK_MAX 6   /* then every 65th is tried on the spot */

bool blk_write_through(const struct hv_blk *blk)
{
	if (hv_vdev_has(blk->dev, VIRTIO_BLK_F_CONFIG_WCE) &&
	    atomic_load_explicit(&blk->writeback_set, memory_order_relaxed))
		return !atomic_load_explicit(&blk->writeback, memory_order_relaxed);
	return !hv_vdev_has(blk->dev, VIRTIO_BLK_F_FLUSH);
}

/* ---- is the file still as long as it was? A write beyond its end would make it longer again. */

static int check_length(struct blk_worker *bw, const struct hv_extent *extent)
{
	struct stat st;

	if (bw->blk->image.base.block_device && !bw->blk->image.overlay)
		return 0;
	if (!bw->length_known) {
		if (fstat(extent->fd, &st))
			return -errno;
		bw->length = (uint64_t)st.st_size;
		bw->length_known = true;
	}
	return extent->at + extent->len > bw->length ? -ENODATA : 0;
}

/* ---- buffers */

static void use_up(struct blk_req *req, uint64_t bytes)
{
	req->off += bytes;
	req->left -= bytes;
	while (bytes) {
		struct iovec *iov = req->iov;

		if (iov->iov_len > bytes) {
			iov->iov_base = (uint8_t *)iov->iov_base + bytes;
			iov->iov_len -= (size_t)bytes;
			return;
		}
		bytes -= iov->iov_len;
		req->iov++;
		req->n_iov--;
	}
}

static_assert(HV_QUEUE_MAX <= IOV_MAX, "a chain's buffers fit one system call");

/* The next len bytes as a list: the request's own where it is cut exactly there. */
static const struct iovec *cut(struct blk_req *req, struct iovec *to, uint64_t len, unsigned int *n)
{
	if (len == req->left) {
		*n = req->n_iov;
		return req->iov;
	}
	*n = hv_iov_slice(req->iov, req->n_iov, 0, (size_t)len, to);
	return to;
}

int blk_io_keep(struct blk_req *req)
{
	if (!req->n_iov)
		return 0;
	if (req->own && req->iov >= req->own && req->iov < req->own + req->room)
		return 0;
	if (req->room < req->n_iov) {
		struct iovec *own = malloc(2 * sizeof(*own) * req->n_iov);

		if (!own)
			return -ENOMEM;
		free(req->own);
		req->own = own;
		req->room = req->n_iov;
		req->cut = own + req->room;
	}
	memcpy(req->own, req->iov, sizeof(*req->own) * req->n_iov);
	req->iov = req->own;
	return 0;
}

/* ---- on the spot */

static void worse(struct blk_pace *pace)
{
	if (pace->streak < STREAK_MAX)
		pace->streak++;
}

static void better(struct blk_pace *pace)
{
	if (pace->streak)
		pace->streak--;
	if (!pace->streak)
		pace->skip = 0;
}

static void refused(struct blk_pace *pace)
{
	worse(pace);
	pace->skip = UINT32_C(1) << pace->streak;
}

/* Base and overlay may be on file systems that differ. */
static struct blk_pace *reading_pace(struct blk_worker *bw, int fd)
{
	return &bw->reading[fd != bw->blk->image.base.fd];
}

/* bytes, -EAGAIN: not without waiting; other -errno */
static int64_t try_file(struct blk_worker *bw, struct blk_req *req, const struct hv_extent *extent)
{
	bool write = req->type == VIRTIO_BLK_T_OUT;
	struct blk_pace *pace = write ? &bw->writing : reading_pace(bw, extent->fd);
	uint64_t before;
	const struct iovec *iov;
	unsigned int n_iov;
	ssize_t n;

	if (pace->skip) {
		pace->skip--;
		return -EAGAIN;
	}
	iov = cut(req, bw->cut, extent->len, &n_iov);
	if (!pace->no_nowait) {
		n = write ? pwritev2(extent->fd, iov, (int)n_iov, (off_t)extent->at, RWF_NOWAIT)
			  : preadv2(extent->fd, iov, (int)n_iov, (off_t)extent->at, RWF_NOWAIT);
		if (n >= 0) {
			better(pace);
			return n;
		}
		if (errno == EAGAIN) {
			refused(pace);
			return -EAGAIN;
		}
		if (errno == EINTR)
			return -EAGAIN;
		if (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS)
			return -errno;
		pace->no_nowait = true;
	}
	before = hv_now();
	n = write ? pwritev(extent->fd, iov, (int)n_iov, (off_t)extent->at)
		  : preadv(extent->fd, iov, (int)n_iov, (off_t)extent->at);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (hv_now() - before > SLOW_NS + (uint64_t)n)
		refused(pace);
	else
		better(pace);
	return n;
}

static int64_t try_alloc(struct blk_worker *bw, struct blk_req *req, uint64_t len)
{
	const struct iovec *iov;
	unsigned int n;
	uint64_t before;
	int64_t done;

	if (bw->writing.skip) {
		bw->writing.skip--;
		return -EAGAIN;
	}
	iov = cut(req, bw->cut, len, &n);
	before = hv_now();
	done = hv_overlay_write(bw->blk->image.overlay, iov, n, req->off, len, true);
	if (done > 0 && hv_now() - before > SLOW_NS + len)
		refused(&bw->writing);
	return done;
}

static int64_t read_zeroes(struct blk_req *req, uint64_t len)
{
	uint64_t left = len;

	for (unsigned int i = 0; left; i++) {
		size_t part = req->iov[i].iov_len < left ? req->iov[i].iov_len : (size_t)left;

		memset(req->iov[i].iov_base, 0, part);
		left -= part;
	}
	return (int64_t)len;
}

/* ---- by the engine */

static void data_done(struct hv_aio_op *op, int64_t res);

static void launch(struct blk_req *req)
{
	struct blk_worker *bw = req->bw;

	if (!req->queued) {
		req->queued = true;
		bw->in_flight += req->size;
	}
	req->turn = bw->turn;
	bw->unsent++;
	hv_aio_queue(bw->aio, &req->op);
}

static int64_t call_overlay_write(struct hv_aio_op *op)
{
	struct blk_req *req = (struct blk_req *)op;
	struct hv_blk *blk = req->bw->blk;
	int64_t n =
		hv_overlay_write(blk->image.overlay, op->iov, op->n_iov, op->off, req->now, false);

	if (n >= 0 && op->flags & RWF_DSYNC) {
		int rc = hv_overlay_sync(blk->image.overlay);

		if (rc)
			return rc;
	}
	return n;
}

/* Through an aligned buffer, past the page cache; when none is left the request waits for one. */
static void launch_direct(struct blk_req *req)
{
	struct blk_worker *bw = req->bw;

	if (!bw->n_bounce) {
		req->next = NULL;
		*bw->last_starving = req;
		bw->last_starving = &req->next;
		return;
	}
	req->bounce = bw->bounce[--bw->n_bounce];
	req->op.fd = bw->blk->image.base.direct_fd;
	if (req->now > BLK_BOUNCE_BYTES)
		req->now = BLK_BOUNCE_BYTES;
	if (req->type == VIRTIO_BLK_T_OUT)
		hv_iov_read(req->iov, req->n_iov, 0, req->bounce, (size_t)req->now);
	req->bounce_iov = (struct iovec){ req->bounce, (size_t)req->now };
	req->op.iov = &req->bounce_iov;
	req->op.n_iov = 1;
	launch(req);
}

static void queue_data(struct blk_req *req, const struct hv_extent *extent)
{
	struct hv_blk *blk = req->bw->blk;
	const struct hv_blk_file *base = &blk->image.base;
	bool write = req->type == VIRTIO_BLK_T_OUT;
	int rc = blk_io_keep(req);

	if (rc) {
		blk_req_finish(req, rc);
		return;
	}
	req->op = (struct hv_aio_op){
		.kind = write ? HV_AIO_WRITE : HV_AIO_READ,
		.fd = extent->fd,
		.by_thread = req->by_thread,
		.flags = write && blk_write_through(blk) ? RWF_DSYNC : 0,
		.off = extent->at,
		.done = data_done,
	};
	req->now = extent->len;
	if (write && blk->image.overlay && (extent->kind == HV_EXTENT_ALLOC || req->op.flags)) {
		/* Durable is only what the overlay's map is known to have, too. */
		req->op.kind = HV_AIO_CALL;
		req->op.call = call_overlay_write;
		req->op.off = req->off;
	} else if (base->direct_fd >= 0 && req->off % base->block == 0 &&
		   req->now % base->block == 0) {
		launch_direct(req);
		return;
	}
	req->op.iov = cut(req, req->cut, req->now, &req->op.n_iov);
	launch(req);
}

static void give_bounce(struct blk_req *req)
{
	req->bw->bounce[req->bw->n_bounce++] = req->bounce;
	req->bounce = NULL;
}

void blk_io_starving(struct blk_worker *bw)
{
	while (bw->starving && bw->n_bounce) {
		struct blk_req *req = bw->starving;

		bw->starving = req->next;
		if (!bw->starving)
			bw->last_starving = &bw->starving;
		if (bw->calling_off && req->type == VIRTIO_BLK_T_IN)
			blk_req_finish(req, -ECANCELED);
		else
			launch_direct(req);
	}
}

static void data_done(struct hv_aio_op *op, int64_t res)
{
	struct blk_req *req = (struct blk_req *)op;
	struct blk_worker *bw = req->bw;

	if (req->bounce) {
		if (res > 0 && req->type == VIRTIO_BLK_T_IN)
			hv_iov_write(req->iov, req->n_iov, 0, req->bounce, (size_t)res);
		give_bounce(req);
	}
	if (bw->calling_off && req->type == VIRTIO_BLK_T_IN) {
		blk_req_finish(req, -ECANCELED);
		return;
	}
	if (res == -EINTR || res == -EAGAIN) {
		/* The ring would say so again and again. */
		req->by_thread |= res == -EAGAIN;
		res = 0;
	} else if (res <= 0) {
		/* A read that ends where the disk does not. */
		blk_req_finish(req, res				   ? (int)res
				    : req->type == VIRTIO_BLK_T_IN ? -ENODATA
								   : -EIO);
		return;
	}
	/*
	 * io_uring answered while it was asked: the cache has it, and is better asked directly. A
	 * thread may be as quick, which says nothing.
	 */
	if (res && op->kind == HV_AIO_READ && hv_aio_is_uring(bw->aio)) {
		if (req->turn == bw->turn)
			better(reading_pace(bw, op->fd));
		else
			worse(reading_pace(bw, op->fd));
	}
	use_up(req, (uint64_t)res);
	blk_io_data(req);
}

static void map(struct blk_req *req, struct hv_extent *extent)
{
	const struct hv_blk_image *image = &req->bw->blk->image;
	uint64_t len = req->left < BLK_CHUNK ? req->left : BLK_CHUNK;

	if (image->overlay)
		hv_overlay_map(image->overlay, req->off, len, req->type == VIRTIO_BLK_T_OUT,
			       extent);
	else
		*extent = (struct hv_extent){ HV_EXTENT_FILE, image->base.fd, req->off, len };
}

void blk_io_data(struct blk_req *req)
{
	struct blk_worker *bw = req->bw;
	bool write = req->type == VIRTIO_BLK_T_OUT;
	/* What may wait for the disk, or is more than a turn's share, is the engine's. */
	bool later = bw->blk->image.base.direct_fd >= 0 || (write && blk_write_through(bw->blk));
	uint64_t spent = 0;

	while (req->left) {
		struct hv_extent extent;
		int64_t n = -EAGAIN;

		map(req, &extent);
		if (write && extent.kind == HV_EXTENT_FILE)
			n = check_length(bw, &extent);
		if (n && n != -EAGAIN) {
			blk_req_finish(req, (int)n);
			return;
		}
		n = -EAGAIN;
		if (extent.kind == HV_EXTENT_ZERO)
			n = read_zeroes(req, extent.len);
		else if (!later && spent < BLK_CHUNK)
			n = extent.kind == HV_EXTENT_ALLOC ? try_alloc(bw, req, extent.len)
							   : try_file(bw, req, &extent);
		if (n == -EAGAIN) {
			queue_data(req, &extent);
			return;
		}
		if (n <= 0) {
			blk_req_finish(req, n ? (int)n : write ? -EIO : -ENODATA);
			return;
		}
		spent += (uint64_t)n;
		use_up(req, (uint64_t)n);
	}
	blk_req_finish(req, 0);
}

/* ---- the others */

/* All that is called may as well be done twice. */
static void call_done(struct hv_aio_op *op, int64_t res)
{
	if (res == -EINTR)
		launch((struct blk_req *)op);
	else
		blk_req_finish((struct blk_req *)op, (int)res);
}

static void call(struct blk_req *req, int64_t (*fn)(struct hv_aio_op *op))
{
	req->op = (struct hv_aio_op){ .kind = HV_AIO_CALL, .call = fn, .done = call_done };
	launch(req);
}

static int64_t call_flush(struct hv_aio_op *op)
{
	return hv_blk_image_sync(&((struct blk_req *)op)->bw->blk->image);
}

void blk_io_flush(struct blk_req *req)
{
	if (req->bw->blk->image.readonly || req->bw->blk->snapshot)
		blk_req_finish(req, 0);
	else
		call(req, call_flush);
}

static int64_t call_segments(struct hv_aio_op *op)
{
	struct blk_req *req = (struct blk_req *)op;
	struct hv_blk *blk = req->bw->blk;
	int rc = 0;

	for (unsigned int i = 0; i < req->n_segments && !rc; i++) {
		const struct blk_segment *s = &req->segments[i];

		if (!s->len)
			continue;
		rc = req->type == VIRTIO_BLK_T_DISCARD
			     ? hv_blk_image_discard(&blk->image, s->off, s->len)
			     : hv_blk_image_zero(&blk->image, s->off, s->len, s->unmap);
	}
	if (!rc && blk_write_through(blk))
		rc = hv_blk_image_sync(&blk->image);
	return rc;
}

void blk_io_segments(struct blk_req *req)
{
	call(req, call_segments);
}
