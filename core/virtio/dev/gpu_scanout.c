// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <string.h>

#include "virtio/dev/gpu_priv.h"

static void damage_all(struct hv_gpu_scanout *s)
{
	s->damage.n = 1;
	s->damage.rects[0] = (struct hv_gpu_rect){ 0, 0, s->rect.w, s->rect.h };
}

/* The cursor where it was drawn and where it is to be, for an output that draws it into the
 * picture. */
static void damage_cursor(struct hv_gpu_scanout *s)
{
	struct hv_gpu_rect all = { 0, 0, s->rect.w, s->rect.h }, r;

	if (s->drawn && hv_gpu_intersect(&s->drawn_rect, &all, &r))
		hv_gpu_damage_add(&s->damage, &r);
	if (s->has_cursor && hv_gpu_cursor_rect(s->cursor_x, s->cursor_y, all.w, all.h, &r))
		hv_gpu_damage_add(&s->damage, &r);
	s->due |= s->damage.n > 0;
}

static unsigned int number_of(const struct hv_gpu *gpu, const struct hv_gpu_scanout *s)
{
	return (unsigned int)(s - gpu->scanouts);
}

/* A new cursor, or the same one elsewhere. */
static void give_cursor(struct hv_gpu *gpu, struct hv_gpu_scanout *s, bool move)
{
	struct hv_gpu_output *out = gpu->out;
	unsigned int i = number_of(gpu, s);
	int rc = 0;

	if (!s->res || !s->mode_set)
		return;
	pthread_mutex_lock(&gpu->output_lock);
	if (!out->soft_cursor)
		rc = move ? out->ops->move_cursor(out, i, s->cursor_x, s->cursor_y)
			  : out->ops->cursor(out, i, s->has_cursor ? &s->cursor : NULL, s->cursor_x,
					     s->cursor_y);
	pthread_mutex_unlock(&gpu->output_lock);
	if (rc || out->soft_cursor)
		damage_cursor(s);
}

static void blank(struct hv_gpu *gpu, struct hv_gpu_scanout *s)
{
	const struct hv_gpu_output_ops *ops = gpu->out->ops;

	if (!s->res)
		return;
	pthread_mutex_lock(&gpu->lock);
	s->res = NULL;
	pthread_mutex_unlock(&gpu->lock);
	s->damage.n = 0;
	s->drawn = s->due = false;
	if (s->mode_set && ops->blank) {
		pthread_mutex_lock(&gpu->output_lock);
		ops->blank(gpu->out, number_of(gpu, s));
		pthread_mutex_unlock(&gpu->output_lock);
	}
	s->mode_set = s->mode_failed = false;
}

void hv_gpu_blank(struct hv_gpu *gpu, const struct hv_gpu_resource *res)
{
	for (unsigned int i = 0; i < gpu->n_scanouts; i++)
		if (!res || gpu->scanouts[i].res == res)
			blank(gpu, &gpu->scanouts[i]);
}

void hv_gpu_forget(struct hv_gpu *gpu)
{
	hv_gpu_blank(gpu, NULL);
	pthread_mutex_lock(&gpu->lock);
	for (unsigned int i = 0; i < gpu->n_scanouts; i++)
		gpu->scanouts[i].has_cursor = false;
	pthread_mutex_unlock(&gpu->lock);
	hv_gpu_unref_all(gpu);
}

uint32_t hv_gpu_set_scanout(struct hv_gpu *gpu, uint32_t scanout, struct hv_gpu_resource *res,
			    const struct hv_gpu_rect *rect)
{
	struct hv_gpu_scanout *s = &gpu->scanouts[scanout];

	if (!res) {
		blank(gpu, s);
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
	if (!hv_gpu_inside(rect, res->w, res->h))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	if (s->res == res && !memcmp(&s->rect, rect, sizeof(*rect)) && !s->mode_failed)
		return VIRTIO_GPU_RESP_OK_NODATA;
	if (!s->res || s->rect.w != rect->w || s->rect.h != rect->h)
		s->mode_set = s->mode_failed = false;
	pthread_mutex_lock(&gpu->lock);
	s->res = res;
	s->rect = *rect;
	pthread_mutex_unlock(&gpu->lock);
	s->mode_failed = false;
	damage_all(s);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

uint32_t hv_gpu_flush(struct hv_gpu *gpu, struct hv_gpu_resource *res,
		      const struct hv_gpu_rect *rect)
{
	struct hv_gpu_rect r;

	if (!hv_gpu_inside(rect, res->w, res->h))
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	for (unsigned int i = 0; i < gpu->n_scanouts; i++) {
		struct hv_gpu_scanout *s = &gpu->scanouts[i];

		if (s->res != res || !hv_gpu_intersect(rect, &s->rect, &r))
			continue;
		r.x -= s->rect.x;
		r.y -= s->rect.y;
		hv_gpu_damage_add(&s->damage, &r);
		s->due = true;
	}
	return VIRTIO_GPU_RESP_OK_NODATA;
}

static void copy_cursor(struct hv_gpu_cursor *to, const struct hv_gpu_resource *res)
{
	uint32_t opaque = hv_gpu_format_alpha(res->format) ? 0 : 0xff000000u;

	for (size_t i = 0; i < HV_GPU_CURSOR_SIZE * HV_GPU_CURSOR_SIZE; i++)
		to->pixels[i] = res->pixels[i] | opaque;
}

/*
 * The position is the picture's top left corner, and may be negative: so Linux has it, where the
 * specification says nothing.
 */
uint32_t hv_gpu_cursor(struct hv_gpu *gpu, const struct virtio_gpu_update_cursor *cmd, bool move)
{
	uint32_t scanout = le32toh(cmd->pos.scanout_id), id = le32toh(cmd->resource_id);
	uint32_t hot_x = le32toh(cmd->hot_x), hot_y = le32toh(cmd->hot_y);
	const struct hv_gpu_resource *res = NULL;
	struct hv_gpu_scanout *s;

	if (scanout >= gpu->n_scanouts)
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	s = &gpu->scanouts[scanout];
	if (!move && id) {
		res = hv_gpu_find(gpu, id);
		if (!res)
			return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
		if (res->w != HV_GPU_CURSOR_SIZE || res->h != HV_GPU_CURSOR_SIZE ||
		    hot_x >= HV_GPU_CURSOR_SIZE || hot_y >= HV_GPU_CURSOR_SIZE)
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	pthread_mutex_lock(&gpu->lock);
	s->cursor_x = (int32_t)le32toh(cmd->pos.x);
	s->cursor_y = (int32_t)le32toh(cmd->pos.y);
	if (!move) {
		s->has_cursor = res != NULL;
		s->cursor.hot_x = hot_x;
		s->cursor.hot_y = hot_y;
		if (res)
			copy_cursor(&s->cursor, res);
	}
	pthread_mutex_unlock(&gpu->lock);
	if (s->has_cursor || !move)
		give_cursor(gpu, s, move);
	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* ---- towards the output */

static bool make_ready(struct hv_gpu *gpu, struct hv_gpu_scanout *s)
{
	struct hv_err err = { 0 };
	int rc;

	if (s->mode_set || s->mode_failed)
		return s->mode_set;
	pthread_mutex_lock(&gpu->output_lock);
	rc = gpu->out->ops->mode(gpu->out, number_of(gpu, s), s->rect.w, s->rect.h, &err);
	pthread_mutex_unlock(&gpu->output_lock);
	s->mode_set = !rc;
	s->mode_failed = rc;
	if (rc) {
		hv_vdev_warn(gpu->dev, "screen %u stays dark: %s", number_of(gpu, s), err.msg);
		return false;
	}
	damage_all(s);
	s->drawn = false;
	if (s->has_cursor)
		give_cursor(gpu, s, false);
	return true;
}

static bool show(struct hv_gpu *gpu, struct hv_gpu_scanout *s)
{
	struct hv_gpu_output *out = gpu->out;
	struct hv_gpu_frame frame = {
		.pixels = s->res->pixels + (size_t)s->rect.y * s->res->w + s->rect.x,
		.pitch = s->res->w * sizeof(*s->res->pixels),
		.w = s->rect.w,
		.h = s->rect.h,
		.cursor = out->soft_cursor && s->has_cursor ? &s->cursor : NULL,
		.cursor_x = s->cursor_x,
		.cursor_y = s->cursor_y,
	};
	struct hv_err err = { 0 };
	bool ready;
	int rc = 0;

	pthread_mutex_lock(&gpu->output_lock);
	ready = !out->ops->ready || out->ops->ready(out, number_of(gpu, s));
	if (ready)
		rc = out->ops->frame(out, number_of(gpu, s), &frame, s->damage.rects, s->damage.n,
				     &err);
	pthread_mutex_unlock(&gpu->output_lock);
	s->waiting = !ready;
	if (rc)
		hv_vdev_warn(gpu->dev, "screen %u is not up to date: %s", number_of(gpu, s),
			     err.msg);
	if (!ready || rc)
		return false;
	s->damage.n = 0;
	s->due = false;
	s->drawn = frame.cursor &&
		   hv_gpu_cursor_rect(s->cursor_x, s->cursor_y, frame.w, frame.h, &s->drawn_rect);
	pthread_mutex_lock(&gpu->lock);
	s->frames++;
	pthread_mutex_unlock(&gpu->lock);
	return true;
}

bool hv_gpu_show(struct hv_gpu *gpu)
{
	bool lost = atomic_load_explicit(&gpu->lost, memory_order_relaxed) &&
		    atomic_exchange(&gpu->lost, false);
	bool shown = false;

	for (unsigned int i = 0; i < gpu->n_scanouts; i++) {
		struct hv_gpu_scanout *s = &gpu->scanouts[i];

		if (lost)
			s->mode_set = s->mode_failed = false;
		s->waiting = false;
		if (s->res && (lost || s->due) && make_ready(gpu, s))
			shown |= show(gpu, s);
	}
	return shown;
}

bool hv_gpu_waiting(const struct hv_gpu *gpu)
{
	for (unsigned int i = 0; i < gpu->n_scanouts; i++)
		if (gpu->scanouts[i].waiting)
			return true;
	return false;
}

void hv_gpu_dispatch(struct hv_gpu *gpu)
{
	struct hv_gpu_output *out = gpu->out;
	unsigned int what;

	pthread_mutex_lock(&gpu->output_lock);
	what = out->ops->dispatch(out);
	pthread_mutex_unlock(&gpu->output_lock);
	if (what & HV_GPU_OUTPUT_LOST)
		atomic_store(&gpu->lost, true);
	if (what & HV_GPU_OUTPUT_CHANGED)
		hv_gpu_ask_output(gpu);
}
