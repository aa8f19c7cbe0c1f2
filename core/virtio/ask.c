// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/ask.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/now.h"
#include "virtio/worker.h"

/* A ticket is the slot's number and how often it has been used, so that a late answer meets nobody.
 */
#define SLOT_BITS 16

enum state {
	FREE,
	PUT,	  /* nobody has taken it */
	TAKEN,	  /* somebody thinks about it */
	ANSWERED, /* waits for its worker */
	ORPHAN,	  /* taken, and nobody waits any more: freed by its answer */
};

struct slot {
	enum state state;
	uint64_t uses;
	struct hv_worker *worker;
	void *cookie;
	struct hv_question question; /* data: ours */
	uint64_t deadline;	     /* 0 = none */
	struct hv_answer answer;     /* data: ours, then the worker's */
	TAILQ_ENTRY(slot) turn;	     /* in put, answered or free */
	TAILQ_ENTRY(slot) age;	     /* in open */
};

TAILQ_HEAD(slots, slot);

struct hv_desk {
	_Atomic unsigned int refs;
	struct hv_desk_opts opts;
	pthread_mutex_t lock; /* all below */
	bool closed;
	size_t bytes;
	struct hv_desk_stats stats;
	struct hv_worker *starved[HV_DESK_WORKERS]; /* are to hear of room */
	unsigned int n_starved;
	struct slots put, answered, free;
	struct slots open; /* PUT and TAKEN, the oldest first: deadlines are in that order */
	struct slot slot[];
};

int hv_desk_new(const struct hv_desk_opts *opts, struct hv_desk **out, struct hv_err *err)
{
	struct hv_desk *desk;

	if (!opts->depth || opts->depth > HV_DESK_DEPTH_MAX)
		return hv_err_set(err, EINVAL, "%u questions at a time: 1 to %d are possible",
				  opts->depth, HV_DESK_DEPTH_MAX);
	desk = calloc(1, sizeof(*desk) + opts->depth * sizeof(desk->slot[0]));
	if (!desk)
		return hv_err_nomem(err);
	desk->refs = 1;
	desk->opts = *opts;
	pthread_mutex_init(&desk->lock, NULL);
	TAILQ_INIT(&desk->put);
	TAILQ_INIT(&desk->answered);
	TAILQ_INIT(&desk->free);
	TAILQ_INIT(&desk->open);
	for (unsigned int i = 0; i < opts->depth; i++)
		TAILQ_INSERT_TAIL(&desk->free, &desk->slot[i], turn);
	*out = desk;
	return 0;
}

void hv_desk_get(struct hv_desk *desk)
{
	atomic_fetch_add(&desk->refs, 1);
}

void hv_desk_put(struct hv_desk *desk)
{
	if (!desk || atomic_fetch_sub(&desk->refs, 1) > 1)
		return;
	for (unsigned int i = 0; i < desk->opts.depth; i++) {
		free((void *)desk->slot[i].question.data);
		free(desk->slot[i].answer.data);
	}
	pthread_mutex_destroy(&desk->lock);
	free(desk);
}

/* ---- slots; the lock is held */

static uint64_t ticket_of(const struct hv_desk *desk, const struct slot *slot)
{
	return slot->uses << SLOT_BITS | (uint64_t)(slot - desk->slot);
}

static struct slot *slot_of(struct hv_desk *desk, uint64_t ticket)
{
	uint64_t n = ticket & ((1u << SLOT_BITS) - 1);
	struct slot *slot = n < desk->opts.depth ? &desk->slot[n] : NULL;

	if (!slot || (slot->state != TAKEN && slot->state != ORPHAN) ||
	    ticket_of(desk, slot) != ticket)
		return NULL;
	return slot;
}

static void drop_question(struct hv_desk *desk, struct slot *slot)
{
	desk->bytes -= slot->question.len;
	free((void *)slot->question.data);
	slot->question.data = NULL;
	slot->question.len = 0;
}

static void release(struct hv_desk *desk, struct slot *slot)
{
	drop_question(desk, slot);
	slot->state = FREE;
	TAILQ_INSERT_TAIL(&desk->free, slot, turn);
	while (desk->n_starved)
		hv_worker_post(desk->starved[--desk->n_starved], HV_MSG_POKE);
}

static void starve(struct hv_desk *desk, struct hv_worker *worker)
{
	for (unsigned int i = 0; i < desk->n_starved; i++)
		if (desk->starved[i] == worker)
			return;
	if (worker && desk->n_starved < HV_DESK_WORKERS)
		desk->starved[desk->n_starved++] = worker;
}

/* No longer open; what somebody reads at this moment stays until he answers. */
static void leave(struct hv_desk *desk, struct slot *slot)
{
	TAILQ_REMOVE(&desk->open, slot, age);
	desk->stats.open--;
	if (slot->state == TAKEN) {
		slot->state = ORPHAN;
		return;
	}
	TAILQ_REMOVE(&desk->put, slot, turn);
	release(desk, slot);
}

/* ---- asking */

int hv_desk_ask(struct hv_desk *desk, struct hv_worker *worker, const struct hv_question *question,
		void *cookie)
{
	bool first;
	struct slot *slot;
	void *data = NULL;
	int rc = 0;

	if (question->len > HV_DESK_DATA_MAX || question->room > HV_DESK_DATA_MAX)
		return -EMSGSIZE;
	if (question->len) {
		data = malloc(question->len);
		if (!data)
			return -ENOMEM;
		memcpy(data, question->data, question->len);
	}
	pthread_mutex_lock(&desk->lock);
	slot = TAILQ_FIRST(&desk->free);
	if (desk->closed)
		rc = -ESHUTDOWN;
	else if (!slot || desk->bytes + question->len > desk->opts.bytes)
		rc = -ENOBUFS;
	if (rc < 0) {
		if (rc == -ENOBUFS) {
			desk->stats.refused++;
			starve(desk, worker);
		}
		pthread_mutex_unlock(&desk->lock);
		free(data);
		return rc;
	}
	first = TAILQ_EMPTY(&desk->put);
	TAILQ_REMOVE(&desk->free, slot, turn);
	slot->uses++;
	slot->state = PUT;
	slot->worker = worker;
	slot->cookie = cookie;
	slot->question = *question;
	slot->question.data = data;
	slot->question.ticket = ticket_of(desk, slot);
	slot->question.asked = hv_now();
	slot->deadline = worker && desk->opts.patience_ns
				 ? slot->question.asked + desk->opts.patience_ns
				 : 0;
	TAILQ_INSERT_TAIL(&desk->put, slot, turn);
	TAILQ_INSERT_TAIL(&desk->open, slot, age);
	desk->bytes += question->len;
	desk->stats.asked++;
	desk->stats.open++;
	pthread_mutex_unlock(&desk->lock);
	if (first && desk->opts.asked)
		desk->opts.asked(desk->opts.arg);
	return 0;
}

/* The oldest question of the worker that is over, by time or because nobody answers any more. */
static struct slot *find_over(struct hv_desk *desk, const struct hv_worker *worker, uint64_t now)
{
	struct slot *slot;

	TAILQ_FOREACH(slot, &desk->open, age)
	{
		if (!slot->worker)
			continue;
		if (!desk->closed && (!slot->deadline || slot->deadline > now))
			break;
		if (slot->worker == worker)
			return slot;
	}
	return NULL;
}

bool hv_desk_answered(struct hv_desk *desk, const struct hv_worker *worker, uint64_t now,
		      struct hv_answer *answer, void **cookie)
{
	struct slot *slot;

	pthread_mutex_lock(&desk->lock);
	TAILQ_FOREACH(slot, &desk->answered, turn)
	if (slot->worker == worker)
		break;
	if (slot) {
		TAILQ_REMOVE(&desk->answered, slot, turn);
		*answer = slot->answer;
		*cookie = slot->cookie;
		desk->bytes -= slot->answer.len;
		slot->answer = (struct hv_answer){ 0 };
		release(desk, slot);
	} else {
		slot = find_over(desk, worker, now);
		if (slot) {
			*answer = (struct hv_answer){ .word = desk->closed ? HV_ANSWER_GONE
									   : HV_ANSWER_LATE };
			*cookie = slot->cookie;
			desk->stats.late += !desk->closed;
			leave(desk, slot);
		}
	}
	pthread_mutex_unlock(&desk->lock);
	return slot != NULL;
}

uint64_t hv_desk_deadline(struct hv_desk *desk, const struct hv_worker *worker)
{
	struct slot *slot;
	uint64_t deadline = 0;

	pthread_mutex_lock(&desk->lock);
	TAILQ_FOREACH(slot, &desk->open, age)
	if (slot->worker == worker) {
		deadline = slot->deadline;
		break;
	}
	pthread_mutex_unlock(&desk->lock);
	return deadline;
}

void hv_desk_forget(struct hv_desk *desk, const struct hv_worker *worker)
{
	struct slot *slot, *next;

	pthread_mutex_lock(&desk->lock);
	for (slot = TAILQ_FIRST(&desk->open); slot; slot = next) {
		next = TAILQ_NEXT(slot, age);
		if (slot->worker == worker)
			leave(desk, slot);
	}
	for (unsigned int i = 0; i < desk->n_starved; i++)
		if (desk->starved[i] == worker) {
			desk->starved[i] = desk->starved[--desk->n_starved];
			break;
		}
	for (slot = TAILQ_FIRST(&desk->answered); slot; slot = next) {
		next = TAILQ_NEXT(slot, turn);
		if (slot->worker != worker)
			continue;
		TAILQ_REMOVE(&desk->answered, slot, turn);
		desk->bytes -= slot->answer.len;
		free(slot->answer.data);
		slot->answer = (struct hv_answer){ 0 };
		release(desk, slot);
	}
	pthread_mutex_unlock(&desk->lock);
}

/* ---- answering */

bool hv_desk_take(struct hv_desk *desk, struct hv_question *question)
{
	struct slot *slot;

	pthread_mutex_lock(&desk->lock);
	slot = desk->closed ? NULL : TAILQ_FIRST(&desk->put);
	if (slot) {
		TAILQ_REMOVE(&desk->put, slot, turn);
		slot->state = TAKEN;
		*question = slot->question;
	}
	pthread_mutex_unlock(&desk->lock);
	return slot != NULL;
}

int hv_desk_answer(struct hv_desk *desk, uint64_t ticket, const struct hv_answer *answer)
{
	size_t len = answer->data ? answer->len : 0;
	struct hv_worker *worker = NULL;
	struct slot *slot;
	void *data = NULL;
	int rc = 0;

	if (len > HV_DESK_DATA_MAX)
		return -EMSGSIZE;
	if (answer->data) {
		data = malloc(len ? len : 1);
		if (!data)
			return -ENOMEM;
		memcpy(data, answer->data, len);
	}
	pthread_mutex_lock(&desk->lock);
	slot = slot_of(desk, ticket);
	if (!slot || desk->closed) {
		/* A closed desk needs no slots: what somebody reads stays until its end. */
		rc = -ESTALE;
	} else if (slot->state == ORPHAN) {
		release(desk, slot);
		rc = -ESTALE;
	} else if (!slot->worker) {
		leave(desk, slot);
		release(desk, slot);
		desk->stats.answered++;
	} else if (len > slot->question.room) {
		rc = -EMSGSIZE;
	} else if (desk->bytes - slot->question.len + len > desk->opts.bytes) {
		rc = -ENOBUFS;
	} else {
		drop_question(desk, slot);
		TAILQ_REMOVE(&desk->open, slot, age);
		TAILQ_INSERT_TAIL(&desk->answered, slot, turn);
		slot->state = ANSWERED;
		slot->answer = *answer;
		slot->answer.data = data;
		slot->answer.len = len;
		data = NULL;
		desk->bytes += len;
		desk->stats.open--;
		desk->stats.answered++;
		worker = slot->worker;
		/* With the lock: a worker that has forgotten is woken no more. */
		hv_worker_post(worker, HV_MSG_POKE);
	}
	pthread_mutex_unlock(&desk->lock);
	free(data);
	return rc;
}

bool hv_desk_open(struct hv_desk *desk, uint64_t ticket)
{
	struct slot *slot;
	bool open;

	pthread_mutex_lock(&desk->lock);
	slot = slot_of(desk, ticket);
	open = slot && slot->state == TAKEN && !desk->closed;
	pthread_mutex_unlock(&desk->lock);
	return open;
}

void hv_desk_close(struct hv_desk *desk)
{
	struct slot *slot;

	pthread_mutex_lock(&desk->lock);
	desk->closed = true;
	TAILQ_FOREACH(slot, &desk->open, age)
	if (slot->worker)
		hv_worker_post(slot->worker, HV_MSG_POKE);
	while (desk->n_starved)
		hv_worker_post(desk->starved[--desk->n_starved], HV_MSG_POKE);
	pthread_mutex_unlock(&desk->lock);
}

void hv_desk_stats(struct hv_desk *desk, struct hv_desk_stats *out)
{
	pthread_mutex_lock(&desk->lock);
	*out = desk->stats;
	pthread_mutex_unlock(&desk->lock);
}
