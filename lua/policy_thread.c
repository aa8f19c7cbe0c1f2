// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/policy_thread.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/now.h"
#include "base/thread.h"
#include "lua/policy_process.h"
#include "lua/policy_state.h"

#define FAILURES 10 /* one after the other: it is asked no more */
#define PRINT_NS UINT64_C(10000000000)
#define PRINT_LINES 100 /* in that time */

struct hv_policy_thread {
	struct hv_policy_thread_opts opts; /* source: without its texts */
	char *device;
	struct hv_policy_engine *engine;
	struct hv_policy *policy;
	struct hv_policy_stop stop;
	int asked; /* eventfd */
	bool runs;
	pthread_t thread;
	pthread_mutex_t lock;
	struct hv_policy_news news; /* under lock */
	/* The thread's. */
	unsigned int in_a_row;
	unsigned int for_this; /* lines printed */
	unsigned int printed;
	uint64_t print_until, unsaid;
};

/* ---- what is said */

/* Whose line it is, stays to be seen: what follows a newline is indented. */
static void put_clean(char *out, size_t size, const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 6 < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\n' && i + 1 < len && text[i + 1] != ' ') {
			memcpy(out + n, "\n    ", 5);
			n += 5;
		} else {
			out[n++] = c == '\t'				  ? ' '
				   : c == '\n' || (c >= ' ' && c != 0x7f) ? (char)c
									  : '?';
		}
	}
	out[n] = '\0';
}

static void on_print(const char *line, size_t len, void *arg)
{
	struct hv_policy_thread *t = arg;
	uint64_t now = hv_now();
	char clean[600];

	if (now >= t->print_until) {
		if (t->unsaid)
			hv_log_info("%s: its policy has printed %" PRIu64 " lines more, not shown",
				    t->device, t->unsaid);
		t->print_until = now + PRINT_NS;
		t->printed = 0;
		t->unsaid = 0;
	}
	if (t->for_this++ >= HV_POLICY_PRINTS_MAX || t->printed++ >= PRINT_LINES) {
		t->unsaid++;
		return;
	}
	put_clean(clean, sizeof(clean), line, len);
	hv_log_info("%s: its policy: %s", t->device, clean);
}

static void tell_failure(struct hv_policy_thread *t, const struct hv_buf *why)
{
	pthread_mutex_lock(&t->lock);
	t->news.failures++;
	put_clean(t->news.failure, sizeof(t->news.failure), why->data ?: "not enough memory",
		  why->data ? why->len : 17);
	pthread_mutex_unlock(&t->lock);
	t->opts.told(t->opts.arg);
}

/* It will not decide again. */
static void give_up(struct hv_policy_thread *t, const char *why, size_t len)
{
	pthread_mutex_lock(&t->lock);
	t->news.over = true;
	put_clean(t->news.reason, sizeof(t->news.reason), why, len);
	pthread_mutex_unlock(&t->lock);
	hv_policy_close(t->policy);
}

/* ---- answers */

static void decide(struct hv_policy_thread *t, const struct hv_question *q)
{
	struct hv_answer a = { .word = HV_ANSWER_ALLOW };
	struct hv_buf why = { 0 };
	char text[64];
	int rc;

	t->for_this = 0;
	rc = t->engine->ops->decide(t->engine, q, &a, &why);
	if (!rc) {
		t->in_a_row = 0;
		hv_policy_reply(t->policy, q, &a);
	} else if (rc == -EINVAL) {
		a = (struct hv_answer){ .word = t->opts.denies_on_error ? HV_ANSWER_DENY
									: HV_ANSWER_ALLOW };
		hv_policy_reply(t->policy, q, &a);
		tell_failure(t, &why);
		if (++t->in_a_row >= FAILURES)
			give_up(t, text,
				(size_t)snprintf(text, sizeof(text),
						 "it has failed %d times in a row", FAILURES));
	} else if (rc != -ECANCELED) {
		give_up(t, why.data ?: "not enough memory", why.data ? why.len : 17);
	}
	hv_buf_free(&why);
}

/* ---- the thread */

static bool is_stopped(const struct hv_policy_thread *t)
{
	return atomic_load(&t->stop.now);
}

static void look_at_engine(struct hv_policy_thread *t)
{
	struct hv_buf why = { 0 };

	if (t->engine->ops->idle(t->engine, &why) < 0)
		give_up(t, why.data ?: "not enough memory", why.data ? why.len : 17);
	hv_buf_free(&why);
}

static void *body(void *arg)
{
	struct hv_policy_thread *t = arg;
	struct pollfd fds[] = {
		{ .fd = t->asked, .events = POLLIN },
		{ .fd = t->stop.fd, .events = POLLIN },
		{ .fd = t->engine->ops->fd ? t->engine->ops->fd(t->engine) : -1, .events = POLLIN },
	};
	struct hv_question q;
	uint64_t count;

	while (!is_stopped(t)) {
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[2].revents)
			look_at_engine(t);
		(void)!read(t->asked, &count, sizeof(count));
		while (!is_stopped(t) && hv_desk_take(hv_policy_desk(t->policy), &q))
			decide(t, &q);
	}
	t->engine->ops->free(t->engine);
	t->engine = NULL;
	pthread_mutex_lock(&t->lock);
	t->news.ended = true;
	pthread_mutex_unlock(&t->lock);
	t->opts.told(t->opts.arg);
	return NULL;
}

static int make_descriptors(struct hv_policy_thread *t, struct hv_err *err)
{
	t->asked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	t->stop.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return t->asked < 0 || t->stop.fd < 0 ? hv_err_sys(err, errno, "making descriptors for it")
					      : 0;
}

int hv_policy_thread_new(const struct hv_policy_thread_opts *opts, struct hv_policy_thread **out,
			 struct hv_err *err)
{
	struct hv_policy_thread *t = calloc(1, sizeof(*t));
	struct hv_policy_source source = opts->source;
	int rc;

	if (!t)
		return hv_err_nomem(err);
	t->opts = *opts;
	t->asked = t->stop.fd = -1;
	pthread_mutex_init(&t->lock, NULL);
	t->device = strdup(opts->source.device);
	rc = t->device ? make_descriptors(t, err) : hv_err_nomem(err);
	source.device = t->device;
	source.print = on_print;
	source.arg = t;
	if (!rc)
		rc = opts->process ? hv_policy_process_engine(&source, &t->stop, &t->engine, err)
				   : hv_policy_state_engine(&source, &t->stop, &t->engine, err);
	if (rc < 0)
		hv_policy_thread_free(t);
	else
		*out = t;
	return rc;
}

int hv_policy_thread_start(struct hv_policy_thread *t, struct hv_policy *policy, struct hv_err *err)
{
	int rc;

	hv_policy_get(policy);
	t->policy = policy;
	rc = hv_thread_start(&t->thread, body, t, "policy");
	if (rc < 0)
		return hv_err_sys(err, -rc, "starting a thread for it");
	t->runs = true;
	return 0;
}

static void signal_to(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

void hv_policy_thread_ask(struct hv_policy_thread *t)
{
	signal_to(t->asked);
}

void hv_policy_thread_end(struct hv_policy_thread *t)
{
	atomic_store(&t->stop.now, true);
	signal_to(t->stop.fd);
}

void hv_policy_thread_free(struct hv_policy_thread *t)
{
	if (!t)
		return;
	if (t->runs) {
		hv_policy_thread_end(t);
		pthread_join(t->thread, NULL);
	}
	if (t->engine)
		t->engine->ops->free(t->engine);
	hv_policy_put(t->policy);
	if (t->asked >= 0)
		close(t->asked);
	if (t->stop.fd >= 0)
		close(t->stop.fd);
	pthread_mutex_destroy(&t->lock);
	free(t->device);
	free(t);
}

void hv_policy_thread_news(struct hv_policy_thread *t, struct hv_policy_news *out)
{
	pthread_mutex_lock(&t->lock);
	*out = t->news;
	t->news.failures = 0;
	pthread_mutex_unlock(&t->lock);
}
