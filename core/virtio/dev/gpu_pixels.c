// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "virtio/dev/gpu_priv.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pixels are taken as little endian words");

bool hv_gpu_format_known(uint32_t format)
{
	switch (format) {
	case VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM:
	case VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM:
	case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
	case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM:
	case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
		return true;
	default:
		return false;
	}
}

bool hv_gpu_format_native(uint32_t format)
{
	return format == VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM;
}

bool hv_gpu_format_alpha(uint32_t format)
{
	return format == VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM ||
	       format == VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM;
}

/* A format's name has its bytes in the order they lie in memory. */
void hv_gpu_convert(uint32_t *pixels, size_t n, uint32_t format)
{
	switch (format) {
	case VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM:
	case VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM:
		for (size_t i = 0; i < n; i++)
			pixels[i] = __builtin_bswap32(pixels[i]);
		break;
	case VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM:
	case VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM:
		for (size_t i = 0; i < n; i++)
			pixels[i] = (pixels[i] & 0xff00ff00u) | (pixels[i] & 0xff) << 16 |
				    (pixels[i] >> 16 & 0xff);
		break;
	case VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM:
	case VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM:
		for (size_t i = 0; i < n; i++)
			pixels[i] = pixels[i] >> 8 | pixels[i] << 24;
		break;
	default:
		break;
	}
}

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

bool hv_gpu_inside(const struct hv_gpu_rect *r, uint32_t w, uint32_t h)
{
	return r->w && r->h && r->x < w && r->y < h && r->w <= w - r->x && r->h <= h - r->y;
}

/* Sides are at most HV_GPU_SIDE_MAX: nothing wraps. */
bool hv_gpu_intersect(const struct hv_gpu_rect *a, const struct hv_gpu_rect *b,
		      struct hv_gpu_rect *to)
{
	uint32_t x = max32(a->x, b->x), right = min32(a->x + a->w, b->x + b->w);
	uint32_t y = max32(a->y, b->y), bottom = min32(a->y + a->h, b->y + b->h);

	if (x >= right || y >= bottom)
		return false;
	*to = (struct hv_gpu_rect){ x, y, right - x, bottom - y };
	return true;
}

static struct hv_gpu_rect around(const struct hv_gpu_rect *a, const struct hv_gpu_rect *b)
{
	uint32_t x = min32(a->x, b->x), y = min32(a->y, b->y);

	return (struct hv_gpu_rect){ x, y, max32(a->x + a->w, b->x + b->w) - x,
				     max32(a->y + a->h, b->y + b->h) - y };
}

static bool covers(const struct hv_gpu_rect *a, const struct hv_gpu_rect *b)
{
	return b->x >= a->x && b->y >= a->y && b->x + b->w <= a->x + a->w &&
	       b->y + b->h <= a->y + a->h;
}

void hv_gpu_damage_add(struct hv_gpu_damage *damage, const struct hv_gpu_rect *rect)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < damage->n; i++)
		if (covers(&damage->rects[i], rect))
			return;
	for (unsigned int i = 0; i < damage->n; i++)
		if (!covers(rect, &damage->rects[i]))
			damage->rects[kept++] = damage->rects[i];
	damage->n = kept;
	if (kept < HV_GPU_DAMAGE) {
		damage->rects[damage->n++] = *rect;
		return;
	}
	damage->rects[0] = around(&damage->rects[0], rect);
	for (unsigned int i = 1; i < kept; i++)
		damage->rects[0] = around(&damage->rects[0], &damage->rects[i]);
	damage->n = 1;
}

bool hv_gpu_cursor_rect(int32_t x, int32_t y, uint32_t w, uint32_t h, struct hv_gpu_rect *to)
{
	int64_t left = x > 0 ? x : 0, right = (int64_t)x + HV_GPU_CURSOR_SIZE;
	int64_t top = y > 0 ? y : 0, bottom = (int64_t)y + HV_GPU_CURSOR_SIZE;

	if (right > w)
		right = w;
	if (bottom > h)
		bottom = h;
	if (left >= right || top >= bottom)
		return false;
	*to = (struct hv_gpu_rect){ (uint32_t)left, (uint32_t)top, (uint32_t)(right - left),
				    (uint32_t)(bottom - top) };
	return true;
}

/* Premultiplied; what is not, as a guest may have it, saturates. */
static uint32_t over(uint32_t top, uint32_t below)
{
	uint32_t rest = 255 - (top >> 24), out = 0;

	for (unsigned int shift = 0; shift < 24; shift += 8) {
		uint32_t c = (top >> shift & 0xff) + ((below >> shift & 0xff) * rest + 127) / 255;

		out |= min32(c, 255) << shift;
	}
	return out;
}

void hv_gpu_cursor_blend(uint32_t *pixels, size_t pitch, uint32_t w, uint32_t h,
			 const struct hv_gpu_cursor *cursor, int32_t x, int32_t y,
			 const struct hv_gpu_rect *clip)
{
	struct hv_gpu_rect r;

	if (!hv_gpu_cursor_rect(x, y, w, h, &r) || !hv_gpu_intersect(&r, clip, &r))
		return;
	for (uint32_t row = r.y; row < r.y + r.h; row++) {
		uint32_t *to = pixels + row * (pitch / sizeof(*pixels));
		const uint32_t *from =
			cursor->pixels + (uint32_t)((int64_t)row - y) * HV_GPU_CURSOR_SIZE;

		for (uint32_t col = r.x; col < r.x + r.w; col++)
			to[col] = over(from[(int64_t)col - x], to[col]);
	}
}
