/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CORE_CONTROL_CONTROL_RIG_H
#define TESTS_CORE_CONTROL_CONTROL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/client.h"
#include "control/frame.h"
#include "control/server.h"

#define LONG (INT64_C(60) * 1000000000) /* ns no working service needs */

/* A service in a thread of its own, and raw sockets to it. */
struct service {
	char dir[64], path[96];
	struct hv_loop *loop;
	struct hv_control *ctl;
	pthread_t thread;
	_Atomic unsigned int closed; /* clients that have gone */
	void *arg;
};

static void *service_main(void *arg)
{
	struct service *s = arg;

	hv_loop_run(s->loop, NULL);
	return NULL;
}

static inline void service_prepare(struct service *s, const struct hv_control_ops *ops)
{
	struct hv_err err = { 0 };

	memset(s, 0, sizeof(*s));
	snprintf(s->dir, sizeof(s->dir), "/tmp/hvsh-control-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/run/control", s->dir);
	assert_int_equal(hv_loop_new(&s->loop, NULL), 0);
	if (hv_control_listen(s->loop, s->path, ops, s, &s->ctl, &err))
		fail_msg("%s", err.msg);
}

static inline void service_run(struct service *s)
{
	assert_int_equal(pthread_create(&s->thread, NULL, service_main, s), 0);
}

static inline void service_halt(struct service *s)
{
	hv_loop_stop(s->loop);
	pthread_join(s->thread, NULL);
}

static inline void service_free(struct service *s)
{
	char lock[128];

	hv_control_free(s->ctl, "the test is over");
	hv_loop_free(s->loop);
	assert_int_equal(access(s->path, F_OK), -1);
	snprintf(lock, sizeof(lock), "%s.lock", s->path);
	unlink(lock);
	*strrchr(lock, '/') = '\0';
	rmdir(lock);
	assert_int_equal(rmdir(s->dir), 0);
}

static inline struct hv_control_client *service_connect(const struct service *s)
{
	struct hv_control_client *client;
	struct hv_err err = { 0 };

	if (hv_control_connect(s->path, &client, &err))
		fail_msg("%s", err.msg);
	return client;
}

static inline int raw_connect(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 60 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static inline void raw_send(int fd, enum hv_frame_type type, uint16_t channel, uint32_t id,
			    const char *payload)
{
	uint8_t bytes[HV_FRAME_PREFIX + 512];
	size_t n = hv_frame_prefix(bytes, type, channel, id, strlen(payload));

	memcpy(bytes + n, payload, strlen(payload));
	n += strlen(payload);
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

static inline int raw_hello(const char *path)
{
	int fd = raw_connect(path);

	raw_send(fd, HV_FRAME_HELLO, 0, 0, "{\"protocol\":1,\"oldest\":1}");
	return fd;
}

static inline bool raw_read(int fd, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(fd, (char *)to + done, len - done, 0);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The next frame: its payload, terminated, in a buffer of 1 MiB + 16; type 0 = the end. */
static inline uint8_t raw_frame(int fd, uint16_t *channel, uint32_t *id, char *payload, size_t *len)
{
	uint8_t head[HV_FRAME_HEAD];
	bool has_id;

	if (!raw_read(fd, head, sizeof(head)))
		return 0;
	*len = head[0] | head[1] << 8 | head[2] << 16;
	*channel = (uint16_t)(head[6] | head[7] << 8);
	has_id = head[4] == HV_FRAME_REPLY || head[4] == HV_FRAME_WINDOW;
	if (has_id) {
		assert_true(raw_read(fd, id, 4));
		*len -= 4;
	}
	if (!raw_read(fd, payload, *len))
		return 0;
	payload[*len] = '\0';
	return head[4];
}

/* Skips to the end of the connection; the last close of channel 0 is in reason. */
static inline void raw_until_end(int fd, char reason[1024])
{
	char *payload = malloc((1 << 20) + 16);
	uint16_t channel;
	uint32_t id;
	size_t len;
	uint8_t type;

	reason[0] = '\0';
	while ((type = raw_frame(fd, &channel, &id, payload, &len)))
		if (type == HV_FRAME_CLOSE && !channel)
			snprintf(reason, 1024, "%s", payload);
	free(payload);
}

#endif
