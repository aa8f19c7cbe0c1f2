/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_TAP_OPENER_H
#define HV_VIRTIO_DEV_TAP_OPENER_H

#include <stddef.h>

#include "virtio/dev/tap.h"

/* A TAP by the opener, for a service that has no right to make one: what hv_tap_open does there. */
int hv_tap_opener_ask(const struct hv_tap_opts *opts, struct hv_tap *tap, struct hv_err *err);

/* The opener's end: a hv_opener_call_fn. */
int hv_tap_opener_serve(const void *arg, size_t len,
			bool (*allowed)(unsigned int what, const char *name), void *reply,
			size_t *reply_len, int *fds, unsigned int *n_fds, struct hv_err *err);

#endif
