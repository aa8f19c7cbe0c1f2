// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/tap_opener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/opener.h"

struct request {
	char name[IFNAMSIZ], bridge[IFNAMSIZ];
	unsigned int queues;
	uint16_t mtu;
};

int hv_tap_opener_serve(const void *arg, size_t len,
			bool (*allowed)(unsigned int what, const char *name), void *reply,
			size_t *reply_len, int *fds, unsigned int *n_fds, struct hv_err *err)
{
	struct request r;
	struct hv_tap_opts opts;
	struct hv_tap tap;
	int rc;

	if (len != sizeof(r) || *reply_len < sizeof(tap))
		return hv_err_set(err, EINVAL, "the opener was asked for something it cannot do");
	memcpy(&r, arg, sizeof(r));
	r.name[IFNAMSIZ - 1] = r.bridge[IFNAMSIZ - 1] = '\0';
	opts = (struct hv_tap_opts){
		.name = r.name,
		.bridge = *r.bridge ? r.bridge : NULL,
		.queues = r.queues,
		.mtu = r.mtu,
	};
	if (!allowed(HV_ALLOW_TAP, r.name))
		return hv_err_set(
			err, EPERM,
			"the sandbox keeps the service from the TAP %s: no definition named "
			"it when the sandbox closed (--no-sandbox lifts that)",
			r.name);
	if (opts.bridge && !allowed(HV_ALLOW_BRIDGE, opts.bridge))
		return hv_err_set(err, EPERM,
				  "the sandbox keeps the service from the bridge %s: no definition "
				  "named it when the sandbox closed (--no-sandbox lifts that)",
				  opts.bridge);
	rc = hv_tap_open(&opts, &tap, err);
	if (rc)
		return rc;
	memcpy(fds, tap.fd, tap.n * sizeof(*fds));
	*n_fds = tap.n;
	memcpy(reply, &tap, sizeof(tap));
	*reply_len = sizeof(tap);
	return 0;
}

int hv_tap_opener_ask(const struct hv_tap_opts *opts, struct hv_tap *tap, struct hv_err *err)
{
	struct request r = { .queues = opts->queues, .mtu = opts->mtu };
	int fds[HV_OPENER_FDS];
	size_t len = sizeof(*tap);
	unsigned int n = 0;
	int rc;

	memcpy(r.name, opts->name, strlen(opts->name));
	if (opts->bridge)
		memcpy(r.bridge, opts->bridge, strlen(opts->bridge));
	rc = hv_opener_call(&r, sizeof(r), tap, &len, fds, &n, err);
	if (rc)
		return rc;
	if (len != sizeof(*tap) || n != tap->n) {
		for (unsigned int i = 0; i < n; i++)
			close(fds[i]);
		return hv_err_set(err, EPROTO, "%s: the opener answered something else than a TAP",
				  opts->name);
	}
	memcpy(tap->fd, fds, n * sizeof(*fds));
	return 0;
}
