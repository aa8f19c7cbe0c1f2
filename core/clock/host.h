/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_CLOCK_HOST_H
#define HV_CLOCK_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct hv_fdt;
struct hv_hyp;

/*
 * What zone0 lends to zones: clocks, resets and power domains, by their ids (abi/resource.h). One
 * host stands before a backend for all zones of a machine and counts who uses what, so that no
 * zone can take from another what that one uses. All calls from any thread but where it says
 * otherwise; they may block as long as the backend does.
 */
enum hv_lent {
	HV_LENT_CLOCK,
	HV_LENT_RESET,
	HV_LENT_POWER,
};
#define HV_LENT_KINDS 3
/* Ids are below this one. */
#define HV_LENT_IDS 4096
#define HV_LENT_NAME 64
#define HV_LENT_RATES 8

/* "clock", "reset", "power domain". */
const char *hv_lent_name(enum hv_lent kind);

struct hv_lent_rates {
	unsigned int n;
	uint64_t hz[HV_LENT_RATES]; /* ascending */
	uint32_t remaining;	    /* how many follow these */
};

enum hv_reset_action {
	HV_RESET_ACT_RELEASE,
	HV_RESET_ACT_PULSE,
	HV_RESET_ACT_ASSERT,
};

/*
 * Where the commands go. 0 or -errno; -ENOENT: no such id, -ENOTTY: there is no such thing at
 * all. Every "on" is followed by one "off" at most; others than the host may have them on as well.
 */
struct hv_clock_backend {
	int (*count)(void *arg, enum hv_lent kind, uint32_t *n, struct hv_err *err);
	/* Terminated. Asked once for every id before it is used. */
	int (*name)(void *arg, enum hv_lent kind, uint32_t id, char name[HV_LENT_NAME],
		    struct hv_err *err);
	/* From the index-th on; n = 0: not known. */
	int (*rates)(void *arg, uint32_t id, uint32_t index, struct hv_lent_rates *rates,
		     struct hv_err *err);
	int (*rate)(void *arg, uint32_t id, uint64_t *hz, struct hv_err *err);
	int (*set_rate)(void *arg, uint32_t id, uint64_t hz, struct hv_err *err);
	int (*enable)(void *arg, uint32_t id, bool on, struct hv_err *err);
	int (*reset)(void *arg, uint32_t id, enum hv_reset_action action, struct hv_err *err);
	int (*power)(void *arg, uint32_t id, bool on, struct hv_err *err);
};

/* The kernel module, or the simulated machine's clocks; arg is the struct hv_hyp. */
extern const struct hv_clock_backend hv_clock_backend_hyp;

struct hv_clock_host;

/* backend and arg outlive the host. Ended by the last hv_clock_host_put. */
int hv_clock_host_new(const struct hv_clock_backend *backend, void *arg,
		      struct hv_clock_host **host, struct hv_err *err);
struct hv_clock_host *hv_clock_host_get(struct hv_clock_host *host);
void hv_clock_host_put(struct hv_clock_host *host);

/*
 * zone0's own device tree, in which references are looked up; it outlives the host. Before the
 * first hv_clock_host_find, main thread.
 */
void hv_clock_host_set_tree(struct hv_clock_host *host, const struct hv_fdt *tree);

/* How many ids there are; 0 when the backend has none of this kind. */
int hv_clock_host_count(struct hv_clock_host *host, enum hv_lent kind, uint32_t *n,
			struct hv_err *err);
int hv_clock_host_name(struct hv_clock_host *host, enum hv_lent kind, uint32_t id,
		       char name[HV_LENT_NAME], struct hv_err *err);
/*
 * The id of a name ("uart0"), or of a reference into zone0's tree ("/soc/serial@3000:baud": the
 * entry of that node, by name or number, first without one; an alias may stand for the path's first
 * part). -ENOENT with what there is.
 */
int hv_clock_host_find(struct hv_clock_host *host, enum hv_lent kind, const char *name,
		       uint32_t *id, struct hv_err *err);

/*
 * One user, as a zone is. What it has switched on stays on until it switches it off, or ends.
 */
struct hv_clock_agent;

/* who: "linux1", for messages; copied. Holds the host. */
int hv_clock_agent_new(struct hv_clock_host *host, const char *who, struct hv_clock_agent **agent,
		       struct hv_err *err);
/* Gives back all it has, and frees it. NULL is fine. */
void hv_clock_agent_free(struct hv_clock_agent *agent);
/* Gives back all it has. What cannot be given back is logged, and forgotten. */
void hv_clock_agent_release(struct hv_clock_agent *agent);

/*
 * What an agent has outlives its process: the next one takes it over, and neither switches
 * anything.
 *
 * changed is called when it has come to have something, and before it gives something back, so that
 * what is noted then is never less than what it has. The host's lock is held: no call but list.
 */
void hv_clock_agent_watch(struct hv_clock_agent *agent, void (*changed)(void *arg), void *arg);
/* What it has, an opaque number each, up to max of them; returns how many there are. */
unsigned int hv_clock_agent_list(const struct hv_clock_agent *agent, uint16_t *list,
				 unsigned int max);
/* It has this from another process. kind, id: what that is; false: no such number. */
bool hv_clock_held_of(uint16_t entry, enum hv_lent *kind, uint32_t *id);
void hv_clock_agent_take(struct hv_clock_agent *agent, uint16_t entry);
/*
 * What stand_in has is agent's from now on, and stand_in is freed. Nothing is switched, changed is
 * not called, and at no moment nobody has it. NULL is fine.
 */
void hv_clock_agent_replace(struct hv_clock_agent *agent, struct hv_clock_agent *stand_in);
/* Frees it, and leaves what it has to the next process. NULL is fine. */
void hv_clock_agent_leave(struct hv_clock_agent *agent);

/* Switching on what one has on already, and off what one has not, does nothing. */
int hv_clock_enable(struct hv_clock_agent *agent, uint32_t id, bool on, struct hv_err *err);
/* Whether this agent has it on: others say nothing about how long it will stay so. */
bool hv_clock_enabled(struct hv_clock_agent *agent, uint32_t id);
int hv_clock_rate(struct hv_clock_agent *agent, uint32_t id, uint64_t *hz, struct hv_err *err);
int hv_clock_rates(struct hv_clock_agent *agent, uint32_t id, uint32_t index,
		   struct hv_lent_rates *rates, struct hv_err *err);
/* -EBUSY: another agent has it on, or has set its rate, and it would change. */
int hv_clock_set_rate(struct hv_clock_agent *agent, uint32_t id, uint64_t hz, struct hv_err *err);
/* -EBUSY: another agent has released or pulsed this line and so uses what hangs on it. */
int hv_clock_reset(struct hv_clock_agent *agent, uint32_t id, enum hv_reset_action action,
		   struct hv_err *err);
int hv_clock_power(struct hv_clock_agent *agent, uint32_t id, bool on, struct hv_err *err);
bool hv_clock_powered(struct hv_clock_agent *agent, uint32_t id);

#endif
