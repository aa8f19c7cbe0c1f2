// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "virtio/dev/gpu_kept.h"

static void then(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static struct gpu_room *room_of(const struct hv_gpu *gpu)
{
	return hv_state_room(gpu->dev->kept);
}

/* ---- writing */

/* NULL when it does not fit. */
static struct gpu_record *begin(struct gpu_room *room, unsigned int half, uint32_t type,
				uint32_t id, uint64_t payload)
{
	uint32_t tail = room->half[half].tail;
	struct gpu_record *r;

	if (payload > GPU_HALF - sizeof(*r) || tail > GPU_HALF - sizeof(*r) - payload)
		return NULL;
	r = (struct gpu_record *)(room->data[half] + tail);
	*r = (struct gpu_record){ .size = (uint32_t)(sizeof(*r) + payload),
				  .type = type,
				  .id = id };
	return r;
}

static void commit(const struct hv_gpu *gpu, struct gpu_room *room, unsigned int half,
		   struct gpu_record *r)
{
	r->serial = gpu->kept_serial;
	r->at = gpu->kept_at;
	r->sum = state_sum(&r->serial, r->size - sizeof(r->sum));
	then();
	room->half[half].tail += r->size;
}

static bool write_plain(const struct hv_gpu *gpu, struct gpu_room *room, unsigned int half,
			uint32_t type, uint32_t id, const void *payload, size_t size)
{
	struct gpu_record *r = begin(room, half, type, id, size);

	if (!r)
		return false;
	if (size)
		memcpy(r + 1, payload, size);
	commit(gpu, room, half, r);
	return true;
}

static bool write_made(const struct hv_gpu *gpu, struct gpu_room *room, unsigned int half,
		       const struct hv_gpu_resource *res)
{
	const struct gpu_made made = { .format = res->format, .w = res->w, .h = res->h };

	return write_plain(gpu, room, half, VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, res->id, &made,
			   sizeof(made));
}

static bool write_backing(const struct hv_gpu *gpu, struct gpu_room *room, unsigned int half,
			  const struct hv_gpu_resource *res)
{
	struct virtio_gpu_mem_entry *entry;
	struct gpu_record *r = begin(room, half, VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, res->id,
				     (uint64_t)res->n_pieces * sizeof(*entry));
	uint64_t from = 0;

	if (!r)
		return false;
	entry = (struct virtio_gpu_mem_entry *)(r + 1);
	for (uint32_t i = 0; i < res->n_pieces; i++) {
		entry[i] = (struct virtio_gpu_mem_entry){
			.addr = htole64(res->pieces[i].addr),
			.length = htole32((uint32_t)(res->pieces[i].end - from)),
		};
		from = res->pieces[i].end;
	}
	commit(gpu, room, half, r);
	return true;
}

static bool write_shown(const struct hv_gpu *gpu, struct gpu_room *room, unsigned int half,
			unsigned int scanout)
{
	const struct hv_gpu_scanout *s = &gpu->scanouts[scanout];
	const struct gpu_shown shown = { .scanout = scanout, .rect = s->rect };

	return write_plain(gpu, room, half, VIRTIO_GPU_CMD_SET_SCANOUT, s->res ? s->res->id : 0,
			   &shown, sizeof(shown));
}

static bool write_pointed(const struct hv_gpu *gpu, struct gpu_room *room, unsigned int half,
			  unsigned int scanout)
{
	const struct hv_gpu_scanout *s = &gpu->scanouts[scanout];
	struct gpu_record *r =
		begin(room, half, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, sizeof(struct gpu_pointed));
	struct gpu_pointed *p;

	if (!r)
		return false;
	p = (struct gpu_pointed *)(r + 1);
	p->scanout = scanout;
	p->on = s->has_cursor;
	p->cursor = s->cursor;
	commit(gpu, room, half, r);
	return true;
}

static bool write_all(const struct hv_gpu *gpu, struct gpu_room *room, unsigned int half)
{
	for (unsigned int i = 0; i < HV_GPU_BUCKETS; i++)
		for (const struct hv_gpu_resource *r = gpu->buckets[i]; r; r = r->next)
			if (!write_made(gpu, room, half, r) ||
			    (r->n_pieces && !write_backing(gpu, room, half, r)))
				return false;
	for (unsigned int i = 0; i < gpu->n_scanouts; i++) {
		const struct hv_gpu_scanout *s = &gpu->scanouts[i];

		if ((s->res && !write_shown(gpu, room, half, i)) ||
		    (s->has_cursor && !write_pointed(gpu, room, half, i)))
			return false;
	}
	return write_plain(gpu, room, half, GPU_MARK, 0, NULL, 0);
}

static void shorten(struct hv_gpu *gpu, struct gpu_room *room)
{
	unsigned int old = room->active, other = !old;

	room->half[other] = (struct gpu_half){ .life = room->half[old].life };
	then();
	if (write_all(gpu, room, other) && room->half[other].tail <= GPU_HALF_LIVE) {
		then();
		room->active = other;
		return;
	}
	room->half[old].full = 1;
	hv_vdev_warn(gpu->dev,
		     "the guest has too many pictures, or too scattered ones, for them to "
		     "be kept: its zone will notice when this service ends");
}

/* What is noted is done by now, so that all there is has it as well. */
static struct gpu_room *noting(const struct hv_gpu *gpu)
{
	struct gpu_room *room = room_of(gpu);

	return room && !room->half[room->active].full ? room : NULL;
}

static bool write_command(const struct hv_gpu *gpu, struct gpu_room *room, uint32_t type,
			  uint32_t id, unsigned int scanout)
{
	unsigned int half = room->active;

	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		return write_made(gpu, room, half, hv_gpu_find(gpu, id));
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		return write_backing(gpu, room, half, hv_gpu_find(gpu, id));
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		return write_shown(gpu, room, half, scanout);
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
		return write_pointed(gpu, room, half, scanout);
	default:
		return write_plain(gpu, room, half, type, id, NULL, 0);
	}
}

void hv_gpu_note(struct hv_gpu *gpu, uint32_t type, uint32_t id, unsigned int scanout)
{
	struct gpu_room *room = noting(gpu);

	if (!room)
		return;
	switch (type) {
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
	case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		gpu->kept_serial = room->done;
		gpu->kept_at = gpu->at;
		break;
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
	case VIRTIO_GPU_CMD_MOVE_CURSOR:
		room->cursor[scanout].x = gpu->scanouts[scanout].cursor_x;
		room->cursor[scanout].y = gpu->scanouts[scanout].cursor_y;
		if (type == VIRTIO_GPU_CMD_UPDATE_CURSOR)
			break;
		return;
	default:
		return;
	}
	if (!write_command(gpu, room, type, id, scanout))
		shorten(gpu, room);
}

void hv_gpu_note_done(struct hv_gpu *gpu)
{
	struct gpu_room *room = room_of(gpu);

	if (room)
		room->done++;
}

/* ---- lives */

void hv_gpu_keep_begin(struct hv_gpu *gpu, uint32_t life)
{
	struct gpu_room *room = room_of(gpu);
	unsigned int other;

	gpu->kept_serial = GPU_NO_SERIAL;
	if (!room)
		return;
	other = !room->active;
	room->half[other] = (struct gpu_half){ .life = life };
	then();
	room->active = other;
	room->done = 0;
}

/* Places in the ring begin anew: those that were noted say nothing any more. */
static void queue_begins(struct hv_gpu *gpu)
{
	struct gpu_room *room = noting(gpu);

	gpu->kept_serial = GPU_NO_SERIAL;
	if (room && !write_plain(gpu, room, room->active, GPU_MARK, 0, NULL, 0))
		shorten(gpu, room);
}

/*
 * Several commands may have been done before the guest was shown that any was. They come again, and
 * what they have left behind is there already.
 */
void hv_gpu_keep_queue(struct hv_gpu *gpu, const struct hv_queue *ring, bool taken_up)
{
	const struct gpu_room *room = room_of(gpu);
	uint16_t behind;

	gpu->again = 0;
	if (!taken_up) {
		queue_begins(gpu);
		return;
	}
	behind = (uint16_t)(gpu->kept_at - ring->used_idx);
	/* A place is used again after 65,536 commands. */
	if (room && gpu->kept_serial != GPU_NO_SERIAL && room->done - gpu->kept_serial < 0x8000 &&
	    behind < ring->n_owed)
		gpu->again = behind + 1u;
}

/* ---- reading: nothing is believed */

static bool do_record(struct hv_gpu *gpu, const struct gpu_record *r, const struct hv_gmem *mem)
{
	struct hv_gpu_resource *res = r->id ? hv_gpu_find(gpu, r->id) : NULL;
	size_t payload = r->size - sizeof(*r);
	struct iovec iov = { (void *)(r + 1), payload };
	const struct hv_chain chain = { .n_out = 1, .out_len = payload, .iov = &iov };
	const struct gpu_made *made = (const struct gpu_made *)(r + 1);
	const struct gpu_shown *shown = (const struct gpu_shown *)(r + 1);
	const struct gpu_pointed *pointed = (const struct gpu_pointed *)(r + 1);

	switch (r->type) {
	case GPU_MARK:
		return !payload;
	case VIRTIO_GPU_CMD_RESOURCE_CREATE_2D:
		return payload == sizeof(*made) &&
		       hv_gpu_create(gpu, r->id, made->format, made->w, made->h) ==
			       VIRTIO_GPU_RESP_OK_NODATA;
	case VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING:
		return res &&
		       hv_gpu_attach(gpu, res, mem, &chain, 0,
				     (uint32_t)(payload / sizeof(struct virtio_gpu_mem_entry))) ==
			       VIRTIO_GPU_RESP_OK_NODATA;
	case VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING:
		return res && hv_gpu_detach(gpu, res) == VIRTIO_GPU_RESP_OK_NODATA;
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
		if (!res)
			return false;
		hv_gpu_blank(gpu, res);
		hv_gpu_unref(gpu, res);
		return true;
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		return payload == sizeof(*shown) && shown->scanout < gpu->n_scanouts &&
		       (res || !r->id) &&
		       hv_gpu_set_scanout(gpu, shown->scanout, res, &shown->rect) ==
			       VIRTIO_GPU_RESP_OK_NODATA;
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
		if (payload != sizeof(*pointed) || pointed->scanout >= gpu->n_scanouts ||
		    pointed->on > 1 || pointed->cursor.hot_x >= HV_GPU_CURSOR_SIZE ||
		    pointed->cursor.hot_y >= HV_GPU_CURSOR_SIZE)
			return false;
		gpu->scanouts[pointed->scanout].has_cursor = pointed->on;
		gpu->scanouts[pointed->scanout].cursor = pointed->cursor;
		return true;
	}
	return false;
}

static bool do_all(struct hv_gpu *gpu, const struct gpu_room *room, const struct hv_gmem *mem)
{
	const struct gpu_half *half = &room->half[room->active];
	const uint8_t *data = room->data[room->active];

	for (uint32_t at = 0; at < half->tail;) {
		const struct gpu_record *r = (const struct gpu_record *)(data + at);

		if (half->tail - at < sizeof(*r) || r->size < sizeof(*r) || r->size % 8 ||
		    r->size > half->tail - at ||
		    r->sum != state_sum(&r->serial, r->size - sizeof(r->sum)) ||
		    !do_record(gpu, r, mem))
			return false;
		gpu->kept_serial = r->serial;
		gpu->kept_at = r->at;
		at += r->size;
	}
	return true;
}

/* The guest has them in its memory: those it has not, it draws anew when it wants them seen. */
static void fetch_pixels(struct hv_gpu *gpu)
{
	for (unsigned int i = 0; i < HV_GPU_BUCKETS; i++)
		for (struct hv_gpu_resource *r = gpu->buckets[i]; r; r = r->next)
			hv_gpu_transfer(gpu, r, &(struct hv_gpu_rect){ 0, 0, r->w, r->h }, 0);
}

int hv_gpu_open_kept(struct hv_gpu *gpu, uint32_t life, const void *bytes,
		     const struct hv_gmem *mem, struct hv_err *err)
{
	const struct gpu_room *room = bytes;
	const struct gpu_half *half = &room->half[room->active & 1];

	hv_gpu_forget(gpu);
	gpu->kept_serial = GPU_NO_SERIAL;
	gpu->opened = false;
	if (room->active > 1 || half->tail > GPU_HALF || half->tail % 8 || half->full > 1)
		return hv_err_set(err, EBADMSG, "what is kept of its pictures is damaged");
	/* Its driver had not been served yet. */
	if (half->life != life)
		return 0;
	if (half->full)
		return hv_err_set(err, ESTALE, "its guest has more pictures than could be kept");
	if (!do_all(gpu, room, mem)) {
		hv_gpu_forget(gpu);
		return hv_err_set(err, EBADMSG,
				  "what is kept of its pictures is damaged, or does not fit it");
	}
	for (unsigned int i = 0; i < gpu->n_scanouts; i++) {
		gpu->scanouts[i].cursor_x = room->cursor[i].x;
		gpu->scanouts[i].cursor_y = room->cursor[i].y;
	}
	fetch_pixels(gpu);
	gpu->opened = true;
	return 0;
}
