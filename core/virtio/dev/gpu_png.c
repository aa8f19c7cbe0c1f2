// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/gpu_png.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/library.h"
#include "sandbox/opener.h"

/*
 * libpng is loaded when the first screen is made: most services have none. A program that is linked
 * with it (STATIC=1) uses that one.
 */
#pragma weak png_image_write_to_stdio

static struct {
	pthread_once_t once;
	int (*write)(png_imagep image, FILE *file, int convert_to_8bit, const void *buffer,
		     png_int_32 row_stride, const void *colormap);
	struct hv_err why;
} lib = { .once = PTHREAD_ONCE_INIT };

static void load(void)
{
	static const struct hv_library png = {
		.file = "libpng16.so.16",
		.package = "libpng16 and start this service again",
		.purpose = "a screenshot",
	};
	static const struct hv_library_symbol write = { "png_image_write_to_stdio",
							(void **)&lib.write };

	lib.write = png_image_write_to_stdio;
	if (!lib.write)
		hv_library_load(&png, &write, 1, &lib.why);
}

void hv_gpu_png_load(void)
{
	pthread_once(&lib.once, load);
}

/* As libpng's simplified interface takes them; NULL = no memory. */
static uint8_t *rgb_of(const uint32_t *pixels, size_t pitch, uint32_t w, uint32_t h)
{
	uint8_t *rgb = malloc((size_t)3 * w * h), *to = rgb;

	for (uint32_t y = 0; rgb && y < h; y++) {
		const uint32_t *row = pixels + y * (pitch / sizeof(*pixels));

		for (uint32_t x = 0; x < w; x++) {
			*to++ = (uint8_t)(row[x] >> 16);
			*to++ = (uint8_t)(row[x] >> 8);
			*to++ = (uint8_t)row[x];
		}
	}
	return rgb;
}

static int write_image(FILE *file, const char *path, const uint32_t *pixels, size_t pitch,
		       uint32_t w, uint32_t h, struct hv_err *err)
{
	/* The fast kind: a screen in a few tens of ms, a third larger than at best. */
	png_image image = {
		.version = PNG_IMAGE_VERSION,
		.width = w,
		.height = h,
		.format = PNG_FORMAT_RGB,
		.flags = PNG_IMAGE_FLAG_FAST,
	};
	uint8_t *rgb = rgb_of(pixels, pitch, w, h);
	int rc = 0;

	if (!rgb)
		return hv_err_nomem(err);
	errno = 0;
	if (!lib.write(&image, file, 0, rgb, 0, NULL))
		rc = errno ? hv_err_sys(err, errno, "%s: cannot be written", path)
			   : hv_err_set(err, EIO, "%s: cannot be written: %s", path, image.message);
	free(rgb);
	return rc;
}

int hv_gpu_png_save(const char *path, const uint32_t *pixels, size_t pitch, uint32_t w, uint32_t h,
		    struct hv_err *err)
{
	char *beside = NULL;
	FILE *file = NULL;
	uint32_t suffix;
	int fd, rc;

	hv_gpu_png_load();
	if (!lib.write)
		return hv_err_set(err, ENOTSUP, "%s", lib.why.msg);
	if (getrandom(&suffix, sizeof(suffix), 0) < 0)
		return hv_err_sys(err, errno, "%s: cannot be written", path);
	if (asprintf(&beside, "%s.%u", path, suffix) < 0)
		return hv_err_nomem(err);
	fd = hv_opener_open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd >= 0)
		file = fdopen(fd, "wb");
	if (!file) {
		rc = hv_err_sys(err, errno, "%s: cannot be written", path);
		if (fd >= 0) {
			close(fd);
			hv_opener_unlink(beside);
		}
		free(beside);
		return rc;
	}
	rc = write_image(file, path, pixels, pitch, w, h, err);
	if (fclose(file) && !rc)
		rc = hv_err_sys(err, errno, "%s: cannot be written", path);
	if (!rc && hv_opener_rename(beside, path) < 0)
		rc = hv_err_sys(err, errno, "%s: cannot be written", path);
	if (rc)
		hv_opener_unlink(beside);
	free(beside);
	return rc;
}
