// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/scmi.h"
#include "tests/fuzz/vdev_turn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BASE UINT64_C(0x40000000)
#define RAM 8192u
#define OUT 4096u
#define IN 6144u

#define IDS 8
#define ALLOWED 0x2c /* of the 8 ids of each kind */

static _Alignas(16) uint8_t ram[RAM];

/* A host that watches: what it is asked is allowed, and what is on goes off once. */
struct watch {
	bool on[HV_LENT_KINDS][IDS];
	uint8_t trouble;
};

static void check(uint32_t id)
{
	if (id >= IDS || !(ALLOWED >> id & 1))
		abort();
}

static int maybe(struct watch *w, struct hv_err *err)
{
	w->trouble = (uint8_t)(w->trouble * 5 + 1);
	return w->trouble > 240 ? hv_err_set(err, w->trouble - 230, "trouble") : 0;
}

static int w_count(void *arg, enum hv_lent kind, uint32_t *n, struct hv_err *err)
{
	(void)arg;
	(void)kind;
	(void)err;
	*n = IDS;
	return 0;
}

static int w_name(void *arg, enum hv_lent kind, uint32_t id, char name[HV_LENT_NAME],
		  struct hv_err *err)
{
	(void)kind;
	(void)err;
	(void)arg;
	check(id);
	memset(name, 'n', HV_LENT_NAME);
	name[id == 3 ? 8 : HV_LENT_NAME - 1] = '\0';
	return 0;
}

static int w_rates(void *arg, uint32_t id, uint32_t index, struct hv_lent_rates *rates,
		   struct hv_err *err)
{
	uint32_t total = id == 2 ? 100 : id == 3 ? 12 : 0;

	check(id);
	for (rates->n = 0; rates->n < HV_LENT_RATES && index + rates->n < total; rates->n++)
		rates->hz[rates->n] = index + rates->n;
	rates->remaining = index < total ? total - index - rates->n : 0;
	return maybe(arg, err);
}

static int w_rate(void *arg, uint32_t id, uint64_t *hz, struct hv_err *err)
{
	check(id);
	*hz = 1000000;
	return maybe(arg, err);
}

static int w_set_rate(void *arg, uint32_t id, uint64_t hz, struct hv_err *err)
{
	(void)hz;
	check(id);
	return maybe(arg, err);
}

static int w_switch(struct watch *w, enum hv_lent kind, uint32_t id, bool on, struct hv_err *err)
{
	check(id);
	if (w->on[kind][id] == on)
		abort();
	if (on && maybe(w, err))
		return -err->code;
	w->on[kind][id] = on;
	return 0;
}

static int w_enable(void *arg, uint32_t id, bool on, struct hv_err *err)
{
	return w_switch(arg, HV_LENT_CLOCK, id, on, err);
}

static int w_power(void *arg, uint32_t id, bool on, struct hv_err *err)
{
	return w_switch(arg, HV_LENT_POWER, id, on, err);
}

static int w_reset(void *arg, uint32_t id, enum hv_reset_action action, struct hv_err *err)
{
	(void)action;
	check(id);
	return maybe(arg, err);
}

static const struct hv_clock_backend backend = {
	.count = w_count,
	.name = w_name,
	.rates = w_rates,
	.rate = w_rate,
	.set_rate = w_set_rate,
	.enable = w_enable,
	.reset = w_reset,
	.power = w_power,
};

static void start(struct hv_vdev *dev)
{
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	memset(ram, 0, OUT);
	vdev_set(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	vdev_set(dev, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	vdev_set(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FEATURES_OK);
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t at = (uint32_t)BASE + i * 2048;

		vdev_set(dev, VIRTIO_MMIO_QUEUE_SEL, i);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_NUM, 4);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, at);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, at + 256);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_USED_LOW, at + 512);
		vdev_set(dev, VIRTIO_MMIO_QUEUE_READY, 1);
	}
	vdev_set(dev, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
}

/* A request of len bytes in at OUT; there is an answer, with a status where there is room. */
static void request(struct hv_vdev *dev, uint16_t *idx, uint32_t len, uint32_t room)
{
	struct vring_desc d[2] = {
		{ htole64(BASE + OUT), htole32(len), htole16(VRING_DESC_F_NEXT), htole16(1) },
		{ htole64(BASE + IN), htole32(room), htole16(VRING_DESC_F_WRITE), 0 },
	};
	uint32_t id_len[2], words[2], first = 0;
	uint16_t used, show;

	memcpy(&first, ram + OUT, 4);
	memset(ram + IN, 0xee, RAM - IN);
	memcpy(ram, d, sizeof(d));
	memset(ram + 260 + *idx % 4 * 2, 0, 2);
	show = htole16((uint16_t)(*idx + 1));
	memcpy(ram + 258, &show, 2);
	vdev_set(dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	memcpy(&used, ram + 514, 2);
	if (le16toh(used) != (uint16_t)(*idx + 1))
		abort();
	memcpy(id_len, ram + 516 + *idx % 4 * 8, 8);
	id_len[1] = le32toh(id_len[1]);
	if (id_len[1] > room || id_len[1] < (room < 8 ? room : 8))
		abort();
	for (uint32_t i = id_len[1]; i < RAM - IN; i++)
		if (ram[IN + i] != 0xee)
			abort();
	if (room >= 8) {
		memcpy(words, ram + IN, 8);
		if (len >= 4 && words[0] != first)
			abort();
		if ((int32_t)le32toh(words[1]) > 0 || (int32_t)le32toh(words[1]) < -10)
			abort();
		if (words[1] && id_len[1] != 8)
			abort();
	}
	(*idx)++;
}

/* Two bytes, and the message: its length with the room for the answer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t ids[] = { 2, 3, 5 };
	const struct hv_scmi_allow list = { .ids = ids, .n_ids = 3 };
	struct hv_scmi_opts opts = { .zone = "fuzz", .allow = { list, list, list } };
	struct watch watch = { 0 };
	struct hv_gmem mem = { 0 };
	struct hv_vbus bus = {
		.mem = &mem, .zone = "fuzz", .interrupt = ignore_irq, .release = ignore_release
	};
	struct hv_vdev *dev = calloc(1, sizeof(*dev));
	uint16_t idx = 0;

	hv_log_set_level(HV_LOG_ERROR);
	memset(ram, 0, sizeof(ram));
	if (!dev || hv_gmem_add(&mem, BASE, RAM, ram, NULL) ||
	    hv_clock_host_new(&backend, &watch, &opts.host, NULL) ||
	    hv_scmi_init(dev, "fuzz/scmi", &opts, NULL))
		abort();
	hv_clock_host_put(opts.host);
	dev->bus = &bus;
	start(dev);
	while (size >= 2) {
		uint32_t len = data[0], room = data[1];

		data += 2;
		size -= 2;
		if (len == 255) {
			start(dev);
			idx = 0;
			watch.trouble = (uint8_t)room;
			for (int k = 0; k < HV_LENT_KINDS; k++)
				for (int i = 0; i < IDS; i++)
					if (watch.on[k][i])
						abort();
			continue;
		}
		if (len > size)
			len = (uint32_t)size;
		memset(ram + OUT, 0, IN - OUT);
		memcpy(ram + OUT, data, len);
		data += len;
		size -= len;
		/* Descriptors of length 0 are none. */
		request(dev, &idx, len, room);
	}
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	dev->bus = NULL;
	hv_vdev_destroy(dev);
	free(dev);
	for (int k = 0; k < HV_LENT_KINDS; k++)
		for (int i = 0; i < IDS; i++)
			if (watch.on[k][i])
				abort();
	return 0;
}
