// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/ivc.h"
#include "base/log.h"
#include "base/size.h"
#include "guest/program.h"
#include "hypervisor/sim.h"

/*
 * IVC channels of a guest. Its own section begins with a number of 32 bits: how many interrupts of
 * the channel it has taken. The shared section may begin with an order of 32 bits, which whoever is
 * interrupted takes out and follows.
 */
#define TAKEN_AT 0
#define ORDER_AT 0
#define ORDER_POWER_OFF 1

#define SHARED UINT32_MAX
#define READ_MAX 240 /* as text they fit into one line of the console */

static int read_register(const struct program *p, const struct program_channel *c, uint64_t reg,
			 uint32_t *value)
{
	return hv_sim_run_ivc_read(p->g->guests->hyp, hv_guest_zone(p->g)->id, p->g,
				   c->config->control_table_ipa + reg, value);
}

static int ring(const struct program *p, const struct program_channel *c, uint32_t peer)
{
	return hv_sim_run_ivc_write(p->g->guests->hyp, hv_guest_zone(p->g)->id, p->g,
				    c->config->control_table_ipa + HV_IVC_RING, peer);
}

static uint64_t section_at(const struct program_channel *c, uint32_t section)
{
	return section == SHARED ? 0 : c->rw_size + (uint64_t)section * c->out_size;
}

static uint32_t *word_at(const struct program_channel *c, uint32_t section, uint64_t offset)
{
	return (uint32_t *)(void *)(c->memory + section_at(c, section) + offset);
}

static int start(struct program *p, struct program_channel *c)
{
	const struct hv_abi_zone *zone = hv_guest_zone(p->g);
	struct hv_err err = { 0 };
	void *memory;
	int rc;

	if (read_register(p, c, HV_IVC_ID, &c->id) < 0 ||
	    read_register(p, c, HV_IVC_PEER_ID, &c->peer) < 0 ||
	    read_register(p, c, HV_IVC_MAX_PEERS, &c->max_peers) < 0 ||
	    read_register(p, c, HV_IVC_RW_SEC_SIZE, &c->rw_size) < 0 ||
	    read_register(p, c, HV_IVC_OUT_SEC_SIZE, &c->out_size) < 0)
		return -ESHUTDOWN;
	rc = hv_sim_run_ivc_map(p->g->guests->hyp, zone->id, p->g, c->config->shared_mem_ipa,
				&memory, &c->size, &err);
	if (rc < 0) {
		hv_log_info("simulated guest of zone %u: IVC %u: %s", zone->id, c->id, err.msg);
		return rc;
	}
	c->memory = memory;
	c->answers = -1;
	__atomic_store_n(word_at(c, c->peer, TAKEN_AT), 0, __ATOMIC_RELEASE);
	return 0;
}

void program_start_ivc(struct program *p)
{
	const struct hv_abi_zone *zone = hv_guest_zone(p->g);

	for (uint32_t i = 0; i < zone->n_ivc && i < HV_MAX_IVC; i++) {
		struct program_channel *c = &p->channels[p->n_channels];

		c->config = &zone->ivc[i];
		if (start(p, c) < 0)
			continue;
		p->n_channels++;
		program_say(p,
			    "ivc %" PRIu32 " irq %" PRIu32 ": peer %" PRIu32 " of %" PRIu32 "\r\n",
			    c->id, c->config->interrupt, c->peer, c->max_peers);
	}
}

void program_end_ivc(struct program *p)
{
	for (unsigned int i = 0; i < p->n_channels; i++)
		munmap(p->channels[i].memory, (size_t)p->channels[i].size);
	p->n_channels = 0;
}

static void follow_order(struct program *p, struct program_channel *c)
{
	if (c->rw_size && __atomic_exchange_n(word_at(c, SHARED, ORDER_AT), 0, __ATOMIC_ACQ_REL) ==
				  ORDER_POWER_OFF) {
		program_say(p, "powering off, as told over ivc %" PRIu32 "\r\n", c->id);
		hv_guest_exit(p->g, false);
		p->dead = -ESHUTDOWN;
	}
}

void program_ivc_interrupt(struct program *p, uint32_t irq)
{
	for (unsigned int i = 0; i < p->n_channels && !p->dead; i++) {
		struct program_channel *c = &p->channels[i];

		if (c->config->interrupt != irq)
			continue;
		__atomic_store_n(word_at(c, c->peer, TAKEN_AT), ++c->taken, __ATOMIC_RELEASE);
		if (c->answers >= 0)
			(void)ring(p, c, (uint32_t)c->answers);
		follow_order(p, c);
	}
}

/* ---- what is typed */

static bool take_number(char **args, uint64_t *n)
{
	char *text = strtok_r(NULL, " ", args);

	return text && hv_size_parse(text, n) == 0;
}

static struct program_channel *take_channel(struct program *p, char **args)
{
	uint64_t id;

	if (!take_number(args, &id)) {
		program_say(p, "ivc: the number of a channel is missing; ivc list has them\r\n");
		return NULL;
	}
	for (unsigned int i = 0; i < p->n_channels; i++)
		if (p->channels[i].id == id)
			return &p->channels[i];
	program_say(p, "ivc: this zone is not on channel %" PRIu64 "\r\n", id);
	return NULL;
}

static bool take_section(char **args, uint32_t *section)
{
	char *text = strtok_r(NULL, " ", args);
	uint64_t n;

	*section = SHARED;
	if (!text || !strcmp(text, "shared"))
		return text;
	if (hv_size_parse(text, &n) < 0 || n >= SHARED)
		return false;
	*section = (uint32_t)n;
	return true;
}

static int check(const struct program_channel *c, uint32_t section, uint64_t offset, uint64_t len)
{
	uint32_t size = section == SHARED ? c->rw_size : c->out_size;

	if (section != SHARED && section >= c->max_peers)
		return -ENXIO;
	return offset > size || len > size - offset ? -ERANGE : 0;
}

static void say_result(struct program *p, int rc, const char *what)
{
	program_say(p, "ivc: %s\r\n", rc < 0 ? strerror(-rc) : what);
}

static void list(struct program *p, char *args)
{
	(void)args;
	for (unsigned int i = 0; i < p->n_channels; i++) {
		const struct program_channel *c = &p->channels[i];

		program_say(p,
			    "ivc %" PRIu32 ": peer %" PRIu32 " of %" PRIu32 ", %" PRIu32
			    " bytes shared, %" PRIu32 " of each, %" PRIu32 " interrupts\r\n",
			    c->id, c->peer, c->max_peers, c->rw_size, c->out_size, c->taken);
	}
}

static void read_section(struct program *p, char *args)
{
	struct program_channel *c = take_channel(p, &args);
	char text[4 * READ_MAX + 1], *end = text;
	uint8_t bytes[READ_MAX];
	uint64_t offset, len;
	uint32_t section;
	int rc;

	if (!c)
		return;
	if (!take_section(&args, &section) || !take_number(&args, &offset) ||
	    !take_number(&args, &len) || len > READ_MAX) {
		program_say(p,
			    "ivc: section, offset and length, such as: ivc read 0 shared 16 5\r\n");
		return;
	}
	rc = check(c, section, offset, len);
	if (rc < 0) {
		say_result(p, rc, "");
		return;
	}
	memcpy(bytes, c->memory + section_at(c, section) + offset, (size_t)len);
	*text = '\0';
	for (uint64_t i = 0; i < len; i++)
		end += sprintf(end, bytes[i] >= ' ' && bytes[i] < 0x7f ? "%c" : "\\x%02x",
			       bytes[i]);
	program_say(p, "%s\r\n", text);
}

static void write_section(struct program *p, char *args)
{
	struct program_channel *c = take_channel(p, &args);
	uint32_t section;
	uint64_t offset;
	int rc;

	if (!c)
		return;
	if (!take_section(&args, &section) || !take_number(&args, &offset)) {
		program_say(
			p,
			"ivc: section, offset and text, such as: ivc write 0 shared 16 hello\r\n");
		return;
	}
	rc = check(c, section, offset, strlen(args));
	if (rc == 0 && section != SHARED && section != c->peer)
		rc = -EACCES;
	if (rc == 0)
		memcpy(c->memory + section_at(c, section) + offset, args, strlen(args));
	say_result(p, rc, "written");
}

/* A peer of the channel; false when there is none. */
static bool take_peer(struct program *p, char **args, struct program_channel **c, uint32_t *peer)
{
	uint64_t n;

	*c = take_channel(p, args);
	if (!*c)
		return false;
	if (!take_number(args, &n) || n >= (*c)->max_peers) {
		program_say(p, "ivc: channel %" PRIu32 " has peers 0 to %" PRIu32 "\r\n", (*c)->id,
			    (*c)->max_peers - 1);
		return false;
	}
	*peer = (uint32_t)n;
	return true;
}

static void ping(struct program *p, char *args)
{
	struct program_channel *c;
	uint32_t peer;

	if (take_peer(p, &args, &c, &peer))
		say_result(p, ring(p, c, peer), "interrupted");
}

static void answer(struct program *p, char *args)
{
	struct program_channel *c;
	uint32_t peer;

	if (!take_peer(p, &args, &c, &peer))
		return;
	c->answers = peer;
	say_result(p, 0, "answers");
}

void program_ivc(struct program *p, char *args)
{
	static const struct {
		const char *name;
		void (*run)(struct program *p, char *args);
	} words[] = {
		{ "list", list }, { "read", read_section }, { "write", write_section },
		{ "ping", ping }, { "answer", answer },
	};
	char *rest, *name = strtok_r(args, " ", &rest);

	for (size_t i = 0; name && i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(words[i].name, name)) {
			words[i].run(p, rest);
			return;
		}
	program_say(p, "ivc: list | read ID SECTION OFFSET LEN | write ID SECTION OFFSET TEXT | "
		       "ping ID PEER | answer ID PEER\r\n");
}
