// SPDX-License-Identifier: GPL-2.0-or-later
#include "image_box.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "hypervisor/sim.h"

#define BOX_FILL 0xaa

static char dir[] = "/tmp/hvsh-test-XXXXXX";
char box_path[64];
struct hv_hyp *box_hyp;

void box_write(const void *bytes, size_t size)
{
	int fd = open(box_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

uint8_t *box_gzip(const void *bytes, size_t size, size_t *packed_size)
{
	z_stream z = { 0 };
	size_t cap = compressBound(size) + 64;
	uint8_t *out = malloc(cap);

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (void *)(uintptr_t)bytes;
	z.avail_in = (uInt)size;
	z.next_out = out;
	z.avail_out = (uInt)cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	*packed_size = z.total_out;
	deflateEnd(&z);
	return out;
}

void box_write_gzip(const void *bytes, size_t size)
{
	size_t n;
	uint8_t *packed = box_gzip(bytes, size, &n);

	box_write(packed, n);
	free(packed);
}

uint8_t *box_noise(size_t size)
{
	uint8_t *bytes = malloc(size);
	uint32_t x = 12345;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(x >> 24);
	}
	return bytes;
}

struct hv_image *box_open(enum hv_image_format format)
{
	struct hv_image *image = NULL;
	struct hv_err err;

	if (hv_image_open(box_path, format, &image, &err))
		fail_msg("%s", err.msg);
	return image;
}

void box_refused_as(enum hv_image_format format, int code, const char *says)
{
	struct hv_image *image = NULL;
	struct hv_err err = { 0 };
	int rc = hv_image_open(box_path, format, &image, &err);

	if (rc != -code)
		fail_msg("%d (%s), not %s", rc, err.msg, hv_err_name(code));
	assert_null(image);
	assert_int_equal(err.code, code);
	assert_memory_equal(err.msg, box_path, strlen(box_path));
	if (!strstr(err.msg, says))
		fail_msg("says: %s", err.msg);
}

void box_refused(int code, const char *says)
{
	box_refused_as(HV_IMAGE_AUTO, code, says);
}

int box_phys_of(void *arg, uint64_t ipa, uint64_t size, uint64_t *phys, struct hv_err *err)
{
	(void)arg;
	if (ipa < BOX_RAM - BOX_SHIFT || ipa - (BOX_RAM - BOX_SHIFT) > BOX_RAM_SIZE ||
	    size > BOX_RAM_SIZE - (ipa - (BOX_RAM - BOX_SHIFT)))
		return hv_err_set(err, EFAULT, "no memory at %#llx", (unsigned long long)ipa);
	*phys = ipa + BOX_SHIFT;
	return 0;
}

void box_fill(void)
{
	uint8_t *fill = malloc(BOX_RAM_SIZE);

	memset(fill, BOX_FILL, BOX_RAM_SIZE);
	assert_int_equal(hv_hyp_load_mem(box_hyp, fill, BOX_RAM_SIZE, BOX_RAM, NULL), 0);
	free(fill);
}

void box_assert_ram(uint64_t phys, const void *bytes, size_t size)
{
	uint8_t *got = malloc(size);

	assert_int_equal(hv_sim_read(box_hyp, phys, got, size, NULL), 0);
	assert_memory_equal(got, bytes, size);
	free(got);
}

void box_assert_untouched(uint64_t phys, size_t size)
{
	uint8_t *fill = malloc(size);

	memset(fill, BOX_FILL, size);
	box_assert_ram(phys, fill, size);
	free(fill);
}

int box_load(struct hv_image *image, uint64_t phys, struct hv_err *err)
{
	return hv_image_load(image, phys - BOX_SHIFT, box_hyp, box_phys_of, NULL, NULL, NULL, err);
}

void box_load_ok(struct hv_image *image, uint64_t phys)
{
	struct hv_err err;

	if (box_load(image, phys, &err))
		fail_msg("%s", err.msg);
}

void box_load_refused(int code, const char *says)
{
	struct hv_image *image = box_open(HV_IMAGE_AUTO);
	struct hv_err err = { 0 };
	int rc = box_load(image, BOX_RAM + 0x100000, &err);

	if (rc != -code || !strstr(err.msg, says))
		fail_msg("%d, says: %s", rc, err.msg);
	assert_memory_equal(err.msg, box_path, strlen(box_path));
	box_assert_untouched(BOX_RAM, 0x100000);
	box_assert_untouched(BOX_RAM + 0x100000 + hv_image_info(image)->high, 0x100000);
	hv_image_close(image);
}

int box_setup(void **state)
{
	const struct hv_sim_ram ram = { BOX_RAM, BOX_RAM_SIZE };
	const struct hv_sim_opts opts = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 4,
		.root_cpus = 1,
		.ram = &ram,
		.n_ram = 1,
	};

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(box_path, sizeof(box_path), "%s/image", dir);
	return hv_hyp_open_sim(&opts, &box_hyp, NULL);
}

int box_teardown(void **state)
{
	(void)state;
	hv_hyp_close(box_hyp);
	unlink(box_path);
	return rmdir(dir);
}
