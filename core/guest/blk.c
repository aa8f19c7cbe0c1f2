// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <linux/virtio_blk.h>
#include <string.h>

#include "guest/drivers.h"

#define SECTOR 512u
#define HEADER 32u /* a request's header, and its status at the end */
#define STATUS 16u
#define BOUNCE 65536u

int hv_gblk_start(struct hv_gblk *blk, struct hv_gdev *dev, unsigned int queues, uint64_t features)
{
	uint64_t own = UINT64_C(1) << VIRTIO_BLK_F_RO | UINT64_C(1) << VIRTIO_BLK_F_FLUSH |
		       UINT64_C(1) << VIRTIO_BLK_F_MQ;
	unsigned int there = 1;
	int rc = hv_gdev_negotiate(dev, HV_GDEV_FEATURES | own | features);

	memset(blk, 0, sizeof(*blk));
	blk->dev = dev;
	if (rc < 0)
		return rc;
	blk->sectors = hv_gdev_config(dev, 0, 4) | hv_gdev_config(dev, 4, 4) << 32;
	blk->read_only = hv_gdev_has(dev, VIRTIO_BLK_F_RO);
	blk->can_flush = hv_gdev_has(dev, VIRTIO_BLK_F_FLUSH);
	if (hv_gdev_has(dev, VIRTIO_BLK_F_MQ))
		there = (unsigned int)hv_gdev_config(
			dev, offsetof(struct virtio_blk_config, num_queues), 2);
	blk->n_queues = queues < there ? queues : there;
	if (!blk->n_queues || blk->n_queues > HV_GDEV_QUEUES)
		return -EINVAL;
	blk->bounce = hv_guest_alloc(dev->g, BOUNCE, 4096);
	if (!blk->bounce)
		return -ENOMEM;
	for (unsigned int q = 0; q < blk->n_queues; q++) {
		uint64_t headers = hv_guest_alloc(dev->g, HEADER * HV_GBLK_DEPTH, HEADER);

		rc = headers ? hv_gdev_add_queue(dev, 4 * HV_GBLK_DEPTH) : -ENOMEM;
		if (rc < 0)
			return rc;
		for (unsigned int i = 0; i < HV_GBLK_DEPTH; i++)
			blk->requests[q][i] =
				(struct hv_gblk_request){ .queue = q, .at = headers + HEADER * i };
	}
	return hv_gdev_start(dev);
}

int hv_gblk_submit(struct hv_gblk *blk, unsigned int queue, uint32_t type, uint64_t sector,
		   uint64_t addr, uint32_t len, void *token)
{
	bool reads = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;
	struct hv_gblk_request *r = blk->requests[queue];
	struct hv_gbuf out[2], in[2];
	unsigned int n_out = 1, n_in = 0;
	struct virtio_blk_outhdr header = { .type = htole32(type), .sector = htole64(sector) };
	int rc;

	while (r < blk->requests[queue] + HV_GBLK_DEPTH && r->busy)
		r++;
	if (r == blk->requests[queue] + HV_GBLK_DEPTH)
		return -EAGAIN;
	memcpy(hv_guest_at(blk->dev->g, r->at, sizeof(header)), &header, sizeof(header));
	*(uint8_t *)hv_guest_at(blk->dev->g, r->at + STATUS, 1) = 0xff;
	out[0] = (struct hv_gbuf){ r->at, sizeof(header) };
	if (len && reads)
		in[n_in++] = (struct hv_gbuf){ addr, len };
	else if (len)
		out[n_out++] = (struct hv_gbuf){ addr, len };
	in[n_in++] = (struct hv_gbuf){ r->at + STATUS, 1 };
	rc = hv_gring_add(&blk->dev->rings[queue], out, n_out, in, n_in, r);
	if (rc < 0)
		return rc == -ENOSPC ? -EAGAIN : rc;
	r->busy = true;
	r->token = token;
	return 0;
}

int hv_gblk_complete(struct hv_gblk *blk, unsigned int queue, void **token, uint8_t *status)
{
	struct hv_gblk_request *r;
	void *back;
	int rc = hv_gring_get(&blk->dev->rings[queue], &back, NULL);

	if (rc <= 0)
		return rc;
	r = back;
	*status = *(uint8_t *)hv_guest_at(blk->dev->g, r->at + STATUS, 1);
	*token = r->token;
	r->busy = false;
	return 1;
}

int hv_gblk_do(struct hv_gblk *blk, uint32_t type, uint64_t sector, uint64_t addr, uint32_t len)
{
	uint8_t status;
	void *token;
	int rc = hv_gblk_submit(blk, 0, type, sector, addr, len, blk);

	if (rc == 0)
		rc = hv_gdev_kick(blk->dev, 0);
	if (rc == 0)
		rc = hv_gdev_wait(blk->dev, 0, HV_GUEST_PATIENCE);
	if (rc <= 0)
		return rc ? rc : -ETIMEDOUT;
	rc = hv_gblk_complete(blk, 0, &token, &status);
	if (rc <= 0)
		return rc ? rc : -EPROTO;
	switch (status) {
	case VIRTIO_BLK_S_OK:
		return 0;
	case VIRTIO_BLK_S_IOERR:
		return -EIO;
	case VIRTIO_BLK_S_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EPROTO;
	}
}

/* How much of [offset, offset + len) goes through the bounce buffer at once, in whole sectors. */
static uint32_t span_of(uint64_t offset, size_t len, uint64_t *first, uint32_t *skip, size_t *part)
{
	uint64_t sectors;

	*first = offset / SECTOR;
	*skip = (uint32_t)(offset % SECTOR);
	*part = len < BOUNCE - SECTOR ? len : BOUNCE - SECTOR;
	sectors = (*skip + *part + SECTOR - 1) / SECTOR;
	return (uint32_t)sectors * SECTOR;
}

static bool within(const struct hv_gblk *blk, uint64_t offset, size_t len)
{
	uint64_t size = blk->sectors * SECTOR;

	return blk->sectors <= UINT64_MAX / SECTOR && offset <= size && len <= size - offset;
}

int hv_gblk_read(struct hv_gblk *blk, uint64_t offset, void *bytes, size_t len)
{
	uint8_t *to = bytes, *bounce = hv_guest_at(blk->dev->g, blk->bounce, BOUNCE);

	if (!within(blk, offset, len))
		return -ERANGE;
	while (len) {
		uint64_t first;
		uint32_t skip, span;
		size_t part;
		int rc;

		span = span_of(offset, len, &first, &skip, &part);
		rc = hv_gblk_do(blk, VIRTIO_BLK_T_IN, first, blk->bounce, span);
		if (rc < 0)
			return rc;
		memcpy(to, bounce + skip, part);
		to += part;
		offset += part;
		len -= part;
	}
	return 0;
}

int hv_gblk_write(struct hv_gblk *blk, uint64_t offset, const void *bytes, size_t len)
{
	uint8_t *bounce = hv_guest_at(blk->dev->g, blk->bounce, BOUNCE);
	const uint8_t *from = bytes;

	if (blk->read_only)
		return -EROFS;
	if (!within(blk, offset, len))
		return -ERANGE;
	while (len) {
		uint64_t first;
		uint32_t skip, span;
		size_t part;
		int rc;

		span = span_of(offset, len, &first, &skip, &part);
		rc = hv_gblk_do(blk, VIRTIO_BLK_T_IN, first, blk->bounce, span);
		if (rc < 0)
			return rc;
		memcpy(bounce + skip, from, part);
		rc = hv_gblk_do(blk, VIRTIO_BLK_T_OUT, first, blk->bounce, span);
		if (rc < 0)
			return rc;
		from += part;
		offset += part;
		len -= part;
	}
	return blk->can_flush ? hv_gblk_do(blk, VIRTIO_BLK_T_FLUSH, 0, 0, 0) : 0;
}
