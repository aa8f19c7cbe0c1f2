// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "virtio/dev/gpu_output.h"

/* The device keeps the pictures, so there is nothing to copy. */

static int memory_mode(struct hv_gpu_output *out, unsigned int scanout, uint32_t w, uint32_t h,
		       struct hv_err *err)
{
	(void)out;
	(void)scanout;
	(void)w;
	(void)h;
	(void)err;
	return 0;
}

static int memory_frame(struct hv_gpu_output *out, unsigned int scanout,
			const struct hv_gpu_frame *frame, const struct hv_gpu_rect *damage,
			unsigned int n_damage, struct hv_err *err)
{
	(void)out;
	(void)scanout;
	(void)frame;
	(void)damage;
	(void)n_damage;
	(void)err;
	return 0;
}

static int memory_cursor(struct hv_gpu_output *out, unsigned int scanout,
			 const struct hv_gpu_cursor *cursor, int32_t x, int32_t y)
{
	(void)out;
	(void)scanout;
	(void)cursor;
	(void)x;
	(void)y;
	return 0;
}

static int memory_move(struct hv_gpu_output *out, unsigned int scanout, int32_t x, int32_t y)
{
	return memory_cursor(out, scanout, NULL, x, y);
}

static void memory_close(struct hv_gpu_output *out)
{
	free(out);
}

static const struct hv_gpu_output_ops memory_ops = {
	.name = "memory",
	.mode = memory_mode,
	.frame = memory_frame,
	.cursor = memory_cursor,
	.move_cursor = memory_move,
	.close = memory_close,
};

int hv_gpu_memory_new(struct hv_gpu_output **out, struct hv_err *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return hv_err_nomem(err);
	**out = (struct hv_gpu_output){ .ops = &memory_ops, .fd = -1 };
	return 0;
}
