// SPDX-License-Identifier: GPL-2.0-or-later
#include "gpu_rig.h"

/* What a guest may send a graphics card, and how much of it. */
#define BGRX VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

static void test_errors(void **state)
{
	enum {
		UNSPEC = VIRTIO_GPU_RESP_ERR_UNSPEC,
		NO_MEMORY = VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY,
		SCANOUT = VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID,
		RESOURCE = VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID,
		PARAMETER = VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER,
		BIG = 0x80000000u,
	};
	static const uint32_t unknown[] = {
		0,
		VIRTIO_GPU_CMD_GET_CAPSET_INFO,
		VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB,
		VIRTIO_GPU_CMD_CTX_CREATE,
		VIRTIO_GPU_CMD_UPDATE_CURSOR, /* on the control queue */
		VIRTIO_GPU_RESP_OK_NODATA,
		UINT32_MAX,
	};
	struct virtio_gpu_mem_entry e;
	struct hv_gpu_info info;
	struct gpu_rig g;
	uint8_t *at;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ .memory = 1 << 20 });
	at = vrig_alloc(&g.rig, 64 * 64 * 4, 4096);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct virtio_gpu_update_cursor c = { .hdr = gpu_hdr(unknown[i]) };

		assert_int_equal(gpu_command(&g, c), UNSPEC);
	}
	assert_int_equal(gpu_create(&g, 0, BGRX, 64, 64), RESOURCE);
	assert_int_equal(gpu_create(&g, 1, 5, 64, 64), PARAMETER);
	assert_int_equal(gpu_create(&g, 1, BGRX, 0, 64), PARAMETER);
	assert_int_equal(gpu_create(&g, 1, BGRX, 64, 0), PARAMETER);
	assert_int_equal(gpu_create(&g, 1, BGRX, 16385, 1), PARAMETER);
	assert_int_equal(gpu_create(&g, 1, BGRX, 1, UINT32_MAX), PARAMETER);
	assert_int_equal(gpu_create(&g, 1, BGRX, 513, 512), NO_MEMORY);
	gpu_ok(gpu_create(&g, 1, BGRX, 64, 64));
	assert_int_equal(gpu_create(&g, 1, BGRX, 64, 64), RESOURCE);

	assert_int_equal(gpu_transfer(&g, 1, 0, 0, 64, 64, 0), UNSPEC);
	assert_int_equal(gpu_detach(&g, 1), UNSPEC);
	assert_int_equal(gpu_attach(&g, 2, at, 64), RESOURCE);
	e = (struct virtio_gpu_mem_entry){ htole64(vrig_ipa(&g.rig, at)), htole32(64 * 64 * 4), 0 };
	assert_int_equal(gpu_attach_as(&g, 1, &e, 0, 0), PARAMETER);
	assert_int_equal(gpu_attach_as(&g, 1, &e, 1, 2), PARAMETER);
	assert_int_equal(gpu_attach_as(&g, 1, &e, 1, UINT32_MAX), PARAMETER);
	e.length = htole32(0);
	assert_int_equal(gpu_attach_as(&g, 1, &e, 1, 1), PARAMETER);
	e.length = htole32(GPU_RAM);
	assert_int_equal(gpu_attach_as(&g, 1, &e, 1, 1), PARAMETER);
	e.addr = htole64(UINT64_MAX - 15);
	e.length = htole32(32);
	assert_int_equal(gpu_attach_as(&g, 1, &e, 1, 1), PARAMETER);
	gpu_ok(gpu_attach(&g, 1, at, 64 * 64 * 4));
	assert_int_equal(gpu_attach(&g, 1, at, 64 * 64 * 4), UNSPEC);

	assert_int_equal(gpu_transfer(&g, 2, 0, 0, 64, 64, 0), RESOURCE);
	assert_int_equal(gpu_transfer(&g, 1, 0, 0, 65, 64, 0), PARAMETER);
	assert_int_equal(gpu_transfer(&g, 1, 1, 0, 64, 64, 0), PARAMETER);
	assert_int_equal(gpu_transfer(&g, 1, UINT32_MAX, 0, 2, 1, 0), PARAMETER);
	assert_int_equal(gpu_transfer(&g, 1, 0, BIG, 1, BIG, 0), PARAMETER);
	assert_int_equal(gpu_transfer(&g, 1, 0, 0, 0, 64, 0), PARAMETER);
	assert_int_equal(gpu_transfer(&g, 1, 0, 0, 64, 64, 1), PARAMETER);
	assert_int_equal(gpu_transfer(&g, 1, 0, 0, 64, 64, UINT64_MAX), PARAMETER);
	gpu_ok(gpu_transfer(&g, 1, 0, 0, 64, 63, 256));

	assert_int_equal(gpu_set_scanout(&g, 1, 1, 0, 0, 64, 64), SCANOUT);
	assert_int_equal(gpu_set_scanout(&g, UINT32_MAX, 0, 0, 0, 0, 0), SCANOUT);
	assert_int_equal(gpu_set_scanout(&g, 0, 2, 0, 0, 64, 64), RESOURCE);
	assert_int_equal(gpu_set_scanout(&g, 0, 1, 0, 0, 64, 65), PARAMETER);
	assert_int_equal(gpu_set_scanout(&g, 0, 1, 0, 0, 0, 0), PARAMETER);
	assert_int_equal(gpu_flush(&g, 2, 0, 0, 1, 1), RESOURCE);
	assert_int_equal(gpu_flush(&g, 1, 64, 0, 1, 1), PARAMETER);
	assert_int_equal(gpu_unref(&g, 2), RESOURCE);

	assert_int_equal(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 1, 0, 0, 1, 0), SCANOUT);
	assert_int_equal(gpu_cursor(&g, VIRTIO_GPU_CMD_MOVE_CURSOR, 16, 0, 0, 0, 0), SCANOUT);
	assert_int_equal(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 2, 0), RESOURCE);
	assert_int_equal(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 1, 64), PARAMETER);
	gpu_ok(gpu_create(&g, 3, BGRX, 32, 64));
	assert_int_equal(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 3, 0), PARAMETER);
	assert_int_equal(gpu_cursor(&g, VIRTIO_GPU_CMD_RESOURCE_UNREF, 0, 0, 0, 3, 0), UNSPEC);

	hv_gpu_info(&g.dev, &info);
	assert_int_equal(info.resources, 2);
	assert_false(info.screen[0].on);
	assert_false(info.screen[0].cursor);
	assert_int_equal(vrig_read(&g.rig, 0x070) & 0x40, 0);
	gpu_rig_free(&g);
}

/* Requests cut short, answers without room: each comes back, none goes beyond its buffer. */
static void test_short(void **state)
{
	struct virtio_gpu_set_scanout c = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_SET_SCANOUT) };
	struct virtio_gpu_ctrl_hdr info = gpu_hdr(VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
	struct gpu_rig g;
	uint32_t len;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	for (uint32_t n = 1; n < sizeof(c); n++)
		assert_int_equal(gpu_send(&g, 0, &c, n, 64, NULL),
				 VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER);
	gpu_send(&g, 0, &c, sizeof(c), 23, &len);
	assert_int_equal(len, 0);
	assert_int_equal(g.answer[0], 0);
	assert_int_equal(gpu_send(&g, 0, &info, sizeof(info), 24, &len),
			 VIRTIO_GPU_RESP_ERR_UNSPEC);
	assert_int_equal(len, 24);
	assert_int_equal(g.answer[24], 0);
	assert_int_equal(vrig_request(&g.rig, 0, (struct vrig_buf[]){ { g.answer, 64, true } }, 1),
			 24);
	assert_int_equal(
		vrig_request(&g.rig, 0, (struct vrig_buf[]){ { g.req, sizeof(info), false } }, 1),
		0);
	gpu_rig_free(&g);
}

static void test_fence(void **state)
{
	struct virtio_gpu_resource_unref c = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_UNREF) };
	const struct virtio_gpu_ctrl_hdr *hdr;
	struct gpu_rig g;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	hdr = (const void *)g.answer;
	c.hdr.fence_id = htole64(0x1122334455667788);
	c.hdr.ctx_id = htole32(3);
	gpu_command(&g, c);
	assert_int_equal(hdr->flags, 0);
	assert_int_equal(hdr->fence_id, 0);
	/* Errors are fenced as well. */
	c.hdr.flags = htole32(VIRTIO_GPU_FLAG_FENCE | 0x80);
	assert_int_equal(gpu_command(&g, c), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(le32toh(hdr->flags), VIRTIO_GPU_FLAG_FENCE);
	assert_true(hdr->fence_id == c.hdr.fence_id);
	assert_true(hdr->ctx_id == c.hdr.ctx_id);
	gpu_rig_free(&g);
}

static void test_quota(void **state)
{
	struct hv_gpu_info info;
	struct gpu_rig g;
	uint32_t n = 0;
	uint8_t *at;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ .memory = 10 * 65536 + 100 });
	at = vrig_alloc(&g.rig, 65536, 4096);
	while (gpu_create(&g, n + 1, BGRX, 128, 128) == VIRTIO_GPU_RESP_OK_NODATA)
		n++;
	assert_int_equal(n, 10);
	/* What says where the guest's memory is counts, too: four pieces fit, the fifth does not.
	 */
	for (uint32_t i = 1; i <= 5; i++)
		assert_int_equal(gpu_attach(&g, i, at, 65536),
				 i < 5 ? VIRTIO_GPU_RESP_OK_NODATA
				       : VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY);
	hv_gpu_info(&g.dev, &info);
	assert_int_equal(info.memory, 10 * 65536 + 4 * 24);
	gpu_ok(gpu_detach(&g, 1));
	gpu_ok(gpu_attach(&g, 5, at, 65536));
	while (n)
		gpu_ok(gpu_unref(&g, n--));
	hv_gpu_info(&g.dev, &info);
	assert_int_equal(info.memory, 0);
	assert_int_equal(info.resources, 0);
	/* Their number is bounded as well. */
	while (gpu_create(&g, n + 1, BGRX, 1, 1) == VIRTIO_GPU_RESP_OK_NODATA)
		n++;
	assert_int_equal(n, HV_GPU_RESOURCES);
	gpu_rig_free(&g);
}

/* Leaks are found by the address sanitizer and by the count. */
static void test_ten_thousand(void **state)
{
	struct hv_gpu_info info;
	struct gpu_rig g;
	uint8_t *at;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	at = vrig_alloc(&g.rig, 65536, 4096);
	for (uint32_t i = 1; i <= 10000; i++) {
		gpu_ok(gpu_create(&g, i, BGRX, 128, 128));
		gpu_ok(gpu_attach(&g, i, at, 65536));
		if (i % 2)
			gpu_ok(gpu_set_scanout(&g, 0, i, 0, 0, 128, 128));
		if (i % 3 == 0)
			gpu_ok(gpu_detach(&g, i));
		gpu_ok(gpu_unref(&g, i));
	}
	hv_gpu_info(&g.dev, &info);
	assert_int_equal(info.memory, 0);
	assert_int_equal(info.resources, 0);
	gpu_rig_free(&g);
}

static void test_limit(void **state)
{
	struct gpu_rig g;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	gpu_picture(&g, 1, 0, 64, 64);
	/* A transfer goes into debt; the next one waits, and goes on by itself. */
	hv_limit_set_rates(
		&g.dev.limit, (struct hv_limit_rate){ 0 },
		(struct hv_limit_rate){ .tokens = 16384, .burst = 1, .period_ns = 5000000 });
	for (int i = 0; i < 5; i++)
		gpu_ok(gpu_transfer(&g, 1, 0, 0, 64, 64, 0));
	gpu_rig_free(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),	     cmocka_unit_test(test_short),
		cmocka_unit_test(test_fence),	     cmocka_unit_test(test_quota),
		cmocka_unit_test(test_ten_thousand), cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
