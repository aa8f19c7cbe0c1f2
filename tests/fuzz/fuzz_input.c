// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/input-event-codes.h>
#include <linux/virtio_input.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM 16384u
#define QUEUES 2

#include "tests/fuzz/vdev_driver.h"

/* A report of several events, some of which the device may not know. */
static void send(struct hv_vdev *dev, struct input *in)
{
	struct hv_input_event events[HV_INPUT_REPORT + 4];
	size_t n = take(in, 1) % (HV_INPUT_REPORT + 4);
	struct hv_input_event e = { .type = (uint16_t)(take(in, 1) & 0x1f),
				    .code = (uint16_t)(take(in, 2) & 0x3ff),
				    .value = (int32_t)take(in, 4) };

	for (size_t i = 0; i < n; i++) {
		events[i] = e;
		e.value = (int32_t)((uint32_t)e.value + 1);
	}
	hv_input_send(dev, events, n, NULL);
}

/* A guest without scruples, and a script that types, points and touches meanwhile. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_gmem mem = { 0 };
	struct hv_vbus bus = {
		.mem = &mem, .zone = "fuzz", .interrupt = ignore_irq, .release = ignore_release
	};
	struct input in = { data, size };
	struct hv_input_opts opts = { .kind = take(&in, 1) % HV_INPUT_EVDEV };
	struct hv_vdev *dev = calloc(1, sizeof(*dev));
	struct hv_input_info info;

	hv_log_set_level(HV_LOG_ERROR);
	memset(ram, 0, sizeof(ram));
	if (!dev || hv_gmem_add(&mem, BASE, RAM, ram, NULL) ||
	    hv_input_init(dev, "fuzz/input", &opts, NULL))
		abort();
	dev->bus = &bus;
	while (in.left) {
		uint8_t op = (uint8_t)take(&in, 1);

		if ((op & 7) != 7)
			vdev_drive(dev, &in, op, 0, sizeof(struct virtio_input_config));
		else
			send(dev, &in);
		hv_input_info(dev, &info);
		if (info.leds >= 1u << LED_CNT)
			abort();
	}
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	if (hv_vdev_read(dev, VIRTIO_MMIO_STATUS, 4))
		abort();
	dev->bus = NULL;
	hv_vdev_destroy(dev);
	free(dev);
	return 0;
}
