// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_libdrm.h"
#include "virtio/dev/gpu_drm.h"

/* The output on a libdrm of the test's own (fake_libdrm.c), which is beside this program. */

static char library[PATH_MAX + 32], card[64];
static void *handle;
static struct fake_drm *fake;
static uint32_t picture[1920 * 1200];

static int setup_all(void **state)
{
	ssize_t n = readlink("/proc/self/exe", library, PATH_MAX - 1);

	(void)state;
	if (n < 0)
		return -1;
	library[n] = 0;
	snprintf(strrchr(library, '/'), 32, "/fake_libdrm.so");
	handle = dlopen(library, RTLD_NOW);
	fake = handle ? dlsym(handle, "fake_drm") : NULL;
	hv_log_set_level(HV_LOG_ERROR);
	return fake ? 0 : -1;
}

static int setup(void **state)
{
	int fd;

	(void)state;
	memset(fake, 0, sizeof(*fake));
	fake->connected[0] = true;
	snprintf(card, sizeof(card), "/tmp/hvsh-card-XXXXXX");
	fd = mkstemp(card);
	close(fd);
	for (size_t i = 0; i < sizeof(picture) / sizeof(picture[0]); i++)
		picture[i] = (uint32_t)i * 2654435761u & 0xffffff;
	return fd < 0 ? -1 : 0;
}

/* Whatever was done, nothing is left. */
static int teardown(void **state)
{
	(void)state;
	unlink(card);
	assert_int_equal(fake->live_fbs, 0);
	assert_int_equal(fake->live_dumbs, 0);
	assert_int_equal(fake->live_blobs, 0);
	assert_int_equal(fake->live_objects, 0);
	return 0;
}

static struct hv_gpu_output *open_card(const char *connector, const char *mode, unsigned int n)
{
	const char *const names[HV_GPU_SCANOUTS] = { connector };
	struct hv_gpu_output *out = NULL;
	struct hv_err err = { 0 };

	if (hv_gpu_drm_new(&(struct hv_gpu_drm_opts){ .card = card,
						      .connectors = names,
						      .mode = mode,
						      .scanouts = n,
						      .library = library },
			   &out, &err))
		fail_msg("%s", err.msg);
	return out;
}

static void set_mode(struct hv_gpu_output *out, unsigned int scanout, uint32_t w, uint32_t h)
{
	struct hv_err err = { 0 };

	if (out->ops->mode(out, scanout, w, h, &err))
		fail_msg("%s", err.msg);
}

static int try_frame(struct hv_gpu_output *out, uint32_t w, uint32_t h, struct hv_gpu_rect r,
		     struct hv_err *err)
{
	struct hv_gpu_frame f = { .pixels = picture, .pitch = w * 4, .w = w, .h = h };

	return out->ops->frame(out, 0, &f, &r, 1, err);
}

static void frame(struct hv_gpu_output *out, uint32_t w, uint32_t h, struct hv_gpu_rect r)
{
	struct hv_err err = { 0 };

	assert_true(out->ops->ready(out, 0));
	if (try_frame(out, w, h, r, &err))
		fail_msg("%s", err.msg);
	out->ops->dispatch(out);
}

/* The whole picture of w × h is on the screen at x, y; around it is black. */
static void expect_shown(unsigned int crtc, uint32_t w, uint32_t h, uint32_t x, uint32_t y)
{
	const struct fake_fb *fb = &fake->fbs[fake->fb[crtc]];
	int fd = open(card, O_RDONLY);
	const uint8_t *map;

	assert_true(fake->fb[crtc] && fb->live);
	map = mmap(NULL, (size_t)fb->pitch * fb->h, PROT_READ, MAP_SHARED, fd, (off_t)fb->offset);
	assert_true(map != MAP_FAILED);
	for (uint32_t row = 0; row < fb->h; row++) {
		const uint32_t *line = (const uint32_t *)(const void *)(map + row * fb->pitch);

		for (uint32_t col = 0; col < fb->w; col++) {
			bool in = col >= x && col < x + w && row >= y && row < y + h;
			uint32_t want = in ? picture[(row - y) * w + col - x] : 0;

			if (line[col] != want)
				fail_msg("pixel %u,%u is %06x, not %06x", col, row, line[col],
					 want);
		}
	}
	munmap((void *)map, (size_t)fb->pitch * fb->h);
	close(fd);
}

static struct hv_gpu_rect whole(uint32_t w, uint32_t h)
{
	return (struct hv_gpu_rect){ 0, 0, w, h };
}

static void change(uint32_t w, struct hv_gpu_rect r, uint32_t color)
{
	for (uint32_t y = r.y; y < r.y + r.h; y++)
		for (uint32_t x = r.x; x < r.x + r.w; x++)
			picture[y * w + x] = color;
}

/* Every frame is complete, in whichever of the two buffers it is. */
static void show_many(struct hv_gpu_output *out)
{
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	expect_shown(0, 1280, 800, 0, 0);
	for (uint32_t i = 0; i < 5; i++) {
		struct hv_gpu_rect r = { i * 100, i * 70, 30 + i, 20 };

		change(1280, r, 0x112233 * (i + 1) & 0xffffff);
		frame(out, 1280, 800, r);
		expect_shown(0, 1280, 800, 0, 0);
	}
}

static void test_atomic(void **state)
{
	struct hv_gpu_output *out = open_card(NULL, NULL, 1);
	struct hv_gpu_preferred p;

	(void)state;
	assert_string_equal(out->ops->name, "drm");
	assert_true(out->soft_cursor);
	out->ops->preferred(out, 0, &p);
	assert_true(p.connected);
	assert_int_equal(p.w, 1280);
	assert_int_equal(p.h, 800);
	assert_int_equal(p.w_mm, 300);
	assert_in_range(p.refresh_mhz, 59900, 60100);
	assert_string_equal(p.name, "HDMI-A-1");
	show_many(out);
	assert_int_equal(fake->modesets, 1);
	assert_int_equal(fake->commits, 6);
	assert_int_equal(fake->asleep_commits, 0);
	assert_int_equal(fake->set_crtcs + fake->flips + fake->dirties, 0);
	/* The last frame's damage and no more. */
	assert_int_equal(fake->n_rects, 1);
	assert_int_equal(fake->rects[0].x1, 400);
	assert_int_equal(fake->rects[0].y1, 280);
	assert_int_equal(fake->rects[0].x2, 434);
	assert_int_equal(fake->rects[0].y2, 300);
	/* The same size again costs no mode. */
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	assert_int_equal(fake->modesets, 1);
	out->ops->blank(out, 0);
	assert_int_equal(fake->fb[0], 0);
	assert_int_equal(fake->mode_w[0], 0);
	out->ops->close(out);
}

static void test_without_damage_clips(void **state)
{
	struct hv_gpu_output *out;

	(void)state;
	fake->no_damage = true;
	fake->no_nonblock_modeset = true;
	out = open_card("HDMI-A-1", NULL, 1);
	show_many(out);
	assert_int_equal(fake->n_rects, 0);
	/* Only what sets the mode is waited for. */
	assert_int_equal(fake->asleep_commits, 1);
	out->ops->close(out);
}

static void test_legacy(void **state)
{
	struct hv_gpu_output *out;

	(void)state;
	fake->no_atomic = true;
	out = open_card(NULL, NULL, 1);
	show_many(out);
	assert_int_equal(fake->commits, 0);
	assert_int_equal(fake->set_crtcs, 1);
	assert_int_equal(fake->flips, 5);
	out->ops->close(out);
}

static void test_without_flips(void **state)
{
	struct hv_gpu_output *out;

	(void)state;
	fake->no_atomic = fake->no_flip = true;
	out = open_card(NULL, NULL, 1);
	show_many(out);
	assert_int_equal(fake->set_crtcs, 2);
	assert_int_equal(fake->dirties, 4);
	assert_int_equal(fake->n_rects, 1);
	assert_int_equal(fake->rects[0].x2, 434);
	out->ops->close(out);
}

static void test_sizes(void **state)
{
	struct hv_gpu_output *out = open_card(NULL, NULL, 1);

	(void)state;
	/* A mode the display has; one it has not, smaller and larger. */
	set_mode(out, 0, 1024, 768);
	frame(out, 1024, 768, whole(1024, 768));
	assert_int_equal(fake->mode_w[0], 1024);
	expect_shown(0, 1024, 768, 0, 0);
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	set_mode(out, 0, 640, 400);
	frame(out, 640, 400, whole(640, 400));
	assert_int_equal(fake->mode_w[0], 1280);
	expect_shown(0, 640, 400, 320, 200);
	change(640, (struct hv_gpu_rect){ 10, 20, 5, 5 }, 0xabcdef);
	frame(out, 640, 400, (struct hv_gpu_rect){ 10, 20, 5, 5 });
	expect_shown(0, 640, 400, 320, 200);
	assert_int_equal(fake->rects[0].x1, 330);
	assert_int_equal(fake->rects[0].y2, 225);
	set_mode(out, 0, 1920, 1200);
	frame(out, 1920, 1200, whole(1920, 1200));
	assert_int_equal(fake->rects[0].x1, 0);
	/* What is beyond the edge costs nothing. */
	fake->commits = 0;
	frame(out, 1920, 1200, (struct hv_gpu_rect){ 1300, 10, 50, 50 });
	assert_int_equal(fake->commits, 0);
	out->ops->close(out);
}

static void test_pinned_mode(void **state)
{
	struct hv_gpu_output *out = open_card(NULL, "1024x768@75", 1);
	struct hv_gpu_preferred p;

	(void)state;
	out->ops->preferred(out, 0, &p);
	assert_int_equal(p.w, 1024);
	assert_in_range(p.refresh_mhz, 74900, 75100);
	set_mode(out, 0, 1280, 800);
	assert_int_equal(fake->modesets, 0);
	frame(out, 1280, 800, whole(1280, 800));
	assert_int_equal(fake->mode_w[0], 1024);
	out->ops->close(out);
}

/* A flip that is under way is waited for, by asking. */
static void test_ready(void **state)
{
	struct hv_gpu_output *out = open_card(NULL, NULL, 1);

	(void)state;
	fake->hold = true;
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	assert_false(out->ops->ready(out, 0));
	out->ops->dispatch(out);
	assert_false(out->ops->ready(out, 0));
	fake->hold = false;
	assert_true(out->ops->dispatch(out) & HV_GPU_OUTPUT_READY);
	assert_true(out->ops->ready(out, 0));
	out->ops->close(out);
}

static void test_release_and_take(void **state)
{
	struct hv_gpu_output *out = open_card(NULL, NULL, 1);
	struct hv_err err = { 0 };
	unsigned int commits;

	(void)state;
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	assert_int_equal(out->ops->release(out, &err), 0);
	assert_int_equal(out->ops->release(out, &err), 0);
	assert_false(fake->master);
	commits = fake->commits;
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	assert_int_equal(fake->commits, commits);
	fake->other_master = true;
	assert_int_equal(out->ops->take(out, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "another program has it"));
	fake->other_master = false;
	assert_int_equal(out->ops->take(out, &err), 0);
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	assert_int_equal(fake->modesets, 2);
	expect_shown(0, 1280, 800, 0, 0);
	out->ops->close(out);
}

/* Taken away without a word; said once, and silent until it is back. */
static void test_loses_the_card(void **state)
{
	struct hv_gpu_output *out = open_card(NULL, NULL, 1);
	struct hv_err err = { 0 };

	(void)state;
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	fake->master = false;
	assert_int_equal(try_frame(out, 1280, 800, whole(1280, 800), &err), -EACCES);
	assert_non_null(strstr(err.msg, "another program has /tmp/"));
	assert_int_equal(try_frame(out, 1280, 800, whole(1280, 800), &err), 0);
	assert_true(out->ops->ready(out, 0));
	assert_int_equal(out->ops->take(out, &err), 0);
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	expect_shown(0, 1280, 800, 0, 0);
	out->ops->close(out);
}

/* A commit that fails is tried again with the next frame, and nothing is missing then. */
static void test_commit_fails(void **state)
{
	struct hv_gpu_output *out = open_card(NULL, NULL, 1);
	struct hv_gpu_rect r = { 50, 50, 20, 20 };
	struct hv_err err = { 0 };

	(void)state;
	show_many(out);
	change(1280, r, 0x445566);
	fake->commit_errno = ENOMEM;
	assert_int_equal(try_frame(out, 1280, 800, r, &err), -ENOMEM);
	assert_non_null(strstr(err.msg, "HDMI-A-1 shows no picture"));
	fake->commit_errno = 0;
	frame(out, 1280, 800, r);
	expect_shown(0, 1280, 800, 0, 0);
	change(1280, (struct hv_gpu_rect){ 9, 9, 2, 2 }, 0x010203);
	frame(out, 1280, 800, (struct hv_gpu_rect){ 9, 9, 2, 2 });
	expect_shown(0, 1280, 800, 0, 0);
	out->ops->close(out);
}

static void test_plugging(void **state)
{
	struct hv_gpu_output *out;
	struct hv_gpu_preferred p;
	struct hv_err err = { 0 };

	(void)state;
	out = open_card("Virtual-1", NULL, 2);
	out->ops->preferred(out, 0, &p);
	assert_false(p.connected);
	out->ops->preferred(out, 1, &p);
	assert_true(p.connected);
	assert_string_equal(p.name, "HDMI-A-1");
	assert_int_equal(out->ops->mode(out, 0, 1280, 800, &err), -ENODEV);
	assert_non_null(strstr(err.msg, "nothing is connected to /tmp/"));
	fake->connected[1] = true;
	assert_int_equal(out->ops->take(out, &err), 0);
	out->ops->preferred(out, 0, &p);
	assert_true(p.connected);
	set_mode(out, 0, 1280, 800);
	set_mode(out, 1, 1024, 768);
	frame(out, 1280, 800, whole(1280, 800));
	expect_shown(0, 1280, 800, 0, 0);
	assert_int_equal(fake->fb[1], 0);
	out->ops->close(out);
}

static void test_cursor(void **state)
{
	static struct hv_gpu_cursor cursor;
	struct hv_gpu_output *out = open_card(NULL, NULL, 1);
	struct hv_gpu_rect r = { 100, 100, 64, 64 };
	struct hv_gpu_frame f = { .pixels = picture,
				  .pitch = 1280 * 4,
				  .w = 1280,
				  .h = 800,
				  .cursor = &cursor,
				  .cursor_x = 100,
				  .cursor_y = 100 };

	(void)state;
	for (unsigned int i = 0; i < HV_GPU_CURSOR_SIZE * HV_GPU_CURSOR_SIZE; i++)
		cursor.pixels[i] = 0xff00ff00;
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	assert_int_equal(out->ops->frame(out, 0, &f, &r, 1, NULL), 0);
	out->ops->dispatch(out);
	/* It is in the buffer, not in the picture. */
	assert_int_not_equal(picture[130 * 1280 + 130], 0x00ff00);
	change(1280, r, 0x00ff00);
	expect_shown(0, 1280, 800, 0, 0);
	out->ops->close(out);
}

static void refused(struct hv_gpu_drm_opts opts, int code, const char *says)
{
	struct hv_gpu_output *out = NULL;
	struct hv_err err = { 0 };

	opts.card = opts.card ?: card;
	opts.library = opts.library ?: library;
	assert_int_equal(hv_gpu_drm_new(&opts, &out, &err), -code);
	if (!strstr(err.msg, says))
		fail_msg("\"%s\" says nothing of \"%s\"", err.msg, says);
}

static void test_cannot_be_had(void **state)
{
	(void)state;
	refused((struct hv_gpu_drm_opts){ .library = "libdrm-of-nobody.so.2" }, ENOTSUP,
		"install libdrm2");
	refused((struct hv_gpu_drm_opts){ .library = "libm.so.6" }, ENOTSUP,
		"libm.so.6 is too old: it has no drmDropMaster");
	refused((struct hv_gpu_drm_opts){ .card = "/dev/dri/none" }, ENOENT,
		"/dev/dri/none cannot be opened");
	refused((struct hv_gpu_drm_opts){ .connectors = (const char *[]){ "DP-1" } }, ENOENT,
		"has no connector DP-1 that is free; it has HDMI-A-1, Virtual-1");
	refused((struct hv_gpu_drm_opts){ .scanouts = 3 }, ENOENT, "no connector for screen 2");
	refused((struct hv_gpu_drm_opts){ .mode = "800x600" }, ENOENT,
		"HDMI-A-1 has no mode 800x600; it has 1280x800@60, 1024x768@75, 1024x768@60");
	refused((struct hv_gpu_drm_opts){ .mode = "large" }, EINVAL, "\"large\" is no mode");
	refused((struct hv_gpu_drm_opts){ .mode = "1280x800@" }, EINVAL, "is no mode");
	fake->no_dumb = true;
	refused((struct hv_gpu_drm_opts){ 0 }, ENODEV, "is no card that pictures can be copied to");
	fake->no_dumb = false;
	fake->other_master = true;
	refused((struct hv_gpu_drm_opts){ 0 }, EBUSY, "is in the hands of another program");
}

/* A card that another process has opened for this one. */
static void test_given_card(void **state)
{
	struct hv_gpu_output *out;

	(void)state;
	fake->no_rights = true;
	refused((struct hv_gpu_drm_opts){ 0 }, EBUSY, "another program (Permission denied)");
	fake->master = true;
	out = open_card(NULL, NULL, 1);
	set_mode(out, 0, 1280, 800);
	frame(out, 1280, 800, whole(1280, 800));
	expect_shown(0, 1280, 800, 0, 0);
	out->ops->close(out);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_atomic),	   TEST(test_without_damage_clips),
		TEST(test_legacy),	   TEST(test_without_flips),
		TEST(test_sizes),	   TEST(test_pinned_mode),
		TEST(test_ready),	   TEST(test_release_and_take),
		TEST(test_loses_the_card), TEST(test_commit_fails),
		TEST(test_plugging),	   TEST(test_cursor),
		TEST(test_cannot_be_had),  TEST(test_given_card),
	};

	return cmocka_run_group_tests(tests, setup_all, NULL);
}
