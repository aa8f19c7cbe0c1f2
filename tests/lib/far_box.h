/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_FAR_BOX_H
#define TESTS_LIB_FAR_BOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "far_service.h"
#include "guest/guest.h"
#include "hypervisor/hypervisor.h"

/*
 * A machine with a running zone in this process, and its service (far_service.h) in another, which
 * may be killed and started again while the guest goes on. The service is this program once more:
 * its main begins with far_box_serves. Every failure ends the test.
 */
struct far_box {
	char dir[64]; /* files "disk" and "log", and "devices/": what is kept */
	struct hv_hyp *hyp;
	struct hv_guests *guests;
	struct hv_guest *guest;
	const char *serial, *policy; /* of the next service: see far_service.h */
	bool screen;

	/* private */
	int wakeup, call;
	pid_t service;
	pthread_t hypervisor;
	_Atomic bool quit;
	_Atomic bool in_trouble;
	char trouble[256];
	struct hv_err err;
};

/* true: this process is the service, and has ended with this code. */
bool far_box_serves(int argc, char **argv, int *code);

/* box: zeroed. disk: bytes of its disk. */
void far_box_open(struct far_box *box, size_t disk);
/* Stops the zone first, so that whoever waits for a register is let go; then calls join. */
void far_box_close(struct far_box *box, void (*join)(void));

/* adopted: what the service has to find (hv_serve_adopt); text: what it says when that is an error.
 */
void far_box_start(struct far_box *box, int adopted, char text[512]);
void far_box_end(struct far_box *box, int signal); /* 0: it ends by itself */

/* On a guest's thread: the first one counts. Returns NULL. */
void *far_box_trouble(struct far_box *box, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void far_box_check(struct far_box *box); /* that there was none */
/* Until the guest has counted so far, or is in trouble. what: "… do not get on". */
void far_box_await(struct far_box *box, const _Atomic uint64_t *counter, uint64_t wanted,
		   const char *what);

/* A file below its folder; with a NUL behind it, to be freed. */
char *far_box_read(struct far_box *box, const char *name, size_t *size);
void far_box_write(struct far_box *box, const char *name, off_t at, const void *bytes, size_t size);

/* The file in which a device is kept. */
const char *far_box_kept(unsigned int device, char name[64]);
/* How many chains of a queue a service has taken and not given back. */
unsigned int far_box_in_flight(struct far_box *box, unsigned int device, unsigned int queue);

#endif
