// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/policy_wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define HEAD 4
#define PREFIX_MAX (HEAD + 8 * HV_POLICY_WIRE_NUMBERS + 4 * HV_POLICY_WIRE_TEXTS)

static const struct {
	unsigned int numbers, texts;
} shapes[HV_POLICY_VERBS] = {
	[HV_POLICY_LOAD] = { 3, 4 },   [HV_POLICY_READY] = { 0, 0 },  [HV_POLICY_ASK] = { 5, 1 },
	[HV_POLICY_ANSWER] = { 5, 1 }, [HV_POLICY_FAILED] = { 1, 1 }, [HV_POLICY_PRINT] = { 0, 1 },
};

static size_t prefix_of(enum hv_policy_verb verb)
{
	return HEAD + 8 * (size_t)shapes[verb].numbers + 4 * (size_t)shapes[verb].texts;
}

int hv_policy_wire_read(const void *bytes, size_t len, struct hv_policy_record *record,
			struct hv_err *err)
{
	const uint8_t *at = bytes;
	size_t left;
	unsigned int verb;

	*record = (struct hv_policy_record){ 0 };
	if (len < HEAD || len > HV_POLICY_WIRE_MAX || at[0] != 'H' || at[1] != 'P')
		return hv_err_set(err, EPROTO, "%zu bytes that are no record", len);
	if (at[2] != HV_POLICY_WIRE_VERSION)
		return hv_err_set(err, EPROTO, "a record of version %u instead of %u", at[2],
				  HV_POLICY_WIRE_VERSION);
	verb = at[3];
	if (!verb || verb >= HV_POLICY_VERBS)
		return hv_err_set(err, EPROTO, "a record with the unknown verb %u", verb);
	record->verb = (enum hv_policy_verb)verb;
	if (len < prefix_of(record->verb))
		return hv_err_set(err, EPROTO, "a record of %zu bytes that is cut off", len);
	left = len - prefix_of(record->verb);
	at += HEAD;
	for (unsigned int i = 0; i < shapes[verb].numbers; i++, at += 8) {
		uint64_t number;

		memcpy(&number, at, 8);
		record->number[i] = le64toh(number);
	}
	for (unsigned int i = 0; i < shapes[verb].texts; i++, at += 4) {
		uint32_t size;

		memcpy(&size, at, 4);
		record->text[i].len = le32toh(size);
	}
	for (unsigned int i = 0; i < shapes[verb].texts; i++) {
		if (record->text[i].len > left)
			return hv_err_set(err, EPROTO, "a record whose text is longer than it");
		record->text[i].bytes = (const char *)at;
		at += record->text[i].len;
		left -= record->text[i].len;
	}
	return left ? hv_err_set(err, EPROTO, "a record with %zu bytes too many", left) : 0;
}

/* All before the texts; its length. */
static size_t put_prefix(const struct hv_policy_record *record, uint8_t out[PREFIX_MAX])
{
	uint8_t *at = out;

	*at++ = 'H';
	*at++ = 'P';
	*at++ = HV_POLICY_WIRE_VERSION;
	*at++ = (uint8_t)record->verb;
	for (unsigned int i = 0; i < shapes[record->verb].numbers; i++, at += 8) {
		uint64_t number = htole64(record->number[i]);

		memcpy(at, &number, 8);
	}
	for (unsigned int i = 0; i < shapes[record->verb].texts; i++, at += 4) {
		uint32_t size = htole32((uint32_t)record->text[i].len);

		memcpy(at, &size, 4);
	}
	return (size_t)(at - out);
}

static size_t size_of(const struct hv_policy_record *record)
{
	size_t size = prefix_of(record->verb);

	for (unsigned int i = 0; i < shapes[record->verb].texts; i++) {
		if (record->text[i].len > HV_POLICY_WIRE_MAX)
			return SIZE_MAX;
		size += record->text[i].len;
	}
	return size;
}

static int too_long(struct hv_err *err)
{
	return hv_err_set(err, EMSGSIZE, "more than %u bytes at once", HV_POLICY_WIRE_MAX);
}

int hv_policy_wire_write(const struct hv_policy_record *record, void *bytes, struct hv_err *err)
{
	size_t size = size_of(record), n;

	if (size > HV_POLICY_WIRE_MAX)
		return too_long(err);
	n = put_prefix(record, bytes);
	for (unsigned int i = 0; i < shapes[record->verb].texts; i++) {
		if (record->text[i].len)
			memcpy((char *)bytes + n, record->text[i].bytes, record->text[i].len);
		n += record->text[i].len;
	}
	return (int)n;
}

int hv_policy_wire_send(int fd, const struct hv_policy_record *record, int flags,
			struct hv_err *err)
{
	uint8_t prefix[PREFIX_MAX];
	struct iovec iov[1 + HV_POLICY_WIRE_TEXTS] = { { prefix, 0 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 };
	ssize_t n;

	if (size_of(record) > HV_POLICY_WIRE_MAX)
		return too_long(err);
	iov[0].iov_len = put_prefix(record, prefix);
	for (unsigned int i = 0; i < shapes[record->verb].texts; i++)
		iov[msg.msg_iovlen++] =
			(struct iovec){ (void *)record->text[i].bytes, record->text[i].len };
	do
		n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ECONNRESET ? hv_err_sys(err, EPIPE, "writing to its process")
				   : hv_err_sys(err, errno, "writing to its process");
}

int hv_policy_wire_receive(int fd, void *bytes, int flags, struct hv_policy_record *record,
			   struct hv_err *err)
{
	ssize_t n;

	do
		n = recv(fd, bytes, HV_POLICY_WIRE_MAX, flags | MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (!n || (n < 0 && errno == ECONNRESET))
		return hv_err_set(err, EPIPE, "its process is gone");
	if (n < 0)
		return hv_err_sys(err, errno, "reading from its process");
	return hv_policy_wire_read(bytes, (size_t)n, record, err);
}
