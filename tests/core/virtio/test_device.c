// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "vecho.h"
#include "vrig.h"

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

static void test_identity(void **state)
{
	(void)state;
	begin(1, false, 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_DEVICE_ID), VECHO_ID);
	assert_int_not_equal(vrig_read(&rig, VIRTIO_MMIO_VENDOR_ID), 0);
	/* No shared memory: the driver must see an impossible length. */
	vrig_write(&rig, VIRTIO_MMIO_SHM_SEL, 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_SHM_LEN_HIGH), UINT32_MAX);
	end();
}

/* GuestPageSize, QueueAlign, QueuePFN of the legacy transport do nothing. */
static void test_no_legacy(void **state)
{
	static const unsigned int legacy[] = { 0x028, 0x03c, 0x040 };

	(void)state;
	begin(1, false, 0);
	vrig_negotiate(&rig, 0);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 0);
	for (unsigned int i = 0; i < 3; i++) {
		vrig_write(&rig, legacy[i], 0x1000);
		assert_int_equal(vrig_read(&rig, legacy[i]), 0);
	}
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 0);
	end();
}

static void test_odd_accesses(void **state)
{
	(void)state;
	begin(1, false, 0);
	vrig_start(&rig, 0, 16, 0);
	for (uint64_t off = 0; off < VIRTIO_MMIO_CONFIG; off++)
		for (unsigned int size = 0; size < 20; size++) {
			if (size == 4)
				continue;
			assert_int_equal(hv_vdev_read(&echo->dev, off, size), 0);
			assert_false(hv_vdev_write(&echo->dev, off, size, 0, 0));
		}
	for (uint64_t off = 0; off < VIRTIO_MMIO_CONFIG; off++)
		if (off % 4) {
			assert_int_equal(hv_vdev_read(&echo->dev, off, 4), 0);
			assert_false(hv_vdev_write(&echo->dev, off, 4, 0, 0));
		}
	assert_int_equal(hv_vdev_read(&echo->dev, UINT64_MAX, 4), 0);
	assert_int_equal(hv_vdev_read(&echo->dev, UINT64_MAX - 255, 8), 0);
	assert_false(hv_vdev_write(&echo->dev, UINT64_MAX - 3, 4, 0, 0));
	/* None of that was a reset. */
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), LIVE);
	vecho_once(&rig, 0);
	end();
}

static void test_queue_sel_out_of_range(void **state)
{
	static const uint32_t wrong[] = { 1, 2, 15, 16, 31, 64, 0x10000, 0x80000000, UINT32_MAX };

	(void)state;
	begin(1, false, 0);
	vrig_negotiate(&rig, 0);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, wrong[i]);
		assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
		for (uint64_t off = VIRTIO_MMIO_QUEUE_NUM; off < VIRTIO_MMIO_SHM_SEL; off += 4) {
			if (off == VIRTIO_MMIO_STATUS || off == VIRTIO_MMIO_INTERRUPT_STATUS)
				continue;
			vrig_write(&rig, off, 1);
			assert_int_equal(vrig_read(&rig, off), 0);
		}
		assert_false(vrig_write_async(&rig, VIRTIO_MMIO_QUEUE_READY, 0, 0));
	}
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_NUM_MAX), 64);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 0);
	end();
}

static void test_queue_num(void **state)
{
	static const uint32_t wrong[] = { 0,	   3,	    63,		65,	   128,
					  0x10000, 0x10040, 0x80000000, UINT32_MAX };

	(void)state;
	begin(1, false, 0);
	vrig_negotiate(&rig, 0);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_SEL, 0);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_NUM, wrong[i]);
		vrig_write(&rig, VIRTIO_MMIO_QUEUE_READY, 1);
		assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_QUEUE_READY), 0);
	}
	for (uint16_t size = 1; size <= 64; size *= 2) {
		assert_true(vrig_negotiate(&rig, 0));
		vrig_setup(&rig, 0, size, 0);
		vrig_driver_ok(&rig);
		if (size > 1)
			vecho_once(&rig, 0);
	}
	end();
}

static void test_features(void **state)
{
	uint64_t offered;

	(void)state;
	begin(1, false, HV_FEATURE(3) | HV_FEATURE(40));
	offered = HV_FEATURE(3) | HV_FEATURE(40) | HV_FEATURE(HV_F_VERSION_1) |
		  HV_FEATURE(HV_F_EVENT_IDX) | HV_FEATURE(HV_F_INDIRECT_DESC);
	vrig_write(&rig, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_DEVICE_FEATURES), (uint32_t)offered);
	vrig_write(&rig, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_DEVICE_FEATURES), offered >> 32);
	for (uint32_t sel = 2; sel; sel *= 2) {
		vrig_write(&rig, VIRTIO_MMIO_DEVICE_FEATURES_SEL, sel);
		assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	}
	assert_true(vrig_negotiate(&rig, 0));
	assert_true(vrig_negotiate(&rig, HV_FEATURE(3)));
	assert_true(vrig_negotiate(&rig, offered));
	/* Not offered: packed rings and access platform among them. */
	for (unsigned int bit = 0; bit < 64; bit++)
		if (!(offered >> bit & 1))
			assert_false(vrig_negotiate(&rig, HV_FEATURE(bit)));
	end();
}

static void write_features(uint32_t sel, uint32_t value)
{
	vrig_write(&rig, VIRTIO_MMIO_DRIVER_FEATURES_SEL, sel);
	vrig_write(&rig, VIRTIO_MMIO_DRIVER_FEATURES, value);
}

static bool features_ok(void)
{
	vrig_write(&rig, VIRTIO_MMIO_STATUS, OK_TO_FEATURES);
	return vrig_read(&rig, VIRTIO_MMIO_STATUS) == OK_TO_FEATURES;
}

static void test_version_1_required(void **state)
{
	(void)state;
	begin(1, false, 0);
	vrig_reset(&rig);
	write_features(0, 1u << HV_F_EVENT_IDX);
	assert_false(features_ok());
	/* Refused is refused: on goes nobody. */
	vrig_setup(&rig, 0, 16, 0);
	vrig_write(&rig, VIRTIO_MMIO_STATUS, LIVE);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS),
			 VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	vecho_send(&rig, 0);
	assert_int_equal(atomic_load(&echo->starts), 0);
	end();
}

/* Written again, a feature word is what was written last; and a reset forgets it. */
static void test_features_replaced(void **state)
{
	(void)state;
	begin(1, false, HV_FEATURE(0));
	vrig_reset(&rig);
	write_features(0, UINT32_MAX);
	write_features(1, UINT32_MAX);
	write_features(2, UINT32_MAX);
	write_features(0, 1);
	write_features(1, 1);
	assert_true(features_ok());
	assert_true(hv_vdev_has(&echo->dev, 0));
	assert_false(hv_vdev_has(&echo->dev, HV_F_EVENT_IDX));
	/* Too late now. */
	write_features(0, 0);
	assert_true(hv_vdev_has(&echo->dev, 0));
	vrig_reset(&rig);
	assert_int_equal(echo->dev.features, 0);
	assert_false(features_ok());
	end();
}

/* Waits until the worker has slept twice: what it had been told before, it has done. */
static void let_worker_look(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t before = atomic_load(&echo->dev.stats.wakeups), deadline = 0;

		while (atomic_load(&echo->dev.stats.wakeups) == before) {
			hv_vdev_poke(&echo->dev);
			vrig_pause(&deadline, "the worker looks");
		}
	}
}

static void test_nothing_before_driver_ok(void **state)
{
	(void)state;
	begin(2, false, 0);
	assert_true(vrig_negotiate(&rig, 0));
	vrig_setup(&rig, 0, 16, 0);
	vecho_send(&rig, 0);
	assert_int_equal(atomic_load(&echo->dev.stats.kicks), 1);
	let_worker_look();
	assert_int_equal(atomic_load(&echo->starts), 0);
	assert_int_equal(atomic_load(&echo->turns), 0);
	vrig_driver_ok(&rig);
	/* What was shown early is work now. Queue 1 is not ready: its notification does nothing. */
	vrig_wait(&rig, 0);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, 1);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, 2);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
	assert_int_equal(atomic_load(&echo->starts), 1);
	vecho_once(&rig, 0);
	assert_int_equal(echo->dev.queues[1].ring.size, 0);
	end();
}

/* A queue may still become ready after DRIVER_OK; the others do not notice. */
static void test_late_queue(void **state)
{
	(void)state;
	begin(2, false, 0);
	assert_true(vrig_negotiate(&rig, 0));
	vrig_setup(&rig, 0, 16, 0);
	vrig_driver_ok(&rig);
	vecho_once(&rig, 0);
	vrig_setup(&rig, 1, 32, 0);
	vecho_once(&rig, 1);
	vecho_once(&rig, 0);
	end();
}

/* Addresses written after QueueReady = 1 are for the next life. */
static void test_latched(void **state)
{
	static const unsigned int regs[] = {
		VIRTIO_MMIO_QUEUE_DESC_LOW,  VIRTIO_MMIO_QUEUE_DESC_HIGH,
		VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
		VIRTIO_MMIO_QUEUE_USED_LOW,  VIRTIO_MMIO_QUEUE_USED_HIGH,
		VIRTIO_MMIO_QUEUE_NUM
	};

	(void)state;
	begin(1, false, 0);
	assert_true(vrig_negotiate(&rig, 0));
	vrig_setup(&rig, 0, 16, 0);
	for (unsigned int i = 0; i < sizeof(regs) / sizeof(*regs); i++)
		vrig_write(&rig, regs[i], 64);
	vrig_driver_ok(&rig);
	vecho_once(&rig, 0);
	for (unsigned int i = 0; i < sizeof(regs) / sizeof(*regs); i++)
		vrig_write(&rig, regs[i], UINT32_MAX);
	vrig_write(&rig, VIRTIO_MMIO_QUEUE_READY, 1);
	vecho_once(&rig, 0);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_STATUS), LIVE);
	end();
}

static void test_config(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 4, 8 };

	(void)state;
	begin(1, false, 0);
	for (unsigned int i = 0; i < VECHO_CONFIG; i++)
		echo->config[i] = (uint8_t)(0x11 * (i + 1));
	for (unsigned int off = 0; off < 0x200; off++)
		for (unsigned int s = 0; s < 4; s++) {
			uint64_t want = 0;

			for (unsigned int i = sizes[s]; i--;)
				want = want << 8 |
				       (off + i < VECHO_CONFIG ? echo->config[off + i] : 0);
			assert_int_equal(vrig_config(&rig, off, sizes[s]), want);
		}
	assert_int_equal(vrig_config(&rig, 0, 3), 0);
	assert_int_equal(vrig_config(&rig, 0, 16), 0);
	assert_int_equal(vrig_config(&rig, UINT32_MAX - 0x100, 8), 0);
	/* Writes: in part beyond the end, and wholly. */
	vrig_set_config(&rig, VECHO_CONFIG - 2, 8, 0x8877665544332211);
	assert_int_equal(echo->config[VECHO_CONFIG - 3], 0x11 * (VECHO_CONFIG - 2) % 256);
	assert_int_equal(echo->config[VECHO_CONFIG - 2], 0x11);
	assert_int_equal(echo->config[VECHO_CONFIG - 1], 0x22);
	vrig_set_config(&rig, VECHO_CONFIG, 8, UINT64_MAX);
	vrig_set_config(&rig, UINT32_MAX - 0x100, 8, UINT64_MAX);
	vrig_set_config(&rig, 0, 5, UINT64_MAX);
	assert_int_equal(echo->config[0], 0x11);
	vrig_set_config(&rig, 1, 2, 0xbbaa);
	assert_int_equal(vrig_config(&rig, 0, 4), 0x44bbaa11);
	end();
}

static void test_config_change(void **state)
{
	uint32_t generation;

	(void)state;
	begin(1, false, 0);
	generation = vrig_read(&rig, VIRTIO_MMIO_CONFIG_GENERATION);
	/* Nobody is there to be interrupted, but the generation counts. */
	hv_vdev_config_changed(&echo->dev);
	assert_int_equal(atomic_load(&rig.irqs), 0);
	assert_int_not_equal(vrig_read(&rig, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	vrig_start(&rig, 0, 16, 0);
	generation = vrig_read(&rig, VIRTIO_MMIO_CONFIG_GENERATION);
	hv_vdev_config_changed(&echo->dev);
	assert_int_equal(atomic_load(&rig.irqs), 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_CONFIG_GENERATION), generation + 1);
	/* Unacknowledged, the line is up already; the status stays until it is acknowledged. */
	hv_vdev_config_changed(&echo->dev);
	assert_int_equal(atomic_load(&rig.irqs), 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	vrig_write(&rig, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	vrig_write(&rig, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	hv_vdev_config_begin(&echo->dev);
	echo->config[0] = 7;
	hv_vdev_config_end(&echo->dev);
	assert_int_equal(atomic_load(&rig.irqs), 2);
	assert_int_equal(vrig_config(&rig, 0, 1), 7);
	end();
}

static void test_interrupt_status(void **state)
{
	(void)state;
	begin(1, false, 0);
	vrig_start(&rig, 0, 16, 0);
	vecho_send(&rig, 0);
	vrig_wait_irqs(&rig, 1);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
	hv_vdev_config_changed(&echo->dev);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS),
			 VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
	vrig_write(&rig, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	vrig_reset(&rig);
	assert_int_equal(vrig_read(&rig, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	end();
}

static void test_init_refuses(void **state)
{
	static const struct hv_vdev_ops ops = { .type = "x" };
	static const uint16_t sizes[HV_VDEV_QUEUES + 1] = { 3, 2048, 0, 64 };
	static const unsigned int workers[] = { HV_VDEV_WORKERS };
	struct hv_vdev dev = { 0 };
	struct hv_err err = { 0 };

	(void)state;
	assert_int_equal(hv_vdev_init(&dev, &ops, "x", 0, sizes, NULL, 0, &err), -EINVAL);
	assert_int_equal(hv_vdev_init(&dev, &ops, "x", HV_VDEV_QUEUES + 1, sizes, NULL, 0, &err),
			 -EINVAL);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(hv_vdev_init(&dev, &ops, "x", 1, sizes + i, NULL, 0, &err),
				 -EINVAL);
	assert_int_equal(hv_vdev_init(&dev, &ops, "x", 1, sizes + 3, workers, 0, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_no_legacy),
		cmocka_unit_test(test_odd_accesses),
		cmocka_unit_test(test_queue_sel_out_of_range),
		cmocka_unit_test(test_queue_num),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_version_1_required),
		cmocka_unit_test(test_features_replaced),
		cmocka_unit_test(test_nothing_before_driver_ok),
		cmocka_unit_test(test_late_queue),
		cmocka_unit_test(test_latched),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_config_change),
		cmocka_unit_test(test_interrupt_status),
		cmocka_unit_test(test_init_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
