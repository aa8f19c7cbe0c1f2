// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <linux/virtio_mmio.h>
#include <sched.h>
#include <unistd.h>

#include <cmocka.h>

#include "srig.h"

/* Interrupts, counted at the hypervisor's list: when one is injected, when not, and how many may
 * wait. */

static struct hv_err err;

static void must(int rc)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, err.msg);
}

/* How many interrupts the hypervisor has for a zone that takes none; they are gone afterwards. */
static unsigned int take_all(struct srig *rig, unsigned int zone)
{
	unsigned int n = 0;
	uint32_t irq;

	while (hv_sim_take_irq(rig->hyp, zone, &irq, NULL) == 0)
		n++;
	return n;
}

static bool has_completed(void *arg)
{
	struct hv_gdev *dev = arg;

	return __atomic_load_n(&dev->rings[0].used->idx, __ATOMIC_ACQUIRE) !=
	       dev->rings[0].last_used;
}

/* Asserted lines of devices, without a register access of the guest. */
static void complete_one(struct srig_echo *echo, struct hv_gdev *dev, uint64_t buf)
{
	struct hv_gbuf b = { buf, 16 };

	hv_gring_listen(&dev->rings[0]);
	assert_int_equal(hv_gring_add(&dev->rings[0], &b, 1, NULL, 0, dev), 0);
	hv_gring_publish(&dev->rings[0]);
	hv_worker_kick(&echo->dev.workers[0], 0);
	srig_await(has_completed, dev, "a completion");
}

/* The line is up, and the worker asleep again: what it had to inject is injected. */
static bool is_asserted(void *arg)
{
	struct hv_vdev *dev = &((struct srig_echo *)arg)->dev;

	return atomic_load(&dev->interrupt_status) && atomic_load(&dev->workers[0].sleeping);
}

/* Eight devices want an interrupt of a zone that takes none: seven may wait, the eighth comes after
 * the first is served. */
static void test_interrupt_cap(void **state)
{
	struct srig_echo *echo[HV_BRIDGE_DEVICES];
	struct hv_gdev dev[HV_BRIDGE_DEVICES];
	struct hv_zone_info zones[4];
	struct srig rig;
	uint64_t buf;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++) {
		echo[i] = srig_echo_new("zone1/echo");
		srig_attach(&rig, 1, echo[i], i);
		srig_driver(&rig, 1, 0, i, &dev[i]);
	}
	buf = hv_guest_alloc(rig.guest[1], 64, 64);
	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++) {
		complete_one(echo[i], &dev[i], buf);
		srig_await(is_asserted, echo[i], "an interrupt");
	}
	/* The bridge's answers come after what the workers did. */
	assert_int_equal(hv_hyp_zone_list(rig.hyp, zones, 4, &err), 2);
	assert_int_equal(take_all(&rig, 1), 7);
	assert_int_equal(hv_gdev_reg(&dev[3], VIRTIO_MMIO_INTERRUPT_STATUS), 1);
	assert_int_equal(take_all(&rig, 1), 0);
	assert_int_equal(hv_gdev_set(&dev[3], VIRTIO_MMIO_INTERRUPT_ACK, 1), 0);
	assert_int_equal(hv_guest_wait_irq(rig.guest[1], SRIG_IRQ(7), SRIG_LONG), 1);
	srig_close(&rig);
	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES; i++) {
		hv_gdev_free(&dev[i]);
		srig_echo_free(echo[i]);
	}
}

/* One injection per assertion of the line; what is still asserted after an acknowledgement is
 * injected again. */
static void test_interrupt_level(void **state)
{
	struct srig_echo *echo = srig_echo_new("zone1/echo");
	struct hv_gdev dev;
	struct srig rig;
	uint64_t buf;

	(void)state;
	srig_open_one(&rig, echo, &dev);
	buf = hv_guest_alloc(rig.guest[1], 64, 64);
	complete_one(echo, &dev, buf);
	srig_await(is_asserted, echo, "an interrupt");
	for (int i = 0; i < 20; i++)
		hv_vdev_config_changed(&echo->dev);
	assert_int_equal(hv_gdev_reg(&dev, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	assert_true(hv_guest_take_irq(rig.guest[1], SRIG_IRQ(0)));
	assert_int_equal(take_all(&rig, 1), 0);
	hv_gdev_set(&dev, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(hv_guest_wait_irq(rig.guest[1], SRIG_IRQ(0), SRIG_LONG), 1);
	hv_gdev_set(&dev, VIRTIO_MMIO_INTERRUPT_ACK, 2);
	assert_int_equal(hv_gdev_reg(&dev, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	assert_false(hv_guest_take_irq(rig.guest[1], SRIG_IRQ(0)));
	hv_gdev_free(&dev);
	srig_close(&rig);
	srig_echo_free(echo);
}

/* An interrupt of a life that is over, never acknowledged, does not silence the next life. */
static void test_interrupt_after_reset(void **state)
{
	struct srig_echo *echo = srig_echo_new("zone1/echo");
	struct hv_gdev dev;
	struct srig rig;
	uint64_t buf, mark;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	srig_attach(&rig, 1, echo, 0);
	mark = hv_guest_heap_mark(rig.guest[1]);
	for (int i = 0; i < 20; i++) {
		hv_guest_heap_reset(rig.guest[1], mark);
		srig_driver(&rig, 1, 0, 0, &dev);
		srig_ping(&dev, 16);
		buf = hv_guest_alloc(rig.guest[1], 64, 64);
		complete_one(echo, &dev, buf);
		srig_await(is_asserted, echo, "an interrupt");
		assert_int_equal(hv_gdev_reset(&dev), 0);
		/* Taken, and thrown away. */
		hv_guest_take_irq(rig.guest[1], SRIG_IRQ(0));
	}
	srig_close(&rig);
	srig_echo_free(echo);
}

/* A hypercall that fails: the interrupt waits and comes all the same. */
static void test_inject_fails(void **state)
{
	struct srig_echo *echo = srig_echo_new("zone1/echo");
	struct hv_gdev dev;
	struct srig rig;

	(void)state;
	srig_open_one(&rig, echo, &dev);
	for (int i = 0; i < 5; i++) {
		must(hv_sim_fault(rig.hyp, "errno:inject:EIO", &err));
		srig_ping(&dev, 16);
	}
	hv_gdev_free(&dev);
	srig_close(&rig);
	srig_echo_free(echo);
}

/* A register write by CPU 3 that takes no interrupt off the hypervisor's list, as hv_guest_write
 * would. */
static void raw_write(struct srig *rig, uint64_t addr, uint32_t value)
{
	struct hv_bridge_page *page = rig->page;
	uint64_t before = srig_flag(rig, 3), one = 1;
	uint32_t rear = page->req_rear;
	int fd;

	page->req[rear] = (struct hv_bridge_req){ .src_cpu = 3,
						  .address = addr,
						  .size = 4,
						  .value = value,
						  .src_zone = 1,
						  .is_write = 1 };
	__atomic_store_n(&page->req_rear, (rear + 1) % HV_BRIDGE_SLOTS, __ATOMIC_RELEASE);
	assert_int_equal(hv_hyp_wakeup_fd(rig->hyp, &fd, &err), 0);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	while (srig_flag(rig, 3) == before)
		sched_yield();
}

/*
 * The CPU that gets the interrupts waits in the hypervisor for a reset and takes none; another
 * CPU of the same zone makes and acknowledges one after the other. The eighth would panic the
 * machine.
 */
static void test_hostile_acknowledgements(void **state)
{
	struct srig_echo *a = srig_echo_new("zone1/a"), *b = srig_echo_new("zone1/b");
	struct hv_gdev one, other;
	struct hv_zone_info zones[4];
	pthread_t thread;
	struct srig rig;
	uint64_t buf;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	srig_attach(&rig, 1, a, 0);
	srig_attach(&rig, 1, b, 1);
	srig_driver(&rig, 1, 0, 0, &one);
	srig_driver(&rig, 1, 1, 1, &other);
	buf = hv_guest_alloc(rig.guest[1], 64, 64);
	atomic_store(&a->hold, true);
	srig_send(&one, buf, buf, 64);
	srig_await(srig_is_held, a, "the chain's arrival");
	pthread_create(&thread, NULL, srig_reset, &one);
	srig_await(srig_is_resetting, &a->dev, "the reset");
	for (int i = 0; i < 30; i++) {
		hv_vdev_config_changed(&b->dev);
		raw_write(&rig, SRIG_SLOT(1) + VIRTIO_MMIO_INTERRUPT_ACK, 3);
	}
	/* The machine lives. */
	assert_int_equal(hv_hyp_zone_list(rig.hyp, zones, 4, &err), 2);
	assert_in_range(take_all(&rig, 1), 1, 7);
	srig_echo_let_go(a);
	pthread_join(thread, NULL);
	/* And everything goes on. */
	srig_driver(&rig, 1, 0, 0, &one);
	srig_ping(&one, 16);
	srig_ping(&other, 16);
	hv_gdev_free(&one);
	hv_gdev_free(&other);
	srig_close(&rig);
	srig_echo_free(a);
	srig_echo_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupt_cap),
		cmocka_unit_test(test_interrupt_level),
		cmocka_unit_test(test_interrupt_after_reset),
		cmocka_unit_test(test_inject_fails),
		cmocka_unit_test(test_hostile_acknowledgements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
