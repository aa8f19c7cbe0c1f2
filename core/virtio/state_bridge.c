// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "virtio/state_priv.h"

struct hv_state_bridge {
	struct state_bridge_file *file;
};

static bool is_bridge(const struct state_bridge_file *f)
{
	return f->magic == STATE_BRIDGE_MAGIC && f->version == STATE_BRIDGE_VERSION &&
	       f->size == sizeof(*f);
}

int hv_state_bridge_open(const char *dir, struct hv_state_bridge **out, struct hv_err *err)
{
	struct hv_state_bridge *b = calloc(1, sizeof(*b));
	size_t size = sizeof(*b->file);
	char path[PATH_MAX];
	int rc = b ? state_make_dir(dir, err) : hv_err_nomem(err);

	if (!rc && snprintf(path, sizeof(path), "%s/bridge", dir) >= (int)sizeof(path))
		rc = hv_err_set(err, ENAMETOOLONG, "%s: the path is too long", dir);
	if (rc)
		goto fail;
	rc = state_open_file(path, &size, 0, (void **)&b->file, NULL);
	if (!rc && !is_bridge(b->file)) {
		munmap(b->file, sizeof(*b->file));
		rc = -EBADMSG;
	}
	if (rc) {
		rc = state_make_file(path, sizeof(*b->file), (void **)&b->file, err);
		if (rc)
			goto fail;
		b->file->magic = STATE_BRIDGE_MAGIC;
		b->file->version = STATE_BRIDGE_VERSION;
		b->file->size = sizeof(*b->file);
		rc = state_place_file(path, err);
		if (rc) {
			munmap(b->file, sizeof(*b->file));
			goto fail;
		}
	}
	*out = b;
	return 0;
fail:
	free(b);
	return rc;
}

void hv_state_bridge_close(struct hv_state_bridge *b)
{
	if (!b)
		return;
	munmap(b->file, sizeof(*b->file));
	free(b);
}

void hv_state_bridge_keep(struct hv_state_bridge *b, unsigned int cpu,
			  const struct hv_bridge_req *req, uint64_t flag)
{
	struct state_waiter *w;

	if (!b)
		return;
	w = &b->file->waiters[cpu];
	w->req = *req;
	w->flag = flag;
	w->sum = state_sum(w, offsetof(struct state_waiter, sum));
	atomic_signal_fence(memory_order_seq_cst);
}

bool hv_state_bridge_owed(const struct hv_state_bridge *b, unsigned int cpu, uint64_t flag,
			  struct hv_bridge_req *req)
{
	const struct state_waiter *w;

	if (!b)
		return false;
	w = &b->file->waiters[cpu];
	if (w->flag != flag || w->req.src_cpu != cpu || w->req.need_interrupt ||
	    w->sum != state_sum(w, offsetof(struct state_waiter, sum)))
		return false;
	*req = w->req;
	return true;
}
