// SPDX-License-Identifier: GPL-2.0-or-later
#include "gpu_rig.h"

#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sys/mman.h>

#include "virtio/dev/gpu_kept.h"

/* What a zone shows stays there, and is its own, when another process goes on with it. */
#define W 64u
#define H 32u
#define PICTURE 7u
#define RAM (4u << 20)

static struct gpu_rig g;
static char shot[96];
static struct hv_err err;

static void new_process(void)
{
	struct hv_gpu_opts opts = { .scanouts = 2 };

	memset(&g.dev, 0, sizeof(g.dev));
	assert_int_equal(hv_gpu_memory_new(&opts.output, &err), 0);
	assert_int_equal(hv_gpu_init(&g.dev, "linux1/panel", &opts, &err), 0);
}

static void next_process(void)
{
	lives_leave(&g.lives, &g.dev);
	new_process();
	lives_open(&g.lives, &g.dev);
	lives_attach(&g.lives, &g.dev);
}

static int setup(void **state)
{
	(void)state;
	memset(&g, 0, sizeof(g));
	new_process();
	lives_begin_with(&g.lives, &g.dev, RAM);
	gpu_rig_start(&g);
	snprintf(shot, sizeof(shot), "%s/shot.png", g.lives.dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return lives_close(&g.lives, &g.dev);
}

/* What the screen shows, as one number; 0 = nothing. */
static uint32_t screen(unsigned int scanout)
{
	uint32_t sum = 5381;
	FILE *file;
	int c, rc = hv_gpu_screenshot(&g.dev, scanout, shot, &err);

	if (rc == -ENODATA)
		return 0;
	assert_int_equal(rc, 0);
	file = fopen(shot, "r");
	assert_non_null(file);
	while ((c = getc(file)) != EOF)
		sum = sum * 33 + (unsigned int)c;
	fclose(file);
	return sum;
}

static struct hv_gpu_info info(void)
{
	struct hv_gpu_info i;

	hv_gpu_info(&g.dev, &i);
	return i;
}

static void paint(uint32_t *pixels, uint32_t colour)
{
	for (uint32_t i = 0; i < W * H; i++)
		pixels[i] = htole32(colour + i * 0x10305);
}

static void show(uint32_t id)
{
	gpu_ok(gpu_transfer(&g, id, 0, 0, W, H, 0));
	gpu_ok(gpu_flush(&g, id, 0, 0, W, H));
}

/* Shown on both screens, with a cursor whose resource is gone. */
static uint32_t *draw(void)
{
	uint32_t *pixels = gpu_picture(&g, PICTURE, 0, W, H);

	gpu_ok(gpu_set_scanout(&g, 1, PICTURE, 8, 4, 16, 16));
	paint(pixels, 0x102030);
	show(PICTURE);
	gpu_plain_cursor(&g, 8, 0xff00ff00);
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, 0, 3, 4, 8, 1));
	gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_MOVE_CURSOR, 0, 20, -5, 0, 0));
	gpu_ok(gpu_unref(&g, 8));
	return pixels;
}

static void a_picture_stays(void **state)
{
	uint32_t before[2], *pixels = draw();

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		assert_true(before[i] = screen(i));
	for (int i = 0; i < 3; i++) {
		struct hv_gpu_info now;
		uint64_t deadline = 0;

		next_process();
		/* The output of the new one gets it, though the guest flushes nothing. */
		while (!info().screen[0].frames || !info().screen[1].frames)
			vrig_pause(&deadline, "the screens to be shown");
		for (unsigned int s = 0; s < 2; s++)
			assert_int_equal(screen(s), before[s]);
		now = info();
		assert_int_equal(now.resources, 1);
		assert_true(now.screen[0].cursor);
		assert_int_equal(now.screen[0].cursor_x, 20);
		assert_int_equal(now.screen[0].cursor_y, -5);
		/* The guest looks whether the screens are others. */
		assert_int_equal(vrig_config(&g.rig, 0, 4), VIRTIO_GPU_EVENT_DISPLAY);
		vrig_set_config(&g.rig, 4, 4, VIRTIO_GPU_EVENT_DISPLAY);
	}
	/* It goes on with what it has. */
	assert_int_equal(gpu_create(&g, PICTURE, 2, W, H), VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	paint(pixels, 0x665544);
	show(PICTURE);
	assert_true(screen(0) != before[0]);
	before[0] = screen(0);
	next_process();
	assert_int_equal(screen(0), before[0]);
	gpu_ok(gpu_detach(&g, PICTURE));
	gpu_ok(gpu_unref(&g, PICTURE));
	next_process();
	assert_int_equal(screen(0), 0);
	assert_int_equal(info().resources, 0);
	assert_int_equal(info().memory, 0);
	draw();
	assert_true(screen(0));
}

static void a_reset_is_the_end_of_it(void **state)
{
	(void)state;
	draw();
	vrig_reset(&g.rig);
	next_process();
	assert_int_equal(screen(0), 0);
	gpu_rig_start(&g);
	assert_int_equal(info().resources, 0);
	draw();
	next_process();
	assert_true(screen(0));
	assert_int_equal(info().resources, 1);
	/* And one that waits for its workers. */
	vrig_reset(&g.rig);
	gpu_rig_start(&g);
	next_process();
	assert_int_equal(screen(0), 0);
	assert_int_equal(info().resources, 0);
	draw();
}

/* ---- the file */

struct kept {
	struct state_file *file;
	struct gpu_room *room;
	size_t size;
};

static struct kept open_file(void)
{
	struct kept k = { .size = sizeof(struct state_file) + sizeof(struct gpu_room) };
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/" LIVES_FILE, g.lives.dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	k.file = mmap(NULL, k.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(k.file != MAP_FAILED);
	close(fd);
	k.room = (struct gpu_room *)(k.file + 1);
	return k;
}

static void close_file(struct kept *k)
{
	munmap(k->file, k->size);
}

/* Killed while the guest's reset waited. Its next driver finds nothing of the life before. */
static void a_life_that_ended_is_not_gone_on_with(void **state)
{
	struct state_regs *regs;
	struct kept k;

	(void)state;
	draw();
	lives_leave(&g.lives, &g.dev);
	k = open_file();
	regs = k.file->regs;
	for (unsigned int i = 0; i < 2; i++) {
		regs[i].resetting = 1;
		regs[i].sum = state_sum(&regs[i], offsetof(struct state_regs, sum));
	}
	new_process();
	lives_open(&g.lives, &g.dev);
	lives_attach(&g.lives, &g.dev);
	assert_int_equal(vrig_read(&g.rig, VIRTIO_MMIO_STATUS), 0);
	/* As the file would be if it were killed once more, at the next DRIVER_OK. */
	assert_true(vrig_negotiate(&g.rig, HV_FEATURE(VIRTIO_GPU_F_EDID)));
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t life;

		memcpy(&life, regs[i].extra, sizeof(life));
		assert_int_not_equal(life, k.room->half[k.room->active].life);
	}
	close_file(&k);
	gpu_rig_start(&g);
	assert_int_equal(info().resources, 0);
	draw();
}

/* ---- a kill in the middle */

#define CHAINS 12

union any {
	struct virtio_gpu_ctrl_hdr hdr;
	struct virtio_gpu_resource_create_2d create;
	struct virtio_gpu_resource_unref unref;
	struct virtio_gpu_set_scanout scanout;
	struct virtio_gpu_resource_flush flush;
	struct virtio_gpu_transfer_to_host_2d transfer;
	struct {
		struct virtio_gpu_resource_attach_backing attach;
		struct virtio_gpu_mem_entry entry;
	};
	struct virtio_gpu_resource_detach_backing detach;
};

struct chain {
	union any *request;
	struct virtio_gpu_ctrl_hdr *answer;
	int head;
};

/* All that leaves something behind, in one go: resource 1 goes, 2 comes instead. */
static void fill(struct chain c[CHAINS], const uint32_t *pixels)
{
	const struct virtio_gpu_rect all = gpu_rect(0, 0, W, H);
	const uint32_t one = htole32(1), two = htole32(2);
	const union any what[CHAINS] = {
		{ .transfer = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
				.r = all,
				.resource_id = one } },
		{ .flush = { gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_FLUSH), all, one, 0 } },
		{ .scanout = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_SET_SCANOUT), .r = all } },
		{ .detach = { gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING), one, 0 } },
		{ .unref = { gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_UNREF), one, 0 } },
		{ .create = { gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_CREATE_2D), two,
			      htole32(VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), htole32(W), htole32(H) } },
		{ .attach = { gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING), two, htole32(1) },
		  .entry = { htole64(vrig_ipa(&g.rig, pixels)), htole32(W * H * 4), 0 } },
		{ .hdr = gpu_hdr(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) },
		{ .scanout = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_SET_SCANOUT),
			       .r = all,
			       .resource_id = two } },
		{ .transfer = { .hdr = gpu_hdr(VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D),
				.r = all,
				.resource_id = two } },
		{ .flush = { gpu_hdr(VIRTIO_GPU_CMD_RESOURCE_FLUSH), all, two, 0 } },
		{ .hdr = gpu_hdr(VIRTIO_GPU_CMD_GET_DISPLAY_INFO) },
	};

	for (int i = 0; i < CHAINS; i++)
		*c[i].request = what[i];
}

static void add(struct chain *c)
{
	memset(c->answer, 0, 512);
	c->head = vrig_add(&g.rig, 0,
			   (struct vrig_buf[]){ { c->request, sizeof(*c->request), false },
						{ c->answer, 512, true } },
			   2);
	assert_true(c->head >= 0);
}

/* done were done, of which the guest was shown `shown`. */
static void killed(struct chain *c, int shown, int done)
{
	struct vring_used *used = g.rig.queue[0].used;
	uint16_t base = g.rig.queue[0].used_seen;
	struct hv_queue_keep *keep;
	uint64_t deadline = 0;
	struct kept k;

	for (int i = 0; i < done; i++)
		add(&c[i]);
	vrig_kick(&g.rig, 0);
	while (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != (uint16_t)(base + done))
		vrig_pause(&deadline, "the commands to be done");
	lives_leave(&g.lives, &g.dev);
	k = open_file();
	keep = &k.file->queues[0];
	assert_int_equal(keep->used, (uint16_t)(base + done));
	keep->used = keep->pushed = used->idx = (uint16_t)(base + shown);
	for (int i = shown; i < done; i++) {
		keep->taken[c[i].head] = (uint32_t)(1000 + i);
		memset(c[i].answer, 0, 512);
	}
	close_file(&k);
	for (int i = done; i < CHAINS; i++)
		add(&c[i]);
	new_process();
	lives_open(&g.lives, &g.dev);
	lives_attach(&g.lives, &g.dev);
	vrig_kick(&g.rig, 0);
}

/* Each command is answered as if nothing had happened, and was done once. */
static void what_was_done_is_not_done_again(void **state)
{
	uint32_t *pixels = vrig_alloc(&g.rig, W * H * 4, 4096), want;
	struct chain c[CHAINS];

	(void)state;
	for (int i = 0; i < CHAINS; i++) {
		c[i].request = vrig_alloc(&g.rig, sizeof(*c[i].request), 16);
		c[i].answer = vrig_alloc(&g.rig, 512, 16);
	}
	paint(pixels, 0xabcdef);
	gpu_ok(gpu_create(&g, 2, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, W, H));
	gpu_ok(gpu_attach(&g, 2, pixels, W * H * 4));
	gpu_ok(gpu_set_scanout(&g, 0, 2, 0, 0, W, H));
	show(2);
	want = screen(0);
	gpu_ok(gpu_unref(&g, 2));
	for (int done = 0; done <= CHAINS; done++)
		for (int shown = 0; shown <= done; shown++) {
			gpu_ok(gpu_create(&g, 1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, W, H));
			gpu_ok(gpu_attach(&g, 1, pixels, W * H * 4));
			gpu_ok(gpu_set_scanout(&g, 0, 1, 0, 0, W, H));
			fill(c, pixels);
			killed(c, shown, done);
			for (int i = 0; i < CHAINS; i++) {
				bool asks = le32toh(c[i].request->hdr.type) ==
					    VIRTIO_GPU_CMD_GET_DISPLAY_INFO;
				uint32_t type;

				vrig_finish(&g.rig, 0, c[i].head);
				type = le32toh(c[i].answer->type);
				if (type != (asks ? VIRTIO_GPU_RESP_OK_DISPLAY_INFO
						  : VIRTIO_GPU_RESP_OK_NODATA))
					fail_msg("%d of %d shown: command %d (0x%x) is answered "
						 "0x%x",
						 shown, done, i, le32toh(c[i].request->hdr.type),
						 type);
			}
			assert_int_equal(screen(0), want);
			assert_int_equal(info().resources, 1);
			gpu_ok(gpu_unref(&g, 2));
		}
}

/* ---- long lives */

static void the_log_stays_short(void **state)
{
	uint32_t *pixels = draw(), before;

	(void)state;
	for (unsigned int i = 0; i < 200; i++)
		gpu_plain_cursor(&g, 100 + i, i);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 200; i++)
			gpu_ok(gpu_cursor(&g, VIRTIO_GPU_CMD_UPDATE_CURSOR, i & 1, 1, 1, 100 + i,
					  0));
		before = screen(0);
		next_process();
		assert_int_equal(screen(0), before);
		assert_int_equal(info().resources, 201);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		gpu_ok(gpu_create(&g, 1000, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1, 1));
		gpu_ok(gpu_unref(&g, 1000));
	}
	next_process();
	assert_int_equal(screen(0), before);
	paint(pixels, 1);
	show(PICTURE);
	assert_true(screen(0) != before);
}

static void more_than_fits_is_refused(void **state)
{
	struct virtio_gpu_mem_entry scattered[512];
	uint8_t *at = vrig_alloc(&g.rig, 1024, 4096);

	(void)state;
	for (int i = 0; i < 512; i++)
		scattered[i] =
			(struct virtio_gpu_mem_entry){ htole64(vrig_ipa(&g.rig, at + (i & 511))),
						       htole32(1), 0 };
	draw();
	for (uint32_t i = 0; i < 150; i++) {
		gpu_ok(gpu_create(&g, 100 + i, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM, 1, 1));
		gpu_ok(gpu_attach_as(&g, 100 + i, scattered, 512, 512));
	}
	assert_true(screen(0));
	lives_leave(&g.lives, &g.dev);
	new_process();
	assert_int_equal(lives_try_open(&g.lives, &g.dev, &err), -ESTALE);
	if (!strstr(err.msg, "more pictures than could be kept"))
		fail_msg("%s", err.msg);
	assert_null(g.dev.kept);
}

/* ---- a file that is not as we wrote it */

static uint32_t seed = 1;

static uint32_t pick(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static void spoil(struct gpu_room *room)
{
	uint8_t *data = room->data[room->active & 1];
	uint32_t tail = room->half[room->active & 1].tail, at = 0, which = pick(14);

	if (!pick(10)) {
		((uint8_t *)room)[pick(offsetof(struct gpu_room, data))] ^=
			(uint8_t)(1 + pick(255));
		return;
	}
	/* Whole and right but for what it says. */
	for (; which && at < tail; which--) {
		uint32_t size = ((struct gpu_record *)(data + at))->size;

		/* The one before may have been spoilt already. */
		if (size < sizeof(struct gpu_record) || size % 8 || size > tail - at)
			return;
		at += size;
	}
	if (at < tail) {
		struct gpu_record *r = (struct gpu_record *)(data + at);
		uint32_t size = r->size, words = (size - 8) / 4;
		uint32_t *word = (uint32_t *)&r->serial + pick(words < 40 ? words : 40);

		if (size < sizeof(*r) || size % 8 || size > tail - at)
			return;
		*word = pick(2) ? pick(100) : *word ^ 1u << pick(32);
		if (r->size == size)
			r->sum = state_sum(&r->serial, size - 8);
	}
}

/* As another version would have written it: with less room. */
static void another_room_is_refused(void **state)
{
	const off_t size = (off_t)(sizeof(struct state_file) + sizeof(struct gpu_room) / 2);
	struct state_header *h;
	char path[128];
	struct kept k;

	(void)state;
	draw();
	lives_leave(&g.lives, &g.dev);
	k = open_file();
	h = &k.file->header;
	h->size = (uint32_t)size;
	h->sum = state_sum(h, offsetof(struct state_header, sum));
	close_file(&k);
	snprintf(path, sizeof(path), "%s/" LIVES_FILE, g.lives.dir);
	assert_int_equal(truncate(path, size), 0);
	new_process();
	assert_int_equal(lives_try_open(&g.lives, &g.dev, &err), -EBADMSG);
	if (!strstr(err.msg, "another version of hvsh"))
		fail_msg("%s", err.msg);
}

static void a_damaged_file_is_refused(void **state)
{
	struct gpu_room *right = malloc(sizeof(*right));
	unsigned int refused = 0;
	struct kept k;

	(void)state;
	assert_non_null(right);
	draw();
	lives_leave(&g.lives, &g.dev);
	k = open_file();
	memcpy(right, k.room, sizeof(*right));
	for (unsigned int i = 0; i < 3000; i++) {
		int rc;

		memcpy(k.room, right, offsetof(struct gpu_room, data));
		memcpy(k.room->data[right->active], right->data[right->active],
		       right->half[right->active].tail);
		for (uint32_t n = 1 + pick(3); n; n--)
			spoil(k.room);
		new_process();
		rc = lives_try_open(&g.lives, &g.dev, &err);
		if (rc && rc != -EBADMSG && rc != -ESTALE)
			fail_msg("%d: %s", rc, err.msg);
		refused += rc != 0;
		if (rc && !strstr(err.msg, LIVES_FILE))
			fail_msg("%s", err.msg);
		lives_end(&g.dev);
	}
	assert_in_range(refused, 1000, 2999);
	memcpy(k.room, right, sizeof(*right));
	/* A pixel of the cursor: only the sum tells. */
	k.room->data[right->active][right->half[right->active].tail - 64] ^= 1;
	new_process();
	assert_int_equal(lives_try_open(&g.lives, &g.dev, &err), -EBADMSG);
	lives_end(&g.dev);
	memcpy(k.room, right, sizeof(*right));
	k.room->half[right->active].tail -= 8;
	new_process();
	assert_int_equal(lives_try_open(&g.lives, &g.dev, &err), -EBADMSG);
	lives_end(&g.dev);
	k.room->half[right->active].tail += 8;
	close_file(&k);
	free(right);
	new_process();
	lives_open(&g.lives, &g.dev);
	lives_attach(&g.lives, &g.dev);
	assert_true(screen(0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_picture_stays),
		TEST(a_reset_is_the_end_of_it),
		TEST(a_life_that_ended_is_not_gone_on_with),
		TEST(what_was_done_is_not_done_again),
		TEST(the_log_stays_short),
		TEST(more_than_fits_is_refused),
		TEST(another_room_is_refused),
		TEST(a_damaged_file_is_refused),
	};

	return cmocka_run_group_tests_name("gpu_lives", tests, NULL, NULL);
}
