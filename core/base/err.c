// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int hv_err_setv(struct hv_err *err, int code, const char *fmt, va_list ap)
{
	char text[HV_ERR_MSG_MAX];
	size_t len;

	if (!err)
		return -code;
	/* Not straight into msg: the arguments may be the old message. */
	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	memcpy(err->msg, text, len + 1);
	err->code = code;
	return -code;
}

int hv_err_set(struct hv_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	hv_err_setv(err, code, fmt, ap);
	va_end(ap);
	return -code;
}

int hv_err_sys(struct hv_err *err, int code, const char *fmt, ...)
{
	char text[HV_ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return hv_err_set(err, code, "%s: %s", text, strerrordesc_np(code) ?: "unknown error");
}

int hv_err_prefix(struct hv_err *err, const char *fmt, ...)
{
	char text[HV_ERR_MSG_MAX];
	va_list ap;

	if (!err)
		return -EIO;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return hv_err_set(err, err->code, "%s%s", text, err->msg);
}

int hv_err_nomem(struct hv_err *err)
{
	return hv_err_set(err, ENOMEM, "out of memory");
}

const char *hv_err_name(int code)
{
	static _Thread_local char number[16];
	const char *name = strerrorname_np(code);

	if (name)
		return name;
	snprintf(number, sizeof(number), "E%d", code);
	return number;
}
