/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_IMAGE_BOX_H
#define TESTS_LIB_IMAGE_BOX_H

#include "zone/image.h"

/*
 * A simulated machine with some RAM and one image file in a temporary folder.
 * What does not hold fails the test that is running.
 */
#define BOX_RAM UINT64_C(0x40000000)
#define BOX_RAM_SIZE UINT64_C(0x2000000)
/* Guest addresses are this much below physical ones. */
#define BOX_SHIFT UINT64_C(0x10000000)

extern char box_path[64];
extern struct hv_hyp *box_hyp;

int box_setup(void **state);
int box_teardown(void **state);

/* (Over)writes the image file, as it is or packed. */
void box_write(const void *bytes, size_t size);
void box_write_gzip(const void *bytes, size_t size);
/* One gzip member of the bytes; the caller frees. */
uint8_t *box_gzip(const void *bytes, size_t size, size_t *packed_size);
/* Bytes that do not repeat and hardly compress; the caller frees. */
uint8_t *box_noise(size_t size);

struct hv_image *box_open(enum hv_image_format format);
/* Opening is refused with that code and words, and the message begins with the path. */
void box_refused_as(enum hv_image_format format, int code, const char *says);
void box_refused(int code, const char *says);

/* Guest addresses to physical ones, within the RAM. */
int box_phys_of(void *arg, uint64_t ipa, uint64_t size, uint64_t *phys, struct hv_err *err);
/* Loads at a physical address. */
int box_load(struct hv_image *image, uint64_t phys, struct hv_err *err);
void box_load_ok(struct hv_image *image, uint64_t phys);
/* Opening works, loading is refused and leaves everything outside the image's range alone. */
void box_load_refused(int code, const char *says);

/* Fills the RAM with a pattern, which what was not written still has. */
void box_fill(void);
void box_assert_ram(uint64_t phys, const void *bytes, size_t size);
void box_assert_untouched(uint64_t phys, size_t size);

#endif
