// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "lua/policy_decide.h"
#include "lua/policy_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a record says of an answer, as a service takes it; of all types and questions. */
static void look_at_answer(const struct hv_policy_record *r)
{
	const struct hv_question questions[] = {
		{ .ticket = r->number[0] },
		{ .ticket = r->number[0], .room = 64 },
	};
	struct hv_answer a = {
		.word = (enum hv_answer_word)(r->number[1] & 3),
		.status = (uint32_t)r->number[2],
		.delay_ns = r->number[3],
		.data = r->number[4] ? (void *)r->text[0].bytes : NULL,
		.len = r->number[4] ? r->text[0].len : 0,
	};

	for (unsigned int type = 0; type < HV_POLICY_TYPES; type++)
		for (unsigned int i = 0; i < 2; i++) {
			if (hv_policy_answer_wrong((enum hv_policy_type)type, &questions[i], &a))
				continue;
			if (a.word > HV_ANSWER_DENY || (a.data && a.len > questions[i].room) ||
			    a.status > 2 || a.delay_ns > INT64_MAX)
				abort();
		}
}

/* A packet from the process of a policy. What is read is written back as the same bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char back[HV_POLICY_WIRE_MAX];
	struct hv_policy_record r;
	struct hv_err err = { 0 };
	volatile char sum = 0;
	int n;

	if (hv_policy_wire_read(data, size, &r, &err) < 0) {
		if (!*err.msg)
			abort();
		return 0;
	}
	for (unsigned int i = 0; i < HV_POLICY_WIRE_TEXTS; i++)
		for (size_t at = 0; at < r.text[i].len; at++)
			sum = (char)(sum + r.text[i].bytes[at]);
	n = hv_policy_wire_write(&r, back, &err);
	if (n < 0 || (size_t)n != size || memcmp(back, data, size) != 0)
		abort();
	if (r.verb == HV_POLICY_ANSWER)
		look_at_answer(&r);
	return 0;
}
