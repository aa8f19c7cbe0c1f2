// SPDX-License-Identifier: GPL-2.0-or-later
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "far_box.h"
#include "guest/drivers.h"
#include "srig.h"

/*
 * A service that is killed, again and again, under a guest that makes, shows and gives up pictures
 * without end. Its driver sends one command after the other, and believes no answer but the right
 * one.
 */
#define KILLS 60

static struct far_box far;
static struct {
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint64_t modes, frames;
} box;

static void *run_screen(void *arg)
{
	static uint32_t cursor[HV_GGPU_CURSOR * HV_GGPU_CURSOR];
	struct hv_ggpu gpu;
	struct hv_gdev dev;
	int rc;

	(void)arg;
	rc = hv_gdev_probe(&dev, far.guest, 1, SRIG_SLOT(FAR_GPU), SRIG_IRQ(FAR_GPU));
	if (!rc)
		rc = hv_ggpu_start(&gpu, &dev);
	if (!rc)
		rc = hv_ggpu_set_mode(&gpu);
	if (!rc)
		rc = hv_ggpu_set_cursor(&gpu, cursor);
	while (!rc && !atomic_load(&box.stop)) {
		unsigned int frame = (unsigned int)atomic_fetch_add(&box.frames, 1);

		hv_ggpu_pixels(&gpu)[frame % (gpu.w * gpu.h)] = frame;
		rc = hv_ggpu_show(&gpu, 0, 0, gpu.w, 1 + frame % 8);
		if (!rc)
			rc = hv_ggpu_move_cursor(&gpu, (int32_t)(frame % 100), 3);
		if (!rc && frame % 3 == 0) {
			rc = hv_ggpu_set_mode(&gpu);
			atomic_fetch_add(&box.modes, 1);
		}
	}
	hv_gdev_free(&dev);
	return rc ? far_box_trouble(&far, "screen: %d", rc) : NULL;
}

static void join_guest(void)
{
	atomic_store(&box.stop, true);
	if (box.thread)
		pthread_join(box.thread, NULL);
	box.thread = 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&far, 0, sizeof(far));
	memset(&box, 0, sizeof(box));
	far_box_open(&far, 4096);
	far.screen = true;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	far_box_close(&far, join_guest);
	return 0;
}

static void await_modes(uint64_t n)
{
	far_box_await(&far, &box.modes, atomic_load(&box.modes) + n, "pictures");
}

static void restarts(int signal, int times)
{
	unsigned int seed = 7;

	far_box_start(&far, 0, NULL);
	assert_int_equal(pthread_create(&box.thread, NULL, run_screen, NULL), 0);
	for (int i = 0; i < times; i++) {
		await_modes((uint64_t)rand_r(&seed) % 8);
		far_box_end(&far, signal);
		far_box_start(&far, 1, NULL);
	}
	await_modes(20);
	join_guest();
	far_box_check(&far);
	far_box_end(&far, SIGTERM);
}

static void a_killed_service_is_not_noticed(void **state)
{
	(void)state;
	restarts(SIGKILL, KILLS);
}

static void a_clean_restart_is_not_noticed(void **state)
{
	(void)state;
	restarts(SIGTERM, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_killed_service_is_not_noticed),
		TEST(a_clean_restart_is_not_noticed),
	};
	int code;

	if (far_box_serves(argc, argv, &code))
		return code;
	return cmocka_run_group_tests_name("gpu_kill", tests, NULL, NULL);
}
