// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lua/policy_process.h"
#include "lua/policy_state.h"
#include "lua/policy_wire.h"
#include "sandbox/cell.h"

/* The other end: in a process that has no rights and believes the service. */

#define LUA_ITSELF (UINT64_C(1) << 20) /* outside of the quota: records, errors being told */

struct child {
	int fd;
	struct hv_policy_source source;
	struct hv_policy_state *state;
	unsigned int printed; /* for this question */
	char bytes[HV_POLICY_WIRE_MAX];
};

static void put_text(struct hv_policy_record *record, const char *text, size_t len)
{
	record->text[0].bytes = text;
	record->text[0].len = len;
}

static void print(const char *line, size_t len, void *arg)
{
	struct child *c = arg;
	struct hv_policy_record record = { .verb = HV_POLICY_PRINT };

	if (c->printed++ >= HV_POLICY_PRINTS_MAX)
		return;
	put_text(&record, line, len);
	if (hv_policy_wire_send(c->fd, &record, 0, NULL) < 0)
		_Exit(1);
}

static int failed(struct child *c, uint64_t ticket, const char *why)
{
	struct hv_policy_record record = { .verb = HV_POLICY_FAILED, .number = { ticket } };

	put_text(&record, why, strnlen(why, HV_ERR_MSG_MAX));
	return hv_policy_wire_send(c->fd, &record, 0, NULL);
}

static char *text_of(const struct hv_policy_record *record, unsigned int i)
{
	char *copy = malloc(record->text[i].len + 1);

	if (!copy)
		_Exit(1);
	memcpy(copy, record->text[i].bytes, record->text[i].len);
	copy[record->text[i].len] = '\0';
	return copy;
}

static int load(struct child *c)
{
	struct hv_policy_record record, ready = { .verb = HV_POLICY_READY };
	struct hv_err err;
	int rc = hv_policy_wire_receive(c->fd, c->bytes, 0, &record, &err);

	if (rc < 0 || record.verb != HV_POLICY_LOAD || record.number[0] >= HV_POLICY_TYPES)
		return -EPROTO;
	c->source = (struct hv_policy_source){
		.type = (enum hv_policy_type)record.number[0],
		.memory = record.number[1],
		.deadline = record.number[2],
		.device = text_of(&record, 0),
		.name = text_of(&record, 1),
		.text = text_of(&record, 2),
		.len = record.text[2].len,
		.args = text_of(&record, 3),
		.args_len = record.text[3].len,
		.print = print,
		.arg = c,
	};
	/* Read now, and named: os.time would look for a change of what it finds by itself. */
	setenv("TZ", ":/etc/localtime", 0);
	tzset();
	rc = hv_cell_confine(c->fd, c->source.memory + LUA_ITSELF, &err);
	if (!rc)
		rc = hv_policy_state_new(&c->source, false, NULL, &c->state, &err);
	if (rc < 0)
		return failed(c, 0, err.msg) < 0 ? -EPIPE : rc;
	return hv_policy_wire_send(c->fd, &ready, 0, NULL);
}

static int answer(struct child *c, const struct hv_policy_record *asked)
{
	const struct hv_question q = {
		.ticket = asked->number[0],
		.kind = (uint32_t)asked->number[1],
		.at = asked->number[2],
		.size = asked->number[3],
		.room = asked->number[4],
		.data = asked->text[0].bytes,
		.len = asked->text[0].len,
	};
	struct hv_answer a;
	struct hv_buf why = { 0 };
	struct hv_policy_record record = { .verb = HV_POLICY_ANSWER, .number = { q.ticket } };
	int rc;

	c->printed = 0;
	rc = hv_policy_state_decide(c->state, &q, &a, &why);

	if (rc < 0) {
		rc = failed(c, q.ticket, why.data ?: "not enough memory");
		hv_buf_free(&why);
		return rc;
	}
	record.number[1] = a.word;
	record.number[2] = a.status;
	record.number[3] = a.delay_ns;
	record.number[4] = a.data != NULL;
	put_text(&record, a.data, a.data ? a.len : 0);
	return hv_policy_wire_send(c->fd, &record, 0, NULL);
}

int hv_policy_child_run(int fd)
{
	struct child *c = calloc(1, sizeof(*c));
	struct hv_policy_record record;
	int rc;

	if (!c)
		return 1;
	c->fd = fd;
	rc = load(c);
	while (!rc) {
		rc = hv_policy_wire_receive(fd, c->bytes, 0, &record, NULL);
		if (!rc)
			rc = record.verb == HV_POLICY_ASK ? answer(c, &record) : -EPROTO;
	}
	return rc == -EPIPE ? 0 : 1;
}

int hv_policy_child_main(void)
{
	return hv_cell_main(hv_policy_child_run);
}
