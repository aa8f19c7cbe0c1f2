// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/policy_process.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/duration.h"
#include "base/now.h"
#include "lua/policy_wire.h"
#include "sandbox/cell.h"

/*
 * By the clock on the wall, beyond the deadline: the process stops by itself when it has used up
 * its time, and on a busy machine that takes longer.
 */
#define PATIENCE_NS UINT64_C(2000000000)
#define LOAD_PATIENCE_NS UINT64_C(5000000000)

struct process {
	struct hv_policy_engine base;
	struct hv_cell cell;
	enum hv_policy_type type;
	uint64_t deadline;
	const struct hv_policy_stop *stop;
	void (*print)(const char *line, size_t len, void *arg);
	void *arg;
	char bytes[HV_POLICY_WIRE_MAX];
};

/* ---- how it ended */

static void put_end(struct process *p, struct hv_buf *why)
{
	int status;

	if (!hv_cell_ended(&p->cell, &status))
		hv_buf_puts(why, "its process has closed its socket");
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		hv_buf_puts(why,
			    "its process was killed: it has tried a system call that it has no "
			    "right to");
	else if (WIFSIGNALED(status))
		hv_buf_printf(why, "its process was killed by signal %d (%s)", WTERMSIG(status),
			      strsignal(WTERMSIG(status)));
	else
		hv_buf_printf(why, "its process has ended by itself, with status %d",
			      WEXITSTATUS(status));
}

static int lies(struct hv_buf *why, const char *what)
{
	hv_buf_printf(why, "its process was killed: it says %s", what);
	return -EPROTO;
}

/* ---- records */

static void put_text(struct hv_policy_record *record, unsigned int i, const void *text, size_t len)
{
	record->text[i].bytes = text;
	record->text[i].len = len;
}

/* 0: it has something to say, or is gone. */
static int wait_for_it(struct process *p, uint64_t until)
{
	struct pollfd fds[] = {
		{ .fd = p->cell.fd, .events = POLLIN },
		{ .fd = p->stop->fd, .events = POLLIN },
	};

	for (;;) {
		uint64_t now = hv_now();
		int n;

		if (now >= until)
			return -ETIMEDOUT;
		n = poll(fds, 2, (int)((until - now) / 1000000) + 1);
		if (fds[1].revents)
			return -ECANCELED;
		if (n > 0)
			return 0;
	}
}

static int receive(struct process *p, struct hv_policy_record *record, struct hv_buf *why)
{
	struct hv_err err;
	int rc = hv_policy_wire_receive(p->cell.fd, p->bytes, MSG_DONTWAIT, record, &err);

	if (rc == -EPIPE)
		put_end(p, why);
	else if (rc < 0 && rc != -EAGAIN)
		return lies(why, err.msg);
	return rc;
}

/* The record that answers ours; what it prints comes before. */
static int hear(struct process *p, uint64_t patience, struct hv_policy_record *record,
		struct hv_buf *why)
{
	uint64_t until = hv_now() + patience;
	unsigned int printed = 0;
	int rc;

	for (;;) {
		rc = wait_for_it(p, until);
		if (rc == -ETIMEDOUT)
			hv_buf_printf(why,
				      "its process was killed: it has not answered in %" PRIu64
				      " ms",
				      patience / 1000000);
		if (rc)
			return rc;
		rc = receive(p, record, why);
		if (rc == -EAGAIN)
			continue;
		if (rc < 0 || record->verb != HV_POLICY_PRINT)
			return rc;
		if (++printed > HV_POLICY_PRINTS_MAX)
			return lies(why, "more lines than it may");
		if (p->print)
			p->print(record->text[0].bytes, record->text[0].len, p->arg);
	}
}

/* ---- as an engine */

static int put_failure(const struct hv_policy_record *record, struct hv_buf *why)
{
	hv_buf_add(why, record->text[0].bytes, record->text[0].len);
	return -EINVAL;
}

static int read_answer(const struct process *p, const struct hv_question *q,
		       const struct hv_policy_record *record, struct hv_answer *answer,
		       struct hv_buf *why)
{
	const char *wrong;

	if (record->verb != HV_POLICY_ANSWER && record->verb != HV_POLICY_FAILED)
		return lies(why, "something else than an answer");
	if (record->number[0] != q->ticket)
		return lies(why, "an answer to what it was not asked");
	if (record->verb == HV_POLICY_FAILED)
		return put_failure(record, why);
	if (record->number[1] > HV_ANSWER_DENY || record->number[2] > UINT32_MAX)
		return lies(why, "neither allow nor deny");
	*answer = (struct hv_answer){
		.word = (enum hv_answer_word)record->number[1],
		.status = (uint32_t)record->number[2],
		.delay_ns = record->number[3],
		.data = record->number[4] ? (void *)record->text[0].bytes : NULL,
		.len = record->number[4] ? record->text[0].len : 0,
	};
	wrong = hv_policy_answer_wrong(p->type, q, answer);
	return wrong ? lies(why, wrong) : 0;
}

static int process_decide(struct hv_policy_engine *engine, const struct hv_question *q,
			  struct hv_answer *answer, struct hv_buf *why)
{
	struct process *p = (struct process *)engine;
	struct hv_policy_record record = {
		.verb = HV_POLICY_ASK,
		.number = { q->ticket, q->kind, q->at, q->size, q->room },
	};
	struct hv_err err;
	int rc;

	put_text(&record, 0, q->data, q->len);
	rc = hv_policy_wire_send(p->cell.fd, &record, MSG_DONTWAIT, &err);
	if (rc == -EPIPE)
		put_end(p, why);
	else if (rc < 0)
		hv_buf_puts(why, err.msg);
	if (!rc)
		rc = hear(p, p->deadline + PATIENCE_NS, &record, why);
	return rc ? rc : read_answer(p, q, &record, answer, why);
}

static int process_fd(struct hv_policy_engine *engine)
{
	return ((struct process *)engine)->cell.fd;
}

static int process_idle(struct hv_policy_engine *engine, struct hv_buf *why)
{
	struct process *p = (struct process *)engine;
	struct hv_policy_record record;
	int rc = receive(p, &record, why);

	if (rc == -EAGAIN)
		return 0;
	return rc < 0 ? rc : lies(why, "something without being asked");
}

static void process_free(struct hv_policy_engine *engine)
{
	struct process *p = (struct process *)engine;

	hv_cell_close(&p->cell);
	free(p);
}

static int load(struct process *p, const struct hv_policy_source *source, struct hv_err *err)
{
	struct hv_policy_record record = {
		.verb = HV_POLICY_LOAD,
		.number = { source->type, source->memory, source->deadline },
	};
	struct hv_buf why = { 0 };
	int rc;

	put_text(&record, 0, source->device, strlen(source->device));
	put_text(&record, 1, source->name, strlen(source->name));
	put_text(&record, 2, source->text, source->len);
	put_text(&record, 3, source->args, source->args_len);
	rc = hv_policy_wire_send(p->cell.fd, &record, MSG_DONTWAIT, err);
	if (rc < 0)
		return rc;
	rc = hear(p, LOAD_PATIENCE_NS, &record, &why);
	if (!rc && record.verb == HV_POLICY_FAILED)
		rc = put_failure(&record, &why);
	else if (!rc && record.verb != HV_POLICY_READY)
		rc = lies(&why, "something else than that it is loaded");
	if (rc == -EINVAL)
		hv_err_set(err, EINVAL, "%s", why.data ?: "not enough memory");
	else if (rc < 0)
		hv_err_set(err, -rc, "%s: %s", source->name, why.data ?: "not enough memory");
	hv_buf_free(&why);
	return rc;
}

int hv_policy_process_engine(const struct hv_policy_source *source,
			     const struct hv_policy_stop *stop, struct hv_policy_engine **out,
			     struct hv_err *err)
{
	static const struct hv_policy_engine_ops ops = {
		.decide = process_decide,
		.fd = process_fd,
		.idle = process_idle,
		.free = process_free,
	};
	struct process *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return hv_err_nomem(err);
	p->base.ops = &ops;
	p->type = source->type;
	p->deadline = source->deadline;
	p->stop = stop;
	p->print = source->print;
	p->arg = source->arg;
	rc = hv_cell_open(&p->cell, err);
	if (rc < 0) {
		free(p);
		return rc;
	}
	rc = load(p, source, err);
	if (rc < 0)
		process_free(&p->base);
	else
		*out = &p->base;
	return rc;
}
