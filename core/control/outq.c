// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/outq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Sends what the socket takes now; how much, or -errno. */
static ssize_t send_some(int fd, struct iovec *iov, size_t n)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t sent;

	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? 0 : -errno;
	return sent;
}

static int append(struct hv_outq *q, const void *bytes, size_t len)
{
	size_t cap = q->cap ? q->cap : 1024;
	uint8_t *to;

	if (!len)
		return 0;
	if (q->start + q->len + len > q->cap) {
		if (q->start)
			memmove(q->bytes, q->bytes + q->start, q->len);
		q->start = 0;
	}
	while (cap < q->len + len)
		cap *= 2;
	if (cap != q->cap) {
		to = realloc(q->bytes, cap);
		if (!to)
			return -ENOMEM;
		q->bytes = to;
		q->cap = cap;
	}
	memcpy(q->bytes + q->start + q->len, bytes, len);
	q->len += len;
	return 0;
}

int hv_outq_put(struct hv_outq *q, int fd, enum hv_frame_type type, uint16_t channel, uint32_t id,
		const void *payload, size_t len)
{
	uint8_t prefix[HV_FRAME_PREFIX];
	size_t n_prefix = hv_frame_prefix(prefix, type, channel, id, len), sent = 0;
	struct iovec iov[2] = { { prefix, n_prefix }, { (void *)payload, len } };
	int rc;

	if (fd >= 0 && !q->len) {
		ssize_t n = send_some(fd, iov, 2);

		if (n < 0)
			return (int)n;
		sent = (size_t)n;
	}
	if (sent < n_prefix) {
		rc = append(q, prefix + sent, n_prefix - sent);
		if (rc)
			return rc;
		sent = n_prefix;
	}
	sent -= n_prefix;
	if (sent == len)
		return 0;
	return append(q, (const uint8_t *)payload + sent, len - sent);
}

int hv_outq_flush(struct hv_outq *q, int fd)
{
	struct iovec iov;
	ssize_t n;

	if (!q->len)
		return 0;
	iov = (struct iovec){ q->bytes + q->start, q->len };
	n = send_some(fd, &iov, 1);
	if (n < 0)
		return (int)n;
	q->start += (size_t)n;
	q->len -= (size_t)n;
	if (!q->len)
		hv_outq_free(q);
	return 0;
}

void hv_outq_free(struct hv_outq *q)
{
	free(q->bytes);
	*q = (struct hv_outq){ 0 };
}
