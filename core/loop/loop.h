/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LOOP_LOOP_H
#define HV_LOOP_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/err.h"
#include "base/now.h"

/*
 * The event loop of one thread, its owner: descriptors, timers, signals, and
 * work that other threads post. Everything here is for the owner except where a line says "any
 * thread". A callback may add, change and remove any source, its own included: a removed source
 * is not called again, not even for an event that had already arrived. A callback
 * may not run the loop.
 *
 * One round calls at most what was due when it began, so that a source which makes itself due again
 * cannot keep the others waiting.
 */
struct hv_loop;
struct hv_source;

int hv_loop_new(struct hv_loop **loop, struct hv_err *err);
/*
 * Removes all sources (their descriptors stay open) and drops what is still posted, uncalled.
 * Nobody may post any more. Not from a callback.
 */
void hv_loop_free(struct hv_loop *loop);

/*
 * One round: waits up to timeout ns (0 = look only, negative = without limit) and calls
 * what is due. Returns how many callbacks ran (0: the time is over, or hv_loop_stop); -EINTR when
 * a signal handler of the program ran meanwhile; -EBUSY from inside a callback.
 */
int hv_loop_run_once(struct hv_loop *loop, int64_t timeout, struct hv_err *err);
/* Rounds until hv_loop_stop. One that came before run counts: run returns at once. */
int hv_loop_run(struct hv_loop *loop, struct hv_err *err);
/* Any thread, signal handlers too. */
void hv_loop_stop(struct hv_loop *loop);
/* Stopped, and no run has heard of it yet: for who calls run_once. */
bool hv_loop_stopped(const struct hv_loop *loop);
/* The round that waits now, or else the next one, comes back at once. Any thread, signal handlers
 * too. */
void hv_loop_wake(struct hv_loop *loop);

/*
 * Descriptors. events: EPOLLIN, EPOLLOUT …; EPOLLERR and EPOLLHUP are always reported, and again in
 * every round until the source is removed or set to 0. Remove the source before closing the
 * descriptor. A descriptor has one source (-EEXIST); regular files have none (-EPERM).
 */
typedef void hv_loop_fd_fn(struct hv_source *src, int fd, uint32_t events, void *arg);
int hv_loop_add_fd(struct hv_loop *loop, int fd, uint32_t events, hv_loop_fd_fn *fn, void *arg,
		   struct hv_source **src, struct hv_err *err);
/* 0 = not looked at, not even for errors. */
int hv_fd_set(struct hv_source *src, uint32_t events, struct hv_err *err);

/*
 * Timers. at: the deadline, 0 = none (armed later). period: ns between calls from then on, 0 =
 * once. Deadlines missed are not made up for: times says how many have passed, usually 1.
 */
typedef void hv_loop_timer_fn(struct hv_source *src, uint64_t times, void *arg);
int hv_loop_add_timer(struct hv_loop *loop, uint64_t at, uint64_t period, hv_loop_timer_fn *fn,
		      void *arg, struct hv_source **src, struct hv_err *err);
/* Arms it anew, or disarms it (at 0). Cannot fail. */
void hv_timer_set(struct hv_source *src, uint64_t at, uint64_t period);
bool hv_timer_armed(const struct hv_source *src);

/*
 * Signals. The signal is blocked in the owner thread while a source for it exists; every other
 * thread must block it too, and children inherit the mask. A signal may have several sources; each
 * is called. Signals of one number that arrive together count once, as always.
 */
typedef void hv_loop_signal_fn(struct hv_source *src, const struct signalfd_siginfo *info,
			       void *arg);
int hv_loop_add_signal(struct hv_loop *loop, int signo, hv_loop_signal_fn *fn, void *arg,
		       struct hv_source **src, struct hv_err *err);

/* Any kind; NULL is fine. Memory is given back when nothing refers to it any more. */
void hv_source_remove(struct hv_source *src);
struct hv_loop *hv_source_loop(const struct hv_source *src);

/*
 * Work posted by other threads, called in the order in which it was posted.
 *
 * hv_loop_post: the node is the poster's, costs no memory and coalesces: while it waits, posting it
 * again does nothing and returns false. From the moment its function is called it may be posted
 * again. Whatever the poster wrote before posting is seen by the function. Any thread; never
 * blocks; a system call only when the loop had nothing posted.
 */
struct hv_post {
	void (*fn)(struct hv_loop *loop, struct hv_post *post);
	void *arg;
	/* the loop's, zero at first */
	struct hv_post *next;
	_Atomic bool queued;
};
bool hv_loop_post(struct hv_loop *loop, struct hv_post *post);
/* The owner's own work for the next round, which does not wait then: as hv_loop_post, without a
 * system call. */
bool hv_loop_defer(struct hv_loop *loop, struct hv_post *post);
/* The node may be freed afterwards. Nobody may be posting it any more. */
void hv_loop_unpost(struct hv_loop *loop, struct hv_post *post);

/*
 * Posts a copy of size bytes of data, which the function gets. Bounded: -ENOBUFS when more than
 * HV_LOOP_SEND_MAX bytes wait already; -ENOMEM. Any thread.
 */
#define HV_LOOP_SEND_MAX (4u << 20)
typedef void hv_loop_send_fn(struct hv_loop *loop, const void *data, size_t size);
int hv_loop_send(struct hv_loop *loop, hv_loop_send_fn *fn, const void *data, size_t size);

#endif
