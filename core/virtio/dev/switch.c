// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/dev/switch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "virtio/limit.h"
#include "virtio/stats.h"

#define SETS 512u /* of the address table; a power of two */
#define WAYS 8u
#define SWEEP 8u /* sets looked at with each new address */
/* New addresses per second of one port: each stops all bursts for a moment. */
#define LEARN_PER_SECOND 1000
#define OWN UINT64_MAX /* seen: a port's own address */

struct entry {
	uint64_t mac;	       /* 0 = free: no frame comes from it */
	_Atomic uint64_t seen; /* CLOCK_MONOTONIC ns */
	unsigned int port;
};

struct hv_switch_port {
	struct hv_switch *sw;
	const char *name;
	uint64_t mac;
	const struct hv_switch_port_ops *ops;
	void *arg;
	unsigned int index;
	unsigned int learned;
	struct hv_limit flood, learning;
};

struct hv_switch {
	char *name;
	unsigned int refs;     /* main thread */
	uint64_t seed;	       /* so that no guest can choose addresses that collide */
	pthread_rwlock_t lock; /* all below; bursts hold it for reading */
	struct hv_switch_port *ports[HV_SWITCH_PORTS];
	struct entry table[SETS][WAYS];
	unsigned int hand; /* the set to sweep next */
	_Atomic uint64_t forwarded, flooded, limited, spoofed;
};

static uint64_t mac_value(const uint8_t *mac)
{
	uint64_t value = 0;

	for (int i = 0; i < 6; i++)
		value = value << 8 | mac[i];
	return value;
}

static bool is_group(uint64_t mac)
{
	return mac >> 40 & 1;
}

static struct entry *set_of(struct hv_switch *sw, uint64_t mac)
{
	uint64_t hash = (mac ^ sw->seed) * UINT64_C(0x9e3779b97f4a7c15);

	hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return sw->table[hash >> 32 & (SETS - 1)];
}

static struct entry *find(struct hv_switch *sw, uint64_t mac)
{
	struct entry *set = set_of(sw, mac);

	for (unsigned int i = 0; i < WAYS; i++)
		if (set[i].mac == mac)
			return &set[i];
	return NULL;
}

static bool expired(const struct entry *entry, uint64_t now)
{
	uint64_t seen = atomic_load_explicit(&entry->seen, memory_order_relaxed);

	return seen != OWN && now > seen && now - seen > HV_SWITCH_AGE;
}

int hv_switch_new(const char *name, struct hv_switch **sw, struct hv_err *err)
{
	pthread_rwlockattr_t attr;
	struct hv_switch *new = calloc(1, sizeof(*new));

	if (new)
		new->name = strdup(name);
	if (!new || !new->name) {
		free(new);
		return hv_err_nomem(err);
	}
	new->refs = 1;
	if (getrandom(&new->seed, sizeof(new->seed), 0) != (ssize_t)sizeof(new->seed))
		new->seed = (uint64_t)(uintptr_t) new;
	pthread_rwlockattr_init(&attr);
	/* Bursts follow each other without a gap when guests are busy: who joins must get its turn.
	 */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&new->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	*sw = new;
	return 0;
}

void hv_switch_put(struct hv_switch *sw)
{
	if (!sw || --sw->refs)
		return;
	pthread_rwlock_destroy(&sw->lock);
	free(sw->name);
	free(sw);
}

const char *hv_switch_name(const struct hv_switch *sw)
{
	return sw->name;
}

/* ---- the table: lock held for writing */

static void forget(struct hv_switch *sw, struct entry *entry)
{
	if (entry->mac && atomic_load_explicit(&entry->seen, memory_order_relaxed) != OWN)
		sw->ports[entry->port]->learned--;
	entry->mac = 0;
}

static struct entry *oldest(struct entry *a, struct entry *b)
{
	if (!a)
		return b;
	return atomic_load_explicit(&b->seen, memory_order_relaxed) <
			       atomic_load_explicit(&a->seen, memory_order_relaxed)
		       ? b
		       : a;
}

/* A place for a new address: a free one, else the one silent for longest. NULL: all are ports' own.
 */
static struct entry *place(struct hv_switch *sw, uint64_t mac)
{
	struct entry *set = set_of(sw, mac), *old = NULL;

	for (unsigned int i = 0; i < WAYS; i++) {
		if (!set[i].mac)
			return &set[i];
		if (atomic_load_explicit(&set[i].seen, memory_order_relaxed) != OWN)
			old = oldest(old, &set[i]);
	}
	if (old)
		forget(sw, old);
	return old;
}

/* A port that invents addresses pushes out its own, not those of others. */
static struct entry *place_among_own(struct hv_switch *sw, uint64_t mac, unsigned int port)
{
	struct entry *set = set_of(sw, mac), *old = NULL;

	for (unsigned int i = 0; i < WAYS; i++)
		if (set[i].mac && set[i].port == port &&
		    atomic_load_explicit(&set[i].seen, memory_order_relaxed) != OWN)
			old = oldest(old, &set[i]);
	if (old)
		forget(sw, old);
	return old;
}

/* Clears what has expired, a part of the table each time. */
static void sweep(struct hv_switch *sw, uint64_t now)
{
	for (unsigned int i = 0; i < SWEEP; i++, sw->hand = (sw->hand + 1) % SETS)
		for (unsigned int way = 0; way < WAYS; way++) {
			struct entry *entry = &sw->table[sw->hand][way];

			if (entry->mac && expired(entry, now))
				forget(sw, entry);
		}
}

static void learn(struct hv_switch *sw, struct hv_switch_port *port, uint64_t mac, uint64_t now)
{
	struct entry *entry;

	sweep(sw, now);
	entry = find(sw, mac);
	if (entry) {
		if (atomic_load_explicit(&entry->seen, memory_order_relaxed) == OWN)
			return;
		/* It moved here. */
		sw->ports[entry->port]->learned--;
	} else {
		entry = port->learned < HV_SWITCH_LEARNED ? place(sw, mac)
							  : place_among_own(sw, mac, port->index);
		if (!entry)
			return;
		entry->mac = mac;
	}
	entry->port = port->index;
	atomic_store_explicit(&entry->seen, now, memory_order_relaxed);
	port->learned++;
}

static struct hv_switch_port *owner_of(struct hv_switch *sw, uint64_t mac)
{
	for (unsigned int i = 0; i < HV_SWITCH_PORTS; i++)
		if (sw->ports[i] && sw->ports[i]->mac == mac)
			return sw->ports[i];
	return NULL;
}

static int add_port(struct hv_switch *sw, struct hv_switch_port *port, struct hv_err *err)
{
	const struct hv_switch_port *other = owner_of(sw, port->mac);
	struct entry *entry;

	if (other)
		return hv_err_set(err, EEXIST, "%s has the same MAC address on switch %s",
				  other->name, sw->name);
	for (port->index = 0; port->index < HV_SWITCH_PORTS; port->index++)
		if (!sw->ports[port->index])
			break;
	entry = find(sw, port->mac);
	if (entry)
		forget(sw, entry);
	else if (port->index < HV_SWITCH_PORTS)
		entry = place(sw, port->mac);
	if (port->index == HV_SWITCH_PORTS || !entry)
		return hv_err_set(err, ENOSPC, "switch %s has no port left, it has %d", sw->name,
				  HV_SWITCH_PORTS);
	entry->mac = port->mac;
	entry->port = port->index;
	atomic_store(&entry->seen, OWN);
	sw->ports[port->index] = port;
	return 0;
}

static void free_port(struct hv_switch_port *port)
{
	hv_limit_destroy(&port->learning);
	hv_limit_destroy(&port->flood);
	free(port);
}

int hv_switch_join(struct hv_switch *sw, const char *name, const uint8_t mac[6],
		   const struct hv_switch_port_ops *ops, void *arg, struct hv_switch_port **port,
		   struct hv_err *err)
{
	struct hv_switch_port *new = calloc(1, sizeof(*new));
	int rc;

	if (!new)
		return hv_err_nomem(err);
	new->sw = sw;
	new->name = name;
	new->mac = mac_value(mac);
	new->ops = ops;
	new->arg = arg;
	hv_limit_init(&new->flood);
	hv_limit_set(&new->flood, HV_SWITCH_FLOOD_PER_SECOND, 0, 0, 0);
	hv_limit_init(&new->learning);
	hv_limit_set(&new->learning, LEARN_PER_SECOND, 0, HV_SWITCH_LEARNED, 0);
	pthread_rwlock_wrlock(&sw->lock);
	rc = add_port(sw, new, err);
	pthread_rwlock_unlock(&sw->lock);
	if (rc) {
		free_port(new);
		return rc;
	}
	sw->refs++;
	*port = new;
	return 0;
}

void hv_switch_leave(struct hv_switch_port *port)
{
	struct hv_switch *sw;

	if (!port)
		return;
	sw = port->sw;
	pthread_rwlock_wrlock(&sw->lock);
	for (unsigned int i = 0; i < SETS * WAYS; i++) {
		struct entry *entry = &sw->table[i / WAYS][i % WAYS];

		if (entry->mac && entry->port == port->index)
			entry->mac = 0;
	}
	sw->ports[port->index] = NULL;
	pthread_rwlock_unlock(&sw->lock);
	free_port(port);
	hv_switch_put(sw);
}

/* ---- frames */

void hv_switch_begin(struct hv_switch_burst *burst, struct hv_switch_port *port, unsigned int lane,
		     uint8_t *scratch, uint64_t now)
{
	*burst = (struct hv_switch_burst){
		.port = port, .scratch = scratch, .now = now, .lane = lane
	};
	pthread_rwlock_rdlock(&port->sw->lock);
}

/* False: the address is another port's own. */
static bool note_sender(struct hv_switch_burst *burst, uint64_t mac)
{
	struct hv_switch_port *port = burst->port;
	struct hv_switch *sw = port->sw;
	struct entry *entry;

	/* Nobody sends from a group's address; such frames go on, but nothing is learned from them.
	 */
	if (mac == port->mac || is_group(mac) || !mac)
		return true;
	entry = find(sw, mac);
	if (entry && atomic_load_explicit(&entry->seen, memory_order_relaxed) == OWN)
		return entry->port == port->index;
	if (entry && entry->port == port->index) {
		atomic_store_explicit(&entry->seen, burst->now, memory_order_relaxed);
		return true;
	}
	if (hv_limit_take(&port->learning, 1, 0, burst->now))
		return true;
	pthread_rwlock_unlock(&sw->lock);
	pthread_rwlock_wrlock(&sw->lock);
	learn(sw, port, mac, burst->now);
	pthread_rwlock_unlock(&sw->lock);
	pthread_rwlock_rdlock(&sw->lock);
	entry = find(sw, mac);
	return !entry || entry->port == port->index ||
	       atomic_load_explicit(&entry->seen, memory_order_relaxed) != OWN;
}

static void give(struct hv_switch_burst *burst, struct hv_switch_port *to,
		 const struct hv_frame *frame)
{
	to->ops->deliver(to->arg, burst->lane, frame, burst->scratch);
	burst->touched |= 1u << to->index;
}

const char *hv_switch_send(struct hv_switch_burst *burst, const struct hv_frame *frame)
{
	struct hv_switch *sw = burst->port->sw;
	const uint8_t *head = frame->iov[0].iov_base;
	uint64_t to = mac_value(head);
	const struct entry *entry;

	if (!note_sender(burst, mac_value(head + 6))) {
		hv_stat_add(&sw->spoofed, 1);
		return "a frame with the MAC address of another zone's device";
	}
	entry = is_group(to) ? NULL : find(sw, to);
	if (entry && !expired(entry, burst->now)) {
		if (entry->port != burst->port->index)
			give(burst, sw->ports[entry->port], frame);
		hv_stat_add(&sw->forwarded, 1);
		return NULL;
	}
	if (hv_limit_take(&burst->port->flood, 1, 0, burst->now)) {
		hv_stat_add(&sw->limited, 1);
		return "more frames for everybody (broadcast, multicast, unknown) than the switch "
		       "lets through";
	}
	for (unsigned int i = 0; i < HV_SWITCH_PORTS; i++)
		if (sw->ports[i] && sw->ports[i] != burst->port)
			give(burst, sw->ports[i], frame);
	hv_stat_add(&sw->flooded, 1);
	return NULL;
}

void hv_switch_end(struct hv_switch_burst *burst)
{
	struct hv_switch *sw = burst->port->sw;

	for (uint32_t left = burst->touched; left; left &= left - 1) {
		struct hv_switch_port *to = sw->ports[__builtin_ctz(left)];

		/* It may have left while an address was learned. */
		if (to)
			to->ops->flush(to->arg, burst->lane);
	}
	pthread_rwlock_unlock(&sw->lock);
}

void hv_switch_stats(struct hv_switch *sw, struct hv_switch_stats *out)
{
	*out = (struct hv_switch_stats){
		.forwarded = atomic_load(&sw->forwarded),
		.flooded = atomic_load(&sw->flooded),
		.limited = atomic_load(&sw->limited),
		.spoofed = atomic_load(&sw->spoofed),
	};
	pthread_rwlock_rdlock(&sw->lock);
	for (unsigned int i = 0; i < HV_SWITCH_PORTS; i++) {
		if (!sw->ports[i])
			continue;
		out->ports++;
		out->learned += sw->ports[i]->learned;
	}
	pthread_rwlock_unlock(&sw->lock);
}
