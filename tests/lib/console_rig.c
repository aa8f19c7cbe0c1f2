// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <endian.h>
#include <linux/virtio_console.h>
#include <stdio.h>
#include <string.h>

#include "console_rig.h"

static void on_event(struct hv_vdev *dev, enum hv_vdev_event event, const char *message, void *arg)
{
	struct crig *c = arg;

	(void)dev;
	if (event == HV_EV_INPUT)
		atomic_fetch_add(&c->inputs, 1);
	if (event == HV_EV_ERROR) {
		snprintf(c->message, sizeof(c->message), "%s", message);
		atomic_fetch_add(&c->errors, 1);
	}
}

void crig_init(struct crig *c, const struct hv_console_port_opts *ports, unsigned int n_ports)
{
	struct hv_console_opts opts = {
		.origin = { .file = "boot.lua", .line = 7, .field = "devices.hvc0" },
		.ports = ports,
		.n_ports = n_ports,
	};
	struct hv_err err = { 0 };

	memset(c, 0, sizeof(*c));
	if (hv_console_init(&c->dev, "rig/hvc0", &opts, &err))
		fail_msg("%s", err.msg);
	c->dev.event = on_event;
	c->dev.event_arg = c;
	vrig_init(&c->rig, &c->dev, 4 << 20);
	c->page = vrig_alloc(&c->rig, CRIG_PAGE, 4096);
}

void crig_start(struct crig *c, uint64_t features, uint16_t size, unsigned int flags)
{
	vrig_start(&c->rig, features, size, flags);
}

void crig_free(struct crig *c)
{
	vrig_free(&c->rig);
	hv_vdev_destroy(&c->dev);
}

struct hv_console_client *crig_open(struct crig *c, unsigned int port, const char *who,
				    uint64_t back, uint64_t patience)
{
	struct hv_console_client_opts opts = {
		.who = who, .back = back, .patience = patience, .wake = -1
	};
	struct hv_console_client *client;
	struct hv_err err = { 0 };

	if (hv_console_open(&c->dev, port, &opts, &client, &err))
		fail_msg("%s", err.msg);
	return client;
}

void crig_send(struct crig *c, unsigned int queue, const void *bytes, size_t len)
{
	assert_in_range(len, 0, CRIG_PAGE);
	memcpy(c->page, bytes, len);
	assert_int_equal(vrig_request(&c->rig, queue,
				      (struct vrig_buf[]){ { c->page, (uint32_t)len, false } }, 1),
			 0);
}

void crig_puts(struct crig *c, const char *text)
{
	crig_send(c, 1, text, strlen(text));
}

void crig_read(struct hv_console_client *client, void *to, size_t len)
{
	uint64_t deadline = 0, lost;
	size_t done = 0;

	while (done < len) {
		ssize_t n = hv_console_read(client, (char *)to + done, len - done, &lost);

		assert_true(n >= 0);
		assert_int_equal(lost, 0);
		done += (size_t)n;
		if (!n)
			vrig_pause(&deadline, "console output");
	}
}

void crig_expect(struct hv_console_client *client, const char *text)
{
	char got[4096] = "";

	assert_true(strlen(text) < sizeof(got));
	crig_read(client, got, strlen(text));
	assert_string_equal(got, text);
}

void crig_expect_nothing(struct hv_console_client *client)
{
	char byte;

	assert_int_equal(hv_console_read(client, &byte, 1, NULL), 0);
}

uint32_t crig_receive(struct crig *c, unsigned int queue, void *to, uint32_t size)
{
	void *at = vrig_alloc(&c->rig, size, 8);
	uint32_t n = vrig_request(&c->rig, queue, (struct vrig_buf[]){ { at, size, true } }, 1);

	assert_in_range(n, 0, size);
	memcpy(to, at, n);
	return n;
}

void crig_say(struct crig *c, uint32_t id, uint16_t event, uint16_t value)
{
	struct virtio_console_control msg = { htole32(id), htole16(event), htole16(value) };

	crig_send(c, 3, &msg, sizeof(msg));
}

size_t crig_hear(struct crig *c, uint32_t *id, uint16_t *event, uint16_t *value, void *more)
{
	struct virtio_console_control msg;
	char bytes[512];
	uint32_t n = crig_receive(c, 2, bytes, sizeof(bytes));

	assert_in_range(n, sizeof(msg), sizeof(bytes));
	memcpy(&msg, bytes, sizeof(msg));
	*id = le32toh(msg.id);
	*event = le16toh(msg.event);
	*value = le16toh(msg.value);
	memcpy(more, bytes + sizeof(msg), n - sizeof(msg));
	return n - sizeof(msg);
}
