// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "base/log.h"
#include "vecho.h"
#include "vrig.h"

#define QUEUE_RESET 0x0c0
#define OK_TO_FEATURES                                                                             \
	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define LIVE (OK_TO_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK)

static struct vecho *echo;
static struct vrig rig;

static void begin(unsigned int queues, bool own_workers, uint64_t offered)
{
	echo = vecho_new(queues, 64, own_workers, offered);
	vrig_init(&rig, &echo->dev, 1 << 20);
}

static void end(void)
{
	vrig_free(&rig);
	hv_vdev_destroy(&echo->dev);
}

/*
 * Status = 0 while the worker is inside ops->work: the register call comes back at once, other CPUs
 * see the old status, and the CPU goes when the worker has let go of the rings.
 */
static void test_reset_in_flight(void **state)
{
	(void)state;
	begin(1, false, 0);
	vrig_start(&rig, 0, 16, 0);
	atomic_store(&echo->hold, true);
	vecho_send(&rig, 0);
	vecho_wait_inside(echo);
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_STATUS, 0, 3));
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), LIVE);
	/* A second CPU resets, too; a third's writes die with this life, notifications as well. */
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_STATUS, 0, 5));
	assert_false(vrig_write_async(&rig, VIRTIO_MMIO_STATUS, LIVE, 6));
	assert_false(vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_READY, 0, 6));
	assert_false(vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, 0, 6));
	assert_int_equal(atomic_load(&rig.released[3]), 0);
	assert_int_equal(atomic_load(&rig.released[5]), 0);
	atomic_store(&echo->hold, false);
	vrig_released(&rig, 3, 1);
	vrig_released(&rig, 5, 1);
	assert_int_equal(atomic_load(&rig.released[6]), 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), 0);
	assert_int_equal(atomic_load(&echo->stops), 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 0);
	/* Reset of a device that is reset is answered at once. */
	assert_false(vrig_write_async(&rig, VIRTIO_MMIO_STATUS, 0, 3));
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	end();
}

/* What was in flight is over when the reset is: memory reused afterwards is not written to. */
static void test_no_completion_after_reset(void **state)
{
	uint8_t *first;

	(void)state;
	begin(2, true, 0);
	for (unsigned int round = 0; round < 300; round++) {
		size_t mark;

		vrig_reclaim(&rig);
		atomic_store(&echo->keep, round % 2);
		vrig_start(&rig, round % 3 ? HV_FEATURE(HV_F_EVENT_IDX) : 0, 16, 0);
		for (unsigned int i = 0; i < 8; i++)
			vecho_send(&rig, i % 2);
		vrig_reset(&rig);
		/* The guest uses that memory for something else now. */
		mark = rig.ram_used;
		memset(rig.ram, 0xee, mark);
		atomic_store(&rig.irqs, 0);
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		first = memchr(rig.ram, 0, mark);
		assert_null(first);
		for (size_t i = 0; i < mark; i++)
			assert_int_equal(rig.ram[i], 0xee);
		assert_int_equal(atomic_load(&rig.irqs), 0);
	}
	assert_int_equal(atomic_load(&echo->starts), atomic_load(&echo->stops));
	end();
}

/* QueueReady = 0 waits for the worker as well, and leaves the other queues alone. */
static void test_queue_ready_0(void **state)
{
	(void)state;
	begin(3, false, 0);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	atomic_store(&echo->hold, true);
	vecho_send(&rig, 1);
	vecho_wait_inside(echo);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_READY, 0, 1));
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 1);
	assert_int_equal(atomic_load(&rig.released[1]), 0);
	/* Another queue of the same worker, meanwhile. */
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 2);
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_READY, 0, 2));
	atomic_store(&echo->hold, false);
	vrig_released(&rig, 1, 1);
	vrig_released(&rig, 2, 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), LIVE);
	for (unsigned int i = 0; i < 20; i++)
		vecho_once(&rig, 0);
	vrig_setup(&rig, 1, 32, 0);
	vecho_once(&rig, 1);
	end();
}

/* Status = 0 by one CPU while another waits for the end of a queue. */
static void test_reset_over_queue_end(void **state)
{
	(void)state;
	begin(2, true, 0);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	vecho_once(&rig, 1);
	atomic_store(&echo->hold, true);
	vecho_send(&rig, 1);
	vecho_wait_inside(echo);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_READY, 0, 1));
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_STATUS, 0, 2));
	atomic_store(&echo->hold, false);
	vrig_released(&rig, 1, 1);
	vrig_released(&rig, 2, 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), 0);
	assert_int_equal(atomic_load(&echo->stops), 2);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	vecho_once(&rig, 1);
	end();
}

/* Until the type has been started that often and waits in stop again. */
static void wait_in_stop(unsigned int starts)
{
	uint64_t deadline = 0;

	while (atomic_load(&echo->starts) != starts || !atomic_load(&echo->in_stop))
		vrig_pause(&deadline, "the worker in stop");
}

/*
 * Status = 0 while the worker already ends another queue and is about to go on with this one: what
 * it acknowledges then is not the reset.
 */
static void test_reset_overtakes(void **state)
{
	(void)state;
	begin(2, false, 0);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	atomic_store(&echo->stop_gate, 1);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_READY, 0, 1));
	wait_in_stop(1);
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_STATUS, 0, 2));
	atomic_store(&echo->stop_gate, 2);
	/* It begins again with queue 0 and is then about to stop for the reset. */
	wait_in_stop(2);
	assert_int_equal(atomic_load(&rig.released[1]), 0);
	assert_int_equal(atomic_load(&rig.released[2]), 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), LIVE);
	atomic_store(&echo->stop_gate, 0);
	vrig_released(&rig, 1, 1);
	vrig_released(&rig, 2, 1);
	assert_int_equal(atomic_load(&echo->stops), 2);
	end();
}

static void test_queue_reset(void **state)
{
	(void)state;
	begin(2, true, HV_FEATURE(HV_F_RING_RESET));
	vrig_start(&rig, 0, 16, 0);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 1);
	vrig_write(&rig, QUEUE_RESET, 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 1); /* not negotiated */
	vrig_start(&rig, HV_FEATURE(HV_F_RING_RESET), 16, 0);
	atomic_store(&echo->hold, true);
	vecho_send(&rig, 1);
	vecho_wait_inside(echo);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 1);
	vrig_write(&rig, QUEUE_RESET, 0);
	assert_true(vrig_write_async(&rig, QUEUE_RESET, 1, 1));
	assert_int_equal(vrig_read(&rig, QUEUE_RESET), 1);
	atomic_store(&echo->hold, false);
	vrig_released(&rig, 1, 1);
	assert_int_equal(vrig_read(&rig, QUEUE_RESET), 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 0);
	vrig_setup(&rig, 1, 8, 0);
	vecho_once(&rig, 1);
	vecho_once(&rig, 0);
	end();
}

struct log {
	unsigned int lines;
	char last[512];
};

static void count_line(enum hv_log_level level, const char *line, void *arg)
{
	struct log *log = arg;

	(void)level;
	log->lines++;
	strncpy(log->last, line, sizeof(log->last) - 1);
}

struct events {
	_Atomic unsigned int count[HV_EV_RESIZE + 1];
};

static void count_event(struct hv_vdev *dev, enum hv_vdev_event what, const char *message,
			void *arg)
{
	struct events *events = arg;

	(void)dev;
	(void)message;
	atomic_fetch_add(&events->count[what], 1);
}

/* Runs ahead with avail.idx: a rule that breaks a queue. */
static void break_queue(unsigned int queue)
{
	struct vrig_queue *q = &rig.queue[queue];

	__atomic_store_n(&q->avail->idx, (uint16_t)(q->used->idx + q->size + 1), __ATOMIC_RELEASE);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

static void test_broken(void **state)
{
	struct events events = { 0 };
	struct log log = { 0 };

	(void)state;
	begin(2, true, 0);
	hv_log_set_sink(count_line, &log);
	echo->dev.event = count_event;
	echo->dev.event_arg = &events;
	vrig_start(&rig, 0, 16, 0);
	assert_int_equal(atomic_load(&events.count[HV_EV_READY]), 1);
	break_queue(0);
	vrig_wait_status(&rig, VIRTIO_CONFIG_S_NEEDS_RESET);
	vrig_wait_irqs(&rig, 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	/* Nothing more is done, on no queue; and the guest cannot talk itself out of it. */
	vecho_send(&rig, 1);
	vrig_write(&rig, VIRTIO_MMIO_STATUS, LIVE);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), LIVE | VIRTIO_CONFIG_S_NEEDS_RESET);
	vrig_reset(&rig);
	assert_int_equal(atomic_load(&events.count[HV_EV_BROKEN]), 1);
	assert_int_equal(atomic_load(&events.count[HV_EV_RESET]), 2);
	assert_int_equal(log.lines, 1);
	assert_non_null(strstr(log.last, "linux1/echo (boot.lua:12: devices.echo): "));
	assert_non_null(strstr(log.last, "available index"));
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	vecho_once(&rig, 1);
	end();
	hv_log_set_sink(NULL, NULL);
}

/* A guest that breaks its device again and again does not fill the log. */
static void test_log_is_limited(void **state)
{
	struct log log = { 0 };

	(void)state;
	begin(1, false, 0);
	hv_log_set_sink(count_line, &log);
	for (unsigned int i = 0; i < 200; i++) {
		vrig_reclaim(&rig);
		vrig_start(&rig, 0, 16, 0);
		break_queue(0);
		vrig_wait_status(&rig, VIRTIO_CONFIG_S_NEEDS_RESET);
	}
	vrig_reset(&rig);
	/* 3 at once, then one in 10 s: room for a machine a hundred times slower. */
	assert_in_range(log.lines, 1, 20);
	assert_int_equal(log.lines + atomic_load(&echo->dev.unsaid), 200);
	/* When one may be said again, it says how many were not. */
	hv_limit_set(&echo->dev.warnings, 0, 0, 0, 0);
	hv_vdev_warn(&echo->dev, "%s", "something");
	assert_non_null(strstr(log.last, "more before it, not shown)"));
	assert_int_equal(atomic_load(&echo->dev.unsaid), 0);
	end();
	hv_log_set_sink(NULL, NULL);
}

/* Rings outside memory or badly aligned: found when the queue is started, with words. */
static void test_bad_rings(void **state)
{
	static const struct {
		unsigned int reg;
		uint32_t low;
		const char *words;
	} cases[] = {
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 8, "descriptor table" },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 0x40000008, "multiple of 16" },
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 0x400fff10, "descriptor table" },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, 0x40000001, "multiple of 2" },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, 0x40100000 - 36, "available ring" },
		{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, 0xfffffff0, "available ring" },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, 0x40000002, "multiple of 4" },
		{ VIRTIO_MMIO_QUEUE_USED_LOW, 0x40100000 - 132, "used ring" },
	};
	struct log log = { 0 };

	(void)state;
	begin(1, false, 0);
	hv_log_set_sink(count_line, &log);
	hv_limit_set(&echo->dev.warnings, 0, 0, 0, 0);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(vrig_negotiate(&rig, 0));
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 0);
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_NUM, 16);
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_DESC_LOW, 0x40000000);
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_AVAIL_LOW, 0x40001000);
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_USED_LOW, 0x40002000);
		vrig_write(&rig, cases[i].reg, cases[i].low);
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_READY, 1);
		vrig_driver_ok(&rig);
		vrig_wait_status(&rig, VIRTIO_CONFIG_S_NEEDS_RESET);
		/* Said by the worker before it can acknowledge the reset. */
		vrig_reset(&rig);
		assert_int_equal(log.lines, i + 1);
		if (!strstr(log.last, cases[i].words) || !strstr(log.last, "queue 0"))
			fail_msg("\"%s\" lacks \"%s\"", log.last, cases[i].words);
	}
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	end();
	hv_log_set_sink(NULL, NULL);
}

static void test_start_fails(void **state)
{
	struct log log = { 0 };

	(void)state;
	begin(1, false, 0);
	hv_log_set_sink(count_line, &log);
	atomic_store(&echo->fail, EIO);
	vrig_start(&rig, 0, 16, 0);
	vrig_wait_status(&rig, VIRTIO_CONFIG_S_NEEDS_RESET);
	vrig_reset(&rig);
	assert_non_null(strstr(log.last, "told to fail"));
	assert_int_equal(atomic_load(&echo->stops), 0);
	atomic_store(&echo->fail, 0);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	end();
	hv_log_set_sink(NULL, NULL);
}

static void test_detach(void **state)
{
	struct hv_err err = { 0 };

	(void)state;
	begin(2, true, 0);
	assert_int_equal(hv_vdev_attach(&echo->dev, &rig.bus, 0, 0x200, 1, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "rig"));
	atomic_store(&echo->keep, true);
	vrig_start(&rig, 0, 16, 0);
	vecho_send(&rig, 0);
	vecho_send(&rig, 1);
	hv_vdev_detach(&echo->dev);
	assert_int_equal(atomic_load(&echo->starts), atomic_load(&echo->stops));
	hv_vdev_detach(&echo->dev);
	/* A config change while nobody is there. */
	hv_vdev_config_changed(&echo->dev);
	atomic_store(&echo->keep, false);
	assert_int_equal(hv_vdev_attach(&echo->dev, &rig.bus, 0, 0x200, VRIG_IRQ, &err), 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), 0);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	vecho_once(&rig, 1);
	end();
}

/* A CPU that waits for its reset when the device is taken away is let go, once. */
static void test_detach_releases(void **state)
{
	(void)state;
	begin(1, false, 0);
	vrig_start(&rig, 0, 16, 0);
	atomic_store(&echo->hold, true);
	vecho_send(&rig, 0);
	vecho_wait_inside(echo);
	assert_true(vrig_write_async(&rig, VIRTIO_MMIO_STATUS, 0, 9));
	atomic_store(&echo->hold, false);
	hv_vdev_detach(&echo->dev);
	assert_int_equal(atomic_load(&rig.released[9]), 1);
	end();
}

/* The type is told of the end of each life, also of one that never began, and of the device's. */
static void test_type_is_reset(void **state)
{
	unsigned int before;

	(void)state;
	begin(1, false, 0);
	before = atomic_load(&echo->resets);
	vrig_set_config(&rig, 0, 4, 0x12345678);
	vrig_write(&rig, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(atomic_load(&echo->resets), before + 1);
	assert_int_equal(vrig_config(&rig, 0, 4), 0);
	vrig_start(&rig, 0, 16, 0);
	before = atomic_load(&echo->resets);
	vrig_set_config(&rig, 0, 4, 0x12345678);
	vrig_write(&rig, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(atomic_load(&echo->resets), before + 1);
	assert_int_equal(vrig_config(&rig, 0, 4), 0);
	/* One queue's end is not the life's. */
	vrig_start(&rig, 0, 16, 0);
	before = atomic_load(&echo->resets);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 0);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(atomic_load(&echo->resets), before);
	hv_vdev_detach(&echo->dev);
	assert_int_equal(atomic_load(&echo->resets), before + 1);
	end();
}

static void test_pause(void **state)
{
	unsigned int turns;

	(void)state;
	begin(1, false, 0);
	vrig_start(&rig, 0, 16, 0);
	vecho_once(&rig, 0);
	hv_vdev_pause(&echo->dev, true);
	/* A reset is served while paused and waits for the worker: no turn is under way then. */
	vrig_start(&rig, 0, 16, 0);
	turns = atomic_load(&echo->turns);
	for (unsigned int i = 0; i < 4; i++)
		vecho_send(&rig, 0);
	assert_int_equal(atomic_load(&echo->turns), turns);
	hv_vdev_pause(&echo->dev, false);
	for (unsigned int i = 0; i < 4; i++)
		vrig_wait(&rig, 0);
	vecho_once(&rig, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_in_flight),
		cmocka_unit_test(test_no_completion_after_reset),
		cmocka_unit_test(test_queue_ready_0),
		cmocka_unit_test(test_reset_over_queue_end),
		cmocka_unit_test(test_reset_overtakes),
		cmocka_unit_test(test_queue_reset),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_log_is_limited),
		cmocka_unit_test(test_bad_rings),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_detach_releases),
		cmocka_unit_test(test_type_is_reset),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
