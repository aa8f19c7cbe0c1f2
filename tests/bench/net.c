// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * net [SECONDS]: a simulated guest's network against raw reads and writes of the same kind of TAP,
 * in turn, medians of three. The guest is a driver as Linux's is: event index, mergeable buffers,
 * its ring looked at in batches; it has one CPU, the device's worker another. In a network
 * namespace of its own. On a machine with other work, run it by `chrt -r 1`: a ratio of two threads
 * to one suffers from company.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/barrier.h"
#include "virtio/dev/net.h"
#include "virtio/dev/tap.h"

#define RING 512u
#define RAM UINT64_C(0x80000000)
#define RAM_BYTES (48u << 20)
#define ROUNDS 3
#define HDR sizeof(struct virtio_net_hdr_v1)
#define RX_BUFFER 1536u
#define SMALL 64u
#define TSO_PAYLOAD 64000u
#define MOST 64u /* frames a packet socket is given at once */

static double seconds = 0.5;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static double now(void)
{
	return (double)hv_now() / 1e9;
}

/* ---- the guest */

struct ring {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	uint8_t *buffers;
	uint32_t size; /* of each */
	uint16_t idx, shown, seen;
};

struct guest {
	struct hv_vdev dev;
	struct hv_gmem mem;
	struct hv_vbus bus;
	uint8_t *ram;
	size_t used;
	struct ring rx, tx;
};

static void interrupt(const struct hv_vbus *bus, uint32_t irq)
{
	struct guest *g = bus->arg;

	(void)irq;
	/* Handled at once: a guest in its polling loop looks anyway. */
	atomic_store(&g->dev.interrupt_status, 0);
}

static void release(const struct hv_vbus *bus, unsigned int cpu)
{
	(void)bus;
	(void)cpu;
}

static void put(struct guest *g, uint64_t off, uint64_t value)
{
	hv_vdev_write(&g->dev, off, 4, value, 0);
}

static void *carve(struct guest *g, size_t size)
{
	void *at = g->ram + g->used;

	g->used += (size + 4095) & ~(size_t)4095;
	if (g->used > RAM_BYTES)
		abort();
	return at;
}

static uint64_t ipa(const struct guest *g, const void *at)
{
	return RAM + (uint64_t)((const uint8_t *)at - g->ram);
}

static void set_ring(struct guest *g, struct ring *r, uint32_t queue, uint32_t size)
{
	r->desc = carve(g, 16 * RING);
	r->avail = carve(g, 6 + 2 * RING);
	r->used = carve(g, 6 + 8 * RING);
	r->size = size;
	r->buffers = carve(g, (size_t)size * RING);
	r->idx = r->shown = r->seen = 0;
	put(g, VIRTIO_MMIO_QUEUE_SEL, queue);
	put(g, VIRTIO_MMIO_QUEUE_NUM, RING);
	put(g, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)ipa(g, r->desc));
	put(g, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)ipa(g, r->avail));
	put(g, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)ipa(g, r->used));
	put(g, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void begin(struct guest *g, const struct hv_net_opts *opts, uint64_t features,
		  uint32_t tx_size)
{
	struct hv_err err = { 0 };

	memset(g, 0, sizeof(*g));
	g->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (g->ram == MAP_FAILED)
		die("mmap");
	if (hv_net_init(&g->dev, "bench/net", opts, &err) ||
	    hv_gmem_add(&g->mem, RAM, RAM_BYTES, g->ram, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	g->bus = (struct hv_vbus){ .mem = &g->mem,
				   .zone = "bench",
				   .interrupt = interrupt,
				   .release = release,
				   .arg = g };
	pin(1);
	if (hv_vdev_attach(&g->dev, &g->bus, 0, 0x200, 1, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	pin(0);
	features |= HV_FEATURE(HV_F_VERSION_1) | HV_FEATURE(HV_F_EVENT_IDX);
	put(g, VIRTIO_MMIO_STATUS, 1);
	put(g, VIRTIO_MMIO_STATUS, 3);
	for (uint32_t i = 0; i < 2; i++) {
		put(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		put(g, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
	}
	put(g, VIRTIO_MMIO_STATUS, 11);
	if (hv_vdev_read(&g->dev, VIRTIO_MMIO_STATUS, 4) != 11)
		die("features");
	set_ring(g, &g->rx, 0, RX_BUFFER);
	set_ring(g, &g->tx, 1, tx_size);
	put(g, VIRTIO_MMIO_STATUS, 15);
}

static void end(struct guest *g)
{
	hv_vdev_detach(&g->dev);
	hv_vdev_destroy(&g->dev);
	munmap(g->ram, RAM_BYTES);
}

static void kick(struct guest *g, struct ring *r, uint32_t queue)
{
	uint16_t *event = (uint16_t *)((uint8_t *)r->used + 4 + 8 * RING), old = r->shown;

	if (r->idx == old)
		return;
	__atomic_store_n(&r->avail->idx, r->idx, __ATOMIC_RELEASE);
	r->shown = r->idx;
	hv_full_barrier();
	if ((uint16_t)(r->idx - __atomic_load_n(event, __ATOMIC_RELAXED) - 1) <
	    (uint16_t)(r->idx - old))
		put(g, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

/* Gives every free entry to the device. */
static void refill(struct guest *g, struct ring *r, uint32_t queue, uint32_t len, uint16_t flags)
{
	while ((uint16_t)(r->idx - r->seen) < RING) {
		uint16_t i = r->idx & (RING - 1);

		r->desc[i] = (struct vring_desc){ ipa(g, r->buffers) + (uint64_t)i * r->size, len,
						  flags, 0 };
		r->avail->ring[i] = i;
		r->idx++;
	}
	kick(g, r, queue);
}

/* Completed entries; frames counts those that begin one. The device completes in order, which we
 * use. */
static unsigned int reap(struct ring *r, bool receive, uint64_t *frames)
{
	uint16_t to = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	unsigned int n = (uint16_t)(to - r->seen);

	for (; r->seen != to; r->seen++) {
		const struct vring_used_elem *e = &r->used->ring[r->seen & (RING - 1)];

		if (!receive || ((volatile uint8_t *)r->buffers)[(size_t)e->id * r->size + 10])
			++*frames;
	}
	/* The next interrupt is wanted when half of what is out has been done. */
	r->avail->ring[RING] = (uint16_t)(r->seen + (receive ? 0 : RING / 2));
	return n;
}

static double transmit(struct guest *g, const void *frame, uint32_t len)
{
	uint64_t frames = 0;
	double from, to;

	for (uint32_t i = 0; i < RING; i++)
		memcpy(g->tx.buffers + (size_t)i * g->tx.size, frame, len);
	from = now();
	do {
		refill(g, &g->tx, 1, len, 0);
		while (!reap(&g->tx, false, &frames))
			hv_cpu_relax();
	} while ((to = now()) < from + seconds);
	return (double)frames / (to - from);
}

/* ---- the host */

static size_t small_frame(uint8_t *to)
{
	memset(to, 0, HDR + SMALL);
	memcpy(to + HDR, "\x02\0\0\0\0\x09\x02\0\0\0\0\x08\x88\xb5", 14);
	return HDR + SMALL;
}

static size_t tso_frame(uint8_t *to)
{
	struct virtio_net_hdr_v1 hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					 .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
					 .hdr_len = 54,
					 .gso_size = 1448,
					 .csum_start = 34,
					 .csum_offset = 16 };
	static const uint8_t headers[] = "\x02\0\0\0\0\x09\x02\0\0\0\0\x08\x08\0"
					 "\x45\0\xfa\x28\0\0\x40\0\x40\x06\0\0\x0a\0\0\1\x0a\0\0\2"
					 "\0\1\0\2\0\0\0\0\0\0\0\0\x50\x10\1\0\0\0\0\0";

	memcpy(to, &hdr, HDR);
	memcpy(to + HDR, headers, 54);
	memset(to + HDR + 54, 7, TSO_PAYLOAD);
	return HDR + 54 + TSO_PAYLOAD;
}

/* From as many buffers as the guest has: what is in the cache is the same for both. */
static double raw_transmit(const void *frame, size_t len, size_t stride)
{
	const struct hv_tap_opts opts = { .name = "tap0", .queues = 1 };
	struct hv_err err = { 0 };
	uint8_t *buffers = malloc(stride * RING);
	struct hv_tap tap;
	uint64_t frames = 0;
	double from, to;

	if (!buffers)
		die("malloc");
	for (uint32_t i = 0; i < RING; i++)
		memcpy(buffers + i * stride, frame, len);
	if (hv_tap_open(&opts, &tap, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	pin(1);
	from = now();
	do {
		for (int i = 0; i < 64; i++, frames++)
			if (write(tap.fd[0], buffers + frames % RING * stride, len) < 0)
				die("write to the TAP");
	} while ((to = now()) < from + seconds);
	pin(0);
	hv_tap_close(&tap);
	free(buffers);
	return (double)frames / (to - from);
}

/* Frames for whoever reads the TAP. */
struct offer {
	double rate; /* frames per second; 0 = as many as go */
	int fd;
	uint8_t frame[HDR + SMALL];
	struct iovec iov;
	struct mmsghdr msgs[MOST];
	uint64_t sent;
	double from;
	_Atomic bool stop;
};

static void offer_begin(struct offer *o, double rate)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex("tap0") };
	int one = 1;

	memset(o, 0, sizeof(*o));
	o->rate = rate;
	small_frame(o->frame);
	o->iov = (struct iovec){ o->frame + HDR, SMALL };
	for (unsigned int i = 0; i < MOST; i++)
		o->msgs[i].msg_hdr = (struct msghdr){ .msg_iov = &o->iov, .msg_iovlen = 1 };
	o->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (o->fd < 0 || bind(o->fd, (struct sockaddr *)&at, sizeof(at)))
		die("packet socket");
	setsockopt(o->fd, SOL_PACKET, 20 /* PACKET_QDISC_BYPASS */, &one, sizeof(one));
	o->from = now();
}

static void offer_some(struct offer *o)
{
	int done;

	if (o->rate > 0 && (double)o->sent > (now() - o->from) * o->rate)
		return;
	done = sendmmsg(o->fd, o->msgs, o->rate > 0 ? 16 : MOST, 0);
	/* With the TAP's queue full the kernel says so, and the frame is lost: it was offered. */
	o->sent += done > 0 ? (uint64_t)done : 1;
}

static double offer_end(struct offer *o)
{
	close(o->fd);
	return (double)o->sent / (now() - o->from);
}

static void *offer_thread(void *arg)
{
	struct offer *o = arg;

	pin(0);
	while (!atomic_load(&o->stop))
		offer_some(o);
	return NULL;
}

struct received {
	double rate, offered;
};

static struct received raw_receive(void)
{
	const struct hv_tap_opts opts = { .name = "tap0", .queues = 1 };
	static struct offer o;
	struct received r;
	uint8_t buffer[2048];
	struct hv_tap tap;
	uint64_t frames = 0;
	pthread_t thread;
	double from, to;

	if (hv_tap_open(&opts, &tap, NULL))
		die("tap0");
	offer_begin(&o, 0);
	pthread_create(&thread, NULL, offer_thread, &o);
	pin(1);
	from = now();
	do {
		for (int i = 0; i < 64; i++)
			if (read(tap.fd[0], buffer, sizeof(buffer)) > 0)
				frames++;
	} while ((to = now()) < from + seconds);
	atomic_store(&o.stop, true);
	pthread_join(thread, NULL);
	r = (struct received){ (double)frames / (to - from), offer_end(&o) };
	pin(0);
	hv_tap_close(&tap);
	return r;
}

/*
 * Guest and sender take turns on one CPU: a guest's CPUs are its own, so the sender's time slices
 * must not be what keeps it from its ring.
 */
static struct received receive(double rate)
{
	static struct offer o;
	struct received r;
	struct guest g;
	uint64_t frames = 0;
	double from, to;

	begin(&g, &(struct hv_net_opts){ .tap = "tap0" }, HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF), 128);
	refill(&g, &g.rx, 0, RX_BUFFER, VRING_DESC_F_WRITE);
	offer_begin(&o, rate);
	from = now();
	do {
		offer_some(&o);
		if (reap(&g.rx, true, &frames))
			refill(&g, &g.rx, 0, RX_BUFFER, VRING_DESC_F_WRITE);
	} while ((to = now()) < from + seconds);
	r = (struct received){ (double)frames / (to - from), offer_end(&o) };
	end(&g);
	return r;
}

/* ---- figures */

static int order(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), order);
	return v[ROUNDS / 2];
}

static void line(const char *what, double value, const char *goal)
{
	printf("%-58s %12.2f   goal %s\n", what, value, goal);
	fflush(stdout);
}

static void bench_transmit(bool tso)
{
	static uint8_t frame[70000];
	size_t len = tso ? tso_frame(frame) : small_frame(frame);
	uint64_t features =
		tso ? HV_FEATURE(VIRTIO_NET_F_CSUM) | HV_FEATURE(VIRTIO_NET_F_HOST_TSO4) : 0;
	uint32_t stride = tso ? 65536 : 128;
	double ours[ROUNDS], raw[ROUNDS], a, b;
	char text[100];

	for (int i = 0; i < ROUNDS; i++) {
		struct guest g;

		raw[i] = raw_transmit(frame, len, stride);
		begin(&g, &(struct hv_net_opts){ .tap = "tap0" }, features, stride);
		ours[i] = transmit(&g, frame, (uint32_t)len);
		end(&g);
	}
	a = median(ours);
	b = median(raw);
	if (tso)
		snprintf(text, sizeof(text), "net guest->TAP, TSO 64 KiB  (%.1f / %.1f GB/s)",
			 a * TSO_PAYLOAD / 1e9, b * TSO_PAYLOAD / 1e9);
	else
		snprintf(text, sizeof(text), "net guest->TAP, 64 bytes  (%.0f / %.0f k/s)", a / 1e3,
			 b / 1e3);
	line(text, a / b, tso ? ">= 0.7" : ">= 0.8");
}

static void bench_receive(void)
{
	double ours[ROUNDS], raw[ROUNDS], paced[ROUNDS], offered = 0, a, b, c;
	char text[100];

	for (int i = 0; i < ROUNDS; i++) {
		struct received r;

		raw[i] = raw_receive().rate;
		r = receive(0);
		ours[i] = r.rate;
		offered = r.offered;
		paced[i] = receive(200e3).rate;
	}
	a = median(ours);
	b = median(raw);
	c = median(paced);
	snprintf(text, sizeof(text), "net TAP->guest, %.0f k/s offered  (%.0f / %.0f k/s)",
		 offered / 1e3, a / 1e3, b / 1e3);
	line(text, a / b, ">= 0.6");
	snprintf(text, sizeof(text), "the same / at 200 k/s offered  (%.0f / %.0f k/s)", a / 1e3,
		 c / 1e3);
	line(text, a / c, ">= 1 (never collapsing)");
}

static void bench_switch(bool tso)
{
	static uint8_t frame[70000];
	size_t len = tso ? tso_frame(frame) : small_frame(frame);
	const uint64_t features = tso ? HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF) |
						  HV_FEATURE(VIRTIO_NET_F_CSUM) |
						  HV_FEATURE(VIRTIO_NET_F_HOST_TSO4) |
						  HV_FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
						  HV_FEATURE(VIRTIO_NET_F_GUEST_TSO4)
				      : HV_FEATURE(VIRTIO_NET_F_MRG_RXBUF);
	struct hv_net_opts opts = { .has_mac = true, .mac = { 2, 0, 0, 0, 0, 8 } };
	struct guest a, b;
	uint64_t frames = 0, out = 0;
	double from, to;
	char text[100];

	if (hv_switch_new("s0", &opts.sw, NULL))
		die("switch");
	begin(&a, &opts, features, tso ? 65536 : 128);
	opts.mac[5] = 9;
	begin(&b, &opts, features, 128);
	hv_switch_put(opts.sw);
	for (uint32_t i = 0; i < RING; i++)
		memcpy(a.tx.buffers + (size_t)i * a.tx.size, frame, len);
	from = now();
	do {
		refill(&b, &b.rx, 0, RX_BUFFER, VRING_DESC_F_WRITE);
		refill(&a, &a.tx, 1, (uint32_t)len, 0);
		reap(&b.rx, !tso, &frames);
		reap(&a.tx, false, &out);
	} while ((to = now()) < from + seconds);
	if (tso) {
		snprintf(text, sizeof(text), "net zone->zone, TSO 64 KiB, GB/s");
		line(text, (double)b.dev.stats.read_bytes / (to - from) / 1e9, "none");
	} else {
		snprintf(text, sizeof(text), "net zone->zone, 64 bytes, k/s");
		line(text, (double)frames / (to - from) / 1e3, "none");
	}
	end(&a);
	end(&b);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = atof(argv[1]);
	pin(0);
	bench_switch(false);
	bench_switch(true);
	if (unshare(CLONE_NEWNET) || access("/dev/net/tun", R_OK | W_OK)) {
		printf("net to and from a TAP: not measured, it needs root and /dev/net/tun\n");
		return 0;
	}
	bench_transmit(false);
	bench_transmit(true);
	bench_receive();
	return 0;
}
