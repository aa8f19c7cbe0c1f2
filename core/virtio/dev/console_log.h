/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_CONSOLE_LOG_H
#define HV_VIRTIO_DEV_CONSOLE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * A file that gets a port's output, and is renamed to path.1, path.2 … when it is full. Not
 * thread-safe; calls block on the disk.
 */
struct hv_console_log {
	char *path; /* NULL = no log */
	int fd;
	uint64_t size;	  /* of the file now */
	uint64_t max;	  /* 0 = never full */
	uint64_t full_at; /* when to try next; more than max after a rotation has failed */
	unsigned int keep;
	bool stuck;	  /* the last rotation has failed */
	uint64_t missing; /* bytes since the log fails */
};

/* Appends to a file that is there. -EBUSY: the log of another console; -EINVAL: not a file. */
int hv_console_log_open(struct hv_console_log *log, const char *path, uint64_t max,
			unsigned int keep, struct hv_err *err);
/*
 * Appends all, splitting at max exactly. On failure the rest is left out and counted in missing,
 * and -errno says why; later calls try again. A failed rotation is reported once, with nothing
 * missing: the file grows on.
 */
int hv_console_log_write(struct hv_console_log *log, const void *bytes, size_t len,
			 struct hv_err *err);
void hv_console_log_close(struct hv_console_log *log); /* fine when it was never opened */

#endif
