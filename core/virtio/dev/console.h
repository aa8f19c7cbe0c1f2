/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_CONSOLE_H
#define HV_VIRTIO_DEV_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/origin.h"
#include "virtio/device.h"

/*
 * virtio-console (virtio 1.2, 5.3): one or more ports. What a guest writes goes into the port's
 * ring of recent output, which any number of clients read, each at its own place, and byte for byte
 * into its log file. What a client types waits in the port's input buffer until the guest takes it,
 * across resets and before the guest has started. Nothing looks at the bytes: escape sequences
 * pass.
 */
#define HV_CONSOLE_PORTS 7
#define HV_CONSOLE_OUTPUT (256u << 10) /* default sizes, bytes */
#define HV_CONSOLE_INPUT (64u << 10)
#define HV_CONSOLE_BUFFER_MAX (256u << 20)
#define HV_CONSOLE_NAME_MAX 255
#define HV_CONSOLE_LOG_KEEP_MAX 1000

struct hv_console_port_opts {
	const char *name; /* how the guest finds a data port: /dev/virtio-ports/NAME; NULL = none */
	bool data;        /* a byte channel for programs in the guest, not a terminal */
	size_t output, input;  /* bytes kept, rounded up to a power of two; 0 = default */
	const char *log;       /* file that gets every byte; NULL = none */
	uint64_t log_max;      /* bytes, then it becomes log.1 (log.1 log.2 …); 0 = never */
	unsigned int log_keep; /* how many old ones; 0 with log_max: the file begins anew */
	bool pty;
	const char *pty_link; /* symbolic link to the pty, made and removed by us; NULL = none */
	uint16_t cols, rows;  /* 0 = not known */
};

struct hv_console_opts {
	struct hv_origin origin;
	const struct hv_console_port_opts *ports; /* NULL = one console with the defaults */
	unsigned int n_ports; /* more than one, or a named or data port, offers MULTIPORT */
};

/*
 * Opens log and pty and prepares dev, which is zeroed and ended by hv_vdev_destroy. The options are
 * copied, but not the strings of origin. main thread.
 *
 * A driver without MULTIPORT serves port 0 alone. dev->limit counts output: one operation per
 * buffer.
 */
int hv_console_init(struct hv_vdev *dev, const char *name, const struct hv_console_opts *opts,
		    struct hv_err *err);

/* The terminal's size, as the guest is to see it. -EINVAL: no such port. main thread. */
int hv_console_resize(struct hv_vdev *dev, unsigned int port, uint16_t cols, uint16_t rows,
		      struct hv_err *err);

/* "org.hvsh.agent" → its number; -ENOENT. Any thread. */
int hv_console_find(struct hv_vdev *dev, const char *name);

/*
 * Takes over what the guest said through the emergency register, which works before its driver
 * does. Clients do this as they read; without clients, whoever hears HV_EV_INPUT does, so that it
 * reaches the log. main thread.
 */
void hv_console_collect(struct hv_vdev *dev);

struct hv_console_info {
	const char *name;      /* NULL = none; this and the paths live as long as the device */
	const char *log, *pty; /* NULL = none */
	bool data;
	bool guest_open; /* the guest takes input */
	uint64_t output; /* bytes ever written by the guest */
	size_t input;	 /* bytes that wait for the guest */
	unsigned int clients;
	char writer[64]; /* who types; "" = nobody */
	uint16_t cols, rows;
};
unsigned int hv_console_ports(struct hv_vdev *dev);
int hv_console_port_info(struct hv_vdev *dev, unsigned int port, struct hv_console_info *info);

/*
 * A client: a place in the output, and the right to ask for the keyboard. Each is used by one
 * thread at a time. It may outlive the device: it reads what is left, then gets -ENODEV.
 *
 * Waiting. When read gave 0, write took less than offered, or claim was refused, the change is
 * announced once: by HV_EV_INPUT of the device (one for all clients: look at each), and by a count
 * on the client's own eventfd, if it brought one. The end of the device is announced on the eventfd
 * alone.
 */
struct hv_console_client;

#define HV_CONSOLE_ALL UINT64_MAX

struct hv_console_client_opts {
	const char *who; /* for messages: "hvsh console (pid 712)"; cut to 63 bytes */
	uint64_t back;   /* recent output to begin with, bytes; HV_CONSOLE_ALL = all there is */
	/*
	 * How long the guest's output may wait for this client, in ns: as long as it reads on
	 * within this time it gets every byte, and the guest goes at its speed. Afterwards, or with
	 * 0 at once, the oldest bytes are lost to it until it reads again.
	 */
	uint64_t patience;
	int wake; /* eventfd of the caller, non-blocking, open until close; -1 = none */
};

int hv_console_open(struct hv_vdev *dev, unsigned int port,
		    const struct hv_console_client_opts *opts, struct hv_console_client **client,
		    struct hv_err *err);
void hv_console_close(struct hv_console_client *client); /* gives the keyboard back; NULL is fine */

/*
 * Takes up to len bytes. 0 = nothing new; -ENODEV = nothing new and nothing to come. *lost (may be
 * NULL): how many bytes were overwritten before these since the last call.
 */
ssize_t hv_console_read(struct hv_console_client *client, void *to, size_t len, uint64_t *lost);
void hv_console_set_patience(struct hv_console_client *client, uint64_t patience);

/*
 * The keyboard: one client has it. -EBUSY says who; with force it is taken, and the other finds out
 * by its next write. Claiming again is fine.
 */
int hv_console_claim(struct hv_console_client *client, bool force, struct hv_err *err);
void hv_console_release(struct hv_console_client *client); /* fine without having it */

/*
 * Returns how many bytes were accepted: fewer than len when the guest does not take them fast
 * enough. -EPERM: without the keyboard (says who has it); -ENODEV.
 */
ssize_t hv_console_write(struct hv_console_client *client, const void *from, size_t len,
			 struct hv_err *err);
/* How much write would accept. */
size_t hv_console_room(struct hv_console_client *client);

#endif
