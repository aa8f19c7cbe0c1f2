// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "hypervisor/ops.h"
#include "tests/core/hypervisor/fake_device.h"

static struct hv_err err;

static int new_module(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	memset(&fake, 0, sizeof(fake));
	fake.fd = fake.wake_fd = fake.truncate_fd = fake.unmappable_fd = -1;
	fake.unknown = ENOTTY;
	fake.fail_nr = -1;
	fake.layout = HV_LAYOUT_6;
	fake.version = 6;
	fake.struct_size = hv_zone_config_size(HV_LAYOUT_6, hv_arch_native());
	fake.scratch = memfd_create("scratch", MFD_CLOEXEC);
	return fake.scratch < 0;
}

static int forget_module(void **state)
{
	(void)state;
	if (fake.wake_fd >= 0)
		close(fake.wake_fd);
	fake.fd = -1;
	return close(fake.scratch);
}

static void hvisor_is(enum hv_layout layout)
{
	fake.layout = layout;
	fake.version = hv_layout_version(layout);
	fake.struct_size = hv_zone_config_size(layout, hv_arch_native());
}

static struct hv_hyp *machine(void)
{
	struct hv_hyp *hyp = NULL;

	want(hv_hyp_open_device(FAKE_PATH, &hyp, &err), 0, &err);
	return hyp;
}

/* With the part of this machine's architecture. */
static struct hv_abi_zone native_zone(uint32_t id, uint64_t cpus)
{
	struct hv_abi_zone zone = sample_zone(id, cpus);

	if (hv_arch_native() != HV_ARCH_ARM64)
		memset(&zone.x86_64, 0, sizeof(zone.x86_64));
	return zone;
}

static int start(struct hv_hyp *hyp, uint32_t id, uint64_t cpus)
{
	struct hv_abi_zone zone = native_zone(id, cpus);

	return hv_hyp_zone_start(hyp, &zone, &err);
}

static void cannot_open(int code, const char *text)
{
	struct hv_hyp *hyp;

	fake.open_errno = code;
	want_error(hv_hyp_open_device(FAKE_PATH, &hyp, &err), code, &err, text);
	want_text(&err, FAKE_PATH);
}

static void test_open(void **state)
{
	struct hv_hyp *hyp;

	(void)state;
	cannot_open(ENOENT, "modprobe hvisor");
	want_text(&err, "--sim");
	cannot_open(ENODEV, "kernel module is not loaded");
	cannot_open(EACCES, "root");
	cannot_open(EBUSY, "busy");
	fake.open_errno = 0;
	fake.fail_nr = 5;
	fake.fail_errno = ENOTTY;
	want_error(hv_hyp_open_device(FAKE_PATH, &hyp, &err), ENOTTY, &err, "not hvisor's device");
	fake.fail_errno = EIO;
	want_error(hv_hyp_open_device(FAKE_PATH, &hyp, &err), EIO, &err, "does not answer");
	want_error(hv_hyp_open_device("/dev/null", &hyp, &err), ENOTTY, &err,
		   "not hvisor's device");
	fake.fail_nr = -1;
	hyp = machine();
	assert_false(hv_hyp_is_sim(hyp));
	assert_string_equal(hv_hyp_name(hyp), FAKE_PATH);
	assert_int_equal(hv_hyp_arch(hyp), hv_arch_native());
	assert_int_equal(hv_sim_fault(hyp, "busy-cpu:1", &err), -EINVAL);
	want_text(&err, "simulated hypervisor only");
	assert_int_equal(hv_sim_read(hyp, 0, &hyp, 1, &err), -EINVAL);
	hv_hyp_close(hyp);
}

static void test_life(void **state)
{
	struct hv_hyp *hyp = machine();
	struct hv_zone_info zones[HV_MAX_ZONES];

	(void)state;
	want(start(hyp, 1, 0x4), 0, &err);
	want(start(hyp, 2, 0x8), 0, &err);
	want(hv_hyp_zone_list(hyp, zones, HV_MAX_ZONES, &err), 3, &err);
	assert_string_equal(zones[0].name, "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr");
	assert_string_equal(zones[2].name, "zone2");
	assert_int_equal(zones[2].cpus, 0x8);
	want_error(start(hyp, 1, 0x10), EINVAL, &err, "zone with id 1 exists already");
	want_error(start(hyp, 3, 0x4), EBUSY, &err, "refused by hvisor: EBUSY; one of its CPUs");
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	want_error(hv_hyp_zone_stop(hyp, 1, &err), EINVAL, &err, "no zone has this id");
	fake.keeps_zones = true;
	want_error(hv_hyp_zone_stop(hyp, 2, &err), EBUSY, &err, "did not go away");
	hv_hyp_close(hyp);
}

/* The version is asked once; an old module cannot be asked. */
static void test_version(void **state)
{
	struct hv_hyp *hyp = machine();
	uint64_t version;

	(void)state;
	for (int i = 0; i < 3; i++)
		want(hv_hyp_version(hyp, &version, &err), 0, &err);
	assert_int_equal(version, 6);
	assert_int_equal(fake.calls[6], 1);
	hv_hyp_close(hyp);
	fake.no_version = true;
	hyp = machine();
	want_error(start(hyp, 1, 0x4), ENOTTY, &err, "--abi");
	want(hv_hyp_set_layout(hyp, HV_LAYOUT_6, &err), 0, &err);
	want(start(hyp, 1, 0x4), 0, &err);
	hv_hyp_close(hyp);
}

/*
 * The module copies the size of its own struct and hvisor is built alike: whichever of
 * two layouts it is, the zone that arrives is the one that was sent, PCI devices included.
 */
static void test_module_layouts(void **state)
{
	(void)state;
	for (int i = 0; i < HV_LAYOUT_COUNT; i++) {
		struct hv_abi_zone zone = native_zone(1, 0x4);
		struct hv_hyp *hyp;
		enum hv_layout layout;

		if (!hv_zone_config_size((enum hv_layout)i, hv_arch_native()))
			continue;
		hvisor_is((enum hv_layout)i);
		fake.n_zones = 0;
		zone.n_pci_devs = 2;
		zone.pci_devs[0] = (struct hv_abi_pci_dev){ .bus = 1, .v_bus = 1 };
		zone.pci_devs[1] = (struct hv_abi_pci_dev){ .bus = 2, .v_bus = 2 };
		hyp = machine();
		want(hv_hyp_zone_start(hyp, &zone, &err), 0, &err);
		assert_int_equal(fake.zones[0].n_irqs, 2);
		assert_int_equal(fake.zones[0].irqs[1], 76);
		assert_int_equal(fake.zones[0].pci_devs[1].bus, 2);
		want(hv_hyp_layout(hyp, &layout, &err), 0, &err);
		assert_int_equal(layout, i);
		hv_hyp_close(hyp);
	}
}

static void test_module_and_hvisor_differ(void **state)
{
	struct hv_hyp *hyp = machine();

	(void)state;
	fake.struct_size += 8;
	want_error(start(hyp, 1, 0x4), EINVAL, &err,
		   "differs from layout 6 (the kernel module's own");
	fake.struct_size -= 16;
	want_error(start(hyp, 1, 0x4), EINVAL, &err, "differs from layout 6");
	fake.fail_nr = 5;
	fake.fail_errno = EIO;
	want_error(start(hyp, 1, 0x4), EINVAL, &err, "the id may exist already, or");
	hv_hyp_close(hyp);
}

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i * 13 + i / 4096);
}

static int file_of(uint64_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	uint8_t *bytes = malloc(size);

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	free(bytes);
	return fd;
}

static void check_memory(uint64_t phys, uint64_t offset, uint64_t size, bool zero)
{
	uint8_t *bytes = malloc(size);

	assert_int_equal(pread(fake.fd, bytes, size, (off_t)phys), (ssize_t)size);
	for (uint64_t i = 0; i < size; i++)
		if (bytes[i] != (zero ? 0 : byte_at(offset + i)))
			fail_msg("byte %llu is wrong", (unsigned long long)i);
	free(bytes);
}

static void load_all(void)
{
	struct hv_hyp *hyp = machine();
	uint64_t size = 9 * HV_MIB + 77;
	uint8_t *bytes = malloc(size);
	int fd = file_of(size + 5000);

	for (uint64_t i = 0; i < size; i++)
		bytes[i] = byte_at(i);
	want(hv_hyp_load_fd(hyp, fd, 4999, size, SAMPLE_LOAD + 0x123, NULL, NULL, &err), 0, &err);
	check_memory(SAMPLE_LOAD + 0x123, 4999, size, false);
	want(hv_hyp_load_mem(hyp, NULL, size, SAMPLE_LOAD + 0x123, &err), 0, &err);
	check_memory(SAMPLE_LOAD, 0, size + 0x200, true);
	want(hv_hyp_load_mem(hyp, bytes, size, SAMPLE_LOAD, &err), 0, &err);
	check_memory(SAMPLE_LOAD, 0, size, false);
	free(bytes);
	close(fd);
	hv_hyp_close(hyp);
}

static void test_load(void **state)
{
	(void)state;
	load_all();
	assert_true(fake.largest_load <= 4 * HV_MIB);
	assert_int_equal(fake.unaligned_loads, 1); /* the first chunk of the second load */
}

static void test_load_old_module(void **state)
{
	(void)state;
	fake.no_load_image = true;
	load_all();
	assert_int_equal(fake.calls[8], 1); /* asked once */
	forget_module(NULL);
	new_module(NULL);
	fake.no_load_image = true;
	fake.unknown = EINVAL;
	load_all();
}

/* EINVAL of a module that has loaded before is no missing call. */
static void test_load_refused(void **state)
{
	struct hv_hyp *hyp = machine();

	(void)state;
	want(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), 0, &err);
	fake.fail_nr = 8;
	fake.fail_errno = EINVAL;
	want_error(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), EINVAL, &err,
		   "loading 1 bytes to 0x50000000: hvisor answers EINVAL");
	fake.fail_errno = ENOMEM;
	want_error(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), ENOMEM, &err, "ENOMEM");
	hv_hyp_close(hyp);
}

static void test_truncated(void **state)
{
	struct hv_hyp *hyp = machine();
	int fd = file_of(HV_MIB);

	(void)state;
	want_error(hv_hyp_load_fd(hyp, fd, 0, HV_MIB + 1, SAMPLE_LOAD, NULL, NULL, &err), EIO, &err,
		   "truncated: it has 1048576 bytes");
	assert_int_equal(fake.calls[8], 0);
	/* Within its last page, where the kernel would find zeroes. */
	fake.truncate_fd = fd;
	fake.truncate_to = HV_MIB - 100;
	want_error(hv_hyp_load_fd(hyp, fd, 0, HV_MIB, SAMPLE_LOAD, NULL, NULL, &err), EIO, &err,
		   "truncated");
	/* Whole pages gone between the mapping and the copy. */
	fake.truncate_to = 5000;
	want_error(hv_hyp_load_fd(hyp, fd, 0, HV_MIB - 100, SAMPLE_LOAD, NULL, NULL, &err), EIO,
		   &err, "truncated: it has 5000 bytes");
	close(fd);
	hv_hyp_close(hyp);
}

/* A file that cannot be mapped is read instead, by a module that has the call as well. */
static void test_load_unmappable(void **state)
{
	struct hv_hyp *hyp = machine();
	int fd = file_of(5 * HV_MIB);

	(void)state;
	fake.unmappable_fd = fd;
	want(hv_hyp_load_fd(hyp, fd, 10, 5 * HV_MIB - 10, SAMPLE_LOAD, NULL, NULL, &err), 0, &err);
	check_memory(SAMPLE_LOAD, 10, 5 * HV_MIB - 10, false);
	assert_int_equal(fake.calls[8], 0);
	want(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), 0, &err);
	assert_int_equal(fake.calls[8], 1);
	close(fd);
	hv_hyp_close(hyp);
}

static void test_map(void **state)
{
	struct hv_hyp *hyp = machine();
	void *map;

	(void)state;
	want(hv_hyp_map(hyp, SAMPLE_LOAD + 0x10, 64, &map, &err), 0, &err);
	memcpy(map, "mapped", 6);
	hv_hyp_unmap(hyp, map, 64);
	want(hv_hyp_map(hyp, SAMPLE_LOAD + 0x10, 64, &map, &err), 0, &err);
	assert_memory_equal(map, "mapped", 6);
	hv_hyp_unmap(hyp, map, 64);
	want_error(hv_hyp_map(hyp, 0x10, 64, &map, &err), EINVAL, &err, "virtio bridge");
	fake.mmap_errno = EPERM;
	want_error(hv_hyp_map(hyp, SAMPLE_LOAD, 64, &map, &err), EPERM, &err, "refuses to map");
	fake.no_load_image = true;
	want_error(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), EPERM, &err, "loading 1 bytes");
	hv_hyp_close(hyp);
}

static bool is_awake(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	uint64_t count;

	if (poll(&pfd, 1, 0) != 1)
		return false;
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	return true;
}

static void *wake_elsewhere(void *arg)
{
	(void)arg;
	fake_wake();
	return NULL;
}

static void wakes(void)
{
	struct hv_hyp *hyp = machine();
	struct hv_bridge_page *page, *again;
	struct pollfd pfd = { .events = POLLIN };
	pthread_t thread;
	uint64_t count;
	int rc;

	want(hv_hyp_wakeup_fd(hyp, &pfd.fd, &err), 0, &err);
	want(hv_hyp_bridge(hyp, &page, &err), 0, &err);
	want(hv_hyp_bridge(hyp, &again, &err), 0, &err);
	assert_ptr_equal(page, again);
	assert_int_equal(fake.calls[0], 1);
	page->need_wakeup = 1;
	assert_int_equal(pread(fake.fd, &count, 1, 2129), 1);
	assert_int_equal((uint8_t)count, 1);
	assert_false(is_awake(pfd.fd));
	fake_wake();
	fake_wake();
	assert_true(is_awake(pfd.fd));
	assert_false(is_awake(pfd.fd));
	/* While this thread sleeps on it. */
	assert_int_equal(pthread_create(&thread, NULL, wake_elsewhere, NULL), 0);
	do
		rc = poll(&pfd, 1, -1);
	while (rc < 0 && errno == EINTR);
	assert_int_equal(rc, 1);
	pthread_join(thread, NULL);
	want(hv_hyp_inject(hyp, &err), 0, &err);
	assert_int_equal(fake.calls[2], 1);
	hv_hyp_close(hyp);
}

static void test_wakeup(void **state)
{
	struct sigaction action;

	(void)state;
	wakes();
	sigaction(SIGUSR1, NULL, &action);
	assert_ptr_equal(action.sa_handler, SIG_DFL);
}

static void test_wakeup_by_signal(void **state)
{
	static const int answers[] = { ENOTTY, EINVAL };
	struct sigaction action;
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (size_t i = 0; i < 2; i++) {
		forget_module(NULL);
		new_module(NULL);
		fake.no_eventfd = true;
		fake.unknown = answers[i];
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		wakes();
		/* The module does not stop sending; that must not end the process. */
		sigaction(SIGUSR1, NULL, &action);
		assert_ptr_equal(action.sa_handler, SIG_IGN);
		fake_wake();
		signal(SIGUSR1, SIG_DFL);
	}
}

static void test_bridge_fails(void **state)
{
	static const int numbers[] = { 0, 7 };
	struct hv_hyp *hyp = machine();
	struct hv_bridge_page *page;
	struct sigaction action;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fake.fail_nr = numbers[i];
		fake.fail_errno = EIO;
		want_error(hv_hyp_bridge(hyp, &page, &err), EIO, &err, "virtio bridge");
	}
	fake.fail_nr = -1;
	fake.mmap_errno = ENOMEM;
	want_error(hv_hyp_bridge(hyp, &page, &err), ENOMEM, &err, "mapping the bridge page");
	fake.mmap_errno = 0;
	want(hv_hyp_bridge(hyp, &page, &err), 0, &err);
	fake.fail_nr = 2;
	want_error(hv_hyp_inject(hyp, &err), EIO, &err, "virtio interrupts");
	hv_hyp_close(hyp);
	sigaction(SIGUSR1, NULL, &action);
	assert_ptr_not_equal(action.sa_handler, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
}

static void test_clear_irq(void **state)
{
	struct hv_hyp *hyp = machine();

	(void)state;
	hyp->arch = HV_ARCH_ARM64;
	want(hv_hyp_clear_irq(hyp, 1, 33, &err), 0, &err);
	assert_int_equal(fake.calls[11], 0);
	/* There the old module knows the call by another name. */
	hyp->arch = HV_ARCH_LOONGARCH64;
	want_error(hv_hyp_clear_irq(hyp, 1, 33, &err), ENOTTY, &err,
		   "clearing interrupt 33 of zone 1");
	assert_int_equal(fake.calls[11], 1);
	assert_int_equal(fake.calls[6], 1);
	hv_hyp_close(hyp);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, new_module, forget_module)
	const struct CMUnitTest tests[] = {
		WITH(test_open),
		WITH(test_life),
		WITH(test_version),
		WITH(test_module_layouts),
		WITH(test_module_and_hvisor_differ),
		WITH(test_load),
		WITH(test_load_old_module),
		WITH(test_load_refused),
		WITH(test_truncated),
		WITH(test_load_unmappable),
		WITH(test_map),
		WITH(test_wakeup),
		WITH(test_wakeup_by_signal),
		WITH(test_bridge_fails),
		WITH(test_clear_irq),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
