// SPDX-License-Identifier: GPL-2.0-or-later
#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/loop_priv.h"

/* Whose event it is: one of the loop's own descriptors, or else a source. */
static int watch(struct hv_loop *loop, int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event ev = { .events = events, .data = { .ptr = ptr } };

	return epoll_ctl(loop->epoll, op, fd, &ev) < 0 ? -errno : 0;
}

int hv_loop_new(struct hv_loop **out, struct hv_err *err)
{
	struct hv_loop *loop = calloc(1, sizeof(*loop));
	int rc;

	if (!loop)
		return hv_err_nomem(err);
	loop->timers.fd = loop->posts.fd = loop->signalfd = -1;
	sigemptyset(&loop->signals);
	sigemptyset(&loop->was_blocked);
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		rc = hv_err_sys(err, errno, "cannot make an epoll descriptor");
	else
		rc = hv_timers_init(&loop->timers, err);
	if (!rc)
		rc = hv_posts_init(&loop->posts, err);
	if (!rc && (watch(loop, EPOLL_CTL_ADD, loop->timers.fd, EPOLLIN, &loop->timers) ||
		    watch(loop, EPOLL_CTL_ADD, loop->posts.fd, EPOLLIN, &loop->posts)))
		rc = hv_err_sys(err, errno, "cannot watch the loop's own descriptors");
	if (rc) {
		hv_loop_free(loop);
		return rc;
	}
	*out = loop;
	return 0;
}

static void set_signals(struct hv_loop *loop)
{
	if (loop->signalfd >= 0)
		signalfd(loop->signalfd, &loop->signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void forget_signal(struct hv_loop *loop, int signo)
{
	sigset_t set;

	if (--loop->n_signal[signo])
		return;
	sigdelset(&loop->signals, signo);
	set_signals(loop);
	if (sigismember(&loop->was_blocked, signo))
		return;
	sigemptyset(&set);
	sigaddset(&set, signo);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void hv_source_remove(struct hv_source *src)
{
	struct hv_loop *loop;

	if (!src || src->dead)
		return;
	loop = src->loop;
	src->dead = true;
	src->next_grave = loop->graves;
	loop->graves = src;
	switch (src->kind) {
	case HV_SOURCE_FD:
		if (src->fd.events)
			watch(loop, EPOLL_CTL_DEL, src->fd.fd, 0, NULL);
		break;
	case HV_SOURCE_TIMER:
		hv_timers_forget(&loop->timers, src);
		break;
	case HV_SOURCE_SIGNAL:
		forget_signal(loop, src->signal.signo);
		break;
	}
}

/* Events of this round may still point at dead sources; afterwards nothing does. */
static void bury(struct hv_loop *loop)
{
	struct hv_source *src;

	while ((src = loop->graves)) {
		loop->graves = src->next_grave;
		if (src->prev)
			src->prev->next = src->next;
		else
			loop->sources = src->next;
		if (src->next)
			src->next->prev = src->prev;
		free(src);
	}
}

void hv_loop_free(struct hv_loop *loop)
{
	if (!loop)
		return;
	for (struct hv_source *src = loop->sources; src; src = src->next)
		hv_source_remove(src);
	bury(loop);
	hv_posts_destroy(&loop->posts);
	hv_timers_destroy(&loop->timers);
	if (loop->signalfd >= 0)
		close(loop->signalfd);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop);
}

struct hv_loop *hv_source_loop(const struct hv_source *src)
{
	return src->loop;
}

static struct hv_source *source_new(struct hv_loop *loop, enum hv_source_kind kind, void *arg)
{
	struct hv_source *src;

	/* Outside of a round nobody else clears up. */
	if (!loop->running)
		bury(loop);
	src = calloc(1, sizeof(*src));
	if (!src)
		return NULL;
	src->loop = loop;
	src->kind = kind;
	src->arg = arg;
	src->next = loop->sources;
	if (src->next)
		src->next->prev = src;
	loop->sources = src;
	return src;
}

/* Takes back a source that was never handed out: it is always the first. */
static void source_undo(struct hv_source *src)
{
	src->loop->sources = src->next;
	if (src->next)
		src->next->prev = NULL;
	free(src);
}

int hv_loop_add_fd(struct hv_loop *loop, int fd, uint32_t events, hv_loop_fd_fn *fn, void *arg,
		   struct hv_source **out, struct hv_err *err)
{
	struct hv_source *src = source_new(loop, HV_SOURCE_FD, arg);
	int rc;

	if (!src)
		return hv_err_nomem(err);
	src->fd.fd = fd;
	src->fd.fn = fn;
	rc = hv_fd_set(src, events, err);
	if (rc) {
		source_undo(src);
		return rc;
	}
	*out = src;
	return 0;
}

int hv_fd_set(struct hv_source *src, uint32_t events, struct hv_err *err)
{
	int op, rc;

	if (src->dead || events == src->fd.events)
		return 0;
	op = !events ? EPOLL_CTL_DEL : src->fd.events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	rc = watch(src->loop, op, src->fd.fd, events, src);
	if (rc == -EPERM)
		return hv_err_set(err, EPERM, "descriptor %d is a file: it cannot be waited for",
				  src->fd.fd);
	if (rc == -EEXIST)
		return hv_err_set(err, EEXIST, "descriptor %d is waited for already", src->fd.fd);
	if (rc)
		return hv_err_sys(err, -rc, "cannot wait for descriptor %d", src->fd.fd);
	src->fd.events = events;
	return 0;
}

int hv_loop_add_timer(struct hv_loop *loop, uint64_t at, uint64_t period, hv_loop_timer_fn *fn,
		      void *arg, struct hv_source **out, struct hv_err *err)
{
	struct hv_source *src = source_new(loop, HV_SOURCE_TIMER, arg);
	int rc;

	if (!src)
		return hv_err_nomem(err);
	rc = hv_timers_reserve(&loop->timers, err);
	if (rc) {
		source_undo(src);
		return rc;
	}
	src->timer.fn = fn;
	hv_timer_set(src, at, period);
	*out = src;
	return 0;
}

/* The mask of threads that are not the loop's is their own affair; see the header. */
static int claim_signal(struct hv_loop *loop, int signo, struct hv_err *err)
{
	sigset_t one, old, all = loop->signals;
	int fd;

	sigaddset(&all, signo);
	fd = signalfd(loop->signalfd, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return hv_err_sys(err, errno, "cannot wait for signal %d", signo);
	if (loop->signalfd < 0) {
		if (watch(loop, EPOLL_CTL_ADD, fd, EPOLLIN, &loop->signalfd)) {
			close(fd);
			return hv_err_sys(err, errno, "cannot watch the loop's own descriptors");
		}
		loop->signalfd = fd;
	}
	sigemptyset(&one);
	sigaddset(&one, signo);
	pthread_sigmask(SIG_BLOCK, &one, &old);
	if (sigismember(&old, signo))
		sigaddset(&loop->was_blocked, signo);
	else
		sigdelset(&loop->was_blocked, signo);
	loop->signals = all;
	return 0;
}

int hv_loop_add_signal(struct hv_loop *loop, int signo, hv_loop_signal_fn *fn, void *arg,
		       struct hv_source **out, struct hv_err *err)
{
	struct hv_source *src;
	int rc;

	if (signo < 1 || signo >= _NSIG || signo == SIGKILL || signo == SIGSTOP)
		return hv_err_set(err, EINVAL, "signal %d cannot be waited for", signo);
	src = source_new(loop, HV_SOURCE_SIGNAL, arg);
	if (!src)
		return hv_err_nomem(err);
	rc = loop->n_signal[signo] ? 0 : claim_signal(loop, signo, err);
	if (rc) {
		source_undo(src);
		return rc;
	}
	loop->n_signal[signo]++;
	src->signal.signo = signo;
	src->signal.fn = fn;
	*out = src;
	return 0;
}

static int run_signals(struct hv_loop *loop)
{
	struct signalfd_siginfo info[8];
	ssize_t n = read(loop->signalfd, info, sizeof(info));
	int ran = 0;

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(info[0]); i++)
		/* New sources go to the front and dead ones stay linked: next is always good. */
		for (struct hv_source *src = loop->sources; src; src = src->next) {
			if (src->dead || src->kind != HV_SOURCE_SIGNAL ||
			    src->signal.signo != (int)info[i].ssi_signo)
				continue;
			src->signal.fn(src, &info[i], src->arg);
			ran++;
		}
	return ran;
}

static int dispatch(struct hv_loop *loop, const struct epoll_event *ev)
{
	struct hv_source *src = ev->data.ptr;
	uint64_t count;

	if (ev->data.ptr == &loop->timers) {
		(void)!read(loop->timers.fd, &count, sizeof(count));
		loop->timers.armed = 0;
		return 0;
	}
	if (ev->data.ptr == &loop->posts) {
		(void)!read(loop->posts.fd, &count, sizeof(count));
		return hv_posts_run(&loop->posts, loop);
	}
	if (ev->data.ptr == &loop->signalfd)
		return run_signals(loop);
	/* Events asked for no longer do not count; errors always do. */
	if (src->dead || !(ev->events & (src->fd.events | EPOLLERR | EPOLLHUP)) || !src->fd.events)
		return 0;
	src->fd.fn(src, src->fd.fd, ev->events, src->arg);
	return 1;
}

static int wait_ms(int64_t timeout)
{
	if (timeout < 0)
		return -1;
	/* Rounded up: ending early would mean another round. */
	timeout = timeout / 1000000 + (timeout % 1000000 != 0);
	return timeout < INT32_MAX ? (int)timeout : INT32_MAX;
}

int hv_loop_run_once(struct hv_loop *loop, int64_t timeout, struct hv_err *err)
{
	struct epoll_event events[HV_LOOP_EVENTS];
	bool deferred;
	int n, ran;

	if (loop->running)
		return hv_err_set(err, EBUSY, "the event loop runs already");
	bury(loop);
	hv_timers_arm(&loop->timers);
	deferred = loop->posts.later;
	n = epoll_wait(loop->epoll, events, HV_LOOP_EVENTS, deferred ? 0 : wait_ms(timeout));
	if (n < 0)
		return errno == EINTR ? hv_err_set(err, EINTR, "interrupted")
				      : hv_err_sys(err, errno, "cannot wait for events");
	loop->running = true;
	ran = hv_timers_run(&loop->timers);
	if (deferred)
		ran += hv_posts_run_later(&loop->posts, loop);
	for (int i = 0; i < n; i++)
		ran += dispatch(loop, &events[i]);
	loop->running = false;
	bury(loop);
	return ran;
}

int hv_loop_run(struct hv_loop *loop, struct hv_err *err)
{
	int rc;

	while (!atomic_load(&loop->stop)) {
		rc = hv_loop_run_once(loop, -1, err);
		if (rc < 0 && rc != -EINTR)
			return rc;
	}
	atomic_store(&loop->stop, false);
	return 0;
}

void hv_loop_wake(struct hv_loop *loop)
{
	int saved = errno;
	uint64_t one = 1;

	(void)!write(loop->posts.fd, &one, sizeof(one));
	errno = saved;
}

void hv_loop_stop(struct hv_loop *loop)
{
	atomic_store(&loop->stop, true);
	hv_loop_wake(loop);
}

bool hv_loop_stopped(const struct hv_loop *loop)
{
	return atomic_load(&loop->stop);
}
