// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network devices against hostile guests, without threads: two on a switch, or one on a
 * socket pair. The first bytes choose (see struct choice), the rest is the guests' memory, rings
 * included, 8 KiB for each of them (what is missing is zero), and then what the socket pair
 * receives.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "virtio/dev/net.h"

#define GUEST 8192
#define IPA UINT64_C(0x1000)
#define ENTRIES 16
#define TURNS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct choice {
	uint32_t features[2]; /* of device a and b: bits of `bits` */
	uint8_t flags;	      /* 1 = socket pair; 2, 4 = multi-queue on a, b; 8 = limited */
} __attribute__((packed));

static const uint8_t bits[] = {
	VIRTIO_NET_F_CSUM,
	VIRTIO_NET_F_GUEST_CSUM,
	VIRTIO_NET_F_GUEST_TSO4,
	VIRTIO_NET_F_GUEST_TSO6,
	VIRTIO_NET_F_GUEST_ECN,
	VIRTIO_NET_F_HOST_TSO4,
	VIRTIO_NET_F_HOST_TSO6,
	VIRTIO_NET_F_HOST_ECN,
	VIRTIO_NET_F_MRG_RXBUF,
	VIRTIO_NET_F_STATUS,
	VIRTIO_NET_F_CTRL_VQ,
	VIRTIO_NET_F_CTRL_RX,
	VIRTIO_NET_F_CTRL_MAC_ADDR,
	VIRTIO_NET_F_GUEST_ANNOUNCE,
	VIRTIO_NET_F_MQ,
	HV_NET_F_GUEST_USO4,
	HV_NET_F_GUEST_USO6,
	HV_NET_F_HOST_USO,
	HV_F_INDIRECT_DESC,
	HV_F_EVENT_IDX,
};

struct guest {
	struct hv_vdev dev;
	struct hv_gmem mem;
	struct hv_vbus bus;
	_Alignas(16) uint8_t ram[GUEST];
};

static void no_interrupt(const struct hv_vbus *bus, uint32_t irq)
{
	(void)bus;
	(void)irq;
}

static void no_release(const struct hv_vbus *bus, unsigned int cpu)
{
	(void)bus;
	(void)cpu;
}

static void no_log(enum hv_log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

static struct guest *begin(const struct hv_net_opts *opts, uint32_t choice, bool mq,
			   const uint8_t **data, size_t *size)
{
	struct guest *g = aligned_alloc(64, (sizeof(*g) + 63) & ~(size_t)63);
	size_t n = *size < GUEST ? *size : GUEST;

	if (!g)
		abort();
	memset(g, 0, sizeof(*g));
	if (n)
		memcpy(g->ram, *data, n);
	*data += n;
	*size -= n;
	if (hv_net_init(&g->dev, "fuzz/net", opts, NULL) ||
	    hv_gmem_add(&g->mem, IPA, GUEST, g->ram, NULL))
		abort();
	g->bus = (struct hv_vbus){
		.mem = &g->mem, .zone = "fuzz", .interrupt = no_interrupt, .release = no_release
	};
	g->dev.bus = &g->bus;
	g->dev.status = VIRTIO_CONFIG_S_DRIVER_OK;
	g->dev.features = HV_FEATURE(HV_F_VERSION_1);
	for (size_t i = 0; i < sizeof(bits); i++)
		if (choice >> i & 1)
			g->dev.features |= HV_FEATURE(bits[i]);
	if (!mq)
		g->dev.features &= ~HV_FEATURE(VIRTIO_NET_F_MQ);
	for (unsigned int i = 0; i < g->dev.n_queues; i++) {
		uint64_t at = IPA + 640u * i;

		if (hv_queue_start(&g->dev.queues[i].ring, &g->mem, ENTRIES, at, at + 256, at + 320,
				   g->dev.features, 0, NULL))
			abort();
	}
	for (unsigned int i = 0; i < g->dev.n_workers; i++)
		if (g->dev.ops->start(&g->dev, &g->dev.workers[i], NULL))
			abort();
	return g;
}

static void turn(struct guest *g)
{
	for (unsigned int i = 0; i < g->dev.n_workers; i++)
		g->dev.ops->work(&g->dev, &g->dev.workers[i]);
}

static void end(struct guest *g)
{
	g->dev.resetting = true;
	for (unsigned int i = 0; i < g->dev.n_workers; i++)
		g->dev.ops->stop(&g->dev, &g->dev.workers[i]);
	for (unsigned int i = 0; i < g->dev.n_queues; i++)
		hv_queue_stop(&g->dev.queues[i].ring);
	hv_vdev_destroy(&g->dev);
	free(g);
}

static void limit(struct guest *g, bool on)
{
	if (on)
		hv_limit_set(&g->dev.limit, 100, 10000, 3, 0);
}

static void on_switch(const struct choice *c, const uint8_t *data, size_t size)
{
	struct hv_net_opts opts = { .has_mac = true, .mac = { 2, 0, 0, 0, 0, 1 } };
	struct guest *a, *b;

	if (hv_switch_new("s0", &opts.sw, NULL))
		abort();
	opts.pairs = c->flags & 2 ? 2 : 1;
	a = begin(&opts, c->features[0], c->flags & 2, &data, &size);
	opts.mac[5] = 2;
	opts.pairs = c->flags & 4 ? 2 : 1;
	b = begin(&opts, c->features[1], c->flags & 4, &data, &size);
	limit(a, c->flags & 8);
	for (int i = 0; i < TURNS; i++) {
		turn(a);
		turn(b);
	}
	end(a);
	end(b);
	hv_switch_put(opts.sw);
}

static void on_pair(const struct choice *c, const uint8_t *data, size_t size)
{
	static uint8_t sink[70000];
	struct guest *g;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		abort();
	g = begin(&(struct hv_net_opts){ .fds = fds, .n_fds = 1 }, c->features[0], false, &data,
		  &size);
	limit(g, c->flags & 8);
	for (int i = 0; i < TURNS; i++) {
		/* A length of 16 bits, and as many bytes. */
		if (size > 2) {
			size_t len = data[0] | (size_t)data[1] << 8;

			if (len > size - 2)
				len = size - 2;
			(void)!write(fds[1], data + 2, len);
			data += 2 + len;
			size -= 2 + len;
		}
		turn(g);
		while (read(fds[1], sink, sizeof(sink)) >= 0)
			;
	}
	end(g);
	close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choice c;

	if (size < sizeof(c))
		return 0;
	hv_log_set_sink(no_log, NULL);
	memcpy(&c, data, sizeof(c));
	if (c.flags & 1)
		on_pair(&c, data + sizeof(c), size - sizeof(c));
	else
		on_switch(&c, data + sizeof(c), size - sizeof(c));
	return 0;
}
