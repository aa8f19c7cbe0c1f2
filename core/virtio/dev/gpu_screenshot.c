// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/dev/gpu_png.h"
#include "virtio/dev/gpu_priv.h"

/* What a screen shows, the cursor included; the pixels are the caller's to free. */
static int copy_screen(struct hv_gpu *gpu, const struct hv_gpu_scanout *s, uint32_t **pixels,
		       uint32_t *w, uint32_t *h, struct hv_err *err)
{
	const struct hv_gpu_rect *r = &s->rect;
	int rc = 0;

	pthread_mutex_lock(&gpu->lock);
	if (!s->res) {
		rc = hv_err_set(err, ENODATA, "the guest shows nothing on screen %d",
				(int)(s - gpu->scanouts));
		goto out;
	}
	*pixels = malloc((size_t)r->w * r->h * sizeof(**pixels));
	if (!*pixels) {
		rc = hv_err_nomem(err);
		goto out;
	}
	*w = r->w;
	*h = r->h;
	for (uint32_t y = 0; y < r->h; y++)
		memcpy(*pixels + (size_t)y * r->w,
		       s->res->pixels + (size_t)(r->y + y) * s->res->w + r->x,
		       r->w * sizeof(**pixels));
	if (s->has_cursor)
		hv_gpu_cursor_blend(*pixels, r->w * sizeof(**pixels), r->w, r->h, &s->cursor,
				    s->cursor_x, s->cursor_y,
				    &(struct hv_gpu_rect){ 0, 0, r->w, r->h });
out:
	pthread_mutex_unlock(&gpu->lock);
	return rc;
}

int hv_gpu_screenshot(struct hv_vdev *dev, unsigned int scanout, const char *path,
		      struct hv_err *err)
{
	struct hv_gpu *gpu = dev->state;
	uint32_t *pixels = NULL, w = 0, h = 0;
	int rc = hv_gpu_check_scanout(gpu, scanout, err);

	if (!rc)
		rc = copy_screen(gpu, &gpu->scanouts[scanout], &pixels, &w, &h, err);
	if (!rc)
		rc = hv_gpu_png_save(path, pixels, w * sizeof(*pixels), w, h, err);
	free(pixels);
	if (rc)
		hv_err_prefix(err, "%s: ", dev->name);
	return rc;
}
