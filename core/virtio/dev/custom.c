// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/custom.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/duration.h"
#include "virtio/device_priv.h"

/* A turn takes on and gives back so many at most: the thread must see a reset soon. */
#define TURN 64
#define WRITES 32 /* of the driver to the configuration, not asked for yet */
#define WHY_MAX 160

/* A buffer of the guest's whose question is on the desk. */
struct request {
	TAILQ_ENTRY(request) turn;
	uint16_t head;
	uint64_t at; /* ns */
	size_t out_len;
	unsigned int n_in;
	struct iovec in[];
};

struct message {
	STAILQ_ENTRY(message) turn;
	size_t len;
	uint8_t bytes[];
};

/* Of one queue. The worker's own but for the messages, which are under the device's lock. */
struct lane {
	bool receive;
	bool paid; /* the limit has counted the next request */
	uint64_t life;
	uint8_t *bytes; /* room for a request */
	TAILQ_HEAD(, request) asked;
	STAILQ_HEAD(, message) messages;
	unsigned int n_messages;
};

struct custom {
	struct hv_vdev_ops ops;
	struct hv_desk *desk;
	char *model;
	size_t max_request, memory;
	unsigned int requests;
	uint64_t timeout_ns;
	struct lane lanes[HV_CUSTOM_QUEUES];
	/* The device's lock. */
	uint64_t life;
	size_t sending; /* bytes of all messages */
	uint8_t config[HV_CUSTOM_CONFIG];
	unsigned int first_write, n_writes;
	bool all_written;
	struct {
		uint16_t at;
		uint8_t len, bytes[8];
	} writes[WRITES];
};

static struct custom *of(struct hv_vdev *dev)
{
	return dev->state;
}

/* ---- registers; the device's lock is held */

static void config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	memcpy(to, of(dev)->config + off, len);
}

static void config_write(struct hv_vdev *dev, unsigned int off, const void *from, unsigned int len)
{
	struct custom *c = of(dev);
	unsigned int i = (c->first_write + c->n_writes) % WRITES;

	memcpy(c->config + off, from, len);
	if (c->n_writes == WRITES) {
		c->all_written = true;
	} else {
		c->writes[i].at = (uint16_t)off;
		c->writes[i].len = (uint8_t)len;
		memcpy(c->writes[i].bytes, from, len);
		c->n_writes++;
	}
	hv_vdev_tell(dev, HV_EV_INPUT, NULL);
}

static void drop_message(struct custom *c, struct lane *lane)
{
	struct message *m = STAILQ_FIRST(&lane->messages);

	STAILQ_REMOVE_HEAD(&lane->messages, turn);
	lane->n_messages--;
	c->sending -= m->len;
	free(m);
}

static void custom_reset(struct hv_vdev *dev)
{
	struct custom *c = of(dev);

	c->life++;
	c->n_writes = 0;
	c->all_written = false;
	for (unsigned int i = 0; i < dev->n_queues; i++)
		while (!STAILQ_EMPTY(&c->lanes[i].messages))
			drop_message(c, &c->lanes[i]);
}

/* ---- request queues; the worker */

static void drop(struct lane *lane, struct request *req)
{
	TAILQ_REMOVE(&lane->asked, req, turn);
	free(req);
}

static void give_back(struct hv_vdev *dev, struct hv_vq *vq, const struct request *req,
		      const struct hv_answer *answer, uint64_t now)
{
	size_t n = hv_iov_write(req->in, req->n_in, 0, answer->data, answer->len);

	hv_queue_push(&vq->ring, req->head, (uint32_t)n);
	hv_stat_add(&dev->stats.requests, 1);
	hv_stat_add(&dev->stats.write_bytes, req->out_len);
	hv_stat_add(&dev->stats.read_bytes, n);
	hv_stat_latency(&dev->stats, now - req->at, 1);
}

static int take_answers(struct hv_vdev *dev, struct hv_worker *w, uint64_t now)
{
	struct custom *c = of(dev);
	struct lane *lane = &c->lanes[w->index];
	char why[WHY_MAX], time[HV_DURATION_TEXT];
	struct hv_answer answer;
	int done = 0;
	void *cookie;

	while (done < TURN && hv_desk_answered(c->desk, w, now, &answer, &cookie)) {
		done++;
		if (answer.word == HV_ANSWER_ALLOW) {
			give_back(dev, &dev->queues[w->index], cookie, &answer, now);
		} else if (answer.word != HV_ANSWER_GONE) {
			hv_stat_add(&dev->stats.errors, 1);
			snprintf(
				why, sizeof(why),
				answer.word == HV_ANSWER_LATE
					? "its model did not answer a request of queue %u within %s"
					: "its model refused a request of queue %u",
				w->index, hv_duration_format(c->timeout_ns, time));
			hv_vdev_broken(dev, why);
		}
		free(answer.data);
		drop(lane, cookie);
	}
	return done;
}

/* Puts the chain to the desk. -ENOBUFS, -ESHUTDOWN: not now. */
static int ask(struct hv_vdev *dev, struct hv_worker *w, const struct hv_chain *chain, uint64_t now)
{
	struct custom *c = of(dev);
	struct lane *lane = &c->lanes[w->index];
	struct hv_question question = {
		.kind = w->index,
		.at = lane->life,
		.data = lane->bytes,
		.len = hv_iov_read(chain->iov, chain->n_out, 0, lane->bytes, chain->out_len),
		.room = chain->in_len < c->max_request ? chain->in_len : c->max_request,
	};
	struct request *req = malloc(sizeof(*req) + chain->n_in * sizeof(req->in[0]));
	int rc;

	if (!req)
		return -ENOMEM;
	req->head = chain->head;
	req->at = now;
	req->out_len = chain->out_len;
	req->n_in = chain->n_in;
	memcpy(req->in, chain->iov + chain->n_out, chain->n_in * sizeof(req->in[0]));
	TAILQ_INSERT_TAIL(&lane->asked, req, turn);
	rc = hv_desk_ask(c->desk, w, &question, req);
	if (rc)
		drop(lane, req);
	return rc;
}

static int take_requests(struct hv_vdev *dev, struct hv_worker *w, uint64_t now)
{
	struct hv_vq *vq = &dev->queues[w->index];
	struct custom *c = of(dev);
	struct lane *lane = &c->lanes[w->index];
	struct hv_chain chain;
	char why[WHY_MAX];
	int done = 0, rc;

	vq->quiet = false;
	while (done < TURN && !atomic_load(&dev->broken) && hv_queue_pop(&vq->ring, &chain) > 0) {
		if (!chain.n_out && !chain.n_in) {
			hv_queue_push(&vq->ring, chain.head, 0);
			done++;
			continue;
		}
		if (chain.out_len > c->max_request) {
			snprintf(why, sizeof(why),
				 "a request of %zu bytes on queue %u; max_request is %zu",
				 chain.out_len, w->index, c->max_request);
			hv_vdev_broken(dev, why);
			break;
		}
		w->wake_at = lane->paid ? 0 : hv_limit_take(&dev->limit, 1, chain.out_len, now);
		lane->paid = !w->wake_at;
		rc = w->wake_at ? -EAGAIN : ask(dev, w, &chain, now);
		if (!rc)
			lane->paid = false;
		if (rc == -ENOMEM)
			hv_vdev_broken(dev, "not enough memory");
		if (rc) {
			hv_queue_unpop(&vq->ring);
			vq->quiet = true;
			break;
		}
		done++;
	}
	return done;
}

/* ---- receive queues; the worker */

static int fill(struct hv_vdev *dev, struct hv_worker *w)
{
	struct hv_vq *vq = &dev->queues[w->index];
	struct custom *c = of(dev);
	struct lane *lane = &c->lanes[w->index];
	struct hv_chain chain;
	char why[WHY_MAX];
	int done = 0;

	vq->quiet = false;
	while (done < TURN) {
		const struct message *m;

		/* Nobody but this thread takes it away before the queue has ended. */
		pthread_mutex_lock(&dev->lock);
		m = STAILQ_FIRST(&lane->messages);
		pthread_mutex_unlock(&dev->lock);
		vq->quiet = !m;
		if (!m || hv_queue_pop(&vq->ring, &chain) <= 0)
			break;
		if (m->len > chain.in_len) {
			snprintf(why, sizeof(why),
				 "a buffer of %zu bytes on queue %u, for a message of %zu",
				 chain.in_len, w->index, m->len);
			hv_vdev_broken(dev, why);
			break;
		}
		hv_iov_write(chain.iov + chain.n_out, chain.n_in, 0, m->bytes, m->len);
		hv_queue_push(&vq->ring, chain.head, (uint32_t)m->len);
		hv_stat_add(&dev->stats.requests, 1);
		hv_stat_add(&dev->stats.read_bytes, m->len);
		pthread_mutex_lock(&dev->lock);
		drop_message(c, lane);
		pthread_mutex_unlock(&dev->lock);
		done++;
	}
	return done;
}

/* ---- lives of a queue; the worker */

static int custom_start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *err)
{
	struct custom *c = of(dev);
	struct lane *lane = &c->lanes[w->index];

	if (!lane->receive && !lane->bytes)
		lane->bytes = malloc(c->max_request);
	if (!lane->receive && !lane->bytes)
		return hv_err_nomem(err);
	pthread_mutex_lock(&dev->lock);
	lane->life = c->life;
	pthread_mutex_unlock(&dev->lock);
	return 0;
}

static int custom_work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct custom *c = of(dev);
	uint64_t now, deadline;
	int done;

	w->wake_at = 0;
	if (c->lanes[w->index].receive) {
		done = fill(dev, w);
	} else {
		now = hv_now();
		done = take_answers(dev, w, now);
		done += take_requests(dev, w, now);
		deadline = hv_desk_deadline(c->desk, w);
		hv_worker_wake(w, deadline);
	}
	hv_vq_flush(&dev->queues[w->index]);
	return done;
}

/* What the queue had is the driver's again. */
static void custom_stop(struct hv_vdev *dev, struct hv_worker *w)
{
	struct custom *c = of(dev);
	struct lane *lane = &c->lanes[w->index];

	hv_desk_forget(c->desk, w);
	while (!TAILQ_EMPTY(&lane->asked))
		drop(lane, TAILQ_FIRST(&lane->asked));
}

/* ---- main thread */

static void custom_destroy(struct hv_vdev *dev)
{
	struct custom *c = of(dev);

	if (!c)
		return;
	for (unsigned int i = 0; i < HV_CUSTOM_QUEUES; i++) {
		while (!STAILQ_EMPTY(&c->lanes[i].messages))
			drop_message(c, &c->lanes[i]);
		free(c->lanes[i].bytes);
	}
	if (c->desk)
		hv_desk_close(c->desk);
	hv_desk_put(c->desk);
	free(c->model);
	free(c);
	dev->state = NULL;
}

/* On an I/O thread: there is a question. */
static void on_asked(void *arg)
{
	hv_vdev_tell(arg, HV_EV_INPUT, NULL);
}

static int check(const char *name, const struct hv_custom_opts *o, struct hv_err *err)
{
	if (!o->id)
		return hv_err_set(err, EINVAL, "%s: id 0 says that there is no device", name);
	if (o->features & ~HV_CUSTOM_FEATURES)
		return hv_err_set(err, EINVAL,
				  "%s: feature bits of a device type are 0 to 23 and 50 to 63",
				  name);
	if (o->config_size > HV_CUSTOM_CONFIG)
		return hv_err_set(err, EINVAL, "%s: %zu bytes of configuration; %u fit", name,
				  o->config_size, HV_CUSTOM_CONFIG);
	if (!o->n_queues || o->n_queues > HV_CUSTOM_QUEUES)
		return hv_err_set(err, EINVAL, "%s: %u queues; there can be 1 to %d", name,
				  o->n_queues, HV_CUSTOM_QUEUES);
	for (unsigned int i = 0; i < o->n_queues; i++)
		if (!o->queues[i].size || o->queues[i].size > HV_QUEUE_MAX ||
		    o->queues[i].size & (o->queues[i].size - 1))
			return hv_err_set(
				err, EINVAL,
				"%s: queue %u has %u entries; a power of two up to %d is possible",
				name, i, o->queues[i].size, HV_QUEUE_MAX);
	if (!o->max_request || o->max_request > HV_CUSTOM_REQUEST)
		return hv_err_set(err, EINVAL,
				  "%s: max_request is %zu; 1 to %" PRIu32 " are possible", name,
				  o->max_request, HV_CUSTOM_REQUEST);
	if (o->memory < 2 * o->max_request)
		return hv_err_set(err, EINVAL,
				  "%s: memory is %zu; it must hold a request and its answer, %zu",
				  name, o->memory, 2 * o->max_request);
	return 0;
}

static struct custom *make(const struct hv_custom_opts *opts)
{
	struct custom *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	for (unsigned int i = 0; i < HV_CUSTOM_QUEUES; i++) {
		TAILQ_INIT(&c->lanes[i].asked);
		STAILQ_INIT(&c->lanes[i].messages);
	}
	c->ops = (struct hv_vdev_ops){
		.type = "custom",
		.device_id = opts->id,
		.config_size = opts->config_size,
		.config_read = config_read,
		.config_write = opts->config_writable ? config_write : NULL,
		.reset = custom_reset,
		.start = custom_start,
		.work = custom_work,
		.stop = custom_stop,
		.destroy = custom_destroy,
	};
	c->life = 1;
	c->max_request = opts->max_request;
	c->memory = opts->memory;
	c->requests = opts->requests;
	c->timeout_ns = opts->timeout_ns;
	if (opts->config_size)
		memcpy(c->config, opts->config, opts->config_size);
	for (unsigned int i = 0; i < opts->n_queues; i++)
		c->lanes[i].receive = opts->queues[i].receive;
	c->model = strdup(opts->model ?: "");
	if (c->model)
		return c;
	free(c);
	return NULL;
}

int hv_custom_init(struct hv_vdev *dev, const char *name, const struct hv_custom_opts *opts,
		   struct hv_err *err)
{
	const struct hv_desk_opts desk = {
		.depth = opts->requests,
		.bytes = opts->memory,
		.patience_ns = opts->timeout_ns,
		.asked = on_asked,
		.arg = dev,
	};
	unsigned int worker_of[HV_CUSTOM_QUEUES];
	uint16_t max[HV_CUSTOM_QUEUES];
	struct custom *c;
	int rc = check(name, opts, err);

	if (rc)
		return rc;
	c = make(opts);
	if (!c)
		return hv_err_nomem(err);
	dev->state = c;
	for (unsigned int i = 0; i < opts->n_queues; i++) {
		max[i] = opts->queues[i].size;
		worker_of[i] = i;
	}
	rc = hv_desk_new(&desk, &c->desk, err);
	if (!rc)
		rc = hv_vdev_init(dev, &c->ops, name, opts->n_queues, max, worker_of,
				  opts->features, err);
	if (rc)
		custom_destroy(dev);
	else
		dev->origin = opts->origin;
	for (unsigned int i = 0; !rc && i < opts->n_queues; i++)
		dev->queues[i].stock = opts->queues[i].receive;
	return rc;
}

struct hv_desk *hv_custom_desk(struct hv_vdev *dev)
{
	return of(dev)->desk;
}

const char *hv_custom_model(struct hv_vdev *dev)
{
	return of(dev)->model;
}

void hv_custom_life(struct hv_vdev *dev, struct hv_custom_life *life)
{
	pthread_mutex_lock(&dev->lock);
	*life = (struct hv_custom_life){
		.n = of(dev)->life,
		.running = dev->status & VIRTIO_CONFIG_S_DRIVER_OK && !dev->resetting,
		.broken = atomic_load(&dev->broken),
		.features = dev->features,
	};
	pthread_mutex_unlock(&dev->lock);
}

void hv_custom_fail(struct hv_vdev *dev, uint64_t life, const char *why)
{
	struct hv_custom_life now;

	hv_custom_life(dev, &now);
	if (now.n == life && !now.broken)
		hv_vdev_broken(dev, why);
}

size_t hv_custom_config(struct hv_vdev *dev, void *to)
{
	struct custom *c = of(dev);

	if (!to)
		return c->ops.config_size;
	pthread_mutex_lock(&dev->lock);
	memcpy(to, c->config, c->ops.config_size);
	pthread_mutex_unlock(&dev->lock);
	return c->ops.config_size;
}

int hv_custom_set_config(struct hv_vdev *dev, size_t at, const void *bytes, size_t len,
			 struct hv_err *err)
{
	struct custom *c = of(dev);

	if (at > c->ops.config_size || len > c->ops.config_size - at)
		return hv_err_set(err, ERANGE,
				  "%s: %zu bytes at %zu are beyond its configuration of %zu bytes",
				  dev->name, len, at, c->ops.config_size);
	hv_vdev_config_begin(dev);
	memcpy(c->config + at, bytes, len);
	hv_vdev_config_end(dev);
	return 0;
}

bool hv_custom_written(struct hv_vdev *dev, size_t *at, void *bytes, size_t *len)
{
	struct custom *c = of(dev);
	bool any = true;

	pthread_mutex_lock(&dev->lock);
	if (c->all_written) {
		*at = 0;
		*len = c->ops.config_size;
		memcpy(bytes, c->config, *len);
		c->n_writes = 0;
		c->all_written = false;
	} else if (c->n_writes) {
		unsigned int i = c->first_write;

		*at = c->writes[i].at;
		*len = c->writes[i].len;
		memcpy(bytes, c->writes[i].bytes, *len);
		c->first_write = (i + 1) % WRITES;
		c->n_writes--;
	} else {
		any = false;
	}
	pthread_mutex_unlock(&dev->lock);
	return any;
}

int hv_custom_send(struct hv_vdev *dev, unsigned int queue, const void *bytes, size_t len,
		   struct hv_err *err)
{
	struct custom *c = of(dev);
	struct lane *lane;
	struct message *m;
	const char *why = NULL;

	if (queue >= dev->n_queues || !c->lanes[queue].receive)
		return hv_err_set(err, EINVAL, "%s: queue %u is no receive queue", dev->name,
				  queue);
	if (len > c->max_request)
		return hv_err_set(err, EMSGSIZE, "%s: %zu bytes to be sent; max_request is %zu",
				  dev->name, len, c->max_request);
	m = malloc(sizeof(*m) + len);
	if (!m)
		return hv_err_nomem(err);
	m->len = len;
	memcpy(m->bytes, bytes, len);
	lane = &c->lanes[queue];
	pthread_mutex_lock(&dev->lock);
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER_OK) || dev->resetting) {
		why = "its driver is not ready";
	} else if (lane->n_messages >= c->requests || c->sending + len > c->memory) {
		why = "the guest has not taken what was sent before";
	} else {
		STAILQ_INSERT_TAIL(&lane->messages, m, turn);
		lane->n_messages++;
		c->sending += len;
		m = NULL;
	}
	pthread_mutex_unlock(&dev->lock);
	if (why) {
		free(m);
		return hv_err_set(err, EAGAIN, "%s: %s", dev->name, why);
	}
	hv_worker_post(&dev->workers[queue], HV_MSG_POKE);
	return 0;
}
