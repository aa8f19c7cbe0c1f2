// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/blk_aio.h"

#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/thread.h"

#define POOL_THREADS 8
#define RING_ENTRIES_MAX 1024

struct list {
	struct hv_aio_op *first, **last;
};

/* Threads for what io_uring does not do; they come with the work and stay until the end. */
struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list queue; /* under lock, as what follows */
	unsigned int n_queued, idle;
	bool quit;
	struct list ended;
	_Atomic bool any_ended;
	int eventfd;
	unsigned int n_threads;
	pthread_t threads[POOL_THREADS];
};

struct hv_aio {
	bool uring;
	struct io_uring ring;
	unsigned int in_ring, in_pool;
	struct list waiting; /* for a place in the submission queue */
	int trouble;	     /* errno, 0 = none */
	const char *troubled;
	struct pool pool;
};

static void list_init(struct list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void list_add(struct list *list, struct hv_aio_op *op)
{
	op->next = NULL;
	*list->last = op;
	list->last = &op->next;
}

static struct hv_aio_op *list_take(struct list *list)
{
	struct hv_aio_op *op = list->first;

	if (op) {
		list->first = op->next;
		if (!list->first)
			list->last = &list->first;
	}
	return op;
}

/* Kernels before 5.6 have io_uring but not all that is used here. */
static bool ring_suffices(struct io_uring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool ok = probe && io_uring_opcode_supported(probe, IORING_OP_READ) &&
		  io_uring_opcode_supported(probe, IORING_OP_WRITE);

	io_uring_free_probe(probe);
	return ok;
}

/*
 * A filter of system calls does not see what a ring is asked for: it is told to do nothing but what
 * a disk needs. Linux 5.10 or later.
 */
static int ring_restrict(struct io_uring *ring)
{
	static const uint8_t ops[] = {
		IORING_OP_READ,	  IORING_OP_READV,	  IORING_OP_WRITE,
		IORING_OP_WRITEV, IORING_OP_ASYNC_CANCEL,
	};
	struct io_uring_restriction rules[sizeof(ops)] = { 0 };

	for (size_t i = 0; i < sizeof(ops); i++) {
		rules[i].opcode = IORING_RESTRICTION_SQE_OP;
		rules[i].sqe_op = ops[i];
	}
	/* liburing 2.3 declares functions for these but has them not. */
	if (syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rules,
		    sizeof(ops)) ||
	    syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0))
		return -errno;
	return 0;
}

static int ring_init(struct io_uring *ring, unsigned int depth)
{
	/* Completions are looked for between requests, so nobody need interrupt us for them. */
	const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
			IORING_SETUP_R_DISABLED,
		IORING_SETUP_R_DISABLED,
		0,
	};
	int rc = -ENOSYS;

	for (unsigned int i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		rc = io_uring_queue_init(depth, ring, flags[i]);
		if (rc != -EINVAL)
			break;
	}
	if (rc)
		return rc;
	if (!ring_suffices(ring))
		rc = -ENOSYS;
	else if (ring->flags & IORING_SETUP_R_DISABLED)
		rc = ring_restrict(ring);
	if (rc) {
		io_uring_queue_exit(ring);
		return rc;
	}
	io_uring_ring_dontfork(ring);
	return 0;
}

int hv_aio_new(unsigned int depth, bool uring, bool need_uring, struct hv_aio **out,
	       struct hv_err *err)
{
	struct hv_aio *aio = calloc(1, sizeof(*aio));
	int rc = 0;

	if (!aio)
		return hv_err_nomem(err);
	list_init(&aio->waiting);
	list_init(&aio->pool.queue);
	list_init(&aio->pool.ended);
	pthread_mutex_init(&aio->pool.lock, NULL);
	pthread_cond_init(&aio->pool.work, NULL);
	aio->pool.eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (aio->pool.eventfd < 0) {
		rc = hv_err_sys(err, errno, "cannot make an eventfd");
		goto fail;
	}
	if (uring) {
		rc = ring_init(&aio->ring, depth < RING_ENTRIES_MAX ? depth : RING_ENTRIES_MAX);
		aio->uring = !rc;
		if (rc && need_uring) {
			rc = hv_err_sys(err, -rc, "io_uring is not to be had here");
			goto fail;
		}
	}
	*out = aio;
	return 0;
fail:
	hv_aio_free(aio);
	return rc;
}

void hv_aio_free(struct hv_aio *aio)
{
	struct pool *pool;

	if (!aio)
		return;
	pool = &aio->pool;
	pthread_mutex_lock(&pool->lock);
	pool->quit = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned int i = 0; i < pool->n_threads; i++)
		pthread_join(pool->threads[i], NULL);
	if (pool->eventfd >= 0)
		close(pool->eventfd);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	if (aio->uring)
		io_uring_queue_exit(&aio->ring);
	free(aio);
}

bool hv_aio_is_uring(const struct hv_aio *aio)
{
	return aio->uring;
}

int hv_aio_ring_fd(const struct hv_aio *aio)
{
	return aio->uring ? aio->ring.ring_fd : -1;
}

int hv_aio_pool_fd(const struct hv_aio *aio)
{
	return aio->pool.eventfd;
}

static int64_t perform(struct hv_aio_op *op)
{
	ssize_t n;

	if (op->kind == HV_AIO_CALL)
		return op->call(op);
	if (op->kind == HV_AIO_READ)
		n = preadv2(op->fd, op->iov, (int)op->n_iov, (off_t)op->off, op->flags);
	else
		n = pwritev2(op->fd, op->iov, (int)op->n_iov, (off_t)op->off, op->flags);
	return n < 0 ? -errno : n;
}

/* Called with the lock. */
static void pool_end(struct pool *pool, struct hv_aio_op *op, int64_t res)
{
	uint64_t one = 1;
	bool first = !pool->ended.first;

	op->res = res;
	list_add(&pool->ended, op);
	atomic_store_explicit(&pool->any_ended, true, memory_order_release);
	if (first)
		(void)!write(pool->eventfd, &one, sizeof(one));
}

static void *pool_main(void *arg)
{
	struct pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct hv_aio_op *op = list_take(&pool->queue);
		int64_t res;

		if (!op) {
			if (pool->quit)
				break;
			pool->idle++;
			pthread_cond_wait(&pool->work, &pool->lock);
			pool->idle--;
			continue;
		}
		pool->n_queued--;
		pthread_mutex_unlock(&pool->lock);
		res = perform(op);
		pthread_mutex_lock(&pool->lock);
		pool_end(pool, op, res);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static void note_trouble(struct hv_aio *aio, int code, const char *what)
{
	aio->trouble = code;
	aio->troubled = what;
}

int hv_aio_trouble(struct hv_aio *aio, const char **what)
{
	int code = aio->trouble;

	*what = aio->troubled;
	aio->trouble = 0;
	return code;
}

/* Called with the lock. One more thread when all are busy; failing matters only when none is there.
 */
static int pool_grow(struct pool *pool)
{
	int rc;

	if (pool->n_threads == POOL_THREADS || pool->n_queued <= pool->idle)
		return 0;
	rc = hv_thread_start(&pool->threads[pool->n_threads], pool_main, pool, "blk-pool");
	if (rc < 0)
		return pool->n_threads ? 0 : rc;
	pool->n_threads++;
	return 0;
}

/* Where there is no thread the lock is nobody else's: it is held while the caller does the work. */
static void pool_queue(struct hv_aio *aio, struct hv_aio_op *op)
{
	struct pool *pool = &aio->pool;
	int rc;

	aio->in_pool++;
	pthread_mutex_lock(&pool->lock);
	pool->n_queued++;
	rc = pool_grow(pool);
	if (rc) {
		note_trouble(aio, -rc, "starting a thread");
		pool->n_queued--;
		pool_end(pool, op, perform(op));
	} else {
		list_add(&pool->queue, op);
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
}

static bool ring_put(struct hv_aio *aio, struct hv_aio_op *op)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&aio->ring);

	if (!sqe)
		return false;
	if (op->kind == HV_AIO_READ && op->n_iov == 1)
		io_uring_prep_read(sqe, op->fd, op->iov->iov_base, (unsigned int)op->iov->iov_len,
				   op->off);
	else if (op->kind == HV_AIO_READ)
		io_uring_prep_readv(sqe, op->fd, op->iov, op->n_iov, op->off);
	else if (op->n_iov == 1)
		io_uring_prep_write(sqe, op->fd, op->iov->iov_base, (unsigned int)op->iov->iov_len,
				    op->off);
	else
		io_uring_prep_writev(sqe, op->fd, op->iov, op->n_iov, op->off);
	sqe->rw_flags = op->flags;
	io_uring_sqe_set_data(sqe, op);
	return true;
}

static bool for_pool(const struct hv_aio *aio, const struct hv_aio_op *op)
{
	return !aio->uring || op->kind == HV_AIO_CALL || op->by_thread;
}

void hv_aio_queue(struct hv_aio *aio, struct hv_aio_op *op)
{
	if (for_pool(aio, op)) {
		pool_queue(aio, op);
		return;
	}
	aio->in_ring++;
	if (aio->waiting.first || !ring_put(aio, op))
		list_add(&aio->waiting, op);
}

/* Takes op out of the list; false when it is not there. */
static bool list_remove(struct list *list, struct hv_aio_op *op)
{
	for (struct hv_aio_op **at = &list->first; *at; at = &(*at)->next) {
		if (*at != op)
			continue;
		*at = op->next;
		if (!*at)
			list->last = at;
		return true;
	}
	return false;
}

static void pool_cancel(struct pool *pool, struct hv_aio_op *op)
{
	pthread_mutex_lock(&pool->lock);
	if (list_remove(&pool->queue, op)) {
		pool->n_queued--;
		pool_end(pool, op, -ECANCELED);
	}
	pthread_mutex_unlock(&pool->lock);
}

void hv_aio_cancel(struct hv_aio *aio, struct hv_aio_op *op)
{
	struct io_uring_sqe *sqe;

	if (for_pool(aio, op)) {
		pool_cancel(&aio->pool, op);
		return;
	}
	if (list_remove(&aio->waiting, op)) {
		aio->in_ring--;
		aio->in_pool++;
		pthread_mutex_lock(&aio->pool.lock);
		pool_end(&aio->pool, op, -ECANCELED);
		pthread_mutex_unlock(&aio->pool.lock);
		return;
	}
	sqe = io_uring_get_sqe(&aio->ring);
	if (!sqe) {
		/* A full queue goes to the kernel in one piece. */
		io_uring_submit(&aio->ring);
		sqe = io_uring_get_sqe(&aio->ring);
	}
	if (!sqe)
		return; /* then it ends by itself */
	io_uring_prep_cancel(sqe, op, 0);
	io_uring_sqe_set_data(sqe, NULL);
	aio->in_ring++;
}

bool hv_aio_submit(struct hv_aio *aio)
{
	while (aio->uring && io_uring_sq_ready(&aio->ring)) {
		int rc = io_uring_submit(&aio->ring);

		if (rc == -EINTR)
			continue;
		if (rc < 0 && rc != -EAGAIN && rc != -EBUSY)
			note_trouble(aio, -rc, "handing requests to io_uring");
		if (rc <= 0)
			return false;
		while (aio->waiting.first && ring_put(aio, aio->waiting.first))
			list_take(&aio->waiting);
	}
	return true;
}

static unsigned int ring_reap(struct hv_aio *aio)
{
	struct io_uring_cqe *cqe;
	unsigned int n = 0;

	/*
	 * Peeking into an empty ring makes a system call when the kernel has ends to deliver; the
	 * next one there is anyway delivers them, be it only that of a sleep.
	 */
	while (aio->in_ring && io_uring_cq_ready(&aio->ring) &&
	       !io_uring_peek_cqe(&aio->ring, &cqe)) {
		struct hv_aio_op *op = io_uring_cqe_get_data(cqe);
		int res = cqe->res;

		io_uring_cqe_seen(&aio->ring, cqe);
		aio->in_ring--;
		n++;
		if (op)
			op->done(op, res);
	}
	return n;
}

static unsigned int pool_reap(struct hv_aio *aio)
{
	struct pool *pool = &aio->pool;
	struct hv_aio_op *op;
	struct list ended;
	unsigned int n = 0;
	uint64_t count;

	if (!atomic_load_explicit(&pool->any_ended, memory_order_acquire))
		return 0;
	pthread_mutex_lock(&pool->lock);
	ended = pool->ended;
	list_init(&pool->ended);
	atomic_store_explicit(&pool->any_ended, false, memory_order_relaxed);
	(void)!read(pool->eventfd, &count, sizeof(count));
	pthread_mutex_unlock(&pool->lock);
	while ((op = list_take(&ended)) != NULL) {
		aio->in_pool--;
		n++;
		op->done(op, op->res);
	}
	return n;
}

bool hv_aio_ended(struct hv_aio *aio)
{
	return (aio->in_ring && io_uring_cq_ready(&aio->ring)) ||
	       (aio->in_pool && atomic_load_explicit(&aio->pool.any_ended, memory_order_relaxed));
}

unsigned int hv_aio_reap(struct hv_aio *aio)
{
	return ring_reap(aio) + pool_reap(aio);
}

unsigned int hv_aio_busy(const struct hv_aio *aio)
{
	return aio->in_ring + aio->in_pool;
}

void hv_aio_wait(struct hv_aio *aio)
{
	struct pollfd fds[] = {
		{ .fd = hv_aio_ring_fd(aio), .events = POLLIN },
		{ .fd = aio->pool.eventfd, .events = POLLIN },
	};

	/* What the kernel did not take yet must be offered again, not waited for. */
	poll(fds, 2, hv_aio_submit(aio) ? -1 : 1);
}
