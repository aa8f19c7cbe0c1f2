// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <linux/virtio_mmio.h>

#include "base/now.h"
#include "far_box.h"
#include "guest/drivers.h"
#include "srig.h"

/*
 * Two networks of a guest on one switch, with numbered frames both ways, and a service that is
 * killed meanwhile. No frame is altered; what docs/restart.md allows is counted.
 */
#define KILLS 60
#define CLEAN 10
#define FRAMES (1u << 20)
#define GIVE_UP UINT64_C(100000000) /* ns without a frame: what is missing was lost */
#define SIZES 1486u
#define MARK 0x88b5 /* the experiments' protocol */
#define WINDOW 48u  /* sent and not seen yet, at most: the receiver has 64 buffers */
#define ON_WAY 64u  /* taken by the driver and not by the device, at most */

struct frame {
	uint8_t dst[6], src[6];
	uint8_t protocol[2];
	uint8_t pad[2];
	uint32_t seq, len;
	uint8_t bytes[HV_GNET_FRAME - 24];
} __attribute__((packed));

/* One direction. */
struct way {
	struct hv_gnet *from, *to;
	uint32_t next; /* to be sent */
	uint32_t seen; /* the highest number that has come, or was given up, plus 1 */
	bool got[FRAMES];
	uint64_t moved; /* ns, when the last one came */
	uint64_t twice, lost;
};

static struct far_box far;
static struct {
	struct hv_gdev dev[2];
	struct hv_gnet net[2];
	struct way way[2];
	pthread_t guest;
	_Atomic bool stop;
	_Atomic uint64_t frames;
} box;

static uint8_t byte_of(uint32_t seq, uint32_t i)
{
	return (uint8_t)(seq * 31 + i * 7 + (seq >> 8));
}

static void make(struct frame *f, const struct way *way)
{
	uint32_t n = way->next % SIZES;

	memset(f, 0, sizeof(*f));
	memcpy(f->dst, way->to->mac, 6);
	memcpy(f->src, way->from->mac, 6);
	f->protocol[0] = MARK >> 8;
	f->protocol[1] = MARK & 0xff;
	f->seq = way->next;
	f->len = n;
	for (uint32_t i = 0; i < n; i++)
		f->bytes[i] = byte_of(f->seq, i);
}

static const char *check(const struct frame *f, size_t size, struct way *way)
{
	uint32_t seen = way->seen;

	if (size < offsetof(struct frame, bytes) || f->seq >= way->next ||
	    memcmp(f->dst, way->to->mac, 6) || memcmp(f->src, way->from->mac, 6) ||
	    f->protocol[0] != MARK >> 8 || f->protocol[1] != (MARK & 0xff))
		return "a frame that nobody has sent";
	if (f->len != f->seq % SIZES || size != offsetof(struct frame, bytes) + f->len)
		return "a frame of another length";
	for (uint32_t i = 0; i < f->len; i++)
		if (f->bytes[i] != byte_of(f->seq, i))
			return "a frame with other bytes";
	if (f->seq >= seen)
		way->seen = f->seq + 1;
	way->twice += way->got[f->seq];
	way->got[f->seq] = true;
	way->moved = hv_now();
	atomic_fetch_add(&box.frames, 1);
	return NULL;
}

static int receive(struct way *way, const char **wrong)
{
	struct frame f;
	int rc;

	while (!*wrong && (rc = hv_gnet_receive(way->to, &f, sizeof(f))) > 0)
		*wrong = check(&f, (size_t)rc, way);
	return *wrong ? 0 : rc;
}

static int turn(struct way *way, const char **wrong)
{
	struct frame f;
	int rc = 0;

	while (!rc && way->next - way->seen < WINDOW && way->next < FRAMES &&
	       !atomic_load(&box.stop)) {
		make(&f, way);
		way->next++;
		rc = hv_gnet_send(way->from, &f, offsetof(struct frame, bytes) + f.len);
	}
	return rc ?: receive(way, wrong);
}

static void give_up(struct way *way)
{
	if (hv_now() - way->moved < GIVE_UP)
		return;
	way->seen = way->next;
	way->moved = hv_now();
}

static bool all_seen(void)
{
	return box.way[0].next == box.way[0].seen && box.way[1].next == box.way[1].seen;
}

static void *run_guest(void *arg)
{
	const char *wrong = NULL;
	int rc = 0;

	(void)arg;
	for (int i = 0; i < 2 && !rc; i++) {
		rc = hv_gdev_probe(&box.dev[i], far.guest, 0, SRIG_SLOT(FAR_NET0 + i),
				   SRIG_IRQ(FAR_NET0 + i));
		rc = rc ?: hv_gnet_start(&box.net[i], &box.dev[i]);
	}
	for (int i = 0; i < 2; i++) {
		box.way[i].from = &box.net[i];
		box.way[i].to = &box.net[!i];
	}
	while (!rc && !wrong && !(atomic_load(&box.stop) && all_seen())) {
		uint64_t before = atomic_load(&box.frames);

		for (int i = 0; i < 2 && !rc && !wrong; i++)
			rc = turn(&box.way[i], &wrong);
		for (int i = 0; i < 2; i++)
			give_up(&box.way[i]);
		if (rc || wrong || atomic_load(&box.frames) != before)
			continue;
		for (int i = 0; i < 2 && rc >= 0; i++)
			rc = hv_gdev_wait(&box.dev[i], 0, 1000000);
		if (rc > 0)
			rc = 0;
	}
	for (int i = 0; i < 2; i++)
		hv_gdev_free(&box.dev[i]);
	return rc || wrong ? far_box_trouble(&far, "network: %s (%d)", wrong ?: "its driver", rc)
			   : NULL;
}

static void join(void)
{
	atomic_store(&box.stop, true);
	if (box.guest)
		pthread_join(box.guest, NULL);
	box.guest = 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&far, 0, sizeof(far));
	memset(&box, 0, sizeof(box));
	far_box_open(&far, 4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	far_box_close(&far, join);
	return 0;
}

static void await_frames(uint64_t n)
{
	far_box_await(&far, &box.frames, atomic_load(&box.frames) + n, "frames");
}

static void restart_again_and_again(int signal, int times)
{
	unsigned int seed = 7;

	far_box_start(&far, 0, NULL);
	assert_int_equal(pthread_create(&box.guest, NULL, run_guest, NULL), 0);
	for (int i = 0; i < times; i++) {
		/* The guest's CPU has taken its interrupts by then: hvisor has room for few. */
		await_frames(100 + (uint64_t)rand_r(&seed) % 400);
		far_box_end(&far, signal);
		far_box_start(&far, 1, NULL);
	}
	await_frames(1000);
	join();
	far_box_check(&far);
	far_box_end(&far, SIGTERM);
	for (int i = 0; i < 2; i++) {
		for (uint32_t n = 0; n < box.way[i].next; n++)
			box.way[i].lost += !box.way[i].got[n];
		print_message("%u frames, %llu twice, %llu left out\n", box.way[i].next,
			      (unsigned long long)box.way[i].twice,
			      (unsigned long long)box.way[i].lost);
	}
}

static void a_killed_service_alters_no_frame(void **state)
{
	(void)state;
	restart_again_and_again(SIGKILL, KILLS);
	for (int i = 0; i < 2; i++) {
		assert_true(box.way[i].lost <= (KILLS + 1u) * ON_WAY);
		/* A kill repeats what one turn had sent and not shown. */
		assert_true(box.way[i].twice <= (uint64_t)KILLS * ON_WAY);
	}
}

static void a_clean_restart_sends_each_frame_once(void **state)
{
	(void)state;
	restart_again_and_again(SIGTERM, CLEAN);
	for (int i = 0; i < 2; i++) {
		assert_true(box.way[i].lost <= (CLEAN + 1u) * ON_WAY);
		assert_int_equal(box.way[i].twice, 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_killed_service_alters_no_frame),
		TEST(a_clean_restart_sends_each_frame_once),
	};
	int code;

	if (far_box_serves(argc, argv, &code))
		return code;
	return cmocka_run_group_tests_name("adopt_net", tests, NULL, NULL);
}
