/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_SANDBOX_CELL_H
#define HV_SANDBOX_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * A process for code that nobody trusts: this program, started anew, so that it has nothing of the
 * memory of who wants it, with one socket and no rights. It is the child of a keeper, which ends it
 * and has no other work. Where the sandbox is closed, the opener starts the keeper.
 */
struct hv_cell {
	int fd;	      /* to what runs in it: a socket that keeps records apart */
	int leash;    /* to the keeper */
	pid_t inmate; /* the process itself */
	pid_t keeper; /* 0 = the opener's child */
};

/* argv[0] of the program when it is to be a keeper. */
#define HV_CELL_NAME "hvsh-keeper"

/*
 * Any thread; waits until it runs. Both descriptors are the caller's until hv_cell_close.
 * -ETIMEDOUT: it was started and has not said anything; -EIO: it has ended at once; else what
 * starting a process, or the opener, answers.
 */
int hv_cell_open(struct hv_cell *cell, struct hv_err *err);
/* Kills what runs in it; nothing of it is left on return, or for a moment where it is not our
 * child. */
void hv_cell_close(struct hv_cell *cell);
/*
 * How what ran in it has ended, as of wait(2): waits a moment for it. false: it has not, or nobody
 * knows.
 */
bool hv_cell_ended(const struct hv_cell *cell, int *status);

/* ---- in the program that was started: HV_CELL_NAME is argv[0] */

/* The keeper's work. body: in the cell, with the socket; its result is the exit status. */
int hv_cell_main(int (*body)(int fd));

/*
 * In the cell, once it has what it needs: all other descriptors are closed, memory beyond that of
 * now is bounded by `memory` bytes and a little, and all but computing and the socket `fd` kills
 * the process. -EOPNOTSUPP: this kernel cannot filter system calls.
 */
int hv_cell_confine(int fd, size_t memory, struct hv_err *err);

/* ---- in the opener: a hv_opener_call_fn for the requests that hv_cell_is_call knows */

bool hv_cell_is_call(const void *arg, size_t len);
int hv_cell_serve(void *reply, size_t *reply_len, int *fds, unsigned int *n_fds,
		  struct hv_err *err);

#endif
