// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/loop_priv.h"

/* A posted copy: freed by the function that its node calls. */
struct letter {
	struct hv_post post;
	hv_loop_send_fn *fn;
	size_t size;
	_Alignas(max_align_t) unsigned char data[];
};

static void deliver(struct hv_loop *loop, struct hv_post *post);

int hv_posts_init(struct hv_posts *p, struct hv_err *err)
{
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->fd < 0)
		return hv_err_sys(err, errno, "cannot make an event descriptor");
	return 0;
}

bool hv_loop_post(struct hv_loop *loop, struct hv_post *post)
{
	struct hv_posts *p = &loop->posts;
	uint64_t one = 1;
	struct hv_post *top;

	if (atomic_exchange(&post->queued, true))
		return false;
	top = atomic_load(&p->stack);
	do
		post->next = top;
	while (!atomic_compare_exchange_weak(&p->stack, &top, post));
	/* Who posts on an empty stack rings; the loop takes all there is. */
	if (!top)
		(void)!write(p->fd, &one, sizeof(one));
	return true;
}

/* The stack, oldest first. */
static struct hv_post *grab(struct hv_posts *p)
{
	struct hv_post *top = atomic_exchange(&p->stack, NULL), *list = NULL;

	while (top) {
		struct hv_post *next = top->next;

		top->next = list;
		list = top;
		top = next;
	}
	return list;
}

static void append(struct hv_post **list, struct hv_post *more)
{
	while (*list)
		list = &(*list)->next;
	*list = more;
}

bool hv_loop_defer(struct hv_loop *loop, struct hv_post *post)
{
	if (atomic_exchange(&post->queued, true))
		return false;
	post->next = NULL;
	append(&loop->posts.later, post);
	return true;
}

static int run_batch(struct hv_posts *p, struct hv_loop *loop)
{
	int ran = 0;

	while (p->batch) {
		struct hv_post *post = p->batch;

		p->batch = post->next;
		/* Reads the last poster's write, and with it all that poster did before. */
		atomic_exchange(&post->queued, false);
		post->fn(loop, post);
		ran++;
	}
	return ran;
}

int hv_posts_run_later(struct hv_posts *p, struct hv_loop *loop)
{
	append(&p->batch, p->later);
	p->later = NULL;
	return run_batch(p, loop);
}

int hv_posts_run(struct hv_posts *p, struct hv_loop *loop)
{
	append(&p->batch, p->later);
	p->later = NULL;
	append(&p->batch, grab(p));
	return run_batch(p, loop);
}

static bool unlink_from(struct hv_post **list, const struct hv_post *post)
{
	for (; *list; list = &(*list)->next)
		if (*list == post) {
			*list = post->next;
			return true;
		}
	return false;
}

void hv_loop_unpost(struct hv_loop *loop, struct hv_post *post)
{
	struct hv_posts *p = &loop->posts;

	if (!atomic_load(&post->queued))
		return;
	/* What is taken here has rung already, or is about to: the next round comes by itself. */
	append(&p->later, grab(p));
	if (!unlink_from(&p->batch, post))
		unlink_from(&p->later, post);
	atomic_store(&post->queued, false);
}

int hv_loop_send(struct hv_loop *loop, hv_loop_send_fn *fn, const void *data, size_t size)
{
	struct hv_posts *p = &loop->posts;
	size_t bytes = sizeof(struct letter) + size;
	struct letter *letter;

	if (size > HV_LOOP_SEND_MAX - sizeof(struct letter))
		return -ENOBUFS;
	if (atomic_fetch_add(&p->sent, bytes) > HV_LOOP_SEND_MAX - bytes) {
		atomic_fetch_sub(&p->sent, bytes);
		return -ENOBUFS;
	}
	letter = calloc(1, bytes);
	if (!letter) {
		atomic_fetch_sub(&p->sent, bytes);
		return -ENOMEM;
	}
	letter->post.fn = deliver;
	letter->fn = fn;
	letter->size = size;
	if (size)
		memcpy(letter->data, data, size);
	hv_loop_post(loop, &letter->post);
	return 0;
}

static void deliver(struct hv_loop *loop, struct hv_post *post)
{
	struct letter *letter = (struct letter *)post;

	atomic_fetch_sub(&loop->posts.sent, sizeof(*letter) + letter->size);
	letter->fn(loop, letter->data, letter->size);
	free(letter);
}

void hv_posts_destroy(struct hv_posts *p)
{
	struct hv_post *post, *next;

	/* One that is run just now may have ended the loop: the others of its batch as well. */
	append(&p->batch, p->later);
	append(&p->batch, grab(p));
	for (post = p->batch; post; post = next) {
		next = post->next;
		atomic_store(&post->queued, false);
		if (post->fn == deliver)
			free(post);
	}
	if (p->fd >= 0)
		close(p->fd);
}
