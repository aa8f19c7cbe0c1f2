// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int hv_notify(const char *lines, struct hv_err *err)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	ssize_t n;
	int fd;

	if (!len)
		return 0;
	if ((*path != '/' && *path != '@') || len >= sizeof(to.sun_path))
		return hv_err_set(err, EINVAL,
				  "NOTIFY_SOCKET=%s: not a path, nor an abstract name (@…), of at "
				  "most %zu bytes",
				  path, sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, path, len);
	if (*path == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return hv_err_sys(err, errno, "NOTIFY_SOCKET=%s", path);
	do
		n = sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&to,
			   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		hv_err_sys(err, errno, "NOTIFY_SOCKET=%s", path);
	close(fd);
	return n < 0 ? -err->code : 0;
}

static uint64_t number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	uint64_t value;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	return *end || errno ? 0 : value;
}

uint64_t hv_notify_watchdog(void)
{
	uint64_t usec = number("WATCHDOG_USEC");

	if (getenv("WATCHDOG_PID") && number("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return usec > UINT64_MAX / 1000 ? 0 : usec * 1000 / 2;
}
