// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

static struct hv_err err;

static struct hv_hyp *machine(enum hv_layout layout)
{
	struct hv_sim_opts opts = sample_opts(layout);
	struct hv_hyp *hyp = NULL;

	memset(&err, 0, sizeof(err));
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	return hyp;
}

static int start(struct hv_hyp *hyp, uint32_t id, uint64_t cpus)
{
	struct hv_abi_zone zone = sample_zone(id, cpus);

	return hv_hyp_zone_start(hyp, &zone, &err);
}

/* How many zones there are; what is known of id goes to *info. */
static int look(struct hv_hyp *hyp, uint32_t id, struct hv_zone_info *info)
{
	struct hv_zone_info zones[HV_MAX_ZONES];
	int n = hv_hyp_zone_list(hyp, zones, HV_MAX_ZONES, &err);

	memset(info, 0, sizeof(*info));
	if (n < 0)
		fail_msg("%s", err.msg);
	for (int i = 0; i < n; i++)
		if (zones[i].id == id)
			*info = zones[i];
	return n;
}

static void test_life(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_zone_info info;
	uint64_t version;

	(void)state;
	assert_true(hv_hyp_is_sim(hyp));
	assert_string_equal(hv_hyp_name(hyp), "simulated");
	assert_int_equal(hv_hyp_arch(hyp), HV_ARCH_ARM64);
	want(hv_hyp_version(hyp, &version, &err), 0, &err);
	assert_int_equal(version, 6);
	assert_int_equal(look(hyp, 0, &info), 1);
	assert_int_equal(info.cpus, 0x3);
	want(start(hyp, 1, 0x4), 0, &err);
	want(start(hyp, 2, 0x8), 0, &err);
	assert_int_equal(look(hyp, 1, &info), 3);
	assert_int_equal(info.cpus, 0x4);
	assert_string_equal(info.name, "zone1");
	assert_false(info.is_err);
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	assert_int_equal(look(hyp, 1, &info), 2);
	want(start(hyp, 1, 0x4), 0, &err);
	hv_hyp_close(hyp);
	hv_hyp_close(NULL);
}

static void test_list_bounded(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_zone_info one[2] = { { 0 }, { .id = 77 } };

	(void)state;
	want(start(hyp, 1, 0x4), 0, &err);
	want(hv_hyp_zone_list(hyp, one, 1, &err), 1, &err);
	assert_int_equal(one[0].id, 0);
	assert_int_equal(one[1].id, 77);
	hv_hyp_close(hyp);
}

static void test_names(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_abi_zone zone = sample_zone(1, 0x4);
	struct hv_zone_info info;

	(void)state;
	strcpy(zone.name, "a\x1b[31m\xc3\xa4");
	want(hv_hyp_zone_start(hyp, &zone, &err), 0, &err);
	look(hyp, 1, &info);
	assert_string_equal(info.name, "a?[31m??");
	hv_hyp_close(hyp);
}

static void test_refusals(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_zone_info info;

	(void)state;
	want(start(hyp, 1, 0x4), 0, &err);
	want_error(start(hyp, 1, 0x8), EINVAL, &err, "zone with id 1 exists already");
	want_error(start(hyp, 0, 0x8), EINVAL, &err, "zone with id 0 exists already");
	want_error(start(hyp, 2, 0xc), EBUSY, &err, "CPU 2 belongs to zone 1");
	want_error(start(hyp, 2, 0x1), EBUSY, &err, "CPU 0 belongs to zone 0");
	want_error(hv_hyp_zone_stop(hyp, 0, &err), EINVAL, &err, "root zone");
	want_error(hv_hyp_zone_stop(hyp, 7, &err), EINVAL, &err,
		   "zone shutdown (id 7): refused by");
	assert_int_equal(look(hyp, 1, &info), 2);
	hv_hyp_close(hyp);
}

static void panics(struct hv_abi_zone *zone, const char *why)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_5A);
	struct hv_zone_info info[4];
	int unused;

	want(hv_hyp_set_layout(hyp, HV_LAYOUT_5A, &err), 0, &err);
	want_error(hv_hyp_zone_start(hyp, zone, &err), EIO, &err,
		   "the real hvisor would panic here");
	want_text(&err, why);
	want_error(hv_hyp_zone_list(hyp, info, 4, &err), EIO, &err, "has panicked");
	want_text(&err, why);
	want_error(start(hyp, 1, 0x4), EIO, &err, "has panicked");
	want_error(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), EIO, &err, "has panicked");
	want_error(hv_hyp_wakeup_fd(hyp, &unused, &err), EIO, &err, "has panicked");
	hv_hyp_close(hyp);
}

static void test_panics(void **state)
{
	struct hv_abi_zone zone = sample_zone(1, 0x10);

	(void)state;
	panics(&zone, "has CPU 4, the machine has CPUs 0 to 3");
	zone = sample_zone(1, 0);
	panics(&zone, "no CPU");
	zone = sample_zone(1, 0x4);
	zone.regions[0].phys = SAMPLE_HV + SAMPLE_HV_SIZE - HV_PAGE_SIZE;
	panics(&zone, "region 0 (ram, 0x443ff000) of zone 1 lies in hypervisor memory");
	zone.regions[0].phys = SAMPLE_LOAD + 16;
	panics(&zone, "not 4 KiB aligned");
	zone.regions[0].type = HV_REGION_IO;
	zone.regions[0].phys = UINT64_MAX - 4095;
	zone.regions[0].size = 8192;
	panics(&zone, "wraps");
}

static void test_too_many_zones(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_hyp *hyp;

	(void)state;
	opts.n_cpus = 32;
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	for (uint32_t id = 1; id <= 3; id++)
		want(start(hyp, id, UINT64_C(1) << (id + 28)), 0, &err);
	want_error(start(hyp, 4, 0x10), EIO, &err, "room for 4 zones");
	hv_hyp_close(hyp);
}

static void test_load_panics(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	void *addr;

	(void)state;
	want_error(hv_hyp_map(hyp, SAMPLE_HV, 4096, &addr, &err), EFAULT, &err,
		   "hypervisor memory");
	want_error(hv_hyp_load_mem(hyp, "xy", 2, SAMPLE_HV - 1, &err), EIO, &err,
		   "wrote to hypervisor memory");
	want_error(hv_hyp_load_mem(hyp, "xy", 2, SAMPLE_LOAD, &err), EIO, &err, "has panicked");
	hv_hyp_close(hyp);
}

/* Every layout, and what each of those that share a version finds out about itself. */
static void test_layouts(void **state)
{
	(void)state;
	for (int i = 0; i < HV_LAYOUT_COUNT; i++) {
		bool twin = i != HV_LAYOUT_3 && i != HV_LAYOUT_6;
		struct hv_hyp *hyp = machine((enum hv_layout)i);
		enum hv_layout layout;

		want(hv_hyp_layout(hyp, &layout, &err), twin ? -EAGAIN : 0, &err);
		if (twin)
			want_text(&err, "names two layouts");
		want(start(hyp, 1, 0x4), 0, &err);
		want(hv_hyp_layout(hyp, &layout, &err), 0, &err);
		assert_int_equal(layout, i);
		want(start(hyp, 2, 0x8), 0, &err);
		hv_hyp_close(hyp);
	}
}

static void test_layout_learned_from_busy(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_5B);
	enum hv_layout layout;

	(void)state;
	want_error(start(hyp, 1, 0x1), EBUSY, &err, "one of its CPUs");
	want(hv_hyp_layout(hyp, &layout, &err), 0, &err);
	assert_int_equal(layout, HV_LAYOUT_5B);
	hv_hyp_close(hyp);
}

static void test_layout_unknown(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_hyp *hyp;
	enum hv_layout layout;

	(void)state;
	opts.version = 9;
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want_error(start(hyp, 1, 0x4), ENOTSUP, &err, "9");
	want_error(hv_hyp_layout(hyp, &layout, &err), ENOTSUP, &err, "9");
	want(hv_hyp_set_layout(hyp, HV_LAYOUT_5A, &err), 0, &err);
	want_error(start(hyp, 1, 0x4), EINVAL, &err, "differs from layout 5A");
	want(hv_hyp_set_layout(hyp, HV_LAYOUT_6, &err), 0, &err);
	want(start(hyp, 1, 0x4), 0, &err);
	hv_hyp_close(hyp);
}

/* The version's two layouts are both wrong: both are named. */
static void test_layout_neither(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_hyp *hyp;

	(void)state;
	opts.version = 5;
	want(hv_hyp_open_sim(&opts, &hyp, &err), 0, &err);
	want_error(start(hyp, 1, 0x4), EINVAL, &err, "layout 5A and from layout 5B");
	hv_hyp_close(hyp);
}

static void test_expressible(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_5B);
	struct hv_abi_zone zone = sample_zone(1, 0x4);

	(void)state;
	want(hv_hyp_zone_expressible(hyp, &zone, &err), 0, &err);
	zone.n_pci_devs = 1;
	zone.pci_devs[0] = (struct hv_abi_pci_dev){ .bus = 1, .v_bus = 2 };
	want_error(hv_hyp_zone_expressible(hyp, &zone, &err), ERANGE, &err, "--abi 5B");
	/* The hypervisor is a 5B: starting it works even while the other one cannot say it. */
	want(hv_hyp_zone_start(hyp, &zone, &err), 0, &err);
	want(hv_hyp_zone_expressible(hyp, &zone, &err), 0, &err);
	hv_hyp_close(hyp);
}

static void test_bad_options(void **state)
{
	struct hv_sim_ram overlap[] = { { 0x1000, 0x2000 }, { 0x2000, 0x1000 } };
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_6);
	struct hv_hyp *hyp;

	(void)state;
	opts.n_cpus = 33;
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), EINVAL, &err, "1 to 32 CPUs");
	opts.n_cpus = 0;
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), EINVAL, &err, "1 to 32 CPUs");
	opts = sample_opts(HV_LAYOUT_6);
	opts.root_cpus = 0x10;
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), EINVAL, &err, "root zone's CPUs");
	opts = sample_opts(HV_LAYOUT_6);
	opts.n_ram = 0;
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), EINVAL, &err, "RAM windows");
	opts.ram = overlap;
	opts.n_ram = 2;
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), EINVAL, &err, "overlap");
	opts = sample_opts(HV_LAYOUT_3);
	opts.arch = HV_ARCH_X86_64;
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), EINVAL, &err, "does not exist on x86_64");
}

static void fault(struct hv_hyp *hyp, const char *text)
{
	want(hv_sim_fault(hyp, text, &err), 0, &err);
}

static void test_fault_cpus(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_zone_info info;

	(void)state;
	fault(hyp, "busy-cpu:3");
	want_error(start(hyp, 1, 0xc), EBUSY, &err, "CPU 3 is on");
	fault(hyp, "stuck-cpu:2");
	want(start(hyp, 1, 0x4), 0, &err);
	want_error(hv_hyp_zone_stop(hyp, 1, &err), ETIMEDOUT, &err, "a CPU of it did not stop");
	assert_int_equal(look(hyp, 1, &info), 1);
	want_error(start(hyp, 1, 0x4), EBUSY, &err,
		   "did not stop when its last zone was shut down");
	hv_hyp_close(hyp);
}

static void test_fault_errno(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_zone_info info[4];
	struct hv_bridge_page *page;
	uint64_t version;
	void *addr;

	(void)state;
	fault(hyp, "errno:list:EIO");
	want_error(hv_hyp_zone_list(hyp, info, 4, &err), EIO, &err, "zone list: ");
	want(hv_hyp_zone_list(hyp, info, 4, &err), 1, &err);
	fault(hyp, "errno:version:ENOSYS");
	want_error(hv_hyp_version(hyp, &version, &err), ENOSYS, &err, "does not know this call");
	fault(hyp, "errno:start:ENOMEM:*");
	for (int i = 0; i < 3; i++)
		want_error(start(hyp, 1, 0x4), ENOMEM, &err, "refused by");
	fault(hyp, "errno:load:EPERM");
	want_error(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), EPERM, &err, "loading 1 bytes");
	want(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), 0, &err);
	fault(hyp, "errno:map:EAGAIN");
	want_error(hv_hyp_map(hyp, SAMPLE_LOAD, 1, &addr, &err), EAGAIN, &err, "mapping");
	fault(hyp, "errno:bridge:EEXIST");
	want_error(hv_hyp_bridge(hyp, &page, &err), EEXIST, &err, "virtio bridge");
	want(hv_hyp_bridge(hyp, &page, &err), 0, &err);
	fault(hyp, "errno:inject:EIO");
	want_error(hv_hyp_inject(hyp, &err), EIO, &err, "virtio interrupts");
	want(hv_hyp_inject(hyp, &err), 0, &err);
	fault(hyp, "errno:stop:EIO");
	want_error(hv_hyp_zone_stop(hyp, 1, &err), EIO, &err, "zone shutdown (id 1)");
	hv_hyp_close(hyp);
}

static void test_stop_unseen(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);

	(void)state;
	want(start(hyp, 1, 0x4), 0, &err);
	fault(hyp, "errno:list:EIO");
	want_error(hv_hyp_zone_stop(hyp, 1, &err), EIO, &err,
		   "whether the zone is gone cannot be seen");
	hv_hyp_close(hyp);
}

/* Looks until the zone's listing is as wanted; the test runner ends a test that waits for ever. */
static void await(struct hv_hyp *hyp, uint32_t id, bool listed, bool is_err)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	struct hv_zone_info info;

	for (;;) {
		look(hyp, id, &info);
		if ((info.id == id) == listed && info.is_err == is_err)
			return;
		nanosleep(&pause, NULL);
	}
}

static void test_fault_death(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_zone_info info;

	(void)state;
	want(start(hyp, 1, 0x4), 0, &err);
	fault(hyp, "die:1");
	assert_int_equal(look(hyp, 1, &info), 1);
	want(start(hyp, 1, 0x4), 0, &err);
	fault(hyp, "crash:1:30");
	await(hyp, 1, true, true);
	want_error(start(hyp, 2, 0x4), EBUSY, &err, "CPU 2 belongs to zone 1");
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	want(start(hyp, 1, 0x4), 0, &err);
	assert_int_equal(look(hyp, 1, &info), 2);
	assert_false(info.is_err);
	/* Ordered for a zone that does not run yet; the last order counts, once. */
	fault(hyp, "crash:2:0");
	fault(hyp, "die:2:60000");
	fault(hyp, "die:2:0");
	want(start(hyp, 2, 0x8), 0, &err);
	assert_int_equal(look(hyp, 2, &info), 2);
	want(start(hyp, 2, 0x8), 0, &err);
	assert_int_equal(look(hyp, 2, &info), 3);
	hv_hyp_close(hyp);
}

static void test_fault_words(void **state)
{
	static const char *const wrong[] = {
		"",
		"busy",
		"busy-cpu",
		"busy-cpu:",
		"busy-cpu:4",
		"busy-cpu:1x",
		"busy-cpu:-1",
		"errno",
		"errno:start",
		"errno:start:",
		"errno:go:EIO",
		"errno:start:EX",
		"errno:start:EIO:",
		"errno:start:EIO:3",
		"die",
		"die:",
		"die:0",
		"die:1:",
		"die:1:x",
		"die:1:5:",
		"crash:99999999999",
		"no-load-image:1",
		"die:1:99999999999999999999",
	};
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (hv_sim_fault(hyp, wrong[i], &err) != -EINVAL)
			fail_msg("\"%s\" is taken", wrong[i]);
		want_text(&err, "errno:OP:NAME");
	}
	want(start(hyp, 1, 0xc), 0, &err);
	hv_hyp_close(hyp);
}

static void push(struct hv_bridge_page *page, uint32_t zone, uint32_t irq)
{
	uint32_t rear = page->res_rear;

	page->res[rear] = (struct hv_bridge_res){ zone, irq };
	__atomic_store_n(&page->res_rear, (rear + 1) % HV_BRIDGE_SLOTS, __ATOMIC_RELEASE);
}

static void test_bridge(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_bridge_page *page, *again;
	struct pollfd pfd;
	uint32_t irq;

	(void)state;
	want_error(hv_hyp_inject(hyp, &err), ENODEV, &err, "not initialised");
	want(hv_hyp_bridge(hyp, &page, &err), 0, &err);
	assert_int_equal(page->req_rear, 0);
	assert_int_equal(page->need_wakeup, 0);
	want(hv_hyp_bridge(hyp, &again, &err), 0, &err);
	assert_ptr_equal(page, again);
	want(hv_hyp_wakeup_fd(hyp, &pfd.fd, &err), 0, &err);
	pfd.events = POLLIN;
	assert_int_equal(poll(&pfd, 1, 0), 0);

	want(start(hyp, 1, 0x4), 0, &err);
	want_error(hv_sim_take_irq(hyp, 1, &irq, &err), EAGAIN, &err, "no interrupt");
	want_error(hv_sim_take_irq(hyp, 2, &irq, &err), ENOENT, &err, "no zone 2");
	push(page, 1, 76);
	push(page, 9, 5);
	push(page, 1, 77);
	want(hv_hyp_inject(hyp, &err), 0, &err);
	assert_int_equal(page->res_front, 3);
	want(hv_sim_take_irq(hyp, 1, &irq, &err), 0, &err);
	assert_int_equal(irq, 76);
	want(hv_sim_take_irq(hyp, 1, &irq, &err), 0, &err);
	assert_int_equal(irq, 77);
	want(hv_hyp_clear_irq(hyp, 1, 76, &err), 0, &err);

	for (int i = 0; i < 7; i++)
		push(page, 1, 76);
	want(hv_hyp_inject(hyp, &err), 0, &err);
	/* A zone's next life starts with none of them. */
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	want(start(hyp, 1, 0x4), 0, &err);
	want_error(hv_sim_take_irq(hyp, 1, &irq, &err), EAGAIN, &err, "no interrupt");
	for (int i = 0; i < 7; i++)
		push(page, 1, 76);
	want(hv_hyp_inject(hyp, &err), 0, &err);
	push(page, 1, 76);
	want_error(hv_hyp_inject(hyp, &err), EIO, &err, "would panic");
	want_error(hv_hyp_inject(hyp, &err), EIO, &err, "has panicked");
	hv_hyp_close(hyp);
}

static void test_bridge_index(void **state)
{
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct hv_bridge_page *page;

	(void)state;
	want(hv_hyp_bridge(hyp, &page, &err), 0, &err);
	page->res_rear = 32;
	want_error(hv_hyp_inject(hyp, &err), EIO, &err, "index is 32");
	hv_hyp_close(hyp);
}

#define INJECTORS 4
#define ROUNDS 2000

struct injector {
	struct hv_hyp *hyp;
	struct hv_bridge_page *page;
	pthread_mutex_t *ring;
	unsigned int *taken;
	uint32_t zone;
	int rc;
};

/* As the service does it: the ring under its own lock, the call without. */
static void *inject_many(void *arg)
{
	struct injector *in = arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct hv_err local = { 0 };
		uint32_t irq;

		pthread_mutex_lock(in->ring);
		push(in->page, in->zone, 76);
		pthread_mutex_unlock(in->ring);
		in->rc = hv_hyp_inject(in->hyp, &local);
		while (!in->rc && hv_sim_take_irq(in->hyp, in->zone, &irq, NULL) == 0)
			__atomic_fetch_add(in->taken, irq == 76, __ATOMIC_RELAXED);
		if (in->rc)
			break;
	}
	return NULL;
}

static void test_concurrent_inject(void **state)
{
	pthread_mutex_t ring = PTHREAD_MUTEX_INITIALIZER;
	struct hv_hyp *hyp = machine(HV_LAYOUT_6);
	struct injector in[INJECTORS];
	pthread_t threads[INJECTORS];
	struct hv_zone_info zones[4];
	struct hv_bridge_page *page;
	unsigned int taken = 0;

	(void)state;
	want(start(hyp, 1, 0x4), 0, &err);
	want(start(hyp, 2, 0x8), 0, &err);
	want(hv_hyp_bridge(hyp, &page, &err), 0, &err);
	for (int i = 0; i < INJECTORS; i++) {
		in[i] = (struct injector){ hyp, page, &ring, &taken, 1 + (uint32_t)i % 2, -1 };
		assert_int_equal(pthread_create(&threads[i], NULL, inject_many, &in[i]), 0);
	}
	for (int i = 0; i < 200; i++)
		want(hv_hyp_zone_list(hyp, zones, 4, &err), 3, &err);
	for (int i = 0; i < INJECTORS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(in[i].rc, 0);
	}
	assert_int_equal(taken, INJECTORS * ROUNDS);
	hv_hyp_close(hyp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_list_bounded),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_panics),
		cmocka_unit_test(test_too_many_zones),
		cmocka_unit_test(test_load_panics),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_layout_learned_from_busy),
		cmocka_unit_test(test_layout_unknown),
		cmocka_unit_test(test_layout_neither),
		cmocka_unit_test(test_expressible),
		cmocka_unit_test(test_bad_options),
		cmocka_unit_test(test_fault_cpus),
		cmocka_unit_test(test_fault_errno),
		cmocka_unit_test(test_stop_unseen),
		cmocka_unit_test(test_fault_death),
		cmocka_unit_test(test_fault_words),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_bridge_index),
		cmocka_unit_test(test_concurrent_inject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
