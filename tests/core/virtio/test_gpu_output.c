// SPDX-License-Identifier: GPL-2.0-or-later
#include "gpu_rig.h"

#include <pthread.h>
#include <sys/eventfd.h>

/* What a graphics card gives its output, seen by one that writes it down. */
#define FRAMES 64

struct seen_frame {
	unsigned int scanout, n_damage;
	uint32_t w, h, first, cursor_pixel; /* first: the pixel where the damage begins */
	bool cursor;
	int32_t cursor_x;
	struct hv_gpu_rect damage[HV_GPU_DAMAGE];
};

struct fake {
	struct hv_gpu_output out;
	pthread_mutex_t lock; /* all below */
	bool busy, refuse_mode, refuse_frame, refuse_cursor, released;
	unsigned int news; /* what dispatch answers next */
	uint32_t wish_w, wish_h;
	unsigned int modes, blanks, cursors, moves, closed;
	uint32_t mode_w, mode_h;
	bool cursor_on;
	int32_t x, y;
	unsigned int n_frames;
	struct seen_frame frames[FRAMES];
};

static struct fake fake;

static void lock(void)
{
	pthread_mutex_lock(&fake.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&fake.lock);
}

static void fake_preferred(struct hv_gpu_output *out, unsigned int scanout,
			   struct hv_gpu_preferred *to)
{
	(void)out;
	lock();
	*to = (struct hv_gpu_preferred){ .connected = scanout == 0,
					 .w = fake.wish_w,
					 .h = fake.wish_h,
					 .w_mm = 300,
					 .h_mm = 200,
					 .name = "Fake" };
	unlock();
}

static int fake_mode(struct hv_gpu_output *out, unsigned int scanout, uint32_t w, uint32_t h,
		     struct hv_err *err)
{
	int rc = 0;

	(void)out;
	(void)scanout;
	lock();
	fake.modes++;
	fake.mode_w = w;
	fake.mode_h = h;
	if (fake.refuse_mode)
		rc = hv_err_set(err, EINVAL, "no such mode");
	unlock();
	return rc;
}

static bool fake_ready(struct hv_gpu_output *out, unsigned int scanout)
{
	bool busy;

	(void)out;
	(void)scanout;
	lock();
	busy = fake.busy;
	unlock();
	return !busy;
}

static int fake_frame(struct hv_gpu_output *out, unsigned int scanout,
		      const struct hv_gpu_frame *frame, const struct hv_gpu_rect *damage,
		      unsigned int n, struct hv_err *err)
{
	struct seen_frame *f;
	int rc = 0;

	(void)out;
	lock();
	if (fake.refuse_frame) {
		rc = hv_err_set(err, EIO, "no");
	} else if (fake.n_frames < FRAMES) {
		f = &fake.frames[fake.n_frames++];
		f->scanout = scanout;
		f->w = frame->w;
		f->h = frame->h;
		f->n_damage = n;
		memcpy(f->damage, damage, n * sizeof(*damage));
		f->first = frame->pixels[damage->y * (frame->pitch / 4) + damage->x];
		f->cursor = frame->cursor != NULL;
		f->cursor_x = frame->cursor_x;
		f->cursor_pixel = frame->cursor ? frame->cursor->pixels[0] : 0;
	}
	unlock();
	return rc;
}

static int fake_cursor(struct hv_gpu_output *out, unsigned int scanout,
		       const struct hv_gpu_cursor *cursor, int32_t x, int32_t y)
{
	int rc = 0;

	(void)scanout;
	lock();
	fake.cursors++;
	fake.cursor_on = cursor != NULL;
	fake.x = x;
	fake.y = y;
	if (fake.refuse_cursor) {
		out->soft_cursor = true;
		rc = -ENOTSUP;
	}
	unlock();
	return rc;
}

static int fake_move(struct hv_gpu_output *out, unsigned int scanout, int32_t x, int32_t y)
{
	(void)out;
	(void)scanout;
	lock();
	fake.moves++;
	fake.x = x;
	fake.y = y;
	unlock();
	return 0;
}

static void fake_blank(struct hv_gpu_output *out, unsigned int scanout)
{
	(void)out;
	(void)scanout;
	lock();
	fake.blanks++;
	unlock();
}

static unsigned int fake_dispatch(struct hv_gpu_output *out)
{
	unsigned int news;
	uint64_t count;

	(void)!read(out->fd, &count, sizeof(count));
	lock();
	news = fake.news;
	fake.news = 0;
	unlock();
	return news;
}

static int fake_release(struct hv_gpu_output *out, struct hv_err *err)
{
	(void)out;
	(void)err;
	lock();
	fake.released = true;
	unlock();
	return 0;
}

static int fake_take(struct hv_gpu_output *out, struct hv_err *err)
{
	(void)out;
	(void)err;
	lock();
	fake.released = false;
	unlock();
	return 0;
}

static void fake_close(struct hv_gpu_output *out)
{
	close(out->fd);
	fake.closed++;
}

static const struct hv_gpu_output_ops fake_ops = {
	.name = "fake",
	.preferred = fake_preferred,
	.mode = fake_mode,
	.ready = fake_ready,
	.frame = fake_frame,
	.cursor = fake_cursor,
	.move_cursor = fake_move,
	.blank = fake_blank,
	.dispatch = fake_dispatch,
	.release = fake_release,
	.take = fake_take,
	.close = fake_close,
};

static void start(struct gpu_rig *g)
{
	fake = (struct fake){ .out = { .ops = &fake_ops,
				       .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) },
			      .lock = PTHREAD_MUTEX_INITIALIZER,
			      .wish_w = 640,
			      .wish_h = 480 };
	gpu_rig_init(g, (struct hv_gpu_opts){ .scanouts = 2, .output = &fake.out });
}

static void tell(unsigned int news)
{
	uint64_t one = 1;

	lock();
	fake.news |= news;
	unlock();
	assert_int_equal(write(fake.out.fd, &one, sizeof(one)), sizeof(one));
}

static unsigned int frames(void)
{
	unsigned int n;

	lock();
	n = fake.n_frames;
	unlock();
	return n;
}

static const struct seen_frame *wait_frames(unsigned int n)
{
	uint64_t deadline = 0;

	while (frames() < n)
		vrig_pause(&deadline, "a frame");
	assert_int_equal(frames(), n);
	return &fake.frames[n - 1];
}

static void is_rect(const struct hv_gpu_rect *r, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	assert_int_equal(r->x, x);
	assert_int_equal(r->y, y);
	assert_int_equal(r->w, w);
	assert_int_equal(r->h, h);
}

static void test_damage(void **state)
{
	const struct seen_frame *f;
	struct gpu_rig g;
	uint32_t *p;

	(void)state;
	start(&g);
	p = gpu_picture(&g, 1, 0, 100, 80);
	for (int i = 0; i < 100 * 80; i++)
		p[i] = htole32(0x112233);
	gpu_ok(gpu_transfer(&g, 1, 0, 0, 100, 80, 0));
	gpu_ok(gpu_flush(&g, 1, 10, 10, 5, 5));
	/* The first one is whole, whatever was flushed. */
	assert_int_equal(fake.modes, 1);
	assert_int_equal(fake.mode_w, 100);
	assert_int_equal(fake.mode_h, 80);
	is_rect(&fake.frames[0].damage[0], 0, 0, 100, 80);
	fake.n_frames = 0;
	gpu_ok(gpu_flush(&g, 1, 10, 12, 5, 6));
	f = wait_frames(1);
	assert_int_equal(f->n_damage, 1);
	is_rect(&f->damage[0], 10, 12, 5, 6);
	assert_int_equal(f->first, 0x112233);
	/* A part of the resource on the screen: in the screen's own coordinates; what is beside it
	 * is nobody's business. */
	gpu_ok(gpu_set_scanout(&g, 0, 1, 20, 20, 40, 40));
	fake.n_frames = 0;
	gpu_ok(gpu_flush(&g, 1, 10, 30, 20, 5));
	f = wait_frames(1);
	assert_int_equal(fake.mode_w, 40);
	is_rect(&f->damage[0], 0, 0, 40, 40);
	gpu_ok(gpu_flush(&g, 1, 0, 0, 20, 80));
	f = wait_frames(1);
	gpu_ok(gpu_flush(&g, 1, 10, 30, 20, 5));
	f = wait_frames(2);
	is_rect(&f->damage[0], 0, 10, 10, 5);
	/* Another resource of that size needs no mode, but is new all over. */
	assert_int_equal(fake.modes, 2);
	gpu_ok(gpu_create(&g, 2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 40, 40));
	gpu_ok(gpu_set_scanout(&g, 0, 2, 0, 0, 40, 40));
	fake.n_frames = 0;
	gpu_ok(gpu_flush(&g, 2, 1, 1, 1, 1));
	f = wait_frames(1);
	is_rect(&f->damage[0], 0, 0, 40, 40);
	assert_int_equal(fake.modes, 2);
	/* Off, by the scanout and with the resource. */
	gpu_ok(gpu_set_scanout(&g, 0, 0, 0, 0, 0, 0));
	assert_int_equal(fake.blanks, 1);
	gpu_ok(gpu_flush(&g, 2, 0, 0, 40, 40));
	assert_int_equal(frames(), 1);
	gpu_ok(gpu_set_scanout(&g, 0, 2, 0, 0, 40, 40));
	gpu_ok(gpu_flush(&g, 2, 0, 0, 40, 40));
	assert_int_equal(fake.modes, 3);
	gpu_ok(gpu_unref(&g, 2));
	assert_int_equal(fake.blanks, 2);
	gpu_rig_free(&g);
	assert_int_equal(fake.closed, 1);
}

/* A display that takes its time: what is flushed meanwhile becomes one frame. */
static void test_slow(void **state)
{
	const struct seen_frame *f;
	struct gpu_rig g;
	uint32_t *p;

	(void)state;
	start(&g);
	p = gpu_picture(&g, 1, 0, 400, 300);
	gpu_ok(gpu_flush(&g, 1, 0, 0, 400, 300));
	fake.n_frames = 0;
	lock();
	fake.busy = true;
	unlock();
	gpu_ok(gpu_flush(&g, 1, 0, 0, 10, 10));
	gpu_ok(gpu_flush(&g, 1, 2, 2, 3, 3)); /* inside the first */
	p[200 * 400 + 100] = htole32(0xabcdef);
	gpu_ok(gpu_transfer(&g, 1, 100, 200, 1, 1, (200 * 400 + 100) * 4));
	gpu_ok(gpu_flush(&g, 1, 100, 200, 1, 1));
	assert_int_equal(frames(), 0);
	lock();
	fake.busy = false;
	unlock();
	tell(HV_GPU_OUTPUT_READY);
	f = wait_frames(1);
	assert_int_equal(f->n_damage, 2);
	is_rect(&f->damage[0], 0, 0, 10, 10);
	is_rect(&f->damage[1], 100, 200, 1, 1);
	/* More parts than fit: one around them. */
	lock();
	fake.busy = true;
	unlock();
	for (uint32_t i = 0; i <= HV_GPU_DAMAGE; i++)
		gpu_ok(gpu_flush(&g, 1, 20 + i * 4, 30 + i * 2, 2, 1));
	lock();
	fake.busy = false;
	unlock();
	tell(HV_GPU_OUTPUT_READY);
	f = wait_frames(2);
	assert_int_equal(f->n_damage, 1);
	is_rect(&f->damage[0], 20, 30, HV_GPU_DAMAGE * 4 + 2, HV_GPU_DAMAGE * 2 + 1);
	gpu_rig_free(&g);
}

static void test_cursor(void **state)
{
	struct gpu_rig g;

	(void)state;
	start(&g);
	gpu_plain_cursor(&g, 5, 0xff00ff00);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 10, 20, 5, 0));
	/* Nothing is shown yet; it comes with the mode. */
	assert_int_equal(fake.cursors, 0);
	gpu_picture(&g, 1, 0, 200, 200);
	gpu_ok(gpu_flush(&g, 1, 0, 0, 200, 200));
	assert_int_equal(fake.cursors, 1);
	assert_true(fake.cursor_on);
	assert_int_equal(fake.x, 10);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_MOVE_CURSOR, 0, -3, 40, 5, 0));
	assert_int_equal(fake.moves, 1);
	assert_int_equal(fake.x, -3);
	assert_int_equal(frames(), 1);
	assert_false(fake.frames[0].cursor);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 10, 20, 0, 0));
	assert_int_equal(fake.cursors, 2);
	assert_false(fake.cursor_on);
	gpu_rig_free(&g);
}

/* An output without a plane for it gets the cursor with the frames, where it was and where it is.
 */
static void test_soft_cursor(void **state)
{
	const struct seen_frame *f;
	struct gpu_rig g;

	(void)state;
	start(&g);
	gpu_picture(&g, 1, 0, 200, 200);
	gpu_ok(gpu_flush(&g, 1, 0, 0, 200, 200));
	gpu_plain_cursor(&g, 5, 0xff00ff00);
	fake.refuse_cursor = true;
	fake.n_frames = 0;
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 10, 20, 5, 0));
	f = wait_frames(1);
	assert_true(f->cursor);
	assert_int_equal(f->cursor_pixel, 0xff00ff00);
	is_rect(&f->damage[0], 10, 20, 64, 64);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_MOVE_CURSOR, 0, 190, -10, 0, 0));
	f = wait_frames(2);
	assert_int_equal(f->n_damage, 2);
	is_rect(&f->damage[0], 10, 20, 64, 64);
	is_rect(&f->damage[1], 190, 0, 10, 54);
	assert_int_equal(f->cursor_x, 190);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 0, 0, 0, 0));
	f = wait_frames(3);
	assert_false(f->cursor);
	assert_int_equal(f->n_damage, 1);
	is_rect(&f->damage[0], 190, 0, 10, 54);
	gpu_rig_free(&g);
}

static void test_refusals(void **state)
{
	struct gpu_rig g;

	(void)state;
	start(&g);
	fake.refuse_mode = true;
	gpu_picture(&g, 1, 0, 200, 200);
	/* The guest is not to blame: its commands succeed. */
	for (int i = 0; i < 3; i++)
		gpu_ok(gpu_flush(&g, 1, 0, 0, 200, 200));
	assert_int_equal(fake.modes, 1);
	assert_int_equal(frames(), 0);
	lock();
	fake.refuse_mode = false;
	unlock();
	tell(HV_GPU_OUTPUT_LOST);
	wait_frames(1);
	/* A frame that failed is part of the next one. */
	lock();
	fake.refuse_frame = true;
	unlock();
	gpu_ok(gpu_flush(&g, 1, 5, 5, 1, 1));
	lock();
	fake.refuse_frame = false;
	unlock();
	gpu_ok(gpu_flush(&g, 1, 9, 9, 1, 1));
	assert_int_equal(wait_frames(2)->n_damage, 2);
	gpu_rig_free(&g);
}

static void test_lost(void **state)
{
	struct gpu_rig g;

	(void)state;
	start(&g);
	gpu_picture(&g, 1, 0, 200, 200);
	gpu_plain_cursor(&g, 5, 0xff00ff00);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 10, 20, 5, 0));
	gpu_ok(gpu_flush(&g, 1, 0, 0, 200, 200));
	fake.n_frames = fake.modes = fake.cursors = 0;
	tell(HV_GPU_OUTPUT_LOST);
	is_rect(&wait_frames(1)->damage[0], 0, 0, 200, 200);
	assert_int_equal(fake.modes, 1);
	assert_int_equal(fake.cursors, 1);
	/* Given away and taken back. */
	assert_int_equal(hv_gpu_release(&g.dev, NULL), 0);
	assert_true(fake.released);
	assert_int_equal(hv_gpu_take(&g.dev, NULL), 0);
	is_rect(&wait_frames(2)->damage[0], 0, 0, 200, 200);
	assert_int_equal(fake.modes, 2);
	gpu_rig_free(&g);
}

static void test_preferred(void **state)
{
	struct virtio_gpu_ctrl_hdr c = gpu_hdr(VIRTIO_GPU_CMD_GET_DISPLAY_INFO);
	struct virtio_gpu_cmd_get_edid e = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_GET_EDID) };
	const struct virtio_gpu_resp_display_info *info;
	const struct virtio_gpu_resp_edid *edid;
	struct gpu_rig g;
	uint64_t irqs, deadline = 0;

	(void)state;
	start(&g);
	info = (const void *)g.answer;
	edid = (const void *)g.answer;
	gpu_command(&g, c);
	assert_int_equal(le32toh(info->pmodes[0].r.width), 640);
	assert_int_equal(le32toh(info->pmodes[0].enabled), 1);
	assert_int_equal(le32toh(info->pmodes[1].enabled), 0);
	gpu_command(&g, e);
	assert_int_equal(edid->edid[21], 30); /* cm */
	assert_memory_equal(edid->edid + 54 + 23, "Fake\n", 5);
	vrig_ack(&g.rig);
	irqs = atomic_load(&g.rig.irqs);
	lock();
	fake.wish_w = 1600;
	fake.wish_h = 1200;
	unlock();
	tell(HV_GPU_OUTPUT_CHANGED);
	/* The interrupt may be the last command's. */
	while (vrig_config(&g.rig, 0, 4) != VIRTIO_GPU_EVENT_DISPLAY)
		vrig_pause(&deadline, "the event of the display");
	vrig_wait_irqs(&g.rig, irqs + 1);
	gpu_command(&g, c);
	assert_int_equal(le32toh(info->pmodes[0].r.width), 1600);
	/* What a script asks for comes first. */
	assert_int_equal(hv_gpu_resize(&g.dev, 0, 800, 600, NULL), 0);
	gpu_command(&g, c);
	assert_int_equal(le32toh(info->pmodes[0].r.width), 800);
	gpu_rig_free(&g);
}

/* The end of the guest's driver leaves the display dark. */
static void test_end(void **state)
{
	struct gpu_rig g;

	(void)state;
	start(&g);
	gpu_picture(&g, 1, 0, 200, 200);
	gpu_ok(gpu_flush(&g, 1, 0, 0, 200, 200));
	vrig_reset(&g.rig);
	assert_int_equal(fake.blanks, 1);
	gpu_rig_start(&g);
	gpu_picture(&g, 1, 0, 200, 200);
	gpu_ok(gpu_flush(&g, 1, 0, 0, 200, 200));
	gpu_rig_free(&g);
	assert_int_equal(fake.blanks, 2);
	assert_int_equal(fake.closed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage),	  cmocka_unit_test(test_slow),
		cmocka_unit_test(test_cursor),	  cmocka_unit_test(test_soft_cursor),
		cmocka_unit_test(test_refusals),  cmocka_unit_test(test_lost),
		cmocka_unit_test(test_preferred), cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
