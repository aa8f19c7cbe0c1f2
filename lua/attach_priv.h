/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_ATTACH_PRIV_H
#define HV_LUA_ATTACH_PRIV_H

#include <stddef.h>
#include <sys/types.h>

#include "lua/attach.h"

/*
 * Private to attach: attach.c has the terminal, and what is the same for both ends of a console;
 * attach_remote.c and attach_local.c have the other end.
 */
struct hv_attach;

struct hv_attach_end {
	/* Takes input; returns how much, 0 to len. hv_attach_step is called when it takes more. */
	size_t (*type)(void *peer, const void *bytes, size_t len);
	/* The output buffer has room for this much: gets it, now or later. */
	void (*fetch)(void *peer, size_t room);
	void (*resize)(void *peer, unsigned int cols, unsigned int rows);
	/* All input was typed: hv_attach_flushed follows when the device has it. */
	void (*flush)(void *peer);
};

#define HV_ATTACH_OUTPUT (16u << 10) /* bytes shown late, at most: 1.5 s on a serial line */

struct hv_attach {
	/* the maker's */
	struct hv_loop *loop;
	const char *name;
	const struct hv_attach_opts *opts;
	const struct hv_attach_end *end;
	void *peer;

	/* the rest: zeroes at first */
	bool tty, raw;		   /* the input is a terminal; its settings are ours now */
	bool mine, keyboard_known; /* the keyboard */
	int in, out;		   /* own descriptors of standard input and output */
	struct hv_source *in_src, *out_src, *escape, *quiet, *signals[8];
	bool in_file, in_end, flushing, flushed;
	bool out_tty, out_blocks, out_full;
	bool escaped;	       /* one escape character was typed */
	_Atomic bool at_start; /* of a line of output */
	char *ended;	       /* the console has, why */
	bool done;
	int result;
	struct hv_err err; /* with a negative result */
	uint64_t dropped;
	size_t n_typed, n_shown;
	char typed[4096], shown[HV_ATTACH_OUTPUT];
};

/* Everything until the end; the fields above are the maker's. */
int hv_attach_run(struct hv_attach *a, struct hv_err *err);

/* For the ends, on the loop. */
void hv_attach_step(struct hv_attach *a); /* whatever can go on does */
/* At most as much as the last fetch asked for. */
void hv_attach_output(struct hv_attach *a, const void *bytes, size_t len);
void hv_attach_lost(struct hv_attach *a, uint64_t bytes);
void hv_attach_keyboard(struct hv_attach *a, bool mine, const char *who);
void hv_attach_flushed(struct hv_attach *a, uint64_t dropped);
/* The console is over: what is there is still shown. */
void hv_attach_ended(struct hv_attach *a, const char *reason);
/* The way to it is broken. */
void hv_attach_failed(struct hv_attach *a, const struct hv_err *err);

#endif
