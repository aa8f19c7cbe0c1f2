// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/ivc.h"
#include "base/log.h"
#include "base/size.h"
#include "hypervisor/ivc_priv.h"
#include "hypervisor/sim/machine.h"

/*
 * Channels of the simulated machine. A channel is made when the first zone with it starts, and
 * stays, as one does that the hypervisor was built with for zone0. Nothing of it is kept in
 * state_dir.
 */
#define NO_PEER UINT32_MAX

struct channel {
	struct channel *next;
	struct hv_ivc_info info; /* peer: zone0's while it has the channel open, else NO_PEER */
	int memory;		 /* a memfd */
};

/* A zone's end. */
struct zone_end {
	struct channel *channel;
	uint32_t peer, irq;
	uint64_t control, shared;
	bool rung; /* an interrupt waits to be taken */
};

/* One of zone0's. */
struct root_end {
	struct hv_ivc ivc;
	struct hv_sim *sim; /* NULL: the machine is gone */
	struct channel *channel;
	struct root_end *next;
};

struct sim_ivcs {
	struct channel *channels; /* by id */
	struct root_end *roots;
	struct zone_end zones[HV_MAX_ZONES][HV_MAX_IVC]; /* beside state.zones */
};

static struct zone_end *ends_of(struct hv_sim *sim, const struct sim_zone *zone)
{
	return sim->ivcs->zones[zone - sim->state.zones];
}

static struct channel *find(const struct hv_sim *sim, uint32_t id)
{
	struct channel *c = sim->ivcs->channels;

	while (c && c->info.id != id)
		c = c->next;
	return c;
}

static struct zone_end *zone_at(struct hv_sim *sim, const struct channel *c, uint32_t peer)
{
	for (unsigned int i = 0; i < HV_MAX_ZONES * HV_MAX_IVC; i++) {
		struct zone_end *end = &sim->ivcs->zones[i / HV_MAX_IVC][i % HV_MAX_IVC];

		if (end->channel == c && (peer == NO_PEER || end->peer == peer))
			return end;
	}
	return NULL;
}

static const struct sim_zone *zone_of(const struct hv_sim *sim, const struct zone_end *end)
{
	return &sim->state.zones[(end - sim->ivcs->zones[0]) / HV_MAX_IVC];
}

/* The number that zone0 has, or would get; NO_PEER = none is left. */
static uint32_t root_peer(struct hv_sim *sim, const struct channel *c)
{
	uint32_t peer = 0;

	if (c->info.peer != NO_PEER)
		return c->info.peer;
	while (peer < c->info.max_peers && zone_at(sim, c, peer))
		peer++;
	return peer < c->info.max_peers ? peer : NO_PEER;
}

static bool same_sizes(const struct channel *c, const struct hv_abi_ivc *v)
{
	return c->info.max_peers == v->max_peers && c->info.rw_size == v->rw_sec_size &&
	       c->info.out_size == v->out_sec_size;
}

/* ---- zones */

static int channel_new(struct hv_sim *sim, const struct hv_abi_ivc *v, struct channel **out,
		       struct hv_err *err)
{
	struct channel **at = &sim->ivcs->channels;
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return hv_err_nomem(err);
	c->info = (struct hv_ivc_info){
		.id = v->ivc_id,
		.peer = NO_PEER,
		.max_peers = v->max_peers,
		.rw_size = v->rw_sec_size,
		.out_size = v->out_sec_size,
	};
	c->memory = memfd_create("hvsh-sim-ivc", MFD_CLOEXEC);
	if (c->memory < 0 || ftruncate(c->memory, (off_t)hv_ivc_memory_size(&c->info)) < 0) {
		int code = errno;

		if (c->memory >= 0)
			close(c->memory);
		free(c);
		return hv_err_sys(err, code, "making the memory of IVC %" PRIu32, v->ivc_id);
	}
	while (*at && (*at)->info.id < v->ivc_id)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
	*out = c;
	return 0;
}

static void channel_free(struct channel *c)
{
	close(c->memory);
	free(c);
}

static void channel_remove(struct hv_sim *sim, struct channel *c)
{
	struct channel **at = &sim->ivcs->channels;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	channel_free(c);
}

static int check(const struct hv_abi_ivc *v, struct hv_err *err)
{
	if (!hv_is_aligned(v->rw_sec_size | v->out_sec_size | v->control_table_ipa |
				   v->shared_mem_ipa,
			   HV_PAGE_SIZE) ||
	    !v->out_sec_size)
		return hv_err_set(err, EINVAL,
				  "addresses and sections of IVC %" PRIu32 " are not whole pages",
				  v->ivc_id);
	if (v->max_peers > HV_MAX_ZONES || v->peer_id >= v->max_peers)
		return hv_err_set(err, EINVAL,
				  "peer %" PRIu32 " of IVC %" PRIu32 ", which has %" PRIu32
				  " of them",
				  v->peer_id, v->ivc_id, v->max_peers);
	return 0;
}

static int join_one(struct hv_sim *sim, const struct hv_abi_ivc *v, struct zone_end *end,
		    struct hv_err *err)
{
	struct channel *c = find(sim, v->ivc_id);
	const struct zone_end *other;
	int rc = check(v, err);

	if (rc < 0)
		return rc;
	/* Who would have to be told of other sizes? */
	if (c && !same_sizes(c, v) && c->info.peer == NO_PEER && !zone_at(sim, c, NO_PEER)) {
		channel_remove(sim, c);
		c = NULL;
	}
	if (!c)
		rc = channel_new(sim, v, &c, err);
	if (rc < 0)
		return rc;
	if (!same_sizes(c, v))
		return hv_err_set(err, EINVAL,
				  "IVC %" PRIu32
				  " has other sizes, or another number of peers, for those "
				  "that are on it",
				  v->ivc_id);
	other = zone_at(sim, c, v->peer_id);
	if (other)
		return hv_err_set(err, EINVAL,
				  "peer %" PRIu32 " of IVC %" PRIu32 " is zone %" PRIu32,
				  v->peer_id, v->ivc_id, zone_of(sim, other)->id);
	if (c->info.peer == v->peer_id)
		return hv_err_set(err, EINVAL,
				  "peer %" PRIu32 " of IVC %" PRIu32
				  " is zone0, which has the channel open",
				  v->peer_id, v->ivc_id);
	*end = (struct zone_end){
		.channel = c,
		.peer = v->peer_id,
		.irq = v->interrupt,
		.control = v->control_table_ipa,
		.shared = v->shared_mem_ipa,
	};
	return 0;
}

int hv_sim_ivc_join(struct hv_sim *sim, const struct sim_zone *slot,
		    const struct hv_abi_zone *config, struct hv_err *err)
{
	struct zone_end *ends = ends_of(sim, slot);
	int rc = 0;

	for (uint32_t i = 0; i < config->n_ivc && rc == 0; i++)
		rc = join_one(sim, &config->ivc[i], &ends[i], err);
	if (rc < 0)
		hv_sim_ivc_leave(sim, slot);
	return rc;
}

void hv_sim_ivc_leave(struct hv_sim *sim, const struct sim_zone *slot)
{
	memset(ends_of(sim, slot), 0, sizeof(sim->ivcs->zones[0]));
}

bool hv_sim_ivc_pop(struct hv_sim *sim, const struct sim_zone *zone, uint32_t *irq)
{
	struct zone_end *ends = ends_of(sim, zone);

	for (unsigned int i = 0; i < HV_MAX_IVC; i++) {
		if (!ends[i].rung)
			continue;
		ends[i].rung = false;
		*irq = ends[i].irq;
		return true;
	}
	return false;
}

/* As in hvisor: a peer that is not there is nobody. */
static void notify(struct hv_sim *sim, const struct channel *c, uint32_t peer)
{
	struct zone_end *end = peer < c->info.max_peers ? zone_at(sim, c, peer) : NULL;
	const struct sim_zone *zone = end ? zone_of(sim, end) : NULL;
	uint64_t one = 1;

	if (zone && !zone->is_err) {
		end->rung = true;
		hv_sim_run_interrupt(sim, zone);
	}
	for (struct root_end *root = sim->ivcs->roots; root; root = root->next)
		if (root->channel == c && root->ivc.info.peer == peer)
			(void)!write(root->ivc.fd, &one, sizeof(one));
}

/* ---- what runs in zones */

/* NULL once the run has ended. Callers hold the lock. */
static struct zone_end *ends_of_run(struct hv_sim *sim, uint32_t id, const void *run)
{
	const struct sim_zone *zone = hv_sim_zone(sim, id);

	return zone && sim->runs[zone - sim->state.zones] == run ? ends_of(sim, zone) : NULL;
}

static uint32_t read_register(const struct zone_end *end, uint64_t offset)
{
	const struct hv_ivc_info *info = &end->channel->info;

	switch (offset) {
	case HV_IVC_ID:
		return info->id;
	case HV_IVC_MAX_PEERS:
		return info->max_peers;
	case HV_IVC_RW_SEC_SIZE:
		return info->rw_size;
	case HV_IVC_OUT_SEC_SIZE:
		return info->out_size;
	case HV_IVC_PEER_ID:
		return end->peer;
	default:
		return 0;
	}
}

static int access_table(struct hv_hyp *hyp, uint32_t id, const void *run, uint64_t ipa,
			bool is_write, uint32_t *value)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	struct zone_end *ends;
	int rc = -ENOENT;

	pthread_mutex_lock(&sim->lock);
	ends = ends_of_run(sim, id, run);
	for (unsigned int i = 0; ends && i < HV_MAX_IVC; i++) {
		uint64_t offset = ipa - ends[i].control;

		rc = -EFAULT;
		if (!ends[i].channel || offset >= HV_IVC_TABLE_SIZE)
			continue;
		if (!is_write)
			*value = read_register(&ends[i], offset);
		else if (offset == HV_IVC_RING)
			notify(sim, ends[i].channel, *value);
		rc = 0;
		break;
	}
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

int hv_sim_run_ivc_read(struct hv_hyp *hyp, uint32_t zone, const void *run, uint64_t ipa,
			uint32_t *value)
{
	return access_table(hyp, zone, run, ipa, false, value);
}

int hv_sim_run_ivc_write(struct hv_hyp *hyp, uint32_t zone, const void *run, uint64_t ipa,
			 uint32_t value)
{
	return access_table(hyp, zone, run, ipa, true, &value);
}

int hv_sim_run_ivc_map(struct hv_hyp *hyp, uint32_t id, const void *run, uint64_t ipa, void **addr,
		       uint64_t *size, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	struct hv_ivc mapping = { 0 };
	struct zone_end *ends;
	int rc = -ENOENT;

	pthread_mutex_lock(&sim->lock);
	ends = ends_of_run(sim, id, run);
	for (unsigned int i = 0; ends && i < HV_MAX_IVC && rc; i++) {
		if (!ends[i].channel || ends[i].shared != ipa)
			continue;
		mapping.info = ends[i].channel->info;
		mapping.info.peer = ends[i].peer;
		rc = hv_ivc_map(&mapping, ends[i].channel->memory, 0, err);
		break;
	}
	pthread_mutex_unlock(&sim->lock);
	if (rc == -ENOENT)
		return hv_err_set(err, ENOENT, "zone %u has no shared memory at 0x%" PRIx64, id,
				  ipa);
	if (rc < 0) {
		hv_ivc_unmap(&mapping);
		return rc;
	}
	*addr = mapping.memory;
	*size = mapping.size;
	return 0;
}

/* ---- zone0 */

static struct root_end *root_of(struct hv_ivc *ivc)
{
	return (struct root_end *)ivc;
}

static int root_notify(struct hv_ivc *ivc, uint32_t peer, struct hv_err *err)
{
	struct root_end *root = root_of(ivc);

	if (!root->sim)
		return hv_err_set(err, ENODEV, "IVC %" PRIu32 ": the simulated machine is gone",
				  ivc->info.id);
	pthread_mutex_lock(&root->sim->lock);
	notify(root->sim, root->channel, peer);
	pthread_mutex_unlock(&root->sim->lock);
	return 0;
}

static bool root_take(struct hv_ivc *ivc)
{
	uint64_t n;

	return read(ivc->fd, &n, sizeof(n)) == sizeof(n);
}

static void root_forget(struct hv_sim *sim, struct root_end *root)
{
	bool open = false;

	for (struct root_end **at = &sim->ivcs->roots; *at;) {
		if (*at == root) {
			*at = root->next;
			continue;
		}
		open |= (*at)->channel == root->channel;
		at = &(*at)->next;
	}
	if (!open)
		root->channel->info.peer = NO_PEER;
}

static void root_close(struct hv_ivc *ivc)
{
	struct root_end *root = root_of(ivc);

	if (root->sim) {
		pthread_mutex_lock(&root->sim->lock);
		root_forget(root->sim, root);
		pthread_mutex_unlock(&root->sim->lock);
	}
	hv_ivc_unmap(ivc);
	if (ivc->fd >= 0)
		close(ivc->fd);
	free(root);
}

static const struct hv_ivc_ops root_ops = {
	.close = root_close,
	.notify = root_notify,
	.take = root_take,
};

static int no_channel(const struct hv_sim *sim, uint32_t id, const struct channel *c,
		      struct hv_err *err)
{
	if (c)
		return hv_err_set(err, ENOENT,
				  "IVC %" PRIu32 ": all of its %" PRIu32
				  " peers are zones, and none is zone0",
				  id, c->info.max_peers);
	return hv_err_set(err, ENOENT,
			  "IVC %" PRIu32
			  ": no such channel; the simulated machine has those of the zones "
			  "that were started%s",
			  id, sim->ivcs->channels ? "" : ", and none of them has one");
}

/* Callers hold the lock. */
static int open_root(struct hv_sim *sim, uint32_t id, struct root_end *root, struct hv_err *err)
{
	struct channel *c = find(sim, id);
	uint32_t peer = c ? root_peer(sim, c) : NO_PEER;
	int rc;

	if (peer == NO_PEER)
		return no_channel(sim, id, c, err);
	root->ivc.info = c->info;
	root->ivc.info.peer = peer;
	rc = hv_ivc_map(&root->ivc, c->memory, 0, err);
	if (rc < 0)
		return rc;
	c->info.peer = peer;
	root->channel = c;
	root->sim = sim;
	root->next = sim->ivcs->roots;
	sim->ivcs->roots = root;
	return 0;
}

int hv_ivc_open_sim(struct hv_hyp *hyp, uint32_t id, struct hv_ivc **ivc, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	struct root_end *root;
	int rc;

	if (!hv_hyp_is_sim(hyp))
		return hv_err_set(err, EINVAL, "%s is not simulated", hyp->name);
	root = calloc(1, sizeof(*root));
	if (!root)
		return hv_err_nomem(err);
	root->ivc.ops = &root_ops;
	root->ivc.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (root->ivc.fd < 0) {
		rc = hv_err_sys(err, errno, "making an eventfd");
	} else {
		pthread_mutex_lock(&sim->lock);
		rc = open_root(sim, id, root, err);
		pthread_mutex_unlock(&sim->lock);
	}
	if (rc < 0) {
		root_close(&root->ivc);
		return rc;
	}
	*ivc = &root->ivc;
	return 0;
}

int hv_ivc_list_sim(struct hv_hyp *hyp, uint32_t *ids, size_t max, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	size_t n = 0;

	if (!hv_hyp_is_sim(hyp))
		return hv_err_set(err, EINVAL, "%s is not simulated", hyp->name);
	pthread_mutex_lock(&sim->lock);
	for (const struct channel *c = sim->ivcs->channels; c && n < max; c = c->next)
		if (root_peer(sim, c) != NO_PEER)
			ids[n++] = c->info.id;
	pthread_mutex_unlock(&sim->lock);
	return (int)n;
}

/* ---- the machine */

/* Zones that ran already, as they are kept in state_dir, are on their channels again. */
static int join_again(struct hv_sim *sim, const struct sim_zone *zone, struct hv_err *err)
{
	struct hv_abi_zone config;
	int rc = hv_zone_config_decode((enum hv_layout)sim->state.layout, sim->hyp.arch,
				       zone->config, zone->config_size, &config, err);

	return rc < 0 ? rc : hv_sim_ivc_join(sim, zone, &config, err);
}

int hv_sim_ivc_open(struct hv_sim *sim, struct hv_err *err)
{
	sim->ivcs = calloc(1, sizeof(*sim->ivcs));
	if (!sim->ivcs)
		return hv_err_nomem(err);
	for (uint32_t i = 1; i < HV_MAX_ZONES; i++) {
		const struct sim_zone *zone = &sim->state.zones[i];
		struct hv_err why = { 0 };

		if (zone->used && join_again(sim, zone, &why) < 0)
			hv_log_warn("simulated hvisor: zone %u is on no IVC channel: %s", zone->id,
				    why.msg);
	}
	return 0;
}

void hv_sim_ivc_close(struct hv_sim *sim)
{
	if (!sim->ivcs)
		return;
	for (struct root_end *root = sim->ivcs->roots; root; root = root->next)
		root->sim = NULL;
	while (sim->ivcs->channels)
		channel_remove(sim, sim->ivcs->channels);
	free(sim->ivcs);
	sim->ivcs = NULL;
}
