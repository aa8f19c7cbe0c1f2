// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/image_priv.h"

#include <errno.h>
#include <stdlib.h>

#define GZIP_LEAST 18 /* header and trailer */
/* Deflate gives at most 258 bytes for 2 bits. */
#define GZIP_RATIO_MAX 1032

bool image_is_gzip(const uint8_t *head, size_t len)
{
	return len >= 2 && head[0] == 0x1f && head[1] == 0x8b;
}

int image_gzip_claim(struct hv_image *image, uint64_t *contents, struct hv_err *err)
{
	uint64_t size = image->contents;
	uint8_t tail[4];
	int rc;

	if (size < GZIP_LEAST)
		return hv_err_set(err, EINVAL,
				  "truncated gzip file: %llu bytes are not even its header",
				  (unsigned long long)size);
	rc = image_pread(image, size - sizeof(tail), tail, sizeof(tail), err);
	if (rc)
		return rc;
	*contents = tail[0] | (uint64_t)tail[1] << 8 | (uint64_t)tail[2] << 16 |
		    (uint64_t)tail[3] << 24;
	if (*contents == 0)
		return hv_err_set(
			err, EINVAL,
			"gzip file that says it is empty when unpacked: truncated, padded at "
			"the end, or made of several parts");
	if (*contents / GZIP_RATIO_MAX > size)
		return hv_err_set(
			err, EINVAL,
			"gzip file that says it unpacks to %llu bytes, which %llu bytes cannot: "
			"truncated, or with something added at the end",
			(unsigned long long)*contents, (unsigned long long)size);
	return 0;
}

struct image_gunzip *image_gunzip_new(struct hv_image *image, struct hv_err *err)
{
	struct image_gunzip *gz = malloc(sizeof(*gz));

	if (gz) {
		gz->image = image;
		gz->z = (z_stream){ 0 };
		gz->at = 0;
		gz->out = 0;
		gz->end = false;
		/* 16: expect a gzip header and check its trailer. */
		if (inflateInit2(&gz->z, 16 + MAX_WBITS) == Z_OK)
			return gz;
	}
	free(gz);
	hv_err_nomem(err);
	return NULL;
}

void image_gunzip_free(struct image_gunzip *gz)
{
	if (!gz)
		return;
	inflateEnd(&gz->z);
	free(gz);
}

static int refill(struct image_gunzip *gz, struct hv_err *err)
{
	uint64_t left = gz->image->info.file_size - gz->at;
	size_t n = left < sizeof(gz->input) ? (size_t)left : sizeof(gz->input);
	int rc;

	if (n == 0)
		return hv_err_set(err, EIO,
				  "truncated gzip file: it ends after %llu unpacked bytes",
				  (unsigned long long)gz->out);
	rc = image_pread(gz->image, gz->at, gz->input, n, err);
	if (rc)
		return rc;
	gz->at += n;
	gz->z.next_in = gz->input;
	gz->z.avail_in = (uInt)n;
	return 0;
}

static int finish(struct image_gunzip *gz, struct hv_err *err)
{
	uint64_t behind = gz->image->info.file_size - gz->at + gz->z.avail_in;
	int rc;

	if (behind > 0 && gz->z.avail_in < 2 && gz->at < gz->image->info.file_size) {
		gz->at -= gz->z.avail_in;
		rc = refill(gz, err);
		if (rc)
			return rc;
	}
	if (behind > 0 && image_is_gzip(gz->z.next_in, gz->z.avail_in))
		return hv_err_set(
			err, EIO,
			"several gzip files one behind the other, which is not supported: pack "
			"the image anew (gunzip, then gzip)");
	if (behind > 0)
		return hv_err_set(err, EIO,
				  "%llu bytes of something else behind the end of the gzip data",
				  (unsigned long long)behind);
	/* zlib has compared the trailer; the claim is older, should the file have been changed. */
	if (gz->out != gz->image->contents)
		return hv_err_set(err, EIO, "unpacks to %llu bytes, but its trailer says %llu",
				  (unsigned long long)gz->out,
				  (unsigned long long)gz->image->contents);
	gz->end = true;
	return 0;
}

int image_gunzip_read(struct image_gunzip *gz, void *bytes, size_t len, size_t *got,
		      struct hv_err *err)
{
	uint64_t before = gz->out;
	size_t n = len;
	int zrc, rc;

	/* At most one byte beyond the claim: enough to know that the claim was wrong. */
	if (n > gz->image->contents - gz->out)
		n = (size_t)(gz->image->contents - gz->out) + 1;
	if (n > len)
		n = len;
	gz->z.next_out = bytes;
	gz->z.avail_out = (uInt)n;
	while (!gz->end && gz->z.avail_out > 0) {
		if (gz->z.avail_in == 0) {
			rc = refill(gz, err);
			if (rc)
				return rc;
		}
		zrc = inflate(&gz->z, Z_NO_FLUSH);
		gz->out = before + (n - gz->z.avail_out);
		if (gz->out > gz->image->contents)
			return hv_err_set(
				err, EIO,
				"unpacks to more than the %llu bytes that its trailer says",
				(unsigned long long)gz->image->contents);
		if (zrc == Z_STREAM_END) {
			rc = finish(gz, err);
			if (rc)
				return rc;
		} else if (zrc == Z_MEM_ERROR) {
			return hv_err_nomem(err);
		} else if (zrc != Z_OK && zrc != Z_BUF_ERROR) {
			return hv_err_set(err, EIO,
					  "damaged gzip data after %llu unpacked bytes: %s",
					  (unsigned long long)gz->out,
					  gz->z.msg ? gz->z.msg : "not readable");
		}
	}
	*got = n - gz->z.avail_out;
	return 0;
}
