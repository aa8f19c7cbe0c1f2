// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/virtio_console.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "virtio/dev/console.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM 65536u
#define QUEUES 8

#include "tests/fuzz/vdev_driver.h"

static void use_client(struct hv_console_client *client, struct input *in, uint8_t what)
{
	static uint8_t bytes[8192];
	size_t len = take(in, 2) % sizeof(bytes);
	uint64_t lost;
	ssize_t n;

	if (what & 1) {
		n = hv_console_write(client, bytes, len, NULL);
		if (n > (ssize_t)len)
			abort();
	} else {
		n = hv_console_read(client, bytes, len, &lost);
		if (n < 0 || n > (ssize_t)len || (lost && !n && len))
			abort();
	}
}

/* A guest without scruples, and a host that reads, types and resizes meanwhile. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hv_console_port_opts ports[] = {
		{ .output = 1024, .input = 512 },
		{ .name = "data", .data = true, .output = 256 },
		{ .name = "more" }
	};
	struct hv_console_opts opts = { .ports = ports, .n_ports = 3 };
	struct hv_gmem mem = { 0 };
	struct hv_vbus bus = {
		.mem = &mem, .zone = "fuzz", .interrupt = ignore_irq, .release = ignore_release
	};
	struct hv_console_client *client[3];
	struct input in = { data, size };
	struct hv_vdev *dev = calloc(1, sizeof(*dev));

	hv_log_set_level(HV_LOG_ERROR);
	memset(ram, 0, sizeof(ram));
	if (!dev || hv_gmem_add(&mem, BASE, RAM, ram, NULL) ||
	    hv_console_init(dev, "fuzz/console", &opts, NULL))
		abort();
	dev->bus = &bus;
	for (unsigned int i = 0; i < 3; i++) {
		struct hv_console_client_opts c = { .who = "fuzz",
						    .wake = -1,
						    .patience = i == 1 ? UINT64_MAX : 0 };

		if (hv_console_open(dev, i, &c, &client[i], NULL) ||
		    hv_console_claim(client[i], false, NULL))
			abort();
	}
	while (in.left) {
		uint8_t op = (uint8_t)take(&in, 1);

		if ((op & 7) != 7)
			vdev_drive(dev, &in, op, 7, 12);
		else if (op & 8)
			hv_console_resize(dev, op >> 4 & 3, op, 25, NULL);
		else
			use_client(client[(op >> 4) % 3], &in, op >> 6);
	}
	vdev_set(dev, VIRTIO_MMIO_STATUS, 0);
	if (hv_vdev_read(dev, VIRTIO_MMIO_STATUS, 4))
		abort();
	dev->bus = NULL;
	hv_vdev_destroy(dev);
	for (unsigned int i = 0; i < 3; i++)
		hv_console_close(client[i]);
	free(dev);
	return 0;
}
