/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_IMAGE_PRIV_H
#define HV_ZONE_IMAGE_PRIV_H

#include <zlib.h>

#include "zone/image.h"

#define IMAGE_SIZE_MAX (UINT64_C(1) << 40)
/* How far into a gzip file headers are looked for. */
#define IMAGE_GZIP_HEADER_MAX (UINT64_C(1) << 20)
/* The first bytes, from which a format is told; none needs more. */
#define IMAGE_HEAD 64

struct hv_image {
	int fd;
	char *path;
	struct hv_image_info info;
	struct hv_image_segment *segments;
	uint64_t contents; /* bytes of the file, unpacked; a gzip file's own claim */
};

/* Reads exactly len bytes of the (unpacked) contents, for headers. */
int image_read_at(struct hv_image *image, uint64_t offset, void *bytes, size_t len,
		  struct hv_err *err);
/* The same of the file itself. */
int image_pread(struct hv_image *image, uint64_t offset, void *bytes, size_t len,
		struct hv_err *err);

/* Makes the one segment of an image without segments. */
int image_set_single(struct hv_image *image, uint64_t file_size, uint64_t mem_size,
		     struct hv_err *err);

bool image_is_elf(const uint8_t *head, size_t len);
int image_parse_elf(struct hv_image *image, struct hv_err *err);

bool image_is_linux(const uint8_t *head, size_t len);
int image_parse_linux(struct hv_image *image, const uint8_t *head, struct hv_err *err);

bool image_is_gzip(const uint8_t *head, size_t len);
/* Finds out what the file claims to unpack to, without unpacking it. */
int image_gzip_claim(struct hv_image *image, uint64_t *contents, struct hv_err *err);

/* A gzip file being unpacked from its beginning. */
#define IMAGE_GZIP_INPUT 65536
struct image_gunzip {
	struct hv_image *image;
	z_stream z;
	uint64_t at;  /* next byte of the file to be read */
	uint64_t out; /* bytes handed out */
	bool end;
	uint8_t input[IMAGE_GZIP_INPUT];
};

/* NULL with a message when memory is out. */
struct image_gunzip *image_gunzip_new(struct hv_image *image, struct hv_err *err);
void image_gunzip_free(struct image_gunzip *gz);
/*
 * Fills bytes as far as the stream goes; *got < len only at its end, where
 * checksum, claimed length and the absence of anything behind it have been checked.
 */
int image_gunzip_read(struct image_gunzip *gz, void *bytes, size_t len, size_t *got,
		      struct hv_err *err);

#endif
