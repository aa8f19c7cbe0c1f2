// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blk [DIR [SECONDS [ONLY]]]: 4 KiB requests of a simulated guest to a disk, against fio with
 * io_uring on the same file, in turn, medians of three. The guest is a driver as Linux's is:
 * indirect chains, event index, interrupts handled in batches; it has one CPU, the disk's worker
 * another.
 */
#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/perf_event.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "virtio/barrier.h"
#include "virtio/dev/blk.h"

#define FILE_BYTES (UINT64_C(1) << 30)
#define BLOCK 4096u
#define RING 256u
#define RAM UINT64_C(0x80000000)
#define RAM_BYTES (16u << 20)
#define ROUNDS 3
#define SAMPLES 2000000

struct figures {
	double iops, p50, p99; /* µs */
	double cpu, interrupts,
		calls; /* µs per request; per 1000 requests; calls < 0: not countable */
};

struct slot {
	struct virtio_blk_outhdr header;
	uint8_t status;
	struct vring_desc table[3];
	uint64_t begun;
} __attribute__((aligned(64)));

static struct {
	struct hv_vdev dev;
	struct hv_gmem mem;
	struct hv_vbus bus;
	uint8_t *ram;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	struct slot *slot;
	uint8_t *data;
	uint16_t avail_idx, shown, used_seen;
	_Atomic bool irq;
} g;

static uint32_t *samples;
static unsigned int n_samples;
static double seconds = 1.0;
static const char *only; /* "read QD32 uncached": nothing else */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(thread, sizeof(set), &set);
}

static void interrupt(const struct hv_vbus *bus, uint32_t irq)
{
	(void)bus;
	(void)irq;
	atomic_store_explicit(&g.irq, true, memory_order_release);
}

static void release(const struct hv_vbus *bus, unsigned int cpu)
{
	(void)bus;
	(void)cpu;
}

static uint64_t ipa(const void *at)
{
	return RAM + (uint64_t)((const uint8_t *)at - g.ram);
}

static void reg(uint64_t off, uint64_t value)
{
	hv_vdev_write(&g.dev, off, 4, (uint32_t)value, 0);
}

static void plug(const char *path)
{
	const uint64_t features = HV_FEATURE(HV_F_VERSION_1) | HV_FEATURE(HV_F_INDIRECT_DESC) |
				  HV_FEATURE(HV_F_EVENT_IDX) | HV_FEATURE(VIRTIO_BLK_F_FLUSH);
	struct hv_blk_opts opts = { .image = path };
	struct hv_err err = { 0 };
	uint8_t *at;

	memset(&g, 0, sizeof(g));
	g.ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (g.ram == MAP_FAILED || hv_gmem_add(&g.mem, RAM, RAM_BYTES, g.ram, &err))
		die("guest memory");
	at = g.ram;
	g.desc = (void *)at;
	g.avail = (void *)(at + 0x4000);
	g.used = (void *)(at + 0x8000);
	g.slot = (void *)(at + 0x10000);
	g.data = at + (1u << 20);
	g.bus = (struct hv_vbus){ &g.mem, "bench", interrupt, release, NULL };
	if (hv_blk_init(&g.dev, "bench/disk", &opts, &err) ||
	    hv_vdev_attach(&g.dev, &g.bus, 0xa000000, 0x200, 1, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	pin(pthread_self(), 0);
	pin(g.dev.workers[0].thread, 1);
	reg(VIRTIO_MMIO_STATUS, 3);
	reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	reg(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	reg(VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	reg(VIRTIO_MMIO_STATUS, 11);
	reg(VIRTIO_MMIO_QUEUE_SEL, 0);
	reg(VIRTIO_MMIO_QUEUE_NUM, RING);
	reg(VIRTIO_MMIO_QUEUE_DESC_LOW, ipa(g.desc));
	reg(VIRTIO_MMIO_QUEUE_AVAIL_LOW, ipa(g.avail));
	reg(VIRTIO_MMIO_QUEUE_USED_LOW, ipa(g.used));
	reg(VIRTIO_MMIO_QUEUE_READY, 1);
	reg(VIRTIO_MMIO_STATUS, 15);
}

static void unplug(void)
{
	hv_vdev_detach(&g.dev);
	hv_vdev_destroy(&g.dev);
	munmap(g.ram, RAM_BYTES);
}

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static void add(unsigned int i, bool write)
{
	struct slot *s = &g.slot[i];

	s->header.type = htole32(write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN);
	s->header.sector = htole64(next_random() % (FILE_BYTES / BLOCK) * (BLOCK / 512));
	s->status = 0xee;
	s->table[0] =
		(struct vring_desc){ ipa(&s->header), sizeof(s->header), VRING_DESC_F_NEXT, 1 };
	s->table[1] = (struct vring_desc){
		ipa(g.data + i * BLOCK), BLOCK,
		(uint16_t)(VRING_DESC_F_NEXT | (write ? 0 : VRING_DESC_F_WRITE)), 2
	};
	s->table[2] = (struct vring_desc){ ipa(&s->status), 1, VRING_DESC_F_WRITE, 0 };
	g.desc[i] =
		(struct vring_desc){ ipa(s->table), sizeof(s->table), VRING_DESC_F_INDIRECT, 0 };
	g.avail->ring[g.avail_idx++ % RING] = (uint16_t)i;
	s->begun = hv_now();
}

static void kick(void)
{
	uint16_t event, before = g.shown;

	__atomic_store_n(&g.avail->idx, g.avail_idx, __ATOMIC_RELEASE);
	g.shown = g.avail_idx;
	hv_full_barrier();
	event = __atomic_load_n((uint16_t *)&g.used->ring[RING], __ATOMIC_RELAXED);
	if ((uint16_t)(g.shown - event - 1) < (uint16_t)(g.shown - before))
		reg(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/* An interrupt: acknowledge, take everything, ask for the next one; again while there is more. */
static unsigned int handle(unsigned int *heads)
{
	unsigned int n = 0;

	atomic_store_explicit(&g.irq, false, memory_order_relaxed);
	reg(VIRTIO_MMIO_INTERRUPT_ACK, hv_vdev_read(&g.dev, VIRTIO_MMIO_INTERRUPT_STATUS, 4));
	do {
		while (g.used_seen != __atomic_load_n(&g.used->idx, __ATOMIC_ACQUIRE)) {
			unsigned int i = g.used->ring[g.used_seen++ % RING].id;

			if (g.slot[i].status) {
				fprintf(stderr, "a request failed with status %u\n",
					g.slot[i].status);
				exit(1);
			}
			heads[n++] = i;
		}
		__atomic_store_n(&g.avail->ring[RING], g.used_seen, __ATOMIC_RELAXED);
		hv_full_barrier();
	} while (n < RING && g.used_seen != __atomic_load_n(&g.used->idx, __ATOMIC_ACQUIRE));
	return n;
}

static double thread_cpu(pthread_t thread)
{
	struct timespec t = { 0 };
	clockid_t clock;

	if (!pthread_getcpuclockid(thread, &clock))
		clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Counts the system calls of the worker from now on; -1 where the kernel's tracepoints are not to
 * be had. */
static int count_calls(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	char path[64], name[32];
	struct dirent *entry;
	pid_t tid = 0;
	DIR *tasks;
	FILE *f = fopen("/sys/kernel/tracing/events/raw_syscalls/sys_enter/id", "re");
	unsigned long long id = 0;

	if (!f)
		return -1;
	if (fscanf(f, "%llu", &id) == 1)
		attr.config = id;
	fclose(f);
	if (pthread_getname_np(g.dev.workers[0].thread, name, sizeof(name)))
		return -1;
	tasks = opendir("/proc/self/task");
	while (id && tasks && (entry = readdir(tasks)) != NULL) {
		char comm[32] = "";

		snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", entry->d_name);
		f = fopen(path, "re");
		if (f && fgets(comm, sizeof(comm), f))
			comm[strcspn(comm, "\n")] = '\0';
		if (f)
			fclose(f);
		if (!strcmp(comm, name))
			tid = atoi(entry->d_name);
	}
	if (tasks)
		closedir(tasks);
	return tid ? (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC)
		   : -1;
}

static struct figures drive(unsigned int depth, bool write)
{
	uint64_t begun = hv_now(), end = begun + (uint64_t)(seconds * 1e9), now = begun, done = 0;
	uint64_t irqs = atomic_load(&g.dev.stats.interrupts), calls = 0;
	int counter = count_calls();
	double cpu = thread_cpu(g.dev.workers[0].thread);
	unsigned int heads[RING], left = depth;
	struct figures f;

	n_samples = 0;
	for (unsigned int i = 0; i < depth; i++)
		add(i, write);
	kick();
	while (left) {
		unsigned int n;

		while (!atomic_load_explicit(&g.irq, memory_order_acquire))
			hv_cpu_relax();
		n = handle(heads);
		now = hv_now();
		for (unsigned int i = 0; i < n; i++) {
			if (n_samples < SAMPLES)
				samples[n_samples++] = (uint32_t)(now - g.slot[heads[i]].begun);
			if (now < end)
				add(heads[i], write);
			else
				left--;
		}
		done += n;
		kick();
	}
	qsort(samples, n_samples, sizeof(*samples), by_value);
	f.iops = (double)done / ((double)(now - begun) / 1e9);
	f.p50 = samples[n_samples / 2] / 1e3;
	f.p99 = samples[n_samples * 99 / 100] / 1e3;
	f.cpu = (thread_cpu(g.dev.workers[0].thread) - cpu) * 1e6 / (double)done;
	f.interrupts = (double)(atomic_load(&g.dev.stats.interrupts) - irqs) * 1e3 / (double)done;
	f.calls = -1;
	if (counter >= 0) {
		if (read(counter, &calls, sizeof(calls)) == sizeof(calls))
			f.calls = (double)calls * 1e3 / (double)done;
		close(counter);
	}
	return f;
}

/* What the kernel takes for the same work and nothing else: µs of CPU per system call. */
static double bare(const char *path, bool write)
{
	const unsigned int n = 200000;
	struct iovec iov = { g.data, BLOCK };
	int fd = open(path, O_RDWR | O_CLOEXEC);
	double cpu = thread_cpu(pthread_self());

	if (fd < 0)
		die(path);
	for (unsigned int i = 0; i < n; i++) {
		off_t off = (off_t)(next_random() % (FILE_BYTES / BLOCK) * BLOCK);

		/* Different memory each time, as a guest's buffers are. */
		iov.iov_base = g.data + i % RING * BLOCK;
		if ((write ? pwritev2(fd, &iov, 1, off, 0)
			   : preadv2(fd, &iov, 1, off, RWF_NOWAIT)) < 0 &&
		    errno != EAGAIN)
			die(path);
	}
	close(fd);
	return (thread_cpu(pthread_self()) - cpu) * 1e6 / n;
}

static double number_after(const char *text, const char *section, const char *key)
{
	const char *at = strstr(text, section);

	at = at ? strstr(at, key) : NULL;
	at = at ? strchr(at + strlen(key), ':') : NULL;
	return at ? strtod(at + 1, NULL) : 0;
}

static struct figures fio(const char *path, unsigned int depth, bool write, bool cached)
{
	static char out[1 << 20];
	const char *section = write ? "\"write\" :" : "\"read\" :";
	char command[512];
	struct figures f = { 0 };
	const char *lat;
	size_t n;
	FILE *p;

	snprintf(
		command, sizeof(command),
		"fio --name=x --filename='%s' --ioengine=io_uring --rw=rand%s --bs=4k --iodepth=%u "
		"--time_based --runtime=%gs --size=%llu --invalidate=%d --output-format=json "
		"--randrepeat=0 --norandommap --clat_percentiles=0 --lat_percentiles=1 2>/dev/null",
		path, write ? "write" : "read", depth, seconds, (unsigned long long)FILE_BYTES,
		!cached);
	p = popen(command, "re");
	if (!p)
		die("fio");
	n = fread(out, 1, sizeof(out) - 1, p);
	out[n] = '\0';
	if (pclose(p) || !n) {
		fprintf(stderr, "fio did not run\n");
		exit(1);
	}
	f.iops = number_after(out, section, "\"iops\"");
	/* Percent of the run, thread start and all. */
	f.cpu = (number_after(out, section, "\"usr_cpu\"") +
		 number_after(out, section, "\"sys_cpu\"")) *
		1e4 / f.iops;
	/* From submission on, as ours: what io_uring finds in the cache it copies before it
	 * returns. */
	lat = strstr(out, section);
	lat = lat ? strstr(lat, "\"lat_ns\"") : NULL;
	if (lat) {
		f.p50 = number_after(lat, "\"percentile\"", "\"50.000000\"") / 1e3;
		f.p99 = number_after(lat, "\"percentile\"", "\"99.000000\"") / 1e3;
	}
	return f;
}

static double middle(double a, double b, double c)
{
	return a > b ? (b > c ? b : a > c ? c : a) : (a > c ? a : b > c ? c : b);
}

#define MIDDLE(set, field) middle((set)[0].field, (set)[1].field, (set)[2].field)

static struct figures median(const struct figures *set)
{
	return (struct figures){ MIDDLE(set, iops), MIDDLE(set, p50),	     MIDDLE(set, p99),
				 MIDDLE(set, cpu),  MIDDLE(set, interrupts), MIDDLE(set, calls) };
}

static void forget_pages(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fdatasync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
		die(path);
	close(fd);
}

static void line(const char *what, double value, const char *goal)
{
	printf("%-58s %12.2f   goal %s\n", what, value, goal);
}

static void compare(const char *path, unsigned int depth, bool write, bool cached, const char *goal)
{
	struct figures ours[ROUNDS], theirs[ROUNDS], a, b;
	double calls[ROUNDS];
	char what[128];

	snprintf(what, sizeof(what), "%s QD%u%s", write ? "write" : "read", depth,
		 cached ? "" : " uncached");
	if (only && strcmp(only, what))
		return;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		theirs[i] = fio(path, depth, write, cached);
		if (!cached)
			forget_pages(path);
		plug(path);
		ours[i] = drive(depth, write);
		calls[i] = cached ? bare(path, write) : 0;
		unplug();
	}
	a = median(ours);
	b = median(theirs);
	snprintf(what, sizeof(what), "blk 4 KiB %s QD%u%s / fio  (%.0f / %.0f IOPS)",
		 write ? "write" : "read", depth, cached ? "" : " uncached", a.iops, b.iops);
	line(what, a.iops / b.iops, goal);
	snprintf(what, sizeof(what), "  p99 / fio's  (%.1f / %.1f us; p50 %.1f / %.1f)", a.p99,
		 b.p99, a.p50, b.p50);
	line(what, a.p99 / b.p99, "<= 2");
	if (cached)
		snprintf(what, sizeof(what),
			 "  CPU of the worker per request, us  (bare %s %.2f, fio %.2f)",
			 write ? "pwritev2" : "preadv2", middle(calls[0], calls[1], calls[2]),
			 b.cpu);
	else
		snprintf(what, sizeof(what), "  CPU of the worker per request, us  (fio %.2f)",
			 b.cpu);
	line(what, a.cpu, depth == 32 && cached ? "<= 1.3" : "-");
	if (depth == 32) {
		line("  interrupts per 1000 requests", a.interrupts, "<= 40");
		if (a.calls < 0)
			printf("  system calls: not countable here (needs root and "
			       "/sys/kernel/tracing)\n");
		else
			line("  system calls of the worker per 1000 requests", a.calls,
			     cached ? "-" : "<= 200");
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "/tmp";
	static uint8_t block[BLOCK];
	char path[256];
	int fd;

	if (argc > 2)
		seconds = strtod(argv[2], NULL);
	if (argc > 3)
		only = argv[3];
	samples = malloc(sizeof(*samples) * SAMPLES);
	snprintf(path, sizeof(path), "%s/hvsh-bench-blk.img", dir);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || !samples)
		die(path);
	memset(block, 0x5a, sizeof(block));
	/*
	 * Page by page, as a guest writes it: a file written in large pieces lies in large folios,
	 * and ext4 walks the whole folio's buffer heads for each 4 KiB written to it (Linux 6.18),
	 * which is all that would be measured then, of fio and of us.
	 */
	for (uint64_t off = 0; off < FILE_BYTES; off += sizeof(block))
		if (write(fd, block, sizeof(block)) != sizeof(block))
			die(path);
	fdatasync(fd);
	close(fd);
	compare(path, 1, false, true, ">= 0.7");
	compare(path, 32, false, true, ">= 1.0");
	compare(path, 128, false, true, ">= 1.1");
	compare(path, 1, true, true, ">= 0.7");
	compare(path, 32, true, true, ">= 1.0");
	compare(path, 128, true, true, ">= 1.1");
	compare(path, 32, false, false, ">= 0.9");
	unlink(path);
	return 0;
}
