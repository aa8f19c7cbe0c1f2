/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_GPU_PNG_H
#define HV_VIRTIO_DEV_GPU_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Loads libpng, which a sandbox may not let happen later. What is missing is said by save. */
void hv_gpu_png_load(void);

/*
 * Writes 0xXXRRGGBB pixels as a PNG file, beside its place first: it is there whole or not at all,
 * and a link of that name is replaced. pitch: bytes, a multiple of 4. -ENOTSUP: no libpng. Any
 * thread.
 */
int hv_gpu_png_save(const char *path, const uint32_t *pixels, size_t pitch, uint32_t w, uint32_t h,
		    struct hv_err *err);

#endif
