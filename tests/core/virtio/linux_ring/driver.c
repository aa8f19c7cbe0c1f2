// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A driver on Linux's virtio_ring.c, compiled against the headers in Linux's tools/virtio. It sends
 * requests of all shapes to a device that echoes them and looks at every byte that comes back.
 */
#include <linux/virtio.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_config.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uio.h>
#include <uapi/linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "ring.h"

/* Linux's user space copy of the header leaves these two out. */
bool virtqueue_poll(struct virtqueue *vq, unsigned int last_used_idx);
unsigned int virtqueue_enable_cb_prepare(struct virtqueue *vq);

/* What tools/virtio wants of its user. */
void *__kmalloc_fake, *__kfree_ignore_start, *__kfree_ignore_end;

#define MAX_PIECES 6
#define MAX_BYTES 9000
#define IN_FLIGHT 64

struct request {
	bool busy;
	unsigned int out_len, in_len;
	unsigned char out[MAX_BYTES], in[MAX_BYTES];
	struct scatterlist sg[2][MAX_PIECES];
};

static struct virtio_device vdev;
static struct virtqueue *queue;
static void *ring;
static struct request requests[IN_FLIGHT];
static unsigned int seed, bad, in_flight;

static unsigned int any(unsigned int below)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 12) % below;
}

static void complain(const char *what)
{
	if (bad++ < 10)
		fprintf(stderr, "%s\n", what);
}

static bool notify(struct virtqueue *vq)
{
	machine_write(VIRTIO_MMIO_QUEUE_NOTIFY, vq->index);
	return true;
}

static bool called;

static void callback(struct virtqueue *vq)
{
	(void)vq;
	called = true;
}

static void write64(unsigned int reg, const void *at)
{
	machine_write(reg, (u32)(unsigned long)at);
	machine_write(reg + 4, (u32)((unsigned long)at >> 32));
}

static void begin_life(unsigned int flags)
{
	u32 status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;
	struct vring layout;
	unsigned int num;

	memset(&vdev, 0, sizeof(vdev));
	INIT_LIST_HEAD(&vdev.vqs);
	spin_lock_init(&vdev.vqs_list_lock);
	__virtio_set_bit(&vdev, VIRTIO_F_VERSION_1);
	if (flags & RUN_INDIRECT)
		__virtio_set_bit(&vdev, VIRTIO_RING_F_INDIRECT_DESC);
	if (flags & RUN_EVENT_IDX)
		__virtio_set_bit(&vdev, VIRTIO_RING_F_EVENT_IDX);
	machine_write(VIRTIO_MMIO_STATUS, status);
	for (u32 i = 0; i < 2; i++) {
		machine_write(VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		machine_write(VIRTIO_MMIO_DRIVER_FEATURES, (u32)(vdev.features >> 32 * i));
	}
	machine_write(VIRTIO_MMIO_STATUS, status |= VIRTIO_CONFIG_S_FEATURES_OK);
	if (machine_read(VIRTIO_MMIO_STATUS) != status)
		complain("the device refuses the features");
	machine_write(VIRTIO_MMIO_QUEUE_SEL, 0);
	num = machine_read(VIRTIO_MMIO_QUEUE_NUM_MAX);
	if (posix_memalign(&ring, 4096, vring_size(num, 4096)))
		abort();
	memset(ring, 0, vring_size(num, 4096));
	queue = vring_new_virtqueue(0, num, 4096, &vdev, true, false, ring, notify, callback,
				    "echo");
	if (!queue)
		abort();
	vring_init(&layout, num, ring, 4096);
	machine_write(VIRTIO_MMIO_QUEUE_NUM, num);
	write64(VIRTIO_MMIO_QUEUE_DESC_LOW, layout.desc);
	write64(VIRTIO_MMIO_QUEUE_AVAIL_LOW, layout.avail);
	write64(VIRTIO_MMIO_QUEUE_USED_LOW, layout.used);
	machine_write(VIRTIO_MMIO_QUEUE_READY, 1);
	machine_write(VIRTIO_MMIO_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK);
}

static void end_life(void)
{
	struct request *r;

	machine_write(VIRTIO_MMIO_STATUS, 0);
	if (machine_read(VIRTIO_MMIO_STATUS))
		complain("the status after a reset is not 0");
	/* From here on the device must not touch anything that was its own. */
	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		memset(requests[i].in, 0xee, sizeof(requests[i].in));
	while ((r = virtqueue_detach_unused_buf(queue)))
		r->busy = false;
	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		requests[i].busy = false;
	in_flight = 0;
	vring_del_virtqueue(queue);
	free(ring);
	for (unsigned int i = 0; i < IN_FLIGHT; i++)
		for (unsigned int k = 0; k < MAX_BYTES; k++)
			if (requests[i].in[k] != 0xee) {
				complain("the device wrote to a buffer after its reset");
				return;
			}
}

/* Cuts len bytes into pieces as they come, and lists them. */
static unsigned int cut(struct scatterlist *sg, unsigned char *bytes, unsigned int len)
{
	unsigned int n = 1 + any(MAX_PIECES), off = 0, i;

	if (n > len)
		n = len;
	sg_init_table(sg, n);
	for (i = 0; i < n; i++) {
		unsigned int part = i == n - 1 ? len - off : 1 + any(2 * (len - off) / (n - i));

		if (part > len - off - (n - 1 - i))
			part = len - off - (n - 1 - i);
		sg_set_buf(&sg[i], bytes + off, part);
		off += part;
	}
	return n;
}

/* False when there is no room for another one. */
static bool send(unsigned int number)
{
	struct scatterlist *sgs[2];
	struct request *r = requests;

	while (r < requests + IN_FLIGHT && r->busy)
		r++;
	if (r == requests + IN_FLIGHT)
		return false;
	r->out_len = 1 + any(number % 3 ? 200 : MAX_BYTES);
	r->in_len = 1 + any(MAX_BYTES);
	for (unsigned int i = 0; i < r->out_len; i++)
		r->out[i] = (unsigned char)(number * 31 + i * 7);
	memset(r->in, 0, r->in_len);
	cut(r->sg[0], r->out, r->out_len);
	cut(r->sg[1], r->in, r->in_len);
	sgs[0] = r->sg[0];
	sgs[1] = r->sg[1];
	if (virtqueue_add_sgs(queue, sgs, 1, 1, r, GFP_ATOMIC))
		return false;
	r->busy = true;
	in_flight++;
	return true;
}

static unsigned int collect(void)
{
	unsigned int len, n = 0, want;
	struct request *r;

	while ((r = virtqueue_get_buf(queue, &len))) {
		n++;
		in_flight--;
		want = r->out_len < r->in_len ? r->out_len : r->in_len;
		if (!r->busy)
			complain("a request came back twice");
		r->busy = false;
		if (len != want || memcmp(r->out, r->in, want))
			complain("a request came back with other bytes");
		if (want < r->in_len && r->in[want])
			complain("more was written than said");
	}
	return n;
}

/* As drivers do: callbacks off, take what is there, on again, and once more if something came. */
static unsigned int service(void)
{
	unsigned int n = 0;

	do {
		virtqueue_disable_cb(queue);
		n += collect();
	} while (!(any(2) ? virtqueue_enable_cb(queue) : virtqueue_enable_cb_delayed(queue)));
	return n;
}

static bool wait_for_callback(void)
{
	called = false;
	while (!called) {
		u32 status;

		if (!machine_wait_irq()) {
			complain("an interrupt that was due never came");
			return false;
		}
		status = machine_read(VIRTIO_MMIO_INTERRUPT_STATUS);
		machine_write(VIRTIO_MMIO_INTERRUPT_ACK, status);
		if (status & VIRTIO_MMIO_INT_CONFIG) {
			complain("the device found something wrong with the driver");
			return false;
		}
		/* With nothing in the ring Linux calls that none of its interrupts. */
		if (status & VIRTIO_MMIO_INT_VRING)
			vring_interrupt(0, queue);
		if (virtqueue_poll(queue, virtqueue_enable_cb_prepare(queue)))
			return true;
	}
	return true;
}

int driver_run(unsigned int flags, unsigned int total)
{
	unsigned int sent = 0, done = 0;

	seed = flags + 1;
	begin_life(flags);
	while (done < total && bad < 10) {
		unsigned int burst = 1 + any(any(4) ? 4 : IN_FLIGHT);

		while (burst-- && sent < total && send(sent))
			sent++;
		virtqueue_kick(queue);
		if (flags & RUN_RESET && any(50) == 0) {
			done = sent;
			end_life();
			begin_life(flags);
			continue;
		}
		if (any(3) == 0) {
			done += collect();
			continue;
		}
		done += service();
		if (done < sent && !wait_for_callback())
			break;
	}
	if (!bad && (in_flight || done != total))
		complain("not every request came back");
	end_life();
	return (int)bad;
}
