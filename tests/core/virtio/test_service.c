// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "srig.h"
#include "virtio/state.h"

static struct hv_err err;

static void want(int rc, int expected, const char *text)
{
	if (rc != expected)
		fail_msg("%d (%s), not %d", rc, rc < 0 ? err.msg : "", expected);
	if (text && !strstr(err.msg, text))
		fail_msg("\"%s\" lacks \"%s\"", err.msg, text);
}

static void test_ping(void **state)
{
	struct srig_echo *echo = srig_echo_new("zone1/echo");
	struct hv_gdev dev;
	struct srig rig;

	(void)state;
	srig_open_one(&rig, echo, &dev);
	for (unsigned int i = 1; i < 1000; i += 3)
		srig_ping(&dev, i * 4);
	hv_gdev_free(&dev);
	srig_close(&rig);
	srig_echo_free(echo);
}

static void test_lock(void **state)
{
	char folder[] = "/tmp/hvsh-service-XXXXXX", path[64], pid[32];
	struct hv_service_opts opts = { .lock_path = path };
	struct hv_service *first, *second;
	struct srig rig, other;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/run/bridge.lock", folder);
	srig_open(&rig, &(struct srig_opts){ 0 });
	srig_open(&other, &(struct srig_opts){ 0 });
	hv_service_free(rig.svc);
	hv_service_free(other.svc);
	rig.svc = other.svc = NULL;

	want(hv_service_new(rig.hyp, &opts, &first, &err), 0, NULL);
	want(hv_service_new(other.hyp, &opts, &second, &err), -EBUSY, path);
	snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
	want(-EBUSY, -EBUSY, pid);
	/* A child that lives on does not keep it. */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(fd);
	hv_service_free(first);
	want(hv_service_new(other.hyp, &opts, &second, &err), 0, NULL);
	hv_service_free(second);

	/* Another's file behind the name is not written to. */
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	want(hv_service_new(rig.hyp, &opts, &first, &err), -ELOOP, path);
	unlink(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
	rmdir(folder);
	srig_close(&rig);
	srig_close(&other);
}

struct lines {
	unsigned int n;
	char last[512];
};

static void take_line(enum hv_log_level level, const char *line, void *arg)
{
	struct lines *lines = arg;

	(void)level;
	lines->n++;
	snprintf(lines->last, sizeof(lines->last), "%s", line);
}

/* More devices than there is room for were left by a service before: it is said, once. */
static void test_too_many_left(void **state)
{
	char dir[] = "/tmp/hvsh-service-XXXXXX", path[64];
	struct hv_service_opts opts = { .state_dir = dir };
	struct lines lines = { 0 };
	struct srig rig;

	(void)state;
	assert_non_null(mkdtemp(dir));
	srig_open(&rig, &(struct srig_opts){ 0 });
	hv_log_set_sink(take_line, &lines);
	for (unsigned int i = 0; i < 34; i++) {
		snprintf(path, sizeof(path), "%s/5-%x-200", dir, 0xa000000 + 0x200 * i);
		close(open(path, O_CREAT | O_WRONLY, 0600));
		if (i != 31 && i != 33)
			continue;
		hv_service_free(rig.svc);
		want(hv_service_new(rig.hyp, &opts, &rig.svc, &err), 0, NULL);
		assert_int_equal(lines.n, i == 33);
	}
	hv_log_set_sink(NULL, NULL);
	assert_non_null(strstr(lines.last, "has the state of 34 devices, and 32 are waited for"));
	assert_non_null(strstr(lines.last, "zone 5 is answered 0 at its window 0xa00"));
	srig_close(&rig);
	for (unsigned int i = 0; i < 34; i++) {
		snprintf(path, sizeof(path), "%s/5-%x-200", dir, 0xa000000 + 0x200 * i);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/bridge", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* As many were left as are waited for, and then one more. */
static void test_too_many_to_leave(void **state)
{
	char dir[] = "/tmp/hvsh-service-XXXXXX", path[64];
	struct hv_service_opts opts = { .state_dir = dir };
	const struct hv_state_id id = { .life = 1, .at = SRIG_SLOT(0), .size = 0x200, .zone = 1 };
	struct srig_echo *echo = srig_echo_new("zone1/echo");
	struct lines lines = { 0 };
	struct hv_gdev dev;
	struct srig rig;

	(void)state;
	assert_non_null(mkdtemp(dir));
	srig_open(&rig, &(struct srig_opts){ 0 });
	hv_service_free(rig.svc);
	hv_log_set_sink(take_line, &lines);
	for (unsigned int left = 31; left < 33; left++) {
		for (unsigned int i = 0; i < left; i++) {
			snprintf(path, sizeof(path), "%s/5-%x-200", dir, 0xa000000 + 0x200 * i);
			close(open(path, O_CREAT | O_WRONLY, 0600));
		}
		want(hv_service_new(rig.hyp, &opts, &rig.svc, &err), 0, NULL);
		want(hv_state_create(dir, &id, &echo->dev, &err), 0, NULL);
		srig_start(&rig, 1);
		srig_attach(&rig, 1, echo, 0);
		hv_service_leave_zone(rig.svc, rig.zones[1]);
		rig.zones[1] = NULL;
		assert_int_equal(lines.n, left == 32);
		/* It does not wait; the first one would. */
		if (lines.n)
			assert_int_equal(
				hv_gdev_probe(&dev, rig.guest[1], 0, SRIG_SLOT(0), SRIG_IRQ(0)),
				-ENXIO);
		hv_state_close(echo->dev.kept, true);
		echo->dev.kept = NULL;
		srig_stop(&rig, 1);
		if (left == 31)
			hv_service_free(rig.svc);
	}
	hv_log_set_sink(NULL, NULL);
	assert_string_equal(lines.last, "zone1/echo: 32 devices are waited for already: zone 1 is "
					"answered 0 at its window 0xa000000 until it is served "
					"again");
	srig_close(&rig);
	for (unsigned int i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), "%s/5-%x-200", dir, 0xa000000 + 0x200 * i);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/bridge", dir);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	srig_echo_free(echo);
}

static void test_zone_refusals(void **state)
{
	struct hv_vzone_ram ram = { srig_ram(2), srig_ram(2), SRIG_RAM };
	struct hv_vzone_ram twice[] = { ram, ram };
	struct hv_vzone_ram nowhere = { 0, UINT64_C(0x1000000000), 4096 };
	struct hv_vzone_ram empty = { srig_ram(2), srig_ram(2), 0 };
	struct hv_vzone *zone;
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	want(hv_service_add_zone(rig.svc, 0, "root", 0x1, &ram, 1, &zone, &err), -EINVAL, "zone 0");
	want(hv_service_add_zone(rig.svc, 1, "b", 0x100, &ram, 1, &zone, &err), -EEXIST, "zone1");
	want(hv_service_add_zone(rig.svc, 2, "b", UINT64_C(1) << 32, &ram, 1, &zone, &err), -EINVAL,
	     "CPU 0 to 31");
	want(hv_service_add_zone(rig.svc, 2, "b", 0x8, &ram, 1, &zone, &err), -EBUSY,
	     "CPU 3 belongs to zone1");
	want(hv_service_add_zone(rig.svc, 2, "b", 0x30, twice, 2, &zone, &err), -EINVAL, "b: ");
	want(hv_service_add_zone(rig.svc, 2, "b", 0x30, &nowhere, 1, &zone, &err), -EFAULT,
	     "b: RAM");
	want(hv_service_add_zone(rig.svc, 2, "b", 0x30, &empty, 1, &zone, &err), -EINVAL, "b: RAM");
	want(hv_service_add_zone(rig.svc, 2, "b", 0x30, &ram, 1, &zone, &err), 0, NULL);
	assert_int_equal(hv_vzone_id(zone), 2);
	assert_string_equal(hv_vzone_name(zone), "b");
	assert_non_null(hv_gmem_at(hv_vzone_mem(zone), srig_ram(2), SRIG_RAM));
	hv_service_remove_zone(rig.svc, zone);
	/* A zone another tool started: which CPUs are its own is not known, and claims none. */
	want(hv_service_add_zone(rig.svc, 2, "b", 0, &ram, 1, &zone, &err), 0, NULL);
	hv_service_remove_zone(rig.svc, zone);
	srig_close(&rig);
}

static int attach(struct srig *rig, unsigned int zone, struct srig_echo *echo, uint64_t at,
		  uint64_t size, uint32_t irq)
{
	return hv_service_attach(rig->svc, rig->zones[zone], &echo->dev, at, size, irq, &err);
}

static void test_attach_refusals(void **state)
{
	struct srig_echo *a = srig_echo_new("zone1/a"), *b = srig_echo_new("zone1/b");
	struct srig_echo *many[HV_BRIDGE_DEVICES - 1];
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 2 });
	srig_attach(&rig, 1, a, 1);
	want(attach(&rig, 1, a, SRIG_SLOT(2), 0x200, 50), -EBUSY,
	     "zone1/a: it is attached already");
	want(attach(&rig, 2, a, SRIG_SLOT(2), 0x200, 50), -EBUSY, "to zone zone1");
	want(attach(&rig, 1, b, SRIG_SLOT(1), 0x200, 50), -EBUSY, "overlaps that of zone1/a");
	want(attach(&rig, 1, b, SRIG_SLOT(1) - 0x100, 0x200, 50), -EBUSY, "overlaps");
	want(attach(&rig, 1, b, SRIG_SLOT(1) + 0x1fc, 0x200, 50), -EBUSY, "overlaps");
	want(attach(&rig, 1, b, SRIG_SLOT(2), 0x200, SRIG_IRQ(1)), -EBUSY,
	     "interrupt 49 is that of zone1/a");
	want(attach(&rig, 1, b, SRIG_SLOT(2), 0xfc, 50), -EINVAL, "at least 0x100");
	want(attach(&rig, 1, b, SRIG_SLOT(2) + 2, 0x200, 50), -EINVAL, "multiple of 4");
	want(attach(&rig, 1, b, UINT64_MAX - 0xff, 0x200, 50), -EINVAL, "wrap");
	want(attach(&rig, 1, b, srig_ram(1) + 0x1000, 0x200, 50), -EINVAL, "RAM");
	want(attach(&rig, 1, b, srig_ram(1) - 4, 0x200, 50), -EINVAL, "RAM");
	/* Another zone is another address space. */
	want(attach(&rig, 2, b, SRIG_SLOT(1), 0x200, SRIG_IRQ(1)), 0, NULL);
	hv_service_detach(rig.svc, &b->dev);
	hv_service_detach(rig.svc, &b->dev);
	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES - 1; i++) {
		many[i] = srig_echo_new("many");
		srig_attach(&rig, 1 + i % 2, many[i], 2 + i);
	}
	want(attach(&rig, 2, b, SRIG_SLOT(20), 0x200, SRIG_IRQ(20)), -ENOSPC, "8 virtio devices");
	hv_service_detach(rig.svc, &a->dev);
	want(attach(&rig, 2, b, SRIG_SLOT(20), 0x200, SRIG_IRQ(20)), 0, NULL);
	srig_close(&rig);
	srig_echo_free(a);
	srig_echo_free(b);
	for (unsigned int i = 0; i < HV_BRIDGE_DEVICES - 1; i++)
		srig_echo_free(many[i]);
}

/* A window without its device looks empty; what is plugged in next works. */
static void test_detach(void **state)
{
	struct srig_echo *a = srig_echo_new("zone1/a"), *b = srig_echo_new("zone1/b");
	struct hv_gdev one, other;
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	srig_attach(&rig, 1, a, 0);
	srig_attach(&rig, 1, b, 1);
	assert_int_equal(rig.page->mmio_addrs[0], SRIG_SLOT(0));
	assert_int_equal(rig.page->mmio_avail, 1);
	srig_driver(&rig, 1, 0, 0, &one);
	srig_driver(&rig, 1, 0, 1, &other);
	srig_ping(&one, 32);
	hv_service_detach(rig.svc, &a->dev);
	assert_int_equal(hv_gdev_reg(&one, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(hv_gdev_reg(&one, VIRTIO_MMIO_VERSION), 2);
	for (uint64_t off = 8; off < 0x200; off += 4)
		assert_int_equal(hv_gdev_reg(&one, off), 0);
	assert_int_equal(hv_gdev_set(&one, VIRTIO_MMIO_STATUS, 0), 0);
	assert_int_equal(hv_gdev_set(&one, VIRTIO_MMIO_QUEUE_NOTIFY, 0), 0);
	srig_ping(&other, 32);
	hv_gdev_free(&one);

	srig_attach(&rig, 1, a, 0);
	srig_driver(&rig, 1, 0, 0, &one);
	srig_ping(&one, 32);
	hv_service_detach(rig.svc, &a->dev);
	/* A window that overlaps an empty one takes its place. */
	want(attach(&rig, 1, a, SRIG_SLOT(0) + 0x20, 0x100, SRIG_IRQ(0)), 0, NULL);
	assert_int_equal(hv_guest_read32(rig.guest[1], 0, SRIG_SLOT(0) + 0x28), 42);
	hv_gdev_free(&one);
	hv_gdev_free(&other);
	srig_close(&rig);
	srig_echo_free(a);
	srig_echo_free(b);
}

struct load {
	struct srig *rig;
	unsigned int cpu, slot;
	_Atomic bool end;
	_Atomic unsigned int pings;
};

static void *ping_on(void *arg)
{
	struct load *load = arg;
	struct hv_gdev dev;

	srig_driver(load->rig, 1, load->cpu, load->slot, &dev);
	while (!atomic_load(&load->end)) {
		srig_ping(&dev, 256);
		atomic_fetch_add(&load->pings, 1);
	}
	hv_gdev_free(&dev);
	return NULL;
}

struct goal {
	struct load *load;
	unsigned int pings;
};

static bool reached(void *arg)
{
	struct goal *goal = arg;

	return atomic_load(&goal->load->pings) >= goal->pings;
}

/* One device comes and goes while another works. */
static void test_attach_under_load(void **state)
{
	struct srig_echo *a = srig_echo_new("zone1/a"), *b = srig_echo_new("zone1/b");
	struct load load = { .cpu = 1, .slot = 1 };
	struct srig rig;
	pthread_t thread;
	uint64_t mark;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	load.rig = &rig;
	srig_attach(&rig, 1, b, 1);
	pthread_create(&thread, NULL, ping_on, &load);
	srig_await(reached, &(struct goal){ &load, 1 }, "a ping of the other device");
	mark = hv_guest_heap_mark(rig.guest[1]);
	for (unsigned int i = 2; i <= 30; i++) {
		struct hv_gdev dev;

		srig_attach(&rig, 1, a, 0);
		srig_driver(&rig, 1, 0, 0, &dev);
		hv_gdev_set(&dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		hv_service_detach(rig.svc, &a->dev);
		hv_gdev_free(&dev);
		hv_guest_heap_reset(rig.guest[1], mark);
		srig_await(reached, &(struct goal){ &load, i }, "a ping of the other device");
	}
	atomic_store(&load.end, true);
	pthread_join(thread, NULL);
	srig_close(&rig);
	srig_echo_free(a);
	srig_echo_free(b);
}

/*
 * A reset waits for what is in flight: its CPU is answered then, once; until then others see the
 * old status, and other devices go on.
 */
static void test_reset_in_flight(void **state)
{
	struct srig_echo *a = srig_echo_new("zone1/a"), *b = srig_echo_new("zone1/b");
	struct hv_gdev one, other;
	pthread_t thread;
	uint64_t buf, before, mark;
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	srig_attach(&rig, 1, a, 0);
	srig_attach(&rig, 1, b, 1);
	srig_driver(&rig, 1, 0, 0, &one);
	srig_driver(&rig, 1, 1, 1, &other);
	buf = hv_guest_alloc(rig.guest[1], 64, 64);
	mark = hv_guest_heap_mark(rig.guest[1]);
	for (int round = 0; round < 20; round++) {
		atomic_store(&a->hold, true);
		srig_send(&one, buf, buf, 64);
		srig_await(srig_is_held, a, "the chain's arrival");
		before = srig_flag(&rig, 2);
		pthread_create(&thread, NULL, srig_reset, &one);
		srig_await(srig_is_resetting, &a->dev, "the reset");
		srig_ping(&other, 64);
		assert_int_equal(srig_flag(&rig, 2), before);
		assert_int_not_equal(
			hv_guest_read32(rig.guest[1], 1, SRIG_SLOT(0) + VIRTIO_MMIO_STATUS), 0);
		srig_echo_let_go(a);
		pthread_join(thread, NULL);
		/* The write, and one read of 0. */
		assert_int_equal(srig_flag(&rig, 2), before + 2);
		hv_guest_heap_reset(rig.guest[1], mark);
		srig_driver(&rig, 1, 0, 0, &one);
		srig_ping(&one, 64);
	}
	hv_gdev_free(&one);
	hv_gdev_free(&other);
	srig_close(&rig);
	srig_echo_free(a);
	srig_echo_free(b);
}

static void *let_go_soon(void *arg)
{
	struct srig_echo *echo = arg;

	srig_await(srig_is_resetting, &echo->dev, "the end of its life");
	srig_echo_let_go(echo);
	return NULL;
}

/* Detaching (and so removing a zone, and ending the service) lets a CPU go that waits for a reset.
 */
static void test_detach_releases(void **state)
{
	struct srig_echo *echo = srig_echo_new("zone1/echo");
	pthread_t guest, helper;
	struct hv_gdev dev;
	struct srig rig;
	uint64_t buf;

	(void)state;
	srig_open_one(&rig, echo, &dev);
	buf = hv_guest_alloc(rig.guest[1], 64, 64);
	atomic_store(&echo->hold, true);
	srig_send(&dev, buf, buf, 64);
	srig_await(srig_is_held, echo, "the chain's arrival");
	pthread_create(&guest, NULL, srig_reset, &dev);
	srig_await(srig_is_resetting, &echo->dev, "the reset");
	pthread_create(&helper, NULL, let_go_soon, echo);
	hv_service_detach(rig.svc, &echo->dev);
	pthread_join(helper, NULL);
	pthread_join(guest, NULL);
	srig_close(&rig);
	srig_echo_free(echo);
}

static void *flood(void *arg)
{
	struct load *load = arg;
	struct hv_gdev dev;

	srig_driver(load->rig, 1, load->cpu, load->slot, &dev);
	while (!atomic_load(&load->end)) {
		hv_gdev_set(&dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		hv_gdev_set(&dev, VIRTIO_MMIO_QUEUE_NOTIFY, 7);
		atomic_fetch_add(&load->pings, 1);
	}
	hv_gdev_free(&dev);
	return NULL;
}

/* Two zones storm with kicks and registers; a third one's requests all come back. */
static void test_flood(void **state)
{
	struct srig_echo *a = srig_echo_new("zone1/a"), *b = srig_echo_new("zone2/b");
	struct load load = { .cpu = 1 };
	struct hv_gdev dev;
	struct srig rig;
	pthread_t thread;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 2 });
	load.rig = &rig;
	srig_attach(&rig, 1, a, 0);
	srig_attach(&rig, 2, b, 0);
	pthread_create(&thread, NULL, flood, &load);
	srig_await(reached, &(struct goal){ &load, 100 }, "the storm");
	srig_driver(&rig, 2, 0, 0, &dev);
	for (int i = 0; i < 100; i++)
		srig_ping(&dev, 64);
	atomic_store(&load.end, true);
	pthread_join(thread, NULL);
	hv_gdev_free(&dev);
	srig_close(&rig);
	srig_echo_free(a);
	srig_echo_free(b);
}

/* The zone ends while its CPUs are at their devices: both ends let go of it. */
static void *drive_until_end(void *arg)
{
	struct load *load = arg;
	struct hv_gdev dev;

	if (hv_gdev_probe(&dev, load->rig->guest[1], load->cpu, SRIG_SLOT(0), SRIG_IRQ(0)))
		return NULL;
	while (hv_gdev_negotiate(&dev, HV_GDEV_FEATURES) != -ESHUTDOWN)
		;
	hv_gdev_free(&dev);
	return NULL;
}

static void test_stop_under_load(void **state)
{
	struct srig_echo *echo = srig_echo_new("zone1/echo");
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ 0 });
	for (unsigned int i = 0; i < 50; i++) {
		struct load load[2] = { { &rig, 0, 0, false, 0 }, { &rig, 1, 0, false, 0 } };
		struct hv_guest *guest;
		pthread_t thread[2];

		srig_start(&rig, 1);
		guest = rig.guest[1];
		srig_attach(&rig, 1, echo, 0);
		for (int n = 0; n < 2; n++)
			pthread_create(&thread[n], NULL, drive_until_end, &load[n]);
		for (unsigned int n = 0; n < i; n++)
			hv_guest_read32(guest, 0, SRIG_SLOT(1));
		want(hv_hyp_zone_stop(rig.hyp, 1, &err), 0, NULL);
		for (int n = 0; n < 2; n++)
			pthread_join(thread[n], NULL);
		hv_guest_put(guest);
		rig.guest[1] = NULL;
		hv_service_remove_zone(rig.svc, rig.zones[1]);
		rig.zones[1] = NULL;
	}
	srig_close(&rig);
	srig_echo_free(echo);
}

static bool lost_one(void *arg)
{
	struct srig *rig = arg;
	struct hv_service_stats stats;

	/* A request that polling finds needs no wake-up, so it may take several. */
	hv_guest_lose_wakeups(rig->guest[1], 1);
	assert_int_equal(hv_guest_read32(rig->guest[1], 0, SRIG_SLOT(0)), 0);
	hv_service_stats(rig->svc, &stats);
	return stats.timeouts > 0;
}

/* A wake-up that never arrives costs a CPU a while, and is counted. */
static void test_lost_wakeup(void **state)
{
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1, .spin_ns = 1 });
	srig_await(lost_one, &rig, "a lost wake-up");
	srig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ping),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_too_many_left),
		cmocka_unit_test(test_too_many_to_leave),
		cmocka_unit_test(test_zone_refusals),
		cmocka_unit_test(test_attach_refusals),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_attach_under_load),
		cmocka_unit_test(test_reset_in_flight),
		cmocka_unit_test(test_detach_releases),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_stop_under_load),
		cmocka_unit_test(test_lost_wakeup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
