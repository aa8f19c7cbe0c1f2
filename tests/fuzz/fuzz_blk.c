// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk against a hostile driver, without threads of its own: the input's first byte says how
 * the disk is made and what the rest is: requests with buffers cut anyhow, the raw memory of the
 * rings, or the beginning of an overlay's file.
 */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include "base/log.h"
#include "virtio/dev/blk.h"
#include "virtio/dev/blk_overlay_format.h"

#define RAM UINT64_C(0x80000000)
#define RAM_SIZE 65536u
#define DISK 32768u
#define QUEUE 16u
#define DESC 0u
#define AVAIL 0x800u
#define USED 0x1000u
#define DATA 0x2000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	READ_ONLY = 1,
	SNAPSHOT = 2,
	WRITE_THROUGH = 4,
	RAW_RINGS = 8,
	OVERLAY_FILE = 16,
};

struct input {
	const uint8_t *at;
	size_t left;
};

static uint32_t take(struct input *in, unsigned int bytes)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint32_t)*in->at++ << (8 * i);
	return value;
}

static void quiet(enum hv_log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

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

static uint8_t pattern(unsigned int i)
{
	return (uint8_t)(i * 7 + i / 512 + 1);
}

static void fill(int fd)
{
	uint8_t bytes[DISK];

	for (unsigned int i = 0; i < DISK; i++)
		bytes[i] = pattern(i);
	if (ftruncate(fd, DISK) || pwrite(fd, bytes, DISK, 0) != DISK)
		abort();
}

static void check_image(int fd, bool unchanged)
{
	uint8_t bytes[DISK];
	struct stat st;

	if (fstat(fd, &st) || st.st_size != DISK)
		abort();
	if (!unchanged)
		return;
	if (pread(fd, bytes, DISK, 0) != DISK)
		abort();
	for (unsigned int i = 0; i < DISK; i++)
		if (bytes[i] != pattern(i))
			abort();
}

/* Chains of up to 5 buffers whose places and lengths are the input's. */
static uint16_t requests(struct input *in, uint8_t *ram)
{
	static const uint32_t types[] = { 0, 1, 4, 8, 11, 13, 2, 99 };
	struct vring_desc *desc = (struct vring_desc *)(ram + DESC);
	uint16_t *avail = (uint16_t *)(ram + AVAIL), n = 0, d = 0;

	while (in->left && n < QUEUE && d + 5u < QUEUE) {
		struct virtio_blk_outhdr *header =
			(struct virtio_blk_outhdr *)(ram + DATA + n * 64u);
		unsigned int bufs = 1 + take(in, 1) % 5;
		uint32_t type = take(in, 1);

		header->type = htole32(types[type % 8]);
		header->sector = htole64(type & 0x80 ? (uint64_t)take(in, 4) << 30 : take(in, 1));
		for (unsigned int i = 0; i < 32; i++)
			ram[DATA + n * 64u + 16 + i] = (uint8_t)take(in, 1);
		avail[2 + n] = htole16(d);
		for (unsigned int i = 0; i < bufs; i++, d++) {
			uint32_t shape = take(in, 1);
			uint32_t len = i == 0 && !(shape & 1) ? 16 : take(in, 2);

			if (shape & 2)
				len &= ~511u;
			if (shape & 4)
				len = 1;
			desc[d] = (struct vring_desc){
				.addr = htole64(RAM + (i ? 0x4000u + i * 0x1000u : DATA + n * 64u) +
						(shape & 8 ? take(in, 2) : 0)),
				.len = htole32(len),
				.flags =
					htole16((uint16_t)((shape & 0x10 ? VRING_DESC_F_WRITE : 0) |
							   (i + 1 < bufs ? VRING_DESC_F_NEXT : 0))),
				.next = htole16((uint16_t)(d + 1)),
			};
		}
		n++;
	}
	return n;
}

static void drive(struct hv_vdev *dev, const struct hv_vbus *bus, uint64_t features)
{
	struct hv_worker *w = &dev->workers[0];
	struct hv_queue *ring = &dev->queues[0].ring;
	struct hv_err err;

	dev->bus = bus;
	dev->features = features;
	if (hv_queue_start(ring, bus->mem, QUEUE, RAM + DESC, RAM + AVAIL, RAM + USED, features, 0,
			   &err))
		abort();
	if (!dev->ops->start(dev, w, &err)) {
		for (unsigned int turn = 0; turn < 64 && dev->ops->work(dev, w) > 0; turn++)
			;
		dev->ops->stop(dev, w);
	}
	/* Everything that was taken has been answered. */
	if (ring->last_avail != ring->used_idx || ring->used_idx != ring->published)
		abort();
	hv_queue_stop(ring);
	dev->bus = NULL;
	dev->features = 0;
}

static void a_disk(uint8_t how, struct input *in)
{
	static struct hv_vdev dev;
	static int fd = -1;
	uint64_t features = HV_FEATURE(HV_F_VERSION_1) | HV_FEATURE(HV_F_INDIRECT_DESC) |
			    HV_FEATURE(VIRTIO_BLK_F_DISCARD) |
			    HV_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	uint8_t *ram = calloc(1, RAM_SIZE);
	struct hv_gmem mem = { 0 };
	struct hv_vbus bus = { &mem, "fuzz", no_interrupt, no_release, NULL };
	struct hv_blk_opts opts = { .engine = HV_BLK_ENGINE_THREADS };
	char path[64];
	uint16_t n = QUEUE;

	if (fd < 0)
		fd = memfd_create("disk", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fill(fd);
	if (!ram || hv_gmem_add(&mem, RAM, RAM_SIZE, ram, NULL))
		abort();
	opts.image = path;
	opts.readonly = how & READ_ONLY;
	opts.snapshot = !opts.readonly && how & SNAPSHOT;
	if (!(how & WRITE_THROUGH))
		features |= HV_FEATURE(VIRTIO_BLK_F_FLUSH);
	memset(&dev, 0, sizeof(dev));
	if (hv_blk_init(&dev, "fuzz/disk", &opts, NULL))
		abort();
	if (how & RAW_RINGS) {
		size_t len = in->left < RAM_SIZE ? in->left : RAM_SIZE;

		memcpy(ram, in->at, len);
		n = le16toh(((uint16_t *)(ram + AVAIL))[1]);
	} else {
		n = requests(in, ram);
	}
	((uint16_t *)(ram + AVAIL))[1] = htole16(n);
	drive(&dev, &bus, features);
	check_image(fd, opts.readonly || opts.snapshot);
	hv_vdev_destroy(&dev);
	free(ram);
}

/* The sums are made right, so that what they protect is looked at. */
static void an_overlay(struct input *in)
{
	static int fd = -1, base_fd = -1;
	struct hv_blk_file base = { .direct_fd = -1, .bytes = DISK, .path = (char *)"base" };
	struct hv_overlay_header header = { 0 };
	uint32_t length = take(in, 3);
	size_t len = in->left < sizeof(header) ? in->left : sizeof(header);
	uint8_t bytes[512];
	struct iovec iov = { bytes, sizeof(bytes) };
	struct hv_overlay *ov;
	struct hv_err err;
	char path[64];

	if (fd < 0) {
		fd = memfd_create("overlay", MFD_CLOEXEC);
		base_fd = memfd_create("base", MFD_CLOEXEC);
		fill(base_fd);
	}
	base.fd = base_fd;
	memcpy(&header, in->at, len);
	if (ftruncate(fd, 0) || ftruncate(fd, length))
		abort();
	if (hv_overlay_base_print(&base, &header.base_print, NULL) ||
	    hv_overlay_header_write(fd, &header))
		abort();
	if (in->left > len)
		(void)!pwrite(fd, in->at + len, in->left - len, HV_OVERLAY_HEADER_BYTES);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (hv_overlay_open(path, &base, &ov, &err))
		return;
	for (uint64_t off = 0; off < hv_overlay_bytes(ov) && off < (1u << 20);) {
		struct hv_extent extent;

		hv_overlay_map(ov, off, hv_overlay_bytes(ov) - off, false, &extent);
		if (!extent.len || extent.len > hv_overlay_bytes(ov) - off)
			abort();
		off += extent.len;
	}
	memset(bytes, 1, sizeof(bytes));
	hv_overlay_write(ov, &iov, 1, hv_overlay_bytes(ov) - sizeof(bytes), sizeof(bytes), false);
	hv_overlay_close(ov);
	check_image(base_fd, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t how = (uint8_t)take(&in, 1);

	hv_log_set_sink(quiet, NULL);
	if (how & OVERLAY_FILE)
		an_overlay(&in);
	else
		a_disk(how, &in);
	return 0;
}
