// SPDX-License-Identifier: GPL-2.0-or-later
#include "gpu_rig.h"

#include <dirent.h>
#include <png.h>
#include <sys/stat.h>

#define BGRX VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM

static char folder[] = "/tmp/test_gpu.XXXXXX";

static char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static unsigned int files_in_folder(void)
{
	DIR *dir = opendir(folder);
	unsigned int n = 0;

	assert_non_null(dir);
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* The colours of a PNG file, 0xRRGGBB; the caller's to free. */
static uint32_t *read_png(const char *path, uint32_t *w, uint32_t *h)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint32_t *pixels;

	if (!png_image_begin_read_from_file(&image, path))
		fail_msg("%s: %s", path, image.message);
	image.format = PNG_FORMAT_BGRA;
	pixels = malloc(PNG_IMAGE_SIZE(image));
	assert_non_null(pixels);
	if (!png_image_finish_read(&image, NULL, pixels, 0, NULL))
		fail_msg("%s: %s", path, image.message);
	*w = image.width;
	*h = image.height;
	for (size_t i = 0; i < (size_t)*w * *h; i++)
		pixels[i] &= 0xffffff;
	return pixels;
}

static uint32_t *shoot(struct gpu_rig *g, unsigned int scanout, uint32_t want_w, uint32_t want_h)
{
	struct hv_err err = { 0 };
	uint32_t w, h, *pixels;

	if (hv_gpu_screenshot(&g->dev, scanout, in_folder("shot.png"), &err))
		fail_msg("%s", err.msg);
	pixels = read_png(in_folder("shot.png"), &w, &h);
	assert_int_equal(w, want_w);
	assert_int_equal(h, want_h);
	return pixels;
}

static uint32_t colour_at(uint32_t x, uint32_t y)
{
	return (x * 7 & 0xff) << 16 | (y * 11 & 0xff) << 8 | ((x ^ y) & 0xff);
}

static void test_registers(void **state)
{
	struct gpu_rig g;
	uint64_t offered;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ .scanouts = 3 });
	assert_int_equal(vrig_read(&g.rig, 0x008), 16);
	assert_int_equal(g.dev.n_queues, 2);
	assert_int_equal(vrig_config(&g.rig, 0, 4), 0);
	assert_int_equal(vrig_config(&g.rig, 8, 4), 3);
	assert_int_equal(vrig_config(&g.rig, 12, 4), 0);
	/* EDID, and nothing of 3D or blobs. */
	vrig_write(&g.rig, 0x014, 0);
	offered = vrig_read(&g.rig, 0x010);
	assert_int_equal(offered & 0x1f, 1 << VIRTIO_GPU_F_EDID);
	gpu_rig_free(&g);
}

static uint8_t sum(const uint8_t *bytes, size_t n)
{
	uint8_t total = 0;

	while (n--)
		total = (uint8_t)(total + *bytes++);
	return total;
}

static const uint8_t *ask_edid(struct gpu_rig *g, uint32_t scanout, uint32_t *size)
{
	struct virtio_gpu_cmd_get_edid c = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_GET_EDID),
					     .scanout = htole32(scanout) };
	const struct virtio_gpu_resp_edid *edid = (const void *)g->answer;

	assert_int_equal(gpu_command(g, c), VIRTIO_GPU_RESP_OK_EDID);
	*size = le32toh(edid->size);
	return edid->edid;
}

static void test_display_info(void **state)
{
	struct virtio_gpu_ctrl_hdr c = gpu_hdr(VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
	const struct virtio_gpu_resp_display_info *info;
	struct gpu_rig g;
	uint32_t len;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ .scanouts = 2, .width = 1024, .height = 600 });
	info = (const void *)g.answer;
	assert_int_equal(gpu_send(&g, 0, &c, sizeof(c), 4096, &len),
			 VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	assert_int_equal(len, sizeof(*info));
	for (int i = 0; i < 16; i++) {
		assert_int_equal(le32toh(info->pmodes[i].enabled), i < 2);
		assert_int_equal(le32toh(info->pmodes[i].r.width), i < 2 ? 1024 : 0);
		assert_int_equal(le32toh(info->pmodes[i].r.height), i < 2 ? 600 : 0);
	}
	gpu_rig_free(&g);
}

static void test_edid(void **state)
{
	static const uint8_t head[] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	struct gpu_rig g;
	const uint8_t *e, *d;
	uint32_t size;
	uint64_t frame;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ .scanouts = 2, .width = 1280, .height = 800 });
	e = ask_edid(&g, 1, &size);
	assert_int_equal(size, 128);
	assert_memory_equal(e, head, 8);
	assert_int_equal(sum(e, 128), 0);
	assert_int_equal(e[126], 0);
	/* The first descriptor is the preferred timing: 60 Hz, give or take half a percent. */
	d = e + 54;
	assert_int_equal(d[2] | d[4] >> 4 << 8, 1280);
	assert_int_equal(d[5] | d[7] >> 4 << 8, 800);
	frame = (uint64_t)(1280 + (d[3] | (d[4] & 15) << 8)) * (800 + (d[6] | (d[7] & 15) << 8));
	assert_in_range((d[0] | d[1] << 8) * UINT64_C(10000000) / frame, 59700, 60300);
	assert_int_equal(d[21], 0xfc);
	assert_memory_equal(d + 23, "panel\n       ", 13);
	gpu_rig_free(&g);

	/* More than a base block can say: a DisplayID block says it. */
	gpu_rig_init(&g, (struct hv_gpu_opts){ .width = 7680, .height = 4320 });
	e = ask_edid(&g, 0, &size);
	assert_int_equal(size, 256);
	assert_int_equal(sum(e, 128), 0);
	assert_int_equal(e[126], 1);
	d = e + 128;
	assert_int_equal(d[0], 0x70);
	assert_int_equal(sum(d, 128), 0);
	assert_int_equal(sum(d + 1, d[2] + 5), 0);
	assert_int_equal(d[5], 3);
	assert_true(d[8 + 3] & 0x80);
	assert_int_equal((d[12] | d[13] << 8) + 1, 7680);
	assert_int_equal((d[20] | d[21] << 8) + 1, 4320);
	gpu_rig_free(&g);

	/* Not negotiated, not answered. */
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	vrig_start(&g.rig, 0, 64, 0);
	assert_int_equal(gpu_command(&g, ((struct virtio_gpu_cmd_get_edid){
						 .hdr = gpu_hdr(VIRTIO_GPU_CMD_GET_EDID) })),
			 VIRTIO_GPU_RESP_ERR_UNSPEC);
	gpu_rig_free(&g);
}

/* A picture whose memory lies about in pieces that end within pixels, moved in parts. */
static void test_picture(void **state)
{
	enum { W = 320, H = 200, PIECE = 1021 };
	struct virtio_gpu_mem_entry entries[(W * H * 4) / PIECE + 1];
	uint32_t n = 0, left = W * H * 4, *got;
	uint8_t *spread, *picture;
	struct hv_gpu_info info;
	struct gpu_rig g;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	picture = malloc(W * H * 4);
	assert_non_null(picture);
	for (uint32_t i = 0; i < W * H; i++) {
		uint32_t c = htole32(colour_at(i % W, i / W));

		memcpy(picture + i * 4, &c, 4);
	}
	spread = vrig_alloc(&g.rig, W * H * 16, 1);
	for (uint8_t *from = picture; left; n++) {
		uint32_t len = left < PIECE ? left : PIECE;
		uint8_t *at = spread + (W * H * 16 - 2 * PIECE) - (size_t)n * 3 * PIECE;

		memcpy(at, from, len);
		entries[n] = (struct virtio_gpu_mem_entry){ htole64(vrig_ipa(&g.rig, at)),
							    htole32(len), 0 };
		from += len;
		left -= len;
	}
	gpu_ok(gpu_create(&g, 9, BGRX, W, H));
	gpu_ok(gpu_attach_as(&g, 9, entries, n, n));
	gpu_ok(gpu_set_scanout(&g, 0, 9, 0, 0, W, H));
	gpu_ok(gpu_transfer(&g, 9, 10, 20, 30, 40, (20 * W + 10) * 4));
	gpu_ok(gpu_flush(&g, 9, 10, 20, 30, 40));
	got = shoot(&g, 0, W, H);
	for (uint32_t y = 0; y < H; y++)
		for (uint32_t x = 0; x < W; x++) {
			bool moved = x >= 10 && x < 40 && y >= 20 && y < 60;

			assert_int_equal(got[y * W + x], moved ? colour_at(x, y) : 0);
		}
	free(got);
	gpu_ok(gpu_transfer(&g, 9, 0, 0, W, H, 0));
	gpu_ok(gpu_flush(&g, 9, 0, 0, W, H));
	got = shoot(&g, 0, W, H);
	for (uint32_t i = 0; i < W * H; i++)
		assert_int_equal(got[i], colour_at(i % W, i / W));
	free(got);
	assert_int_equal(g.dev.stats.write_bytes, (W * H + 30 * 40) * 4);
	/* Part of it on the screen. */
	gpu_ok(gpu_set_scanout(&g, 0, 9, 100, 50, 64, 32));
	got = shoot(&g, 0, 64, 32);
	assert_int_equal(got[0], colour_at(100, 50));
	assert_int_equal(got[31 * 64 + 63], colour_at(163, 81));
	free(got);
	hv_gpu_info(&g.dev, &info);
	assert_string_equal(info.output, "memory");
	assert_int_equal(info.resources, 1);
	assert_true(info.screen[0].on);
	assert_int_equal(info.screen[0].shown_width, 64);
	assert_int_equal(info.screen[0].width, HV_GPU_WIDTH);
	/* Without its memory it still shows; destroyed, it does not. */
	gpu_ok(gpu_detach(&g, 9));
	free(shoot(&g, 0, 64, 32));
	gpu_ok(gpu_unref(&g, 9));
	assert_int_equal(hv_gpu_screenshot(&g.dev, 0, in_folder("none.png"), NULL), -ENODATA);
	hv_gpu_info(&g.dev, &info);
	assert_int_equal(info.memory, 0);
	assert_false(info.screen[0].on);
	free(picture);
	gpu_rig_free(&g);
}

static void test_formats(void **state)
{
	/* One pixel of red 0x11, green 0x22, blue 0x33, alpha 0x44, as its bytes lie in memory. */
	static const struct {
		uint32_t format;
		uint8_t bytes[4];
	} formats[] = {
		{ VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, { 0x33, 0x22, 0x11, 0x44 } },
		{ VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, { 0x33, 0x22, 0x11, 0x44 } },
		{ VIRTIO_GPU_FORMAT_A8R8G8B8_UNORM, { 0x44, 0x11, 0x22, 0x33 } },
		{ VIRTIO_GPU_FORMAT_X8R8G8B8_UNORM, { 0x44, 0x11, 0x22, 0x33 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8A8_UNORM, { 0x11, 0x22, 0x33, 0x44 } },
		{ VIRTIO_GPU_FORMAT_X8B8G8R8_UNORM, { 0x44, 0x33, 0x22, 0x11 } },
		{ VIRTIO_GPU_FORMAT_A8B8G8R8_UNORM, { 0x44, 0x33, 0x22, 0x11 } },
		{ VIRTIO_GPU_FORMAT_R8G8B8X8_UNORM, { 0x11, 0x22, 0x33, 0x44 } },
	};
	struct gpu_rig g;
	uint8_t *at;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	at = vrig_alloc(&g.rig, 8 * 8 * 4, 16);
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t *got;

		for (int p = 0; p < 64; p++)
			memcpy(at + p * 4, formats[i].bytes, 4);
		gpu_ok(gpu_create(&g, i + 1, formats[i].format, 8, 8));
		gpu_ok(gpu_attach(&g, i + 1, at, 8 * 8 * 4));
		/* A part, and then all. */
		gpu_ok(gpu_transfer(&g, i + 1, 0, 0, 3, 3, 0));
		gpu_ok(gpu_set_scanout(&g, 0, i + 1, 0, 0, 8, 8));
		got = shoot(&g, 0, 8, 8);
		assert_int_equal(got[0], 0x112233);
		assert_int_equal(got[2 * 8 + 2], 0x112233);
		assert_int_equal(got[3], 0);
		free(got);
		gpu_ok(gpu_transfer(&g, i + 1, 0, 0, 8, 8, 0));
		got = shoot(&g, 0, 8, 8);
		for (int p = 0; p < 64; p++)
			assert_int_equal(got[p], 0x112233);
		free(got);
	}
	gpu_rig_free(&g);
}

static void test_cursor(void **state)
{
	enum { W = 200, H = 100 };
	struct hv_gpu_info info;
	struct gpu_rig g;
	uint32_t *got, *p;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	p = gpu_picture(&g, 1, 0, W, H);
	for (int i = 0; i < W * H; i++)
		p[i] = htole32(0x204060);
	gpu_ok(gpu_transfer(&g, 1, 0, 0, W, H, 0));
	gpu_ok(gpu_flush(&g, 1, 0, 0, W, H));
	/* Half transparent, premultiplied red. */
	gpu_plain_cursor(&g, 2, 0x80800000);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 50, 60, 2, 3));
	got = shoot(&g, 0, W, H);
	assert_int_equal(got[59 * W + 50], 0x204060);
	assert_int_equal(got[60 * W + 49], 0x204060);
	assert_int_equal(got[60 * W + 50], 0x902030);
	assert_int_equal(got[99 * W + 113], 0x902030);
	assert_int_equal(got[99 * W + 114], 0x204060);
	free(got);
	/* Over the corners, and beyond. The resource is not needed any more. */
	gpu_ok(gpu_unref(&g, 2));
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_MOVE_CURSOR, 0, -60, -62, 0, 0));
	got = shoot(&g, 0, W, H);
	assert_int_equal(got[0], 0x902030);
	assert_int_equal(got[1 * W + 3], 0x902030);
	assert_int_equal(got[4], 0x204060);
	assert_int_equal(got[2 * W], 0x204060);
	free(got);
	for (int i = 0; i < 2; i++) {
		int32_t far = i ? INT32_MAX : INT32_MIN;

		gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_MOVE_CURSOR, 0, far, far, 0, 0));
		free(shoot(&g, 0, W, H));
	}
	hv_gpu_info(&g.dev, &info);
	assert_true(info.screen[0].cursor);
	/* Colours larger than their alpha saturate. */
	gpu_plain_cursor(&g, 3, 0x01ffffff);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 3, 0));
	got = shoot(&g, 0, W, H);
	assert_int_equal(got[0], 0xffffff);
	free(got);
	/* None. */
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 0, 0));
	got = shoot(&g, 0, W, H);
	assert_int_equal(got[0], 0x204060);
	free(got);
	gpu_rig_free(&g);
}

/* As Linux sends them: without room for an answer. */
static void test_cursor_without_answer(void **state)
{
	struct virtio_gpu_update_cursor c = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_UPDATE_CURSOR) };
	struct hv_gpu_info info;
	struct gpu_rig g;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	gpu_plain_cursor(&g, 5, 0xff00ff00);
	c.pos.x = htole32(7);
	c.resource_id = htole32(5);
	memcpy(g.req, &c, sizeof(c));
	assert_int_equal(
		vrig_request(&g.rig, 1, (struct vrig_buf[]){ { g.req, sizeof(c), false } }, 1), 0);
	hv_gpu_info(&g.dev, &info);
	assert_true(info.screen[0].cursor);
	assert_int_equal(info.screen[0].cursor_x, 7);
	gpu_rig_free(&g);
}

static void test_reset(void **state)
{
	struct hv_gpu_info info;
	struct gpu_rig g;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	for (int life = 0; life < 20; life++) {
		gpu_picture(&g, 1, 0, 64, 64);
		gpu_plain_cursor(&g, 2, 0xffffffff);
		gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 5, 5, 2, 0));
		/* Also one whose queues end before it does. */
		for (uint32_t q = 0; q < 2 && life % 2; q++) {
			vrig_write(&g.rig, 0x030, q);
			vrig_write(&g.rig, 0x044, 0);
		}
		vrig_reset(&g.rig);
		gpu_rig_start(&g);
		assert_int_equal(gpu_unref(&g, 1), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
		hv_gpu_info(&g.dev, &info);
		assert_int_equal(info.memory, 0);
		assert_false(info.screen[0].on);
		assert_false(info.screen[0].cursor);
	}
	gpu_rig_free(&g);
}

static void test_hotplug(void **state)
{
	struct virtio_gpu_ctrl_hdr c = gpu_hdr(VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
	const struct virtio_gpu_resp_display_info *info;
	struct hv_err err = { 0 };
	struct gpu_rig g;
	uint32_t generation;
	uint64_t irqs;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ .scanouts = 2 });
	info = (const void *)g.answer;
	vrig_ack(&g.rig);
	irqs = atomic_load(&g.rig.irqs);
	generation = vrig_read(&g.rig, 0x0fc);
	assert_int_equal(hv_gpu_resize(&g.dev, 1, 1920, 1080, &err), 0);
	vrig_wait_irqs(&g.rig, irqs + 1);
	assert_int_equal(vrig_ack(&g.rig) & 2, 2);
	assert_int_not_equal(vrig_read(&g.rig, 0x0fc), generation);
	assert_int_equal(vrig_config(&g.rig, 0, 4), VIRTIO_GPU_EVENT_DISPLAY);
	/* events_read itself cannot be written. */
	vrig_set_config(&g.rig, 0, 4, 0);
	vrig_set_config(&g.rig, 4, 4, 0xfffffffe);
	assert_int_equal(vrig_config(&g.rig, 0, 4), VIRTIO_GPU_EVENT_DISPLAY);
	vrig_set_config(&g.rig, 4, 4, 1);
	assert_int_equal(vrig_config(&g.rig, 0, 4), 0);
	gpu_command(&g, c);
	assert_int_equal(le32toh(info->pmodes[0].r.width), HV_GPU_WIDTH);
	assert_int_equal(le32toh(info->pmodes[1].r.width), 1920);
	/* The same size again is no news. */
	assert_int_equal(hv_gpu_resize(&g.dev, 1, 1920, 1080, &err), 0);
	assert_int_equal(vrig_config(&g.rig, 0, 4), 0);
	/* Pulled out, and in again. */
	assert_int_equal(hv_gpu_resize(&g.dev, 1, 0, 0, &err), 0);
	gpu_command(&g, c);
	assert_int_equal(le32toh(info->pmodes[0].enabled), 1);
	assert_int_equal(le32toh(info->pmodes[1].enabled), 0);
	assert_int_equal(hv_gpu_resize(&g.dev, 1, 800, 600, &err), 0);
	gpu_command(&g, c);
	assert_int_equal(le32toh(info->pmodes[1].enabled), 1);
	assert_int_equal(le32toh(info->pmodes[1].r.height), 600);
	assert_int_equal(hv_gpu_resize(&g.dev, 2, 800, 600, &err), -EINVAL);
	assert_string_equal(err.msg, "rig/panel: there is no screen 2: it has 2, counted from 0");
	assert_int_equal(hv_gpu_resize(&g.dev, 0, 0, 600, &err), -EINVAL);
	assert_int_equal(hv_gpu_resize(&g.dev, 0, 16385, 600, &err), -EINVAL);
	assert_int_equal(hv_gpu_release(&g.dev, &err), -ENOTSUP);
	gpu_rig_free(&g);
}

/* Whole or not at all; what lies behind a link is not touched. */
static void test_file(void **state)
{
	struct hv_err err = { 0 };
	uint32_t w, h, *got;
	struct gpu_rig g;
	struct stat st;
	char target[256];
	unsigned int before;
	FILE *f;

	(void)state;
	gpu_rig_init(&g, (struct hv_gpu_opts){ 0 });
	gpu_picture(&g, 1, 0, 64, 48);
	snprintf(target, sizeof(target), "%s/victim", folder);
	f = fopen(target, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(symlink(target, in_folder("link.png")), 0);
	before = files_in_folder();
	assert_int_equal(hv_gpu_screenshot(&g.dev, 0, in_folder("link.png"), &err), 0);
	got = read_png(in_folder("link.png"), &w, &h);
	assert_int_equal(w, 64);
	assert_int_equal(h, 48);
	free(got);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(files_in_folder(), before);

	assert_int_equal(hv_gpu_screenshot(&g.dev, 0, in_folder("no/such.png"), &err), -ENOENT);
	assert_non_null(strstr(err.msg, "rig/panel: "));
	assert_non_null(strstr(err.msg, "no/such.png: cannot be written"));
	/* A folder in its place: what was written beside it is gone again. */
	assert_int_equal(mkdir(in_folder("folder"), 0755), 0);
	assert_true(hv_gpu_screenshot(&g.dev, 0, in_folder("folder"), &err) < 0);
	assert_int_equal(files_in_folder(), before + 1);
	assert_int_equal(rmdir(in_folder("folder")), 0);
	assert_int_equal(hv_gpu_screenshot(&g.dev, 1, in_folder("x.png"), &err), -EINVAL);
	gpu_rig_free(&g);
}

static void test_refused(void **state)
{
	struct hv_gpu_opts opts = { .origin = { .file = "boot.lua", .line = 7 } };
	struct hv_vdev dev = { 0 };
	struct hv_err err = { 0 };

	(void)state;
	opts.scanouts = 17;
	assert_int_equal(hv_gpu_memory_new(&opts.output, &err), 0);
	assert_int_equal(hv_gpu_init(&dev, "z/gpu", &opts, &err), -EINVAL);
	assert_string_equal(err.msg, "z/gpu (boot.lua:7): 17 screens; there can be 16");
	opts.scanouts = 1;
	opts.width = 20000;
	assert_int_equal(hv_gpu_memory_new(&opts.output, &err), 0);
	assert_int_equal(hv_gpu_init(&dev, "z/gpu", &opts, &err), -EINVAL);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(in_folder("shot.png"));
	unlink(in_folder("link.png"));
	unlink(in_folder("victim"));
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_display_info),
		cmocka_unit_test(test_edid),
		cmocka_unit_test(test_picture),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_cursor),
		cmocka_unit_test(test_cursor_without_answer),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_hotplug),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
