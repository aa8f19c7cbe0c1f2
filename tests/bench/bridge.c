// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The bridge on the simulated hypervisor: what a register access costs when the service is awake,
 * the first one after a pause against a plain eventfd between two threads, what eight idle devices
 * cost, and what a zone feels of another that floods the ring. A line each, with its goal.
 */
#include <linux/virtio_mmio.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/size.h"
#include "guest/guest.h"
#include "hypervisor/sim.h"
#include "virtio/dev/rng.h"
#include "virtio/service.h"

#define DEVICES 8
#define RAM UINT64_C(0x50000000)
#define WINDOWS UINT64_C(0xa000000)
#define SLOT(n) (WINDOWS + 0x200 * (uint64_t)(n))

#define WARM 200000
#define COLD 60
#define FLOODED 20000
#define IDLE_SECONDS 5

static struct hv_hyp *hyp;
static struct hv_bridge_page *page;
static struct hv_guests *guests;
static struct hv_service *svc;
static struct hv_guest *guest;
static struct hv_vdev devices[DEVICES];
static struct hv_err err;

static void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "bridge: %s\n", err.msg);
	exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double us(uint64_t *ns, size_t n, double part)
{
	qsort(ns, n, sizeof(ns[0]), by_value);
	return (double)ns[(size_t)((double)(n - 1) * part)] / 1e3;
}

static void line(const char *what, const char *value, const char *goal)
{
	printf("%-58s %12s   goal %s\n", what, value, goal);
	fflush(stdout);
}

/* A zone's CPU is never one of zone0's: the service gets one, the guest another. */
static void use_cpu(int i)
{
	static cpu_set_t all;
	cpu_set_t one;

	if (!CPU_COUNT(&all))
		sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && i-- == 0)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one))
		sched_setaffinity(0, sizeof(one), &one);
}

static void start_zone(unsigned int id)
{
	uint64_t ram = RAM + id * 32 * HV_MIB;
	struct hv_abi_zone zone = {
		.id = id,
		.cpus = UINT64_C(1) << id,
		.n_regions = 2,
		.regions = { { HV_REGION_RAM, ram, ram, 16 * HV_MIB },
			     { HV_REGION_VIRTIO, WINDOWS, WINDOWS, 0x4000 } },
		.entry = ram,
		.arm64 = { .gic_version = 3, .gicd_base = 0x8000000, .gicd_size = 0x10000 },
	};
	struct hv_vzone_ram range = { ram, ram, 16 * HV_MIB };
	struct hv_vzone *vzone;

	snprintf(zone.name, sizeof(zone.name), "zone%u", id);
	must(hv_service_add_zone(svc, id, zone.name, zone.cpus, &range, 1, &vzone, &err));
	must(hv_hyp_zone_start(hyp, &zone, &err));
	for (unsigned int i = 0; i < DEVICES / 2; i++) {
		struct hv_vdev *dev = &devices[(id - 1) * DEVICES / 2 + i];
		struct hv_origin origin = { 0 };

		must(hv_rng_init(dev, "bench/rng", &origin, &err));
		must(hv_service_attach(svc, vzone, dev, SLOT(i), 0x200, 48 + i, &err));
	}
}

static void start(void)
{
	static const struct hv_sim_ram ram = { UINT64_C(0x40000000), HV_GIB };
	struct hv_sim_opts sim = { .arch = HV_ARCH_ARM64,
				   .layout = HV_LAYOUT_6,
				   .n_cpus = 32,
				   .root_cpus = 1,
				   .ram = &ram,
				   .n_ram = 1 };

	must(hv_hyp_open_sim(&sim, &hyp, &err));
	must(hv_guests_new(hyp, &(struct hv_guests_opts){ .manual = true }, &guests, &err));
	must(hv_service_new(hyp, &(struct hv_service_opts){ 0 }, &svc, &err));
	must(hv_hyp_bridge(hyp, &page, &err));
	start_zone(1);
	start_zone(2);
	guest = hv_guest_get(guests, 1);
}

static void stop(void)
{
	hv_guest_put(guest);
	hv_service_free(svc);
	for (unsigned int i = 0; i < DEVICES; i++)
		hv_vdev_destroy(&devices[i]);
	hv_guests_free(guests);
	hv_hyp_close(hyp);
}

static uint64_t read_once(void)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);

	hv_guest_read32(guest, 0, SLOT(0));
	return clock_ns(CLOCK_MONOTONIC) - start_ns;
}

static void warm(void)
{
	uint64_t *ns = calloc(WARM, sizeof(*ns));
	char what[80], value[32];

	for (int i = 0; i < WARM; i++)
		ns[i] = read_once();
	snprintf(what, sizeof(what), "register, service awake: p99  (p50 %.2f us)",
		 us(ns, WARM, 0.5));
	snprintf(value, sizeof(value), "%.2f us", us(ns, WARM, 0.99));
	line(what, value, "<= 1 us");
	free(ns);
}

/* The plainest thing that could answer: a thread that sleeps on an eventfd, and a word in memory.
 */
static int raw_fd;
static _Atomic uint64_t raw_flag;
static _Atomic bool raw_end;

static void *raw_answer(void *arg)
{
	struct pollfd fd = { .fd = raw_fd, .events = POLLIN };
	uint64_t value;

	(void)arg;
	while (!atomic_load(&raw_end)) {
		poll(&fd, 1, -1);
		atomic_fetch_add(&raw_flag, 1);
		(void)!read(raw_fd, &value, sizeof(value));
	}
	return NULL;
}

static uint64_t raw_once(void)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), seen = atomic_load(&raw_flag), one = 1;

	(void)!write(raw_fd, &one, sizeof(one));
	while (atomic_load(&raw_flag) == seen)
		;
	return clock_ns(CLOCK_MONOTONIC) - start_ns;
}

static uint64_t others_cpu(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) - clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void rest(long ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

static void cold(void)
{
	uint64_t ours[COLD], raw[COLD], burnt[COLD];
	char what[80], value[32];
	uint64_t idle_cpu;
	pthread_t thread;

	raw_fd = eventfd(0, EFD_CLOEXEC);
	use_cpu(0);
	pthread_create(&thread, NULL, raw_answer, NULL);
	use_cpu(1);
	/* What the service uses of the CPU by itself in such a pause. */
	idle_cpu = others_cpu();
	rest(1000);
	idle_cpu = (others_cpu() - idle_cpu) / 20;
	for (int i = 0; i < COLD; i++) {
		uint64_t before;

		rest(50);
		raw[i] = raw_once();
		rest(50);
		before = others_cpu();
		ours[i] = read_once();
		/* It polls on for a while. */
		rest(50);
		burnt[i] = others_cpu() - before;
		burnt[i] -= burnt[i] > idle_cpu ? idle_cpu : burnt[i];
	}
	atomic_store(&raw_end, true);
	raw_once();
	pthread_join(thread, NULL);
	close(raw_fd);
	snprintf(what, sizeof(what),
		 "register after a pause / eventfd round trip  (%.0f / %.0f us)",
		 us(ours, COLD, 0.5), us(raw, COLD, 0.5));
	snprintf(value, sizeof(value), "%.2f", us(ours, COLD, 0.5) / us(raw, COLD, 0.5));
	line(what, value, "<= 1.5");
	snprintf(value, sizeof(value), "%.3f ms", us(burnt, COLD, 0.5) / 1e3);
	line("CPU time the service spends on it", value, "<= 0.1 ms");
}

static unsigned long switches(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned long sum = 0, n;
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char path[300], text[256];
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/status", e->d_name);
		f = *e->d_name == '.' ? NULL : fopen(path, "r");
		while (f && fgets(text, sizeof(text), f))
			if (sscanf(text, "voluntary_ctxt_switches: %lu", &n) == 1)
				sum += n;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static void idle(void)
{
	unsigned long before;
	uint64_t cpu;
	char value[32];

	rest(200);
	before = switches();
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	rest(IDLE_SECONDS * 1000);
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	/* One of them is ours. */
	snprintf(value, sizeof(value), "%.1f /s", (double)(switches() - before - 1) / IDLE_SECONDS);
	line("eight idle devices: wake-ups", value, "<= 20 /s");
	snprintf(value, sizeof(value), "%.3f %%", (double)cpu / IDLE_SECONDS / 1e7);
	line("eight idle devices: CPU", value, "<= 0.1 %");
}

static void push(struct hv_bridge_req req)
{
	uint32_t rear = page->req_rear;

	while ((rear + 1) % HV_BRIDGE_SLOTS == __atomic_load_n(&page->req_front, __ATOMIC_ACQUIRE))
		;
	page->req[rear] = req;
	__atomic_store_n(&page->req_rear, (rear + 1) % HV_BRIDGE_SLOTS, __ATOMIC_RELEASE);
}

/*
 * Zone 2 has put 22 kicks and the registers of 8 CPUs into the ring when zone 1 comes. One thread
 * makes them all, so that what is measured is the queue and not who else wants this machine's CPUs.
 */
static void flood(bool with, uint64_t *ns)
{
	uint64_t sent = 0, start_flag = page->cfg_flags[10];

	for (int i = 0; i < FLOODED; i++) {
		/* The CPUs of zone 2 wait for their answers, as they would. */
		while (__atomic_load_n(&page->cfg_flags[17], __ATOMIC_ACQUIRE) - start_flag < sent)
			;
		for (unsigned int k = 0; with && k < 22; k++)
			push((struct hv_bridge_req){ .src_cpu = 18,
						     .address =
							     SLOT(k % 4) + VIRTIO_MMIO_QUEUE_NOTIFY,
						     .size = 4,
						     .src_zone = 2,
						     .is_write = 1,
						     .need_interrupt = 1 });
		for (unsigned int cpu = 10; with && cpu < 18; cpu++)
			push((struct hv_bridge_req){ .src_cpu = cpu,
						     .address = SLOT(cpu % 4),
						     .size = 4,
						     .src_zone = 2 });
		sent += with;
		ns[i] = read_once();
	}
}

static void fair(void)
{
	uint64_t *alone = calloc(FLOODED, sizeof(*alone)),
		 *flooded = calloc(FLOODED, sizeof(*flooded));
	char what[80], value[32];
	double a, f;

	flood(false, alone);
	flood(true, flooded);
	a = us(alone, FLOODED, 0.99);
	f = us(flooded, FLOODED, 0.99);
	snprintf(what, sizeof(what),
		 "register p99, ring full of another zone / alone  (%.2f / %.2f us)", f, a);
	snprintf(value, sizeof(value), "%.2f", f / a);
	line(what, value, "<= 3");
	free(alone);
	free(flooded);
}

int main(void)
{
	use_cpu(0);
	start();
	use_cpu(1);
	warm();
	cold();
	idle();
	fair();
	stop();
	return 0;
}
