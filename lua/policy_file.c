// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lua/policy_engine.h"
#include "sandbox/opener.h"

int hv_policy_file_read(const char *path, struct hv_buf *text, struct hv_err *err)
{
	int fd = hv_opener_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
	char bytes[16384];
	struct stat st;
	ssize_t n = 1;

	if (fd < 0)
		return hv_err_sys(err, errno, "%s", path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return hv_err_set(err, EINVAL, "%s: a policy is read from a file", path);
	}
	while (n > 0 && text->len <= HV_POLICY_TEXT_MAX && !text->failed) {
		n = read(fd, bytes, sizeof(bytes));
		if (n > 0)
			hv_buf_add(text, bytes, (size_t)n);
	}
	n = n < 0 ? errno : 0;
	close(fd);
	if (n)
		return hv_err_sys(err, (int)n, "%s", path);
	if (text->failed)
		return hv_err_nomem(err);
	if (text->len > HV_POLICY_TEXT_MAX)
		return hv_err_set(err, EFBIG, "%s: a policy's file has %u bytes at most", path,
				  HV_POLICY_TEXT_MAX);
	return 0;
}
