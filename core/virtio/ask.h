/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_ASK_H
#define HV_VIRTIO_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Questions that I/O threads put to somebody slower: a policy about a request, a device model in
 * Lua about a buffer. A desk holds a bounded number of them. The I/O thread puts one down and goes
 * on with other requests; whoever answers takes them in order, each when it likes; the answer waits
 * for the I/O thread, which is woken. Nobody ever waits for the other side here.
 *
 * A question has one answer. One that does not come in time counts as HV_ANSWER_LATE; what is said
 * after that is passed over. A worker that ends its life forgets its questions.
 */
struct hv_desk;
struct hv_worker;

#define HV_DESK_DEPTH_MAX 4096
#define HV_DESK_WORKERS 16		       /* may ask at one desk */
#define HV_DESK_DATA_MAX (UINT32_C(128) << 10) /* bytes of one question or answer */

struct hv_desk_opts {
	unsigned int depth;   /* questions at a time, 1..HV_DESK_DEPTH_MAX */
	size_t bytes;	      /* of data in all, questions and answers together */
	uint64_t patience_ns; /* 0 = without limit */
	/*
	 * There is a question, and there was none: called on the I/O thread, with nothing held.
	 * Must be quick.
	 */
	void (*asked)(void *arg);
	void *arg;
};

struct hv_question {
	uint64_t ticket; /* given by the desk, never 0 */
	uint32_t kind;	 /* the device type's own */
	uint64_t at, size;
	uint64_t asked;	  /* ns */
	const void *data; /* len bytes: copied when put, valid until answered */
	size_t len;
	size_t room; /* an answer may carry so many bytes */
};

enum hv_answer_word {
	HV_ANSWER_ALLOW,
	HV_ANSWER_DENY,
	HV_ANSWER_LATE, /* the desk's own: not answered in time */
	HV_ANSWER_GONE, /* the desk's own: nobody answers any more */
};

struct hv_answer {
	enum hv_answer_word word;
	uint32_t status;   /* DENY: the device type's own */
	uint64_t delay_ns; /* ALLOW: but not before so much later */
	void *data;	   /* len bytes instead of the question's; NULL = unchanged */
	size_t len;
};

/* -EINVAL: depth. One reference is the caller's. */
int hv_desk_new(const struct hv_desk_opts *opts, struct hv_desk **desk, struct hv_err *err);
void hv_desk_get(struct hv_desk *desk);
void hv_desk_put(struct hv_desk *desk); /* NULL is fine */

/*
 * I/O thread. cookie comes back with the answer. -ENOBUFS: the desk is full; -EMSGSIZE: data or
 * room over HV_DESK_DATA_MAX; -ESHUTDOWN: nobody answers; -ENOMEM. The worker is woken by an answer
 * (HV_MSG_POKE), and by room after -ENOBUFS, and must live until it has forgotten. NULL: nobody
 * waits for the answer, and it has no time limit.
 */
int hv_desk_ask(struct hv_desk *desk, struct hv_worker *worker, const struct hv_question *question,
		void *cookie);
/*
 * I/O thread: the next answer for this worker, the oldest first, or a question whose time is over
 * at `now`. The answer's data is the caller's to free.
 */
bool hv_desk_answered(struct hv_desk *desk, const struct hv_worker *worker, uint64_t now,
		      struct hv_answer *answer, void **cookie);
/* I/O thread: when hv_desk_answered has something without being woken; 0 = not by itself. */
uint64_t hv_desk_deadline(struct hv_desk *desk, const struct hv_worker *worker);
/* I/O thread: its questions and answers are gone, their cookies forgotten. */
void hv_desk_forget(struct hv_desk *desk, const struct hv_worker *worker);

/* The answering side: one thread at a time. */

/* Takes the oldest question. Its data stays until it is answered. false = none. */
bool hv_desk_take(struct hv_desk *desk, struct hv_question *question);
/*
 * data is copied. -ESTALE: nobody waits for it any more; -EMSGSIZE: more than `room`; -ENOBUFS: the
 * desk's bytes are used up, -ENOMEM: then the question is still open.
 */
int hv_desk_answer(struct hv_desk *desk, uint64_t ticket, const struct hv_answer *answer);
/* Whether anybody still waits for it. */
bool hv_desk_open(struct hv_desk *desk, uint64_t ticket);
/*
 * Nobody answers any more: what is open is answered HV_ANSWER_GONE. The data of a question that was
 * taken stays as long as the desk. Any thread; may be called again.
 */
void hv_desk_close(struct hv_desk *desk);

struct hv_desk_stats {
	uint64_t asked, refused /* full */, answered, late;
	unsigned int open; /* now */
};
/* Any thread. */
void hv_desk_stats(struct hv_desk *desk, struct hv_desk_stats *out);

#endif
