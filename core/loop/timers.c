// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop_priv.h"

int hv_timers_init(struct hv_timers *t, struct hv_err *err)
{
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->fd < 0)
		return hv_err_sys(err, errno, "cannot make a timer descriptor");
	return 0;
}

void hv_timers_destroy(struct hv_timers *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->heap);
}

int hv_timers_reserve(struct hv_timers *t, struct hv_err *err)
{
	struct hv_source **heap;
	size_t cap;

	if (t->n_sources + 1 >= t->cap) {
		cap = t->cap ? t->cap * 2 : 16;
		heap = reallocarray(t->heap, cap, sizeof(struct hv_source *));
		if (!heap)
			return hv_err_nomem(err);
		t->heap = heap;
		t->cap = cap;
	}
	t->n_sources++;
	return 0;
}

static bool before(const struct hv_source *a, const struct hv_source *b)
{
	return a->timer.at < b->timer.at ||
	       (a->timer.at == b->timer.at && a->timer.seq < b->timer.seq);
}

static void put(struct hv_timers *t, size_t slot, struct hv_source *src)
{
	t->heap[slot] = src;
	src->timer.slot = slot;
}

static void sift(struct hv_timers *t, size_t slot, struct hv_source *src)
{
	size_t child;

	for (; slot > 1 && before(src, t->heap[slot / 2]); slot /= 2)
		put(t, slot, t->heap[slot / 2]);
	for (; (child = 2 * slot) <= t->n; slot = child) {
		if (child < t->n && before(t->heap[child + 1], t->heap[child]))
			child++;
		if (!before(t->heap[child], src))
			break;
		put(t, slot, t->heap[child]);
	}
	put(t, slot, src);
}

static void insert(struct hv_timers *t, struct hv_source *src)
{
	src->timer.seq = t->seq++;
	sift(t, ++t->n, src);
}

static void take_out(struct hv_timers *t, struct hv_source *src)
{
	struct hv_source *last;
	size_t slot = src->timer.slot;

	src->timer.due = false;
	if (!slot)
		return;
	src->timer.slot = 0;
	last = t->heap[t->n--];
	if (last != src)
		sift(t, slot, last);
}

void hv_timers_forget(struct hv_timers *t, struct hv_source *src)
{
	take_out(t, src);
	t->n_sources--;
}

void hv_timer_set(struct hv_source *src, uint64_t at, uint64_t period)
{
	struct hv_timers *t = &src->loop->timers;

	if (src->dead)
		return;
	take_out(t, src);
	src->timer.at = at;
	src->timer.period = period;
	if (at)
		insert(t, src);
}

bool hv_timer_armed(const struct hv_source *src)
{
	return !src->dead && (src->timer.slot || src->timer.due);
}

void hv_timers_arm(struct hv_timers *t)
{
	uint64_t at = t->n ? t->heap[1]->timer.at : 0;
	struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(at / 1000000000u),
			      .tv_nsec = (long)(at % 1000000000u) },
	};

	if (at == t->armed)
		return;
	/* Fails only for times that no clock reaches. */
	timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &when, NULL);
	t->armed = at;
}

/* How many deadlines of a periodic timer are behind `now`; its next one is set. */
static uint64_t advance(struct hv_source *src, uint64_t now)
{
	uint64_t passed = 1 + (now - src->timer.at) / src->timer.period;
	uint64_t step;

	if (__builtin_mul_overflow(passed, src->timer.period, &step) ||
	    __builtin_add_overflow(src->timer.at, step, &src->timer.at))
		src->timer.at = UINT64_MAX;
	return passed;
}

int hv_timers_run(struct hv_timers *t)
{
	struct hv_source *first = NULL, **end = &first;
	uint64_t now;
	int ran = 0;

	if (!t->n)
		return 0;
	now = hv_now();
	while (t->n && t->heap[1]->timer.at <= now) {
		struct hv_source *src = t->heap[1];

		take_out(t, src);
		src->timer.due = true;
		src->timer.next_due = NULL;
		*end = src;
		end = &src->timer.next_due;
	}
	for (struct hv_source *src = first; src; src = src->timer.next_due) {
		uint64_t times = 1;

		if (!src->timer.due)
			continue;
		src->timer.due = false;
		if (src->timer.period) {
			times = advance(src, now);
			insert(t, src);
		}
		src->timer.fn(src, times, src->arg);
		ran++;
	}
	return ran;
}
