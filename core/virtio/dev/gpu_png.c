// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/gpu_png.h"

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "sandbox/opener.h"

#define COMPRESSION 3 /* zlib's level: a screen in a few tens of ms, a third larger than at best   \
		       */

/* libpng's own words of what failed; those of the file system come from errno. */
static void on_error(png_structp png, png_const_charp message)
{
	char *to = png_get_error_ptr(png);

	snprintf(to, HV_ERR_MSG_MAX, "%s", message);
	png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
	(void)png;
	(void)message;
}

/* Has no local that changes between setjmp and longjmp. */
static bool encode(png_structp png, png_infop info, FILE *file, const uint32_t *pixels,
		   size_t pitch, uint32_t w, uint32_t h)
{
	if (setjmp(png_jmpbuf(png)))
		return false;
	png_init_io(png, file);
	png_set_compression_level(png, COMPRESSION);
	png_set_filter(png, 0, PNG_FILTER_UP);
	png_set_user_limits(png, w, h);
	png_set_IHDR(png, info, w, h, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	png_set_filler(png, 0, PNG_FILLER_AFTER);
	png_set_bgr(png);
	for (uint32_t y = 0; y < h; y++)
		png_write_row(png, (png_const_bytep)pixels + y * pitch);
	png_write_end(png, NULL);
	return true;
}

static int write_image(FILE *file, const char *path, const uint32_t *pixels, size_t pitch,
		       uint32_t w, uint32_t h, struct hv_err *err)
{
	char why[HV_ERR_MSG_MAX] = "";
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, why, on_error, on_warning);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	int rc = 0;

	if (!info) {
		rc = hv_err_nomem(err);
	} else {
		errno = 0;
		if (!encode(png, info, file, pixels, pitch, w, h))
			rc = errno ? hv_err_sys(err, errno, "%s: cannot be written", path)
				   : hv_err_set(err, EIO, "%s: cannot be written: %s", path, why);
	}
	png_destroy_write_struct(&png, &info);
	return rc;
}

int hv_gpu_png_save(const char *path, const uint32_t *pixels, size_t pitch, uint32_t w, uint32_t h,
		    struct hv_err *err)
{
	char *beside = NULL;
	FILE *file = NULL;
	uint32_t suffix;
	int fd, rc;

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
