// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asks the kernel module everything that user space can ask, rightly and wrongly, and prints TAP.
 * Runs in zone0, as root, static. What only this project's module does is skipped on another.
 *
 *   ioctl_probe [--ram ADDR] [--size BYTES] [--gicd ADDR]
 *       ADDR is memory of a zone that does not run: it is written. Without --ram, nothing is.
 *       --gicd: raise the wake-up interrupt at that GIC (arm64, with /dev/mem), to see it come and
 * get lost ioctl_probe --hold [--ram ADDR] maps bridge and memory, prints "holding" and waits for
 * the end of standard input
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/bridge.h"
#include "abi/ioctl.h"
#include "abi/resource.h"

#define MIB (1024 * 1024)
#define WAKEUP_INTID 64
#define PATIENCE_MS 10000
#define TAG 0x68767368u

static int fd;
static bool ours; /* the module, by HV_IOC_QUERY */
static uint64_t ram, ram_size = 16 * MIB, gicd;
static uint64_t own_start, own_end; /* the largest piece of zone0's RAM */
static uint64_t device;		    /* where a driver of zone0 has registers */
static size_t page;
static int count, failed;

static void report(bool good, const char *what)
{
	count++;
	failed += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", count, what);
}

static void skip(const char *what, const char *why)
{
	printf("ok %d - %s # SKIP %s\n", ++count, what, why);
}

/* want is 0 for success (any count), or an errno. */
static void expect(long rc, int want, const char *what)
{
	int got = rc < 0 ? errno : 0;

	report(got == want, what);
	if (got != want)
		printf("# expected %s, got %s\n", want ? strerror(want) : "success",
		       got ? strerror(got) : "success");
}

static void expect_ours(long rc, int want, const char *what)
{
	if (ours)
		expect(rc, want, what);
	else
		skip(what, "another module");
}

static int call(unsigned long request, const void *arg)
{
	return ioctl(fd, request, arg);
}

static void *map(uint64_t at, size_t size, int prot, int flags)
{
	return mmap(NULL, size, prot, flags, fd, (off_t)at);
}

static void expect_no_map(uint64_t at, size_t size, int prot, int flags, int want, const char *what)
{
	void *got;

	if (!ours) {
		skip(what, "another module");
		return;
	}
	got = map(at, size, prot, flags);
	expect(got == MAP_FAILED ? -1 : 0, want, what);
	if (got != MAP_FAILED)
		munmap(got, size);
}

/* An address that is not mapped, and stays so. */
static void *nowhere(void)
{
	return mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void read_iomem(void)
{
	FILE *file = fopen("/proc/iomem", "r");
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned long long start, end;

		if (line[0] == ' ' || sscanf(line, "%llx-%llx", &start, &end) != 2)
			continue;
		if (strstr(line, "System RAM") && end + 1 - start > own_end - own_start) {
			own_start = start;
			own_end = end + 1;
		}
		if (strstr(line, "pl011") || strstr(line, "serial"))
			device = start;
	}
	if (file)
		fclose(file);
}

static struct hv_ioc_query query(void)
{
	struct hv_ioc_query q = { 0 };

	if (call(HV_IOC_QUERY, &q) < 0)
		q.version = 0;
	return q;
}

/* In a child that lacks the capability. */
static int open_without_right(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (syscall(SYS_capget, &header, data) < 0)
			_exit(255);
		data[CAP_SYS_ADMIN / 32].effective &= ~(1u << (CAP_SYS_ADMIN % 32));
		if (syscall(SYS_capset, &header, data) < 0)
			_exit(255);
		_exit(open(HV_DEVICE_PATH, O_RDWR) < 0 ? errno : 0);
	}
	waitpid(child, &status, 0);
	errno = WEXITSTATUS(status);
	return errno ? -1 : 0;
}

static void test_questions(void)
{
	struct hv_wire_zone_info zones[32];
	struct hv_ioc_zone_list list = { .count = 32, .zones = (uintptr_t)zones };
	uint64_t value = 0;
	int n;

	expect_ours(open_without_right(), EPERM, "open without CAP_SYS_ADMIN");
	expect_ours(call(_IO(1, 99), NULL), ENOTTY, "an ioctl that does not exist");
	expect(call(HV_IOC_CONFIG_CHECK, &value), 0, "configuration version");
	report(value >= 1 && value < 100, "the version is a version");
	printf("# version %llu\n", (unsigned long long)value);
	expect(call(HV_IOC_CONFIG_CHECK, nowhere()), EFAULT, "configuration version to nowhere");

	n = call(HV_IOC_ZONE_LIST, &list);
	expect(n, 0, "zone list");
	report(n >= 1 && zones[0].zone_id == 0, "its first entry is the root zone");
	expect(call(HV_IOC_ZONE_LIST, nowhere()), EFAULT, "zone list from nowhere");
	list.zones = (uintptr_t)nowhere();
	expect_ours(call(HV_IOC_ZONE_LIST, &list), EFAULT, "zone list to nowhere");
	list.count = 0;
	expect_ours(call(HV_IOC_ZONE_LIST, &list), EINVAL, "zone list of none");
	list.count = UINT64_MAX / sizeof(zones[0]) + 2;
	expect_ours(call(HV_IOC_ZONE_LIST, &list), EINVAL, "zone list of more than there can be");
}

static void test_zones(void)
{
	uint8_t *config = calloc(1, 64 * 1024);
	struct hv_ioc_zone_start start = { .config = (uintptr_t)config };
	int rc;

	expect(call(HV_IOC_ZONE_SHUTDOWN, (void *)0), EINVAL, "shutdown of the root zone");
	expect(call(HV_IOC_ZONE_SHUTDOWN, (void *)77), EINVAL,
	       "shutdown of a zone that is not there");
	expect_ours(call(HV_IOC_ZONE_SHUTDOWN, (void *)(1ul << 32)), EINVAL,
		    "shutdown of an id of 33 bits");
	expect(call(HV_IOC_ZONE_START, nowhere()), EFAULT, "start from nowhere");
	rc = call(HV_IOC_ZONE_START, config);
	expect(rc, EINVAL, "start of an empty configuration: the root zone's id is taken");
	expect_ours(call(HV_IOC_ZONE_START_SIZED, nowhere()), EFAULT, "sized start from nowhere");
	expect_ours(call(HV_IOC_ZONE_START_SIZED, &start), EINVAL, "sized start of 0 bytes");
	start.size = 64 * 1024;
	expect_ours(call(HV_IOC_ZONE_START_SIZED, &start), EINVAL, "sized start of 64 KiB");
	start.size = 24;
	expect_ours(call(HV_IOC_ZONE_START_SIZED, &start), EINVAL,
		    "sized start that hvisor refuses");
	start.config = (uintptr_t)nowhere();
	start.size = 3136;
	expect_ours(call(HV_IOC_ZONE_START_SIZED, &start), EFAULT,
		    "sized start, bytes from nowhere");
	start.config = UINT64_MAX - 100;
	expect_ours(call(HV_IOC_ZONE_START_SIZED, &start), EFAULT,
		    "sized start, bytes past the end");
	free(config);
}

static int load(const void *from, uint64_t size, uint64_t to)
{
	struct hv_ioc_load_image image = { (uintptr_t)from, size, to };

	return call(HV_IOC_LOAD_IMAGE, &image);
}

static void test_load_refusals(void)
{
	static char bytes[64];

	expect_ours(call(HV_IOC_LOAD_IMAGE, nowhere()), EFAULT, "load, arguments from nowhere");
	expect_ours(load(bytes, 0, 0x10000000), EINVAL, "load of 0 bytes");
	expect_ours(load(NULL, sizeof(bytes), 0x10000000), EINVAL, "load without a buffer");
	expect_ours(load(bytes, UINT64_MAX - 8, 0x10000000), EINVAL, "load past 64 bits");
	expect_ours(load(bytes, sizeof(bytes), UINT64_MAX - 100), EINVAL, "load beyond all memory");
	expect_ours(load(bytes, sizeof(bytes), own_start), EPERM, "load into zone0's RAM");
	expect_ours(load(bytes, sizeof(bytes), own_end - sizeof(bytes)), EPERM,
		    "load into the end of zone0's RAM");
	expect_ours(load(bytes, own_end - own_start + 2 * MIB, own_start - MIB), EPERM,
		    "load across zone0's RAM");
	expect_ours(load(bytes, sizeof(bytes), own_start - 1), EPERM,
		    "load that runs into zone0's RAM by its last bytes");
	if (device)
		expect_ours(load(bytes, sizeof(bytes), device), EBUSY, "load into a device");
	else
		skip("load into a device", "no UART in /proc/iomem");
}

static void test_load(void)
{
	size_t size = 5 * MIB + 3;
	uint64_t to = ram + 4 * MIB - 5; /* across the pieces in which the module copies */
	uint8_t *image = malloc(size);
	uint8_t *seen;

	for (size_t i = 0; i < size; i++)
		image[i] = (uint8_t)(i * 7 + i / 4096);
	seen = map(ram, ram_size, PROT_READ | PROT_WRITE, MAP_SHARED);
	expect(seen == MAP_FAILED ? -1 : 0, 0, "mmap of a zone's memory");
	if (seen == MAP_FAILED)
		return;
	memset(seen, 0xee, 10 * MIB);
	expect(load(image, size, to), 0, "load into a zone's memory");
	report(!memcmp(seen + (to - ram), image, size), "the mapping shows what was loaded");
	report(seen[to - ram - 1] == 0xee && seen[to - ram + size] == 0xee,
	       "and nothing before or after is touched");
	expect(load(nowhere(), 64, ram), EFAULT, "load from nowhere");
	expect_ours(mprotect(seen, page, PROT_READ | PROT_EXEC), EACCES,
		    "a mapping does not become executable");
	munmap(seen, ram_size);
	free(image);
}

static void test_map_refusals(void)
{
	int rw = PROT_READ | PROT_WRITE;
	uint64_t inside = (own_start + own_end) / 2 & ~(uint64_t)(page - 1);

	expect_no_map(own_start, page, rw, MAP_SHARED, EPERM, "mmap of zone0's RAM");
	expect_no_map(inside, page, rw, MAP_SHARED, EPERM, "mmap in the middle of it");
	expect_no_map(own_start - page, 2 * page, PROT_READ, MAP_SHARED, EPERM,
		      "mmap that runs into it");
	expect_no_map(1ull << 60, page, rw, MAP_SHARED, EINVAL, "mmap beyond all memory");
	expect_no_map(ram ? ram : 0x10000000, page, rw, MAP_PRIVATE, EINVAL, "private mmap");
	expect_no_map(ram ? ram : 0x10000000, page, rw | PROT_EXEC, MAP_SHARED, EPERM,
		      "executable mmap");
	if (device)
		expect_no_map(device, page, rw, MAP_SHARED, EBUSY, "mmap of a device");
	else
		skip("mmap of a device", "no UART in /proc/iomem");
}

static struct hv_bridge_page *map_bridge(void)
{
	return map(0, page, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* A service that dies with work in the ring. */
static void run_and_die(void)
{
	pid_t child = fork();

	if (child == 0) {
		struct hv_bridge_page *bridge;
		int event = eventfd(0, EFD_NONBLOCK);

		fd = open(HV_DEVICE_PATH, O_RDWR);
		call(HV_IOC_INIT_VIRTIO, NULL);
		call(HV_IOC_SET_EVENTFD, (void *)(long)event);
		bridge = map_bridge();
		if (bridge == MAP_FAILED)
			_exit(1);
		bridge->mmio_addrs[HV_BRIDGE_DEVICES - 1] = TAG;
		bridge->need_wakeup = 1;
		kill(getpid(), SIGKILL);
	}
	waitpid(child, NULL, 0);
}

static void test_bridge(void)
{
	int pipes[2];
	int event = eventfd(0, EFD_NONBLOCK);
	bool fresh = !(query().bridge & HV_BRIDGE_REGISTERED);
	bool wakes = query().bridge & HV_BRIDGE_WAKES;
	struct hv_bridge_page *bridge;

	if (fresh)
		expect_no_map(0, page, PROT_READ, MAP_SHARED, ENXIO,
			      "mmap of the bridge before it is there");
	expect(call(HV_IOC_INIT_VIRTIO, NULL), 0, "initialise the bridge");
	expect_ours(call(HV_IOC_INIT_VIRTIO, NULL), 0, "once more");
	expect_no_map(0, 2 * page, PROT_READ, MAP_SHARED, EINVAL,
		      "mmap of two pages from the bridge on");
	expect_no_map(0, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, EINVAL,
		      "private mmap of the bridge");
	expect(call(HV_IOC_FINISH_REQ, NULL), 0, "finish request");

	if (pipe(pipes) < 0)
		abort();
	if (wakes || !ours) {
		expect(call(HV_IOC_SET_EVENTFD, (void *)(long)event), 0, "set the eventfd");
		expect(call(HV_IOC_SET_EVENTFD, (void *)(long)pipes[0]), EINVAL,
		       "set a pipe as eventfd");
		expect(call(HV_IOC_SET_EVENTFD, (void *)9999), EBADF,
		       "set a file that is not open");
		if (ours)
			report(query().bridge & HV_BRIDGE_OWNED,
			       "refusals leave the eventfd in place");
		expect_ours(call(HV_IOC_SET_EVENTFD, (void *)-1), 0, "take the eventfd back");
	} else {
		expect(call(HV_IOC_SET_EVENTFD, (void *)(long)event), ENODEV,
		       "set the eventfd where nothing will ever signal it");
	}
	close(pipes[0]);
	close(pipes[1]);
	close(event);

	if (!ours) {
		skip("a new owner gets the same page", "another module");
		return;
	}
	run_and_die();
	report(!(query().bridge & HV_BRIDGE_OWNED), "a dead owner's eventfd is gone");
	bridge = map_bridge();
	report(bridge != MAP_FAILED && bridge->mmio_addrs[HV_BRIDGE_DEVICES - 1] == TAG,
	       "a new owner gets the same page, and what is in it");
	if (bridge != MAP_FAILED) {
		bridge->mmio_addrs[HV_BRIDGE_DEVICES - 1] = 0;
		bridge->need_wakeup = 0;
		munmap(bridge, page);
	}
}

static void raise_wakeup(volatile uint32_t *distributor)
{
	distributor[(0x200 + WAKEUP_INTID / 32 * 4) / 4] = 1u << WAKEUP_INTID % 32;
}

static bool wait_lost(uint64_t more_than)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		if (query().lost_wakeups > more_than)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static void test_wakeup(void)
{
	int mem = open("/dev/mem", O_RDWR | O_SYNC);
	volatile uint32_t *distributor =
		mem < 0 ? MAP_FAILED
			: mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_SHARED, mem, (off_t)gicd);
	struct pollfd event = { .fd = eventfd(0, EFD_NONBLOCK), .events = POLLIN };
	struct hv_ioc_query before;
	uint64_t value;

	expect(distributor == MAP_FAILED ? -1 : 0, 0,
	       "mapping the GIC by /dev/mem (iomem=relaxed)");
	if (distributor == MAP_FAILED)
		return;
	expect(call(HV_IOC_SET_EVENTFD, (void *)(long)event.fd), 0, "set the eventfd");
	while (read(event.fd, &value, sizeof(value)) > 0)
		;
	before = query();
	raise_wakeup(distributor);
	report(poll(&event, 1, PATIENCE_MS) == 1, "the wake-up interrupt signals the eventfd");
	report(query().wakeups > before.wakeups && query().lost_wakeups == before.lost_wakeups,
	       "it is counted, and none is lost");
	while (read(event.fd, &value, sizeof(value)) > 0)
		;
	call(HV_IOC_SET_EVENTFD, (void *)-1);
	raise_wakeup(distributor);
	report(wait_lost(before.lost_wakeups), "without an eventfd it is counted as lost");
	report(poll(&event, 1, 0) == 0, "and does not signal the one taken back");
	expect(call(HV_IOC_SET_EVENTFD, (void *)(long)event.fd), 0, "set it again");
	report(poll(&event, 1, 0) == 1, "which is signalled at once, for what was lost");
	close(event.fd);
	call(HV_IOC_SET_EVENTFD, (void *)-1);
	close(mem);
}

static void test_resources(void)
{
	struct hv_ioc_clock clock = { .subcmd = HV_CLOCK_COUNT };
	struct hv_ioc_reset reset = { .subcmd = HV_RESET_COUNT };
	struct hv_ioc_power power = { .subcmd = HV_POWER_COUNT };
	struct hv_ioc_query q = query();
	uint32_t clocks;

	if (!(q.features & HV_FEATURE_RESOURCES)) {
		skip("clocks, resets and power domains", "not in this module");
		return;
	}
	expect(call(HV_IOC_CLOCK, &clock), 0, "number of clocks");
	report(clock.count == q.clocks, "as the query says");
	clocks = clock.count;
	expect(call(HV_IOC_RESET, &reset), 0, "number of resets");
	report(reset.count == q.resets, "as the query says");
	expect(call(HV_IOC_POWER, &power), 0, "number of power domains");
	report(power.count == q.power_domains, "as the query says");
	expect(call(HV_IOC_CLOCK, nowhere()), EFAULT, "clock arguments from nowhere");
	clock.subcmd = 0;
	expect(call(HV_IOC_CLOCK, &clock), EINVAL, "clock subcommand 0");
	clock.subcmd = 99;
	expect(call(HV_IOC_CLOCK, &clock), EINVAL, "clock subcommand 99");
	for (uint32_t i = HV_CLOCK_ATTRIBUTES; i <= HV_CLOCK_NAME; i++) {
		char what[64];

		clock = (struct hv_ioc_clock){ .subcmd = i, .config.id = clocks };
		snprintf(what, sizeof(what), "clock subcommand %u of a clock too many", i);
		expect(call(HV_IOC_CLOCK, &clock), ENOENT, what);
	}
	reset = (struct hv_ioc_reset){ .subcmd = HV_RESET_RESET, .reset.domain = q.resets };
	expect(call(HV_IOC_RESET, &reset), ENOENT, "reset of one too many");
	reset.subcmd = 3;
	expect(call(HV_IOC_RESET, &reset), EINVAL, "reset subcommand 3");
	power = (struct hv_ioc_power){ .subcmd = HV_POWER_STATE_GET, .state.domain = UINT32_MAX };
	expect(call(HV_IOC_POWER, &power), ENOENT, "power domain that is not there");
	power.subcmd = 5;
	expect(call(HV_IOC_POWER, &power), EINVAL, "power subcommand 5");
	for (uint32_t i = 0; i < clocks; i++) {
		bool on;

		clock = (struct hv_ioc_clock){ .subcmd = HV_CLOCK_ATTRIBUTES, .attributes.id = i };
		expect(call(HV_IOC_CLOCK, &clock), 0, "clock attributes");
		printf("# clock %u: %s\n", i, clock.attributes.name);
		report(clock.attributes.is_valid == 1 && clock.attributes.name[0],
		       "the clock has a name");
		clock = (struct hv_ioc_clock){ .subcmd = HV_CLOCK_RATE_GET, .rate.id = i };
		expect(call(HV_IOC_CLOCK, &clock), 0, "clock rate");
		printf("# %llu Hz\n", (unsigned long long)clock.rate.rate);
		clock = (struct hv_ioc_clock){ .subcmd = HV_CLOCK_RATES, .rates.id = i };
		expect(call(HV_IOC_CLOCK, &clock), 0, "clock rates");
		report(clock.rates.num_rates >= 1 && clock.rates.num_rates <= 3, "one to three");
		clock = (struct hv_ioc_clock){ .subcmd = HV_CLOCK_CONFIG_SET,
					       .config = { .id = i, .config = HV_CLOCK_ON } };
		expect(call(HV_IOC_CLOCK, &clock), 0, "clock on");
		clock.subcmd = HV_CLOCK_CONFIG_GET;
		expect(call(HV_IOC_CLOCK, &clock), 0, "clock state");
		on = clock.config.config & HV_CLOCK_ON;
		report(on, "it is on");
		for (int off = 0; off < 2; off++) {
			clock = (struct hv_ioc_clock){ .subcmd = HV_CLOCK_CONFIG_SET,
						       .config = { .id = i } };
			expect(call(HV_IOC_CLOCK, &clock), 0, "clock off, or its use given back");
		}
	}
}

static int hold(void)
{
	char byte;

	if (call(HV_IOC_INIT_VIRTIO, NULL) < 0 || map_bridge() == MAP_FAILED ||
	    (ram && map(ram, page, PROT_READ | PROT_WRITE, MAP_SHARED) == MAP_FAILED)) {
		perror("ioctl_probe: cannot hold " HV_DEVICE_PATH);
		return 1;
	}
	printf("holding\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	struct hv_ioc_query q;
	bool holding = false;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--hold")) {
			holding = true;
		} else if (i + 1 < argc && !strcmp(argv[i], "--ram")) {
			ram = strtoull(argv[++i], NULL, 0);
		} else if (i + 1 < argc && !strcmp(argv[i], "--size")) {
			ram_size = strtoull(argv[++i], NULL, 0);
		} else if (i + 1 < argc && !strcmp(argv[i], "--gicd")) {
			gicd = strtoull(argv[++i], NULL, 0);
		} else {
			fprintf(stderr, "usage: ioctl_probe [--hold] [--ram ADDR] [--size BYTES] "
					"[--gicd ADDR]\n");
			return 2;
		}
	}
	page = (size_t)sysconf(_SC_PAGESIZE);
	fd = open(HV_DEVICE_PATH, O_RDWR);
	if (fd < 0) {
		perror("ioctl_probe: " HV_DEVICE_PATH);
		return 1;
	}
	if (holding)
		return hold();
	q = query();
	ours = q.version;
	read_iomem();
	printf("# %s module; zone0's RAM 0x%llx to 0x%llx\n", ours ? "hvsh's" : "another",
	       (unsigned long long)own_start, (unsigned long long)own_end);
	if (ours)
		report(q.version == HV_QUERY_VERSION && q.features & HV_FEATURE_BRIDGE_STAYS,
		       "the query tells what the module can");
	expect_ours(call(HV_IOC_QUERY, nowhere()), EFAULT, "query to nowhere");
	test_questions();
	test_zones();
	test_load_refusals();
	test_map_refusals();
	test_bridge();
	test_resources();
#ifndef __loongarch__
	expect_ours(call(HV_IOC_CLEAR_IRQ, nowhere()), ENOTTY,
		    "clear irq, which only loongarch64 has");
#endif
	if (ram)
		test_load();
	if (gicd && ours)
		test_wakeup();
	printf("1..%d\n", count);
	return failed ? 1 : 0;
}
