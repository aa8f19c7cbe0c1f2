// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <linux/virtio_blk.h>

#include "far_box.h"
#include "guest/drivers.h"
#include "srig.h"

/* A policy that a definition brings is in force before a service takes a device up. */
#define BLOCK 4096u
#define DEPTH 24u
#define BUFFERS_AT (4 * HV_MIB) /* in the zone's RAM, below its heap */

static struct far_box far;

static int setup(void **state)
{
	(void)state;
	memset(&far, 0, sizeof(far));
	far_box_open(&far, DEPTH * BLOCK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	far_box_close(&far, NULL);
	return 0;
}

static void await_in_flight(unsigned int n)
{
	uint64_t until = hv_now() + SRIG_LONG;

	while (far_box_in_flight(&far, FAR_BLK, 0) < n) {
		if (hv_now() > until)
			fail_msg("%u of %u requests were taken",
				 far_box_in_flight(&far, FAR_BLK, 0), n);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

/* All of them come back with this status. */
static void await_answers(struct hv_gblk *blk, unsigned int n, uint8_t wanted)
{
	uint8_t status;
	void *token;

	while (n) {
		int rc = hv_gblk_complete(blk, 0, &token, &status);

		assert_true(rc >= 0);
		if (!rc && hv_gdev_wait(blk->dev, 0, SRIG_LONG) <= 0)
			fail_msg("%u requests are not answered", n);
		if (!rc)
			continue;
		assert_int_equal(status, wanted);
		n--;
	}
}

static void submit_writes(struct hv_gblk *blk, unsigned int n)
{
	uint64_t at = srig_ram(1) + BUFFERS_AT;

	memset(hv_guest_at(far.guest, at, BLOCK), 0x5a, BLOCK);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(
			hv_gblk_submit(blk, 0, VIRTIO_BLK_T_OUT, i * (BLOCK / 512), at, BLOCK, blk),
			0);
	assert_int_equal(hv_gdev_kick(blk->dev, 0), 0);
}

/* What one service's policy had waiting is put to the next one's, before anything goes on. */
static void what_waited_is_under_the_next_policy(void **state)
{
	struct hv_gblk *blk = calloc(1, sizeof(*blk));
	struct hv_gdev dev;
	size_t size;
	char *disk;

	(void)state;
	assert_non_null(blk);
	far.policy = "hold";
	far_box_start(&far, 0, NULL);
	assert_int_equal(hv_gdev_probe(&dev, far.guest, 0, SRIG_SLOT(FAR_BLK), SRIG_IRQ(FAR_BLK)),
			 0);
	assert_int_equal(hv_gblk_start(blk, &dev, 1, 0), 0);
	for (int life = 0; life < 5; life++) {
		far.policy = "hold";
		if (life)
			far_box_start(&far, 1, NULL);
		submit_writes(blk, DEPTH);
		await_in_flight(DEPTH);
		far_box_end(&far, life & 1 ? SIGTERM : SIGKILL);
		far.policy = "deny";
		far_box_start(&far, 1, NULL);
		await_answers(blk, DEPTH, VIRTIO_BLK_S_IOERR);
		far_box_end(&far, SIGTERM);
	}
	disk = far_box_read(&far, "disk", &size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(disk[i], 0);
	free(disk);
	far.policy = "none";
	far_box_start(&far, 1, NULL);
	submit_writes(blk, DEPTH);
	await_answers(blk, DEPTH, VIRTIO_BLK_S_OK);
	far_box_end(&far, SIGTERM);
	hv_gdev_free(&dev);
	free(blk);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_waited_is_under_the_next_policy, setup,
						teardown),
	};
	int code;

	if (far_box_serves(argc, argv, &code))
		return code;
	return cmocka_run_group_tests_name("adopt_policy", tests, NULL, NULL);
}
