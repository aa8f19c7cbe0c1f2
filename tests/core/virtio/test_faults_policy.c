// SPDX-License-Identifier: GPL-2.0-or-later
/* docs/failures.md for memory that requests need while a script has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "blk_policy.h"
#include "fault_sweep.h"
#include "kept_log.h"
#include "told.h"
#include "virtio/dev/custom.h"
#include "vrig.h"

#define REQUESTS 4u

static const struct fault no_memory[] = { { .fault = { SF_malloc, ENOMEM } } };

/* Answers what is on the desk until the driver has got its buffer back, or the device gives up. */
static bool answered(struct vrig *rig, struct hv_desk *desk, struct vrig_used *used)
{
	const struct hv_answer allow = { .word = HV_ANSWER_ALLOW };
	struct hv_question q;
	uint64_t deadline = 0;

	while (!vrig_poll(rig, 0, used)) {
		if (hv_desk_take(desk, &q))
			(void)hv_desk_answer(desk, q.ticket, &allow);
		if (vrig_read(rig, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET)
			return false;
		vrig_ack(rig);
		vrig_pause(&deadline, "a request's end");
	}
	return true;
}

static bool disk_once(const struct fault *f, unsigned int place, const void *arg)
{
	enum hv_policy_overload overload = *(const enum hv_policy_overload *)arg;
	unsigned int refused = 0, hit;

	bp_begin((struct hv_policy_opts){ .ops = BP_ALL, .overload = overload });
	kept_log_begin();
	sf_arm(f->fault, place, 1);
	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct bp_request r =
			bp_add(i % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i / 2, (uint8_t)(i + 1));
		struct vrig_used used;

		assert_true(answered(&bp_box.rig, bp_desk, &used));
		assert_int_equal(used.id, r.head);
		refused += *r.status != VIRTIO_BLK_S_OK;
		if (*r.status == VIRTIO_BLK_S_OK && i % 2 && !refused)
			assert_int_equal(r.data[0], i);
	}
	hit = sf_disarm();
	assert_in_range(refused, 0, hit);
	told(hit ? "linux1/root (boot.lua:12: devices.root): not enough memory " : NULL,
	     sf_name(f->fault), place);
	bp_end();
	return hit;
}

static void disks(void **state)
{
	static const enum hv_policy_overload ways[] = { HV_POLICY_STALL, HV_POLICY_PASS,
							HV_POLICY_DENY };

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		FAULT_SWEEP(disk_once, no_memory, &ways[i]);
}

/* ---- a device whose model is a script */

static struct hv_vdev model;
static struct vrig rig;

static bool model_works(void)
{
	uint8_t *at = vrig_alloc(&rig, 64, 8);
	struct vrig_used used;

	for (unsigned int i = 0; i < REQUESTS; i++) {
		struct vrig_buf bufs[] = { { at, 16, false }, { at + 16, 16, true } };

		assert_true(vrig_add(&rig, 0, bufs, 2) >= 0);
		vrig_kick(&rig, 0);
		if (!answered(&rig, hv_custom_desk(&model), &used))
			return false;
	}
	return true;
}

static bool model_once(const struct fault *f, unsigned int place, const void *arg)
{
	static const struct hv_custom_queue queue = { .size = 16 };
	const struct hv_custom_opts opts = {
		.origin = { .file = "boot.lua", .line = 3, .field = "devices.x" },
		.id = 34,
		.n_queues = 1,
		.queues = &queue,
		.requests = 8,
		.max_request = 256,
		.memory = 4096,
		.model = "m",
	};
	struct hv_err err = { 0 };
	unsigned int hit;
	bool works;

	(void)arg;
	kept_log_begin();
	memset(&model, 0, sizeof(model));
	if (hv_custom_init(&model, "linux1/x", &opts, &err))
		fail_msg("%s", err.msg);
	vrig_init(&rig, &model, 1 << 20);
	sf_arm(f->fault, place, 1);
	vrig_start(&rig, 0, 16, 0);
	works = model_works();
	hit = sf_disarm();
	assert_true(works || hit);
	told(works ? NULL : "linux1/x (boot.lua:3: devices.x): stopped until the guest resets it: ",
	     sf_name(f->fault), place);
	if (!works) {
		vrig_reclaim(&rig);
		vrig_start(&rig, 0, 16, 0);
		assert_true(model_works());
	}
	vrig_free(&rig);
	hv_vdev_destroy(&model);
	return hit;
}

static void models(void **state)
{
	(void)state;
	FAULT_SWEEP(model_once, no_memory, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, sf_begin, sf_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(disks),
		TEST(models),
	};

	return cmocka_run_group_tests_name("policies: memory is short", tests, NULL, NULL);
}
