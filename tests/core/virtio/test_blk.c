// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_mmio.h>

#include "blk_box.h"

#define MIB (1u << 20)
#define CONFIG(field)                                                                              \
	offsetof(struct virtio_blk_config, field), sizeof(((struct virtio_blk_config *)0)->field)
#define F(name) HV_FEATURE(VIRTIO_BLK_F_##name)

static struct blk_box box;

static int make(void **state)
{
	(void)state;
	blk_box_make(&box, 4 * MIB);
	return 0;
}

static int drop(void **state)
{
	(void)state;
	blk_box_free(&box);
	return 0;
}

static void open_and_start(const struct hv_blk_opts *opts, uint64_t features)
{
	blk_box_open(&box, opts);
	blk_box_start(&box, features, 0);
}

static uint64_t offered(void)
{
	uint64_t low, high;

	vrig_write(&box.rig, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	high = vrig_read(&box.rig, VIRTIO_MMIO_DEVICE_FEATURES);
	vrig_write(&box.rig, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = vrig_read(&box.rig, VIRTIO_MMIO_DEVICE_FEATURES);
	return high << 32 | low;
}

/* ---- what the device says of itself */

static void config_is_true(void **state)
{
	(void)state;
	open_and_start(&(struct hv_blk_opts){ .queues = 3, .queue_size = 64 }, F(MQ));
	assert_int_equal(vrig_read(&box.rig, VIRTIO_MMIO_DEVICE_ID), 2);
	assert_int_equal(vrig_config(&box.rig, CONFIG(capacity)), 4 * MIB / 512);
	assert_int_equal(vrig_config(&box.rig, CONFIG(seg_max)), 62);
	assert_int_equal(vrig_config(&box.rig, CONFIG(size_max)), MIB);
	assert_int_equal(vrig_config(&box.rig, CONFIG(blk_size)), 512);
	assert_int_equal(vrig_config(&box.rig, CONFIG(num_queues)), 3);
	assert_int_equal(vrig_config(&box.rig, CONFIG(alignment_offset)), 0);
	assert_int_equal(vrig_config(&box.rig, CONFIG(min_io_size)),
			 1u << vrig_config(&box.rig, CONFIG(physical_block_exp)));
	assert_true(vrig_config(&box.rig, CONFIG(max_discard_seg)) >= 1);
	assert_true(vrig_config(&box.rig, CONFIG(max_write_zeroes_sectors)) >= 1);
	/* Secure erase is not there, and nothing of ours behind the end. */
	for (unsigned int off = 57; off < 256; off++)
		assert_int_equal(vrig_config(&box.rig, off, 1), 0);
	assert_true(offered() & F(FLUSH));
	assert_true(offered() & F(CONFIG_WCE));
	assert_true(offered() & F(MQ));
	assert_true(offered() & F(WRITE_ZEROES));
	assert_false(offered() & F(RO));
	assert_false(offered() & HV_FEATURE(VIRTIO_BLK_F_SECURE_ERASE));
}

static void block_size_is_what_was_asked(void **state)
{
	(void)state;
	open_and_start(&(struct hv_blk_opts){ .block_size = 4096 }, 0);
	assert_int_equal(vrig_config(&box.rig, CONFIG(blk_size)), 4096);
	assert_int_equal(vrig_config(&box.rig, CONFIG(capacity)), 4 * MIB / 512);
	assert_false(offered() & F(MQ));
}

static void id_is_the_serial(void **state)
{
	char id[21] = "";

	(void)state;
	open_and_start(&(struct hv_blk_opts){ .serial = "exactly-twenty-bytes" }, 0);
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_GET_ID, 0, id, 20), VIRTIO_BLK_S_OK);
	assert_string_equal(id, "exactly-twenty-bytes");
	/* A small buffer gets what fits. */
	memset(id, 0, sizeof(id));
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_GET_ID, 0, id, 7), VIRTIO_BLK_S_OK);
	assert_string_equal(id, "exactly");
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_GET_ID, 0, NULL, 0),
			 VIRTIO_BLK_S_OK);
	blk_box_close(&box);
	open_and_start(&(struct hv_blk_opts){ 0 }, 0);
	memset(id, 0xff, sizeof(id));
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_GET_ID, 0, id, 20), VIRTIO_BLK_S_OK);
	assert_memory_equal(id, "linux1/root\0\0\0\0\0\0\0\0\0", 20);
}

/* ---- data */

static void check_read(uint64_t sector, uint32_t len)
{
	uint8_t *got = malloc(len + 1), *want = malloc(len + 1);

	blk_box_fill(want, sector, len);
	assert_int_equal(blk_box_read(&box, sector, got, len), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, want, len);
	free(got);
	free(want);
}

static void check_write(uint64_t sector, uint32_t len)
{
	uint8_t *put = malloc(len + 1), *got = malloc(len + 1);

	blk_box_fill(put, sector + 1000003, len);
	assert_int_equal(blk_box_write(&box, sector, put, len), VIRTIO_BLK_S_OK);
	blk_box_file_read(box.image, sector * 512, got, len);
	assert_memory_equal(got, put, len);
	assert_int_equal(blk_box_read(&box, sector, got, len), VIRTIO_BLK_S_OK);
	assert_memory_equal(got, put, len);
	free(put);
	free(got);
}

static void reads_and_writes(const struct hv_blk_opts *opts, uint64_t features, unsigned int flags)
{
	static const uint32_t sizes[] = { 512, 4096, 3 * 512, 65536, MIB, MIB + 512, 3 * MIB };

	blk_box_open(&box, opts);
	blk_box_start(&box, features, flags);
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		check_read(i * 3, sizes[i]);
		check_read(4 * MIB / 512 - sizes[i] / 512, sizes[i]);
	}
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_write(i * 5, sizes[i]);
	check_write(4 * MIB / 512 - 1, 512);
	assert_int_equal(blk_box_read(&box, 0, NULL, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_file_size(box.image), 4 * MIB);
}

static void moves_data(void **state)
{
	(void)state;
	reads_and_writes(&(struct hv_blk_opts){ 0 }, F(FLUSH) | HV_FEATURE(HV_F_EVENT_IDX), 0);
}

static void moves_data_indirect(void **state)
{
	(void)state;
	reads_and_writes(&(struct hv_blk_opts){ 0 }, F(FLUSH), VRIG_INDIRECT);
}

static void moves_data_write_through(void **state)
{
	(void)state;
	reads_and_writes(&(struct hv_blk_opts){ 0 }, 0, 0);
}

static void moves_data_by_threads(void **state)
{
	(void)state;
	reads_and_writes(&(struct hv_blk_opts){ .engine = HV_BLK_ENGINE_THREADS }, 0, 0);
}

static void moves_data_past_the_cache(void **state)
{
	(void)state;
	reads_and_writes(&(struct hv_blk_opts){ .direct = true }, F(FLUSH), 0);
}

static void moves_data_past_the_cache_by_threads(void **state)
{
	(void)state;
	reads_and_writes(&(struct hv_blk_opts){ .direct = true, .engine = HV_BLK_ENGINE_THREADS },
			 0, VRIG_INDIRECT);
}

/* More requests than there are bounce buffers, all at once. */
static void many_at_once(const struct hv_blk_opts *opts)
{
	enum { N = 40, LEN = 300 << 10 };
	uint8_t *data[N], *want = malloc(LEN);
	struct virtio_blk_outhdr *header;
	uint8_t *status;
	int head[N];

	blk_box_open(&box, opts);
	blk_box_start(&box, F(FLUSH), 0);
	header = vrig_alloc(&box.rig, sizeof(*header) * N, 16);
	status = vrig_alloc(&box.rig, N, 1);
	for (unsigned int i = 0; i < N; i++) {
		data[i] = vrig_alloc(&box.rig, LEN, 512);
		header[i].type = htole32(VIRTIO_BLK_T_IN);
		header[i].sector = htole64(i * 160);
		status[i] = 0xee;
		head[i] = vrig_add(&box.rig, 0,
				   (struct vrig_buf[]){ { &header[i], 16, false },
							{ data[i], LEN, true },
							{ &status[i], 1, true } },
				   3);
		assert_true(head[i] >= 0);
	}
	vrig_kick(&box.rig, 0);
	for (unsigned int i = 0; i < N; i++) {
		assert_int_equal(vrig_finish(&box.rig, 0, head[i]), LEN + 1);
		assert_int_equal(status[i], VIRTIO_BLK_S_OK);
		blk_box_fill(want, i * 160, LEN);
		assert_memory_equal(data[i], want, LEN);
	}
	free(want);
}

static void queue_depth(void **state)
{
	(void)state;
	many_at_once(&(struct hv_blk_opts){ 0 });
}

static void queue_depth_past_the_cache(void **state)
{
	(void)state;
	many_at_once(&(struct hv_blk_opts){ .direct = true });
}

static void queue_depth_by_threads(void **state)
{
	(void)state;
	many_at_once(&(struct hv_blk_opts){ .direct = true, .engine = HV_BLK_ENGINE_THREADS });
}

/* ---- the device relies on nothing in how buffers are cut (2.7.4.1) */

static uint8_t framed(uint32_t type, uint64_t sector, uint8_t *data, uint32_t len,
		      const uint32_t *out, unsigned int n_out, const uint32_t *in,
		      unsigned int n_in, uint32_t *written)
{
	uint32_t n_bytes_out = 16 + (type == VIRTIO_BLK_T_OUT ? len : 0);
	uint32_t n_bytes_in = 1 + (type == VIRTIO_BLK_T_OUT ? 0 : len);
	uint8_t *to_dev = vrig_alloc(&box.rig, n_bytes_out, 1);
	uint8_t *from_dev = vrig_alloc(&box.rig, n_bytes_in, 1);
	struct virtio_blk_outhdr header = { .type = htole32(type), .sector = htole64(sector) };
	struct vrig_buf bufs[64];
	unsigned int n = 0;
	uint32_t at = 0;

	memcpy(to_dev, &header, sizeof(header));
	if (type == VIRTIO_BLK_T_OUT)
		memcpy(to_dev + 16, data, len);
	memset(from_dev, 0xee, n_bytes_in);
	for (unsigned int i = 0; i < n_out; i++, at += out[i - 1])
		bufs[n++] = (struct vrig_buf){ to_dev + at, out[i], false };
	assert_int_equal(at, n_bytes_out);
	at = 0;
	for (unsigned int i = 0; i < n_in; i++, at += in[i - 1])
		bufs[n++] = (struct vrig_buf){ from_dev + at, in[i], true };
	assert_int_equal(at, n_bytes_in);
	*written = vrig_request(&box.rig, 0, bufs, n);
	if (type == VIRTIO_BLK_T_IN)
		memcpy(data, from_dev, len);
	return from_dev[n_bytes_in - 1];
}

#define PIECES(...) (const uint32_t[]){ __VA_ARGS__ }, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4

static void any_framing(void **state)
{
	uint8_t data[1024], want[1024];
	uint32_t written;

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, 0);
	blk_box_fill(want, 9, 1024);
	assert_int_equal(framed(VIRTIO_BLK_T_IN, 9, data, 1024, PIECES(16), PIECES(1025), &written),
			 0);
	assert_memory_equal(data, want, 1024);
	assert_int_equal(written, 1025);
	memset(data, 0, 1024);
	assert_int_equal(framed(VIRTIO_BLK_T_IN, 9, data, 1024, PIECES(1, 2, 3, 10),
				PIECES(7, 500, 3, 514, 1), &written),
			 0);
	assert_memory_equal(data, want, 1024);
	assert_int_equal(written, 1025);
	blk_box_fill(want, 77, 1024);
	assert_int_equal(framed(VIRTIO_BLK_T_OUT, 9, want, 1024, PIECES(1040), PIECES(1), &written),
			 0);
	assert_int_equal(written, 1);
	check_read(8, 512);
	blk_box_file_read(box.image, 9 * 512, data, 1024);
	assert_memory_equal(data, want, 1024);
	blk_box_fill(want, 78, 1024);
	assert_int_equal(framed(VIRTIO_BLK_T_OUT, 19, want, 1024, PIECES(5, 12, 1, 700, 322),
				PIECES(1), &written),
			 0);
	blk_box_file_read(box.image, 19 * 512, data, 1024);
	assert_memory_equal(data, want, 1024);
	/* Header, then exactly the data, in a buffer each. */
	assert_int_equal(
		framed(VIRTIO_BLK_T_OUT, 29, want, 1024, PIECES(16, 1024), PIECES(1), &written), 0);
	blk_box_file_read(box.image, 29 * 512, data, 1024);
	assert_memory_equal(data, want, 1024);
}

static void incomplete_requests(void **state)
{
	uint8_t *bytes;

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, F(FLUSH));
	bytes = vrig_alloc(&box.rig, 4096, 16);
	bytes[600] = 0xee;
	/* No room for a status: completed, nothing written. */
	assert_int_equal(vrig_request(&box.rig, 0, (struct vrig_buf[]){ { bytes, 16, false } }, 1),
			 0);
	/* A header too short has a status all the same. */
	assert_int_equal(
		vrig_request(&box.rig, 0,
			     (struct vrig_buf[]){ { bytes, 15, false }, { bytes + 600, 1, true } },
			     2),
		1);
	assert_int_equal(bytes[600], VIRTIO_BLK_S_IOERR);
	bytes[600] = 0xee;
	assert_int_equal(
		vrig_request(&box.rig, 0, (struct vrig_buf[]){ { bytes + 600, 1, true } }, 1), 1);
	assert_int_equal(bytes[600], VIRTIO_BLK_S_IOERR);
	/* No buffers at all. */
	assert_int_equal(vrig_request(&box.rig, 0, (struct vrig_buf[]){ { bytes, 0, false } }, 1),
			 0);
	check_read(0, 512);
}

/* ---- what must be refused */

static void bounds(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} bad[] = {
		{ 8192, 512 },
		{ 8191, 1024 },
		{ 8193, 512 },
		{ UINT64_MAX, 512 },
		{ UINT64_MAX, 1024 },
		{ UINT64_MAX / 512, 1024 },
		{ UINT64_MAX / 512 + 1, 512 },
		{ 0, 511 },
		{ 0, 513 },
		{ 3, 1 },
		{ 8185, 4096 },
		{ 1ull << 55, 512 },
	};
	uint8_t data[4096] = { 0 };

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, F(FLUSH));
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(blk_box_write(&box, bad[i].sector, data, bad[i].len),
				 VIRTIO_BLK_S_IOERR);
		assert_int_equal(blk_box_read(&box, bad[i].sector, data, bad[i].len),
				 VIRTIO_BLK_S_IOERR);
	}
	assert_int_equal(blk_box_file_size(box.image), 4 * MIB);
	check_read(0, 4096);
	check_read(8191, 512);
	vrig_wait_count(&box.dev.stats.errors, 2 * sizeof(bad) / sizeof(bad[0]));
	/* It is the guest's affair: the operator hears nothing. */
	assert_int_equal(atomic_load(&box.lines), 0);
}

static void failed_read_claims_no_bytes(void **state)
{
	uint8_t data[512];
	uint32_t written;

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, 0);
	assert_int_equal(
		framed(VIRTIO_BLK_T_IN, 9999, data, 512, PIECES(16), PIECES(513), &written),
		VIRTIO_BLK_S_IOERR);
	assert_int_equal(written, 0);
	assert_int_equal(data[0], 0xee);
}

static void unknown_types(void **state)
{
	static const uint32_t types[] = {
		2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 0x80000000, 0xffffffff
	};

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, 0);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(blk_box_request(&box, 0, types[i], 0, NULL, 16),
				 VIRTIO_BLK_S_UNSUPP);
}

static void read_only(void **state)
{
	uint8_t data[512] = { 0 };

	(void)state;
	open_and_start(&(struct hv_blk_opts){ .readonly = true }, F(RO) | F(FLUSH));
	assert_true(offered() & F(RO));
	assert_false(offered() & (F(DISCARD) | F(WRITE_ZEROES) | F(CONFIG_WCE)));
	assert_int_equal(blk_box_write(&box, 1, data, 512), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_flush(&box), VIRTIO_BLK_S_OK);
	check_read(0, 4096);
	/* Refused by us, not by the file. */
	assert_int_equal(atomic_load(&box.lines), 0);
}

/* ---- discard and zeroes */

static void zeroes_read_back(void **state)
{
	static const uint8_t zero[64 * 512];
	uint8_t data[64 * 512];

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, F(FLUSH) | F(WRITE_ZEROES) | F(DISCARD));
	/* Nothing whole, across blocks, with and without giving the space back. */
	for (uint32_t flags = 0; flags < 2; flags++) {
		uint64_t at = 100 * (flags + 1) + 3;

		assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, at, 61, flags),
				 VIRTIO_BLK_S_OK);
		assert_int_equal(blk_box_read(&box, at, data, 61 * 512), VIRTIO_BLK_S_OK);
		assert_memory_equal(data, zero, 61 * 512);
		check_read(at - 1, 512);
		check_read(at + 61, 512);
	}
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, 1000, 64, 0), VIRTIO_BLK_S_OK);
	check_read(999, 512);
	check_read(1064, 512);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 8191, 1, 1),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 8192, 0, 1),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(blk_box_file_size(box.image), 4 * MIB);
}

static void several_ranges(void **state)
{
	struct virtio_blk_discard_write_zeroes r[3] = {
		{ .sector = htole64(10), .num_sectors = htole32(2) },
		{ .sector = htole64(20), .num_sectors = htole32(1) },
		{ .sector = htole64(30), .num_sectors = htole32(1) },
	};
	uint8_t data[512];

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, F(WRITE_ZEROES));
	/* One is bad: none is done. */
	r[2].sector = htole64(8192);
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, r, sizeof(r)),
			 VIRTIO_BLK_S_IOERR);
	check_read(10, 512);
	r[2].sector = htole64(30);
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, r, sizeof(r)),
			 VIRTIO_BLK_S_OK);
	for (unsigned int s = 0; s < 40; s++) {
		bool zeroed = s == 10 || s == 11 || s == 20 || s == 30;

		assert_int_equal(blk_box_read(&box, s, data, 512), VIRTIO_BLK_S_OK);
		assert_int_equal(data[5], zeroed ? 0 : blk_box_byte(s, 5));
	}
}

static void range_limits(void **state)
{
	struct virtio_blk_discard_write_zeroes r[64] = { { 0 } };
	uint32_t most, segments;

	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, F(WRITE_ZEROES) | F(DISCARD));
	most = (uint32_t)vrig_config(&box.rig, CONFIG(max_write_zeroes_sectors));
	segments = (uint32_t)vrig_config(&box.rig, CONFIG(max_write_zeroes_seg));
	assert_true(segments < 64);
	/* Unknown flags; for a discard also unmap. */
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 2),
			 VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 0, 1, 0x80000001),
			 VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, 0, 1, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, 0, 1, 4), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 0, most + 1, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, UINT64_MAX, 2, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, 8190, 3, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, r, 0),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, r, 17),
			 VIRTIO_BLK_S_IOERR);
	assert_int_equal(blk_box_request(&box, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, r, 16 * segments),
			 VIRTIO_BLK_S_OK);
	assert_int_equal(
		blk_box_request(&box, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, r, 16 * (segments + 1)),
		VIRTIO_BLK_S_IOERR);
	check_read(0, 4096);
	assert_int_equal(blk_box_file_size(box.image), 4 * MIB);
}

static void ranges_need_the_feature(void **state)
{
	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, F(FLUSH));
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 0),
			 VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(blk_box_range(&box, VIRTIO_BLK_T_DISCARD, 0, 8, 0), VIRTIO_BLK_S_UNSUPP);
	check_read(0, 4096);
}

/* ---- the cache's mode, as the driver sees it */

static void cache_mode_register(void **state)
{
	(void)state;
	open_and_start(&(struct hv_blk_opts){ 0 }, F(FLUSH) | F(CONFIG_WCE));
	assert_int_equal(vrig_config(&box.rig, CONFIG(wce)), 1);
	vrig_set_config(&box.rig, CONFIG(wce), 0);
	assert_int_equal(vrig_config(&box.rig, CONFIG(wce)), 0);
	/* Written over with its neighbours, as one word. */
	vrig_set_config(&box.rig, offsetof(struct virtio_blk_config, wce), 4, 0xffffff01);
	assert_int_equal(vrig_config(&box.rig, CONFIG(wce)), 1);
	assert_int_equal(vrig_config(&box.rig, CONFIG(num_queues)), 1);
	vrig_set_config(&box.rig, CONFIG(wce), 0);
	vrig_set_config(&box.rig, CONFIG(capacity), 5);
	assert_int_equal(vrig_config(&box.rig, CONFIG(capacity)), 8192);
	/* A new life begins with a cache again. */
	blk_box_start(&box, F(FLUSH) | F(CONFIG_WCE), 0);
	assert_int_equal(vrig_config(&box.rig, CONFIG(wce)), 1);
	/* Without FLUSH it begins without (5.2.5.2). */
	blk_box_start(&box, F(CONFIG_WCE), 0);
	assert_int_equal(vrig_config(&box.rig, CONFIG(wce)), 0);
	/* And is not written where it was not negotiated. */
	blk_box_start(&box, F(FLUSH), 0);
	vrig_set_config(&box.rig, CONFIG(wce), 0);
	assert_int_equal(vrig_config(&box.rig, CONFIG(wce)), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(config_is_true),
		TEST(block_size_is_what_was_asked),
		TEST(id_is_the_serial),
		TEST(moves_data),
		TEST(moves_data_indirect),
		TEST(moves_data_write_through),
		TEST(moves_data_by_threads),
		TEST(moves_data_past_the_cache),
		TEST(moves_data_past_the_cache_by_threads),
		TEST(queue_depth),
		TEST(queue_depth_past_the_cache),
		TEST(queue_depth_by_threads),
		TEST(any_framing),
		TEST(incomplete_requests),
		TEST(bounds),
		TEST(failed_read_claims_no_bytes),
		TEST(unknown_types),
		TEST(read_only),
		TEST(zeroes_read_back),
		TEST(several_ranges),
		TEST(range_limits),
		TEST(ranges_need_the_feature),
		TEST(cache_mode_register),
	};

	return cmocka_run_group_tests_name("blk", tests, NULL, NULL);
}
