// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/hello.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/utf8.h"

/* As much of a text as a terminal and JSON can take. */
static void copy_text(char *to, size_t size, const char *text)
{
	size_t len = 0;

	while (*text) {
		struct hv_buf one = { 0 };

		hv_utf8_put(&one, hv_utf8_next(&text));
		if (one.failed || len + one.len >= size) {
			hv_buf_free(&one);
			break;
		}
		memcpy(to + len, one.data, one.len);
		len += one.len;
		hv_buf_free(&one);
	}
	to[len] = '\0';
}

static void dump(struct hv_buf *to, json_t *root)
{
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	if (text)
		hv_buf_puts(to, text);
	else
		to->failed = true;
	free(text);
	json_decref(root);
}

void hv_hello_write(struct hv_buf *to, const char *error)
{
	char text[HV_REASON_MAX];
	json_t *root =
		json_pack("{s:i,s:i,s:s,s:i}", "protocol", HV_CONTROL_PROTOCOL, "oldest",
			  HV_CONTROL_OLDEST, "program", "hvsh " HVSH_VERSION, "pid", (int)getpid());

	if (root && error) {
		copy_text(text, sizeof(text), error);
		json_object_set_new(root, "error", json_string(text));
	}
	dump(to, root);
}

int hv_hello_read(const void *json, size_t len, struct hv_hello *hello, struct hv_err *err)
{
	json_error_t why;
	json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
	const char *program = "", *error = "";
	int rc = 0;

	*hello = (struct hv_hello){ 0 };
	if (!root)
		return hv_err_set(err, EPROTO, "its hello is no JSON: %s", why.text);
	if (json_unpack_ex(root, &why, 0, "{s:i,s:i,s?s,s?i,s?s}", "protocol", &hello->protocol,
			   "oldest", &hello->oldest, "program", &program, "pid", &hello->pid,
			   "error", &error))
		rc = hv_err_set(err, EPROTO, "its hello is none: %s", why.text);
	copy_text(hello->program, sizeof(hello->program), program);
	copy_text(hello->error, sizeof(hello->error), error);
	json_decref(root);
	return rc;
}

int hv_hello_version(const struct hv_hello *hello, const char *they, struct hv_err *err)
{
	int common = hello->protocol < HV_CONTROL_PROTOCOL ? hello->protocol : HV_CONTROL_PROTOCOL;

	if (common >= hello->oldest && common >= HV_CONTROL_OLDEST)
		return common;
	return hv_err_set(err, EPROTONOSUPPORT,
			  "%s is %s and speaks version %d to %d of the control protocol; this is "
			  "hvsh " HVSH_VERSION " and speaks %d to %d: use the same hvsh for both",
			  they, *hello->program ? hello->program : "another program", hello->oldest,
			  hello->protocol, HV_CONTROL_OLDEST, HV_CONTROL_PROTOCOL);
}

void hv_reason_write(struct hv_buf *to, const char *text)
{
	char clean[HV_REASON_MAX];

	copy_text(clean, sizeof(clean), text);
	dump(to, json_pack("{s:s}", "reason", clean));
}

void hv_reason_read(const void *json, size_t len, char to[HV_REASON_MAX])
{
	json_t *root = json_loadb(json, len, 0, NULL);
	const char *text = json_string_value(json_object_get(root, "reason"));

	copy_text(to, HV_REASON_MAX, text ? text : "");
	json_decref(root);
}
