/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_CONSOLE_RIG_H
#define TESTS_LIB_CONSOLE_RIG_H

#include <stdatomic.h>

#include "virtio/dev/console.h"
#include "vrig.h"

/* A console on a rig, with the driver's side of it. Failures end the test. */
struct crig {
	struct vrig rig;
	struct hv_vdev dev;
	_Atomic unsigned int inputs; /* HV_EV_INPUT heard */
	_Atomic unsigned int errors; /* HV_EV_ERROR heard */
	char message[512];	     /* the last one's */
	void *page;		     /* of guest memory, for sending */
};
#define CRIG_PAGE 65536u

/* ports NULL = one plain console. */
void crig_init(struct crig *c, const struct hv_console_port_opts *ports, unsigned int n_ports);
/* The driver with these features and queues of `size`; afterwards DRIVER_OK. */
void crig_start(struct crig *c, uint64_t features, uint16_t size, unsigned int flags);
void crig_free(struct crig *c);

struct hv_console_client *crig_open(struct crig *c, unsigned int port, const char *who,
				    uint64_t back, uint64_t patience);

/* Guest → host on a transmit queue: waits until the device has taken it. At most CRIG_PAGE bytes.
 */
void crig_send(struct crig *c, unsigned int queue, const void *bytes, size_t len);
void crig_puts(struct crig *c, const char *text);
/* Reads until len bytes are there (polling); the rest of `to` is left. */
void crig_read(struct hv_console_client *client, void *to, size_t len);
/* Reads exactly this text. */
void crig_expect(struct hv_console_client *client, const char *text);
/* Nothing is there to be read. */
void crig_expect_nothing(struct hv_console_client *client);
/* One receive buffer: waits for it to be filled; returns how much. */
uint32_t crig_receive(struct crig *c, unsigned int queue, void *to, uint32_t size);

/* Control messages of MULTIPORT. */
void crig_say(struct crig *c, uint32_t id, uint16_t event, uint16_t value);
/* The next one of the host: returns its length beyond the head, and that in `more`. */
size_t crig_hear(struct crig *c, uint32_t *id, uint16_t *event, uint16_t *value, void *more);

#endif
