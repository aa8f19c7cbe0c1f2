// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <string.h>

#include "virtio/dev/gpu_priv.h"

union request {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resource_create_2d create;
	struct virtio_gpu_resource_unref unref;
	struct virtio_gpu_set_scanout set_scanout;
	struct virtio_gpu_resource_flush flush;
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct virtio_gpu_resource_attach_backing attach;
	struct virtio_gpu_resource_detach_backing detach;
	struct virtio_gpu_cmd_get_edid get_edid;
	struct virtio_gpu_update_cursor cursor;
};

union answer {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resp_display_info display;
	struct virtio_gpu_resp_edid edid;
};

struct call {
	struct hv_gpu *gpu;
	const struct hv_chain *chain;
	union request req;
	union answer answer;
	size_t answer_len;    /* bytes */
	uint32_t id, scanout; /* what it is about */
};

static struct hv_gpu_rect rect_of(const struct virtio_gpu_rect *r)
{
	return (struct hv_gpu_rect){ le32toh(r->x), le32toh(r->y), le32toh(r->width),
				     le32toh(r->height) };
}

static uint32_t get_display_info(struct call *c)
{
	struct virtio_gpu_resp_display_info *to = &c->answer.display;

	pthread_mutex_lock(&c->gpu->lock);
	for (unsigned int i = 0; i < c->gpu->n_scanouts; i++) {
		struct hv_gpu_preferred told = hv_gpu_told(c->gpu, i);

		to->pmodes[i].r.width = htole32(told.w);
		to->pmodes[i].r.height = htole32(told.h);
		to->pmodes[i].enabled = htole32(told.connected);
	}
	pthread_mutex_unlock(&c->gpu->lock);
	c->answer_len = sizeof(*to);
	return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

static uint32_t get_edid(struct call *c)
{
	uint32_t scanout = le32toh(c->req.get_edid.scanout);
	struct hv_gpu_preferred told;
	size_t size;

	if (!hv_vdev_has(c->gpu->dev, VIRTIO_GPU_F_EDID))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	if (scanout >= c->gpu->n_scanouts)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	pthread_mutex_lock(&c->gpu->lock);
	told = hv_gpu_told(c->gpu, scanout);
	pthread_mutex_unlock(&c->gpu->lock);
	size = hv_gpu_edid(&told, scanout, c->answer.edid.edid);
	c->answer.edid.size = htole32((uint32_t)size);
	c->answer_len = sizeof(c->answer.edid);
	return VIRTIO_GPU_RESP_OK_EDID;
}

static struct hv_gpu_resource *find(struct call *c, uint32_t id)
{
	c->id = le32toh(id);
	return hv_gpu_find(c->gpu, c->id);
}

static uint32_t create(struct call *c)
{
	const struct virtio_gpu_resource_create_2d *r = &c->req.create;

	c->id = le32toh(r->resource_id);
	return hv_gpu_create(c->gpu, c->id, le32toh(r->format), le32toh(r->width),
			     le32toh(r->height));
}

static uint32_t unref(struct call *c)
{
	struct hv_gpu_resource *res = find(c, c->req.unref.resource_id);

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	hv_gpu_blank(c->gpu, res);
	hv_gpu_unref(c->gpu, res);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static uint32_t set_scanout(struct call *c)
{
	const struct virtio_gpu_set_scanout *r = &c->req.set_scanout;
	struct hv_gpu_resource *res = r->resource_id ? find(c, r->resource_id) : NULL;
	struct hv_gpu_rect rect = rect_of(&r->r);

	c->scanout = le32toh(r->scanout_id);
	if (c->scanout >= c->gpu->n_scanouts)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (r->resource_id && !res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	return hv_gpu_set_scanout(c->gpu, c->scanout, res, &rect);
}

static uint32_t flush(struct call *c)
{
	struct hv_gpu_resource *res = hv_gpu_find(c->gpu, le32toh(c->req.flush.resource_id));
	struct hv_gpu_rect rect = rect_of(&c->req.flush.r);

	return res ? hv_gpu_flush(c->gpu, res, &rect) : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

static uint32_t transfer(struct call *c)
{
	struct hv_gpu_resource *res = hv_gpu_find(c->gpu, le32toh(c->req.transfer.resource_id));
	struct hv_gpu_rect rect = rect_of(&c->req.transfer.r);

	return res ? hv_gpu_transfer(c->gpu, res, &rect, le64toh(c->req.transfer.offset))
		   : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

static uint32_t attach(struct call *c)
{
	struct hv_gpu_resource *res = find(c, c->req.attach.resource_id);

	return res ? hv_gpu_attach(c->gpu, res, c->gpu->dev->bus->mem, c->chain,
				   sizeof(c->req.attach), le32toh(c->req.attach.nr_entries))
		   : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

static uint32_t detach(struct call *c)
{
	struct hv_gpu_resource *res = find(c, c->req.detach.resource_id);

	return res ? hv_gpu_detach(c->gpu, res) : VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
}

static uint32_t update_cursor(struct call *c)
{
	c->scanout = le32toh(c->req.cursor.pos.scanout_id);
	return hv_gpu_cursor(c->gpu, &c->req.cursor, false);
}

static uint32_t move_cursor(struct call *c)
{
	c->scanout = le32toh(c->req.cursor.pos.scanout_id);
	return hv_gpu_cursor(c->gpu, &c->req.cursor, true);
}

static const struct command {
	uint32_t type;
	bool cursor_queue;
	size_t size;
	uint32_t (*run)(struct call *c);
} commands[] = {
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, false, sizeof(struct virtio_gpu_transfer_to_host_2d),
	  transfer },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, false, sizeof(struct virtio_gpu_resource_flush), flush },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, false, sizeof(struct virtio_gpu_set_scanout), set_scanout },
	{ VIRTIO_GPU_CMD_MOVE_CURSOR, true, sizeof(struct virtio_gpu_update_cursor), move_cursor },
	{ VIRTIO_GPU_CMD_UPDATE_CURSOR, true, sizeof(struct virtio_gpu_update_cursor),
	  update_cursor },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, false, sizeof(struct virtio_gpu_resource_create_2d),
	  create },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF, false, sizeof(struct virtio_gpu_resource_unref), unref },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, false,
	  sizeof(struct virtio_gpu_resource_attach_backing), attach },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, false,
	  sizeof(struct virtio_gpu_resource_detach_backing), detach },
	{ VIRTIO_GPU_CMD_GET_DISPLAY_INFO, false, sizeof(struct virtio_gpu_ctrl_hdr),
	  get_display_info },
	{ VIRTIO_GPU_CMD_GET_EDID, false, sizeof(struct virtio_gpu_cmd_get_edid), get_edid },
};

/* By the process before. Whether it failed then is not known: the guest finds out with what
 * follows. */
static bool was_done(const struct call *c, uint32_t type, bool cursor_queue)
{
	return !cursor_queue && c->gpu->again && type != VIRTIO_GPU_CMD_GET_DISPLAY_INFO &&
	       type != VIRTIO_GPU_CMD_GET_EDID;
}

static uint32_t run(struct call *c, size_t len, bool cursor_queue)
{
	uint32_t type = le32toh(c->req.hdr.type), answer;

	if (len < sizeof(c->req.hdr))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (commands[i].type != type || commands[i].cursor_queue != cursor_queue)
			continue;
		if (len < commands[i].size)
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
		if (was_done(c, type, cursor_queue))
			return VIRTIO_GPU_RESP_OK_NODATA;
		answer = commands[i].run(c);
		if (answer == VIRTIO_GPU_RESP_OK_NODATA)
			hv_gpu_note(c->gpu, type, c->id, c->scanout);
		return answer;
	}
	return VIRTIO_GPU_RESP_ERR_UNSPEC;
}

/*
 * Commands are done when they are answered, so a fence is its own command's answer. A driver gives
 * those of the cursor queue no room for one.
 */
uint32_t hv_gpu_command(struct hv_gpu *gpu, const struct hv_chain *chain, bool cursor_queue)
{
	struct call c = { .gpu = gpu,
			  .chain = chain,
			  .answer_len = sizeof(struct virtio_gpu_ctrl_hdr) };
	size_t len = hv_iov_read(chain->iov, chain->n_out, 0, &c.req, sizeof(c.req));
	uint32_t type = run(&c, len, cursor_queue), flags = le32toh(c.req.hdr.flags);

	if (chain->in_len < c.answer_len) {
		if (!cursor_queue || chain->in_len)
			hv_vdev_warn(gpu->dev,
				     "the guest has room of %zu bytes for an answer of %zu",
				     chain->in_len, c.answer_len);
		c.answer_len = sizeof(c.answer.hdr);
		if (type < VIRTIO_GPU_RESP_ERR_UNSPEC && type != VIRTIO_GPU_RESP_OK_NODATA)
			type = VIRTIO_GPU_RESP_ERR_UNSPEC;
	}
	if (type >= VIRTIO_GPU_RESP_ERR_UNSPEC)
		hv_stat_add(&gpu->dev->stats.errors, 1);
	if (chain->in_len < c.answer_len)
		return 0;
	c.answer.hdr.type = htole32(type);
	if (flags & VIRTIO_GPU_FLAG_FENCE) {
		c.answer.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE);
		c.answer.hdr.fence_id = c.req.hdr.fence_id;
		c.answer.hdr.ctx_id = c.req.hdr.ctx_id;
	}
	hv_iov_write(chain->iov + chain->n_out, chain->n_in, 0, &c.answer, c.answer_len);
	return (uint32_t)c.answer_len;
}

uint64_t hv_gpu_command_bytes(const struct hv_gpu *gpu, const struct hv_chain *chain)
{
	struct virtio_gpu_transfer_to_host_2d t;
	uint64_t bytes;

	if (hv_iov_read(chain->iov, chain->n_out, 0, &t, sizeof(t)) < sizeof(t) ||
	    le32toh(t.hdr.type) != VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D ||
	    le32toh(t.r.width) > HV_GPU_SIDE_MAX || le32toh(t.r.height) > HV_GPU_SIDE_MAX)
		return 0;
	bytes = (uint64_t)le32toh(t.r.width) * le32toh(t.r.height) * 4;
	return bytes < gpu->memory_max ? bytes : gpu->memory_max;
}
