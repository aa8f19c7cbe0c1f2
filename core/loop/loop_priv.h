/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LOOP_PRIV_H
#define HV_LOOP_PRIV_H

#include <signal.h>

#include "loop/loop.h"

/* Private to core/loop. */
enum hv_source_kind {
	HV_SOURCE_FD,
	HV_SOURCE_TIMER,
	HV_SOURCE_SIGNAL,
};

struct hv_source {
	struct hv_loop *loop;
	struct hv_source *prev, *next;
	enum hv_source_kind kind;
	bool dead; /* removed; freed when the round is over */
	struct hv_source *next_grave;
	void *arg;
	union {
		struct {
			int fd;
			uint32_t events;
			hv_loop_fd_fn *fn;
		} fd;
		struct {
			uint64_t at, period;
			uint64_t seq; /* of two with one deadline, the one armed first */
			size_t slot;  /* in the heap, from 1; 0 = not in it */
			bool due;     /* to be called in this round */
			struct hv_source *next_due;
			hv_loop_timer_fn *fn;
		} timer;
		struct {
			int signo;
			hv_loop_signal_fn *fn;
		} signal;
	};
};

struct hv_timers {
	int fd;		/* timerfd */
	uint64_t armed; /* what it is set to, 0 = nothing */
	uint64_t seq;
	struct hv_source **heap; /* heap[1] is due first */
	size_t n, n_sources, cap;
};

int hv_timers_init(struct hv_timers *t, struct hv_err *err);
void hv_timers_destroy(struct hv_timers *t);
/* Room for one source more, so that arming it later cannot fail. */
int hv_timers_reserve(struct hv_timers *t, struct hv_err *err);
void hv_timers_forget(struct hv_timers *t, struct hv_source *src);
/* Sets the timerfd to the earliest deadline. */
void hv_timers_arm(struct hv_timers *t);
int hv_timers_run(struct hv_timers *t);

struct hv_posts {
	int fd;				 /* eventfd: the stack is no longer empty */
	_Atomic(struct hv_post *) stack; /* newest first; any thread pushes */
	struct hv_post *batch;		 /* oldest first; this round's */
	struct hv_post *later; /* deferred, or taken off the stack too early: the next round's */
	_Atomic size_t sent;   /* bytes of copies that wait */
};

int hv_posts_init(struct hv_posts *p, struct hv_err *err);
void hv_posts_destroy(struct hv_posts *p);
int hv_posts_run(struct hv_posts *p, struct hv_loop *loop);
int hv_posts_run_later(struct hv_posts *p, struct hv_loop *loop);

#define HV_LOOP_EVENTS 64

struct hv_loop {
	int epoll;
	bool running;
	_Atomic bool stop;
	struct hv_source *sources;
	struct hv_source *graves; /* the dead ones */

	struct hv_timers timers;
	struct hv_posts posts;

	int signalfd;
	sigset_t signals;     /* with a source */
	sigset_t was_blocked; /* before the first source */
	unsigned int n_signal[_NSIG];
};

#endif
