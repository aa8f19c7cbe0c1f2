// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/blk_priv.h"

#define TROUBLE_PAUSE UINT64_C(10000000000) /* ns between two messages of a kind */

/* ---- answers */

static const char *type_word(uint32_t type)
{
	return type == VIRTIO_BLK_T_IN	      ? "reading"
	       : type == VIRTIO_BLK_T_OUT     ? "writing"
	       : type == VIRTIO_BLK_T_FLUSH   ? "flushing"
	       : type == VIRTIO_BLK_T_DISCARD ? "discarding"
					      : "writing zeroes";
}

static const char *image_path(const struct hv_blk *blk)
{
	return blk->image.overlay ? hv_overlay_path(blk->image.overlay) : blk->image.base.path;
}

/* The guest can bring these about as often as it likes. */
static bool may_say(struct hv_blk *blk, enum blk_trouble kind, uint64_t now, uint64_t *unsaid)
{
	uint64_t next = atomic_load(&blk->trouble_next[kind]);

	if (now < next ||
	    !atomic_compare_exchange_strong(&blk->trouble_next[kind], &next, now + TROUBLE_PAUSE)) {
		atomic_fetch_add(&blk->trouble_unsaid[kind], 1);
		return false;
	}
	*unsaid = atomic_exchange(&blk->trouble_unsaid[kind], 0);
	return true;
}

static void report(struct blk_req *req, int code)
{
	struct hv_blk *blk = req->bw->blk;
	bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
	enum blk_trouble kind = full		  ? BLK_TROUBLE_FULL
				: code == ENODATA ? BLK_TROUBLE_TRUNCATED
						  : BLK_TROUBLE_OTHER;
	char more[64] = "";
	uint64_t unsaid;

	if (!may_say(blk, kind, req->bw->now, &unsaid))
		return;
	if (unsaid)
		snprintf(more, sizeof(more), " (%" PRIu64 " more before it, not shown)", unsaid);
	if (kind == BLK_TROUBLE_FULL)
		hv_vdev_error(blk->dev, "%s: no room for what the guest writes: %s%s",
			      image_path(blk), strerror(code), more);
	else if (kind == BLK_TROUBLE_TRUNCATED)
		hv_vdev_error(blk->dev,
			      "%s: was truncated while in use: the disk has %" PRIu64
			      " bytes, and %s at byte %" PRIu64 " finds its end%s",
			      image_path(blk), atomic_load(&blk->sectors) * BLK_SECTOR,
			      type_word(req->type), req->off, more);
	else
		hv_vdev_error(blk->dev, "%s: %s at byte %" PRIu64 ": %s%s", image_path(blk),
			      type_word(req->type), req->off, strerror(code), more);
}

static void release(struct blk_req *req)
{
	struct blk_worker *bw = req->bw;

	req->next = bw->free;
	bw->free = req;
}

static void answer(struct blk_worker *bw, struct hv_vq *vq, uint16_t head, uint8_t *status,
		   uint8_t value, uint32_t written)
{
	*status = value;
	hv_queue_push(&vq->ring, head, written);
	bw->n_done++;
	bw->n_errors += value != VIRTIO_BLK_S_OK;
}

void blk_req_finish(struct blk_req *req, int rc)
{
	struct blk_worker *bw = req->bw;

	if (rc && rc != -ECANCELED)
		report(req, -rc);
	/*
	 * The length is of what was written from the beginning: nothing, when the data before the
	 * status byte is not all there.
	 */
	answer(bw, req->vq, req->head, req->status, rc ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK,
	       rc && req->written > 1 ? 0 : req->written);
	/* Nobody reads that answer. */
	bw->n_errors -= rc == -ECANCELED;
	if (!rc && req->type == VIRTIO_BLK_T_IN)
		bw->n_read += req->size;
	if (!rc && req->type == VIRTIO_BLK_T_OUT)
		bw->n_written += req->size;
	if (req->queued) {
		req->queued = false;
		bw->in_flight -= req->size;
		hv_stat_latency(&bw->blk->dev->stats, hv_now() - req->begun, 1);
	} else {
		bw->n_quick++;
	}
	release(req);
}

static void leave_flight(struct blk_req *req)
{
	struct blk_worker *bw = req->bw;

	if (req->queued)
		bw->in_flight -= req->size;
	req->queued = false;
}

void blk_req_refuse(struct blk_req *req, uint8_t status)
{
	struct blk_worker *bw = req->bw;

	answer(bw, req->vq, req->head, req->status, status, req->written > 1 ? 0 : req->written);
	hv_stat_latency(&bw->blk->dev->stats, hv_now() - req->begun, 1);
	leave_flight(req);
	release(req);
}

void blk_req_drop(struct blk_req *req)
{
	leave_flight(req);
	release(req);
}

/* ---- requests */

static bool inside(const struct hv_blk *blk, uint64_t sector, uint64_t sectors)
{
	uint64_t all = atomic_load_explicit(&blk->sectors, memory_order_relaxed);

	return sector <= all && sectors <= all - sector;
}

static uint8_t take_data(struct hv_blk *blk, struct blk_req *req, uint64_t sector)
{
	if (req->size % BLK_SECTOR || req->size > BLK_REQUEST_MAX ||
	    !inside(blk, sector, req->size / BLK_SECTOR) ||
	    (req->type == VIRTIO_BLK_T_OUT && blk->image.readonly))
		return VIRTIO_BLK_S_IOERR;
	req->off = sector * BLK_SECTOR;
	req->left = req->size;
	return VIRTIO_BLK_S_OK;
}

static uint8_t take_segment(struct hv_blk *blk, const struct virtio_blk_discard_write_zeroes *wire,
			    uint32_t type, struct blk_segment *to)
{
	uint64_t sector = le64toh(wire->sector);
	uint32_t sectors = le32toh(wire->num_sectors), flags = le32toh(wire->flags);
	bool zeroes = type == VIRTIO_BLK_T_WRITE_ZEROES;

	if (flags & ~(zeroes ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
		return VIRTIO_BLK_S_UNSUPP;
	if (sectors > (zeroes ? BLK_ZERO_SECTORS : BLK_DISCARD_SECTORS) ||
	    !inside(blk, sector, sectors))
		return VIRTIO_BLK_S_IOERR;
	*to = (struct blk_segment){ .off = sector * BLK_SECTOR,
				    .len = (uint64_t)sectors * BLK_SECTOR,
				    .unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP };
	return VIRTIO_BLK_S_OK;
}

/* All are checked before the first is done. */
static uint8_t take_segments(struct hv_blk *blk, struct blk_req *req, const struct hv_chain *chain,
			     size_t bytes)
{
	struct virtio_blk_discard_write_zeroes wire[BLK_SEGMENTS];
	unsigned int feature = req->type == VIRTIO_BLK_T_DISCARD ? VIRTIO_BLK_F_DISCARD
								 : VIRTIO_BLK_F_WRITE_ZEROES;
	uint8_t status = VIRTIO_BLK_S_OK;

	if (blk->image.readonly)
		return VIRTIO_BLK_S_IOERR;
	if (!hv_vdev_has(blk->dev, feature))
		return VIRTIO_BLK_S_UNSUPP;
	if (!bytes || bytes % sizeof(wire[0]) || bytes > sizeof(wire))
		return VIRTIO_BLK_S_IOERR;
	if (!req->segments)
		req->segments = calloc(BLK_SEGMENTS, sizeof(*req->segments));
	if (!req->segments) {
		report(req, ENOMEM);
		return VIRTIO_BLK_S_IOERR;
	}
	hv_iov_read(chain->iov, chain->n_out, sizeof(struct virtio_blk_outhdr), wire, bytes);
	req->n_segments = (unsigned int)(bytes / sizeof(wire[0]));
	for (unsigned int i = 0; i < req->n_segments && status == VIRTIO_BLK_S_OK; i++)
		status = take_segment(blk, &wire[i], req->type, &req->segments[i]);
	req->off = req->segments[0].off;
	return status;
}

static uint8_t give_id(const struct hv_blk *blk, struct blk_req *req, size_t room)
{
	size_t n = room < HV_BLK_SERIAL_MAX ? room : HV_BLK_SERIAL_MAX;

	hv_iov_write(req->iov, req->n_iov, 0, blk->serial, n);
	/* The status byte follows directly only where the buffer is not longer than the id. */
	req->written = (uint32_t)(n == room ? n + 1 : n);
	return VIRTIO_BLK_S_OK;
}

/* Skips the header in front of the data, or the status byte behind it. */
static void set_buffers(struct blk_req *req, struct iovec *iov, unsigned int n, size_t skip,
			size_t size)
{
	while (n && skip >= iov->iov_len) {
		skip -= iov->iov_len;
		iov++;
		n--;
	}
	req->iov = iov;
	req->size = size;
	req->n_iov = 0;
	if (!size)
		return;
	iov->iov_base = (uint8_t *)iov->iov_base + skip;
	iov->iov_len -= skip;
	while (size > iov[req->n_iov].iov_len)
		size -= iov[req->n_iov++].iov_len;
	iov[req->n_iov++].iov_len = size;
}

/* Prepares or answers at once. */
static uint8_t take(struct hv_blk *blk, struct blk_req *req, const struct hv_chain *chain,
		    uint64_t sector)
{
	size_t out = chain->out_len - sizeof(struct virtio_blk_outhdr), in = chain->in_len - 1;

	req->size = 0;
	req->off = 0;
	req->written = in ? 0 : 1;
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		set_buffers(req, chain->iov + chain->n_out, chain->n_in, 0, in);
		req->written = (uint32_t)chain->in_len;
		return take_data(blk, req, sector);
	case VIRTIO_BLK_T_OUT:
		set_buffers(req, chain->iov, chain->n_out, sizeof(struct virtio_blk_outhdr), out);
		return take_data(blk, req, sector);
	case VIRTIO_BLK_T_FLUSH:
		return VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		set_buffers(req, chain->iov + chain->n_out, chain->n_in, 0, in);
		return give_id(blk, req, in);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return take_segments(blk, req, chain, out);
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

void blk_req_begin(struct blk_req *req)
{
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		blk_io_data(req);
		break;
	case VIRTIO_BLK_T_FLUSH:
		blk_io_flush(req);
		break;
	case VIRTIO_BLK_T_GET_ID:
		blk_req_finish(req, 0);
		break;
	default:
		blk_io_segments(req);
		break;
	}
}

static void process(struct blk_worker *bw, struct hv_vq *vq, const struct hv_chain *chain,
		    const struct virtio_blk_outhdr *header)
{
	const struct iovec *last = &chain->iov[chain->n_out + chain->n_in - 1];
	uint8_t *status_at = (uint8_t *)last->iov_base + last->iov_len - 1;
	struct blk_req *req = bw->free;
	uint8_t status;

	bw->free = req->next;
	req->bw = bw;
	req->vq = vq;
	req->head = chain->head;
	req->status = status_at;
	req->type = le32toh(header->type);
	req->queued = false;
	req->by_thread = false;
	req->begun = bw->now;
	status = take(bw->blk, req, chain, le64toh(header->sector));
	if (status == VIRTIO_BLK_S_OK) {
		if (!blk_policy_minds(bw) || !blk_policy_hold(req))
			blk_req_begin(req);
		return;
	}
	answer(bw, vq, req->head, status_at, status, chain->in_len > 1 ? 0 : 1);
	bw->n_quick++;
	release(req);
}

/* What a request moves, for the limits; the guest's word for it is the buffers it gave. */
static uint64_t payload(const struct hv_chain *chain, uint32_t type)
{
	if (type == VIRTIO_BLK_T_IN && chain->in_len)
		return chain->in_len - 1;
	if (type == VIRTIO_BLK_T_OUT)
		return chain->out_len - sizeof(struct virtio_blk_outhdr);
	return 0;
}

enum blk_taken blk_req_take(struct blk_worker *bw, struct hv_vq *vq)
{
	struct virtio_blk_outhdr header = { 0 };
	struct hv_chain chain;
	uint64_t bytes, again;
	bool whole;

	if (!bw->free || bw->taken >= BLK_TURN_BYTES || bw->stalled)
		return BLK_MUST_WAIT;
	if (hv_queue_pop(&vq->ring, &chain) <= 0)
		return BLK_NOTHING_THERE;
	if (hv_vdev_policy_changed(bw->blk->dev, bw->w)) {
		hv_queue_unpop(&vq->ring);
		return BLK_OTHER_POLICY;
	}
	whole = hv_iov_read(chain.iov, chain.n_out, 0, &header, sizeof(header)) == sizeof(header);
	if (whole && chain.in_len) {
		bytes = payload(&chain, le32toh(header.type));
		if (bw->in_flight && bytes + bw->in_flight > BLK_IN_FLIGHT_MAX) {
			hv_queue_unpop(&vq->ring);
			return BLK_MUST_WAIT;
		}
		again = hv_limit_take(&bw->blk->dev->limit, 1, bytes, bw->now);
		if (again) {
			hv_queue_unpop(&vq->ring);
			hv_worker_wake(bw->w, again);
			return BLK_MUST_WAIT;
		}
		bw->taken += bytes;
		process(bw, vq, &chain, &header);
	} else if (chain.in_len) {
		const struct iovec *last = &chain.iov[chain.n_out + chain.n_in - 1];

		answer(bw, vq, chain.head, (uint8_t *)last->iov_base + last->iov_len - 1,
		       VIRTIO_BLK_S_IOERR, chain.in_len > 1 ? 0 : 1);
	} else {
		/* Nowhere to say anything. */
		hv_queue_push(&vq->ring, chain.head, 0);
		bw->n_done++;
		bw->n_errors++;
	}
	return BLK_TOOK;
}
