// SPDX-License-Identifier: GPL-2.0-or-later
#include <drm_fourcc.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "virtio/dev/gpu_drm_priv.h"

static void free_buffer(struct hv_drm *drm, struct hv_drm_buffer *b)
{
	struct drm_mode_destroy_dumb destroy = { .handle = b->handle };

	if (b->fb)
		drm->lib.drmModeRmFB(drm->fd, b->fb);
	if (b->map)
		munmap(b->map, b->size);
	if (b->handle)
		drm->lib.drmIoctl(drm->fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
	memset(b, 0, sizeof(*b));
}

static int make_buffer(struct hv_drm *drm, struct hv_drm_buffer *b, uint32_t w, uint32_t h,
		       struct hv_err *err)
{
	struct drm_mode_create_dumb create = { .width = w, .height = h, .bpp = 32 };
	struct drm_mode_map_dumb map = { 0 };
	uint32_t handles[4] = { 0 }, pitches[4] = { 0 }, offsets[4] = { 0 };
	void *at;

	if (drm->lib.drmIoctl(drm->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create) < 0)
		goto fail;
	b->handle = create.handle;
	b->pitch = create.pitch;
	b->size = create.size;
	if (b->pitch / 4 < w || b->size / b->pitch < h) {
		errno = EPROTO;
		goto fail;
	}
	handles[0] = b->handle;
	pitches[0] = b->pitch;
	if (drm->lib.drmModeAddFB2(drm->fd, w, h, DRM_FORMAT_XRGB8888, handles, pitches, offsets,
				   &b->fb, 0) < 0)
		goto fail;
	map.handle = b->handle;
	if (drm->lib.drmIoctl(drm->fd, DRM_IOCTL_MODE_MAP_DUMB, &map) < 0)
		goto fail;
	at = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, drm->fd, (off_t)map.offset);
	if (at == MAP_FAILED)
		goto fail;
	b->map = at;
	return 0;
fail:
	return hv_err_sys(err, errno, "%s has no buffer of %u x %u pixels", drm->card, w, h);
}

void hv_drm_buffers_free(struct hv_drm_screen *s)
{
	for (unsigned int i = 0; i < 2; i++)
		free_buffer(s->drm, &s->buffers[i]);
	if (s->mode_blob)
		s->drm->lib.drmModeDestroyPropertyBlob(s->drm->fd, s->mode_blob);
	s->mode_blob = 0;
	memset(&s->mode, 0, sizeof(s->mode));
}

int hv_drm_buffers_make(struct hv_drm_screen *s, const drmModeModeInfo *mode, struct hv_err *err)
{
	int ret = 0;

	hv_drm_buffers_free(s);
	for (unsigned int i = 0; i < 2 && !ret; i++)
		ret = make_buffer(s->drm, &s->buffers[i], mode->hdisplay, mode->vdisplay, err);
	if (!ret && s->drm->atomic &&
	    s->drm->lib.drmModeCreatePropertyBlob(s->drm->fd, mode, sizeof(*mode), &s->mode_blob) <
		    0)
		ret = hv_err_sys(err, errno, "%s does not take the mode %s", s->drm->card,
				 mode->name);
	if (ret)
		hv_drm_buffers_free(s);
	else
		s->mode = *mode;
	return ret;
}

void hv_drm_buffers_clear(struct hv_drm_screen *s)
{
	for (unsigned int i = 0; i < 2; i++) {
		s->buffers[i].whole = true;
		s->buffers[i].n_missed = 0;
	}
}

/* The part of a rectangle of the frame that has room in the mode. */
static bool visible(const struct hv_drm_screen *s, const struct hv_gpu_rect *r,
		    struct hv_gpu_rect *to)
{
	*to = *r;
	if (r->x >= s->seen_w || r->y >= s->seen_h)
		return false;
	if (to->w > s->seen_w - r->x)
		to->w = s->seen_w - r->x;
	if (to->h > s->seen_h - r->y)
		to->h = s->seen_h - r->y;
	return to->w && to->h;
}

static void draw(struct hv_drm_screen *s, const struct hv_gpu_frame *frame,
		 const struct hv_gpu_rect *rect)
{
	struct hv_drm_buffer *b = &s->buffers[s->back];
	uint8_t *origin = b->map + (size_t)s->y * b->pitch + (size_t)s->x * 4;
	const uint8_t *from = (const uint8_t *)frame->pixels;
	struct hv_gpu_rect r;

	if (!visible(s, rect, &r))
		return;
	for (uint32_t y = r.y; y < r.y + r.h; y++)
		memcpy(origin + (size_t)y * b->pitch + (size_t)r.x * 4,
		       from + (size_t)y * frame->pitch + (size_t)r.x * 4, (size_t)r.w * 4);
	if (frame->cursor)
		hv_gpu_cursor_blend((uint32_t *)(void *)origin, b->pitch, s->seen_w, s->seen_h,
				    frame->cursor, frame->cursor_x, frame->cursor_y, &r);
}

void hv_drm_buffer_draw(struct hv_drm_screen *s, const struct hv_gpu_frame *frame,
			const struct hv_gpu_rect *damage, unsigned int n)
{
	struct hv_drm_buffer *b = &s->buffers[s->back];

	if (b->whole) {
		memset(b->map, 0, b->size);
		draw(s, frame, &(struct hv_gpu_rect){ 0, 0, frame->w, frame->h });
		return;
	}
	for (unsigned int i = 0; i < b->n_missed; i++)
		draw(s, frame, &b->missed[i]);
	for (unsigned int i = 0; i < n; i++)
		draw(s, frame, &damage[i]);
}

void hv_drm_buffers_swap(struct hv_drm_screen *s, const struct hv_gpu_rect *damage, unsigned int n)
{
	struct hv_drm_buffer *shown = &s->buffers[s->back], *other = &s->buffers[!s->back];

	shown->whole = false;
	shown->n_missed = 0;
	if (s->single)
		return;
	memcpy(other->missed, damage, n * sizeof(*damage));
	other->n_missed = n;
	s->back = !s->back;
}
