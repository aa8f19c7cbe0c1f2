// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size.h"
#include "base/thread.h"
#include "guest/guest_priv.h"
#include "hypervisor/sim.h"

#define HEAP_MAX (64 * HV_MIB)

static void *guest_main(void *arg)
{
	hv_thread_short_turns();
	hv_guest_program(arg);
	return NULL;
}

static int start_thread(struct hv_guest *g)
{
	char name[16];
	int rc;

	snprintf(name, sizeof(name), "zone%u-cpu%u", g->zone->id, g->cpus[0]);
	rc = hv_thread_start(&g->thread, guest_main, g, name);
	g->threaded = rc == 0;
	return rc;
}

static void *begin(void *arg, const struct hv_abi_zone *zone)
{
	struct hv_guests *guests = arg;
	struct hv_guest *g = calloc(1, sizeof(*g));
	int rc = -ENOMEM;

	if (!g)
		goto fail;
	pthread_mutex_init(&g->memory_lock, NULL);
	g->guests = guests;
	atomic_store(&g->refs, 1);
	g->zone = malloc(sizeof(*g->zone));
	if (!g->zone)
		goto fail;
	*g->zone = *zone;
	for (uint64_t rest = zone->cpus; rest && g->n_cpus < HV_MAX_CPUS; rest &= rest - 1)
		g->cpus[g->n_cpus++] = (unsigned int)__builtin_ctzll(rest);
	rc = guests->opts.manual ? 0 : start_thread(g);
	if (rc < 0)
		goto fail;
	pthread_mutex_lock(&guests->lock);
	g->next = guests->list;
	guests->list = g;
	pthread_mutex_unlock(&guests->lock);
	return g;
fail:
	hv_log_error("zone %u of the simulated machine runs nothing: %s", zone->id, strerror(-rc));
	if (g)
		hv_guest_put(g);
	return NULL;
}

static void interrupt(void *run)
{
	struct hv_guest *g = run;

	atomic_store(&g->irq_given, true);
	hv_guest_nudge(g);
}

static void end(void *run)
{
	struct hv_guest *g = run;

	atomic_store(&g->stopping, 1);
	hv_guest_nudge(g);
}

/* Takes one that has ended off the list. */
static struct hv_guest *ended(struct hv_guests *guests)
{
	struct hv_guest *g;

	pthread_mutex_lock(&guests->lock);
	for (struct hv_guest **at = &guests->list; (g = *at); at = &g->next) {
		if (!atomic_load(&g->stopping))
			continue;
		*at = g->next;
		break;
	}
	pthread_mutex_unlock(&guests->lock);
	return g;
}

static void reap(void *arg)
{
	struct hv_guests *guests = arg;
	struct hv_guest *g;

	while ((g = ended(guests))) {
		if (g->threaded)
			pthread_join(g->thread, NULL);
		hv_guest_settle(g);
		hv_guest_put(g);
	}
}

static const struct hv_sim_runner runner = {
	.begin = begin,
	.interrupt = interrupt,
	.end = end,
	.reap = reap,
};

int hv_guests_new(struct hv_hyp *hyp, const struct hv_guests_opts *opts, struct hv_guests **out,
		  struct hv_err *err)
{
	struct hv_guests *guests = calloc(1, sizeof(*guests));
	int rc;

	if (!guests)
		return hv_err_nomem(err);
	guests->hyp = hyp;
	guests->opts = *opts;
	pthread_mutex_init(&guests->lock, NULL);
	pthread_mutex_init(&guests->ring, NULL);
	rc = hv_sim_set_runner(hyp, &runner, guests, err);
	if (rc < 0) {
		free(guests);
		return rc;
	}
	*out = guests;
	return 0;
}

void hv_guests_free(struct hv_guests *guests)
{
	if (!guests)
		return;
	hv_sim_set_runner(guests->hyp, NULL, NULL, NULL);
	pthread_mutex_destroy(&guests->ring);
	pthread_mutex_destroy(&guests->lock);
	free(guests);
}

struct hv_guest *hv_guest_get(struct hv_guests *guests, uint32_t zone)
{
	struct hv_guest *g;

	pthread_mutex_lock(&guests->lock);
	for (g = guests->list; g; g = g->next)
		if (g->zone->id == zone && !atomic_load(&g->stopping))
			break;
	if (g)
		atomic_fetch_add(&g->refs, 1);
	pthread_mutex_unlock(&guests->lock);
	return g;
}

void hv_guest_put(struct hv_guest *g)
{
	if (!g || atomic_fetch_sub(&g->refs, 1) > 1)
		return;
	for (unsigned int i = 0; i < HV_GMEM_MAX; i++)
		if (g->maps[i])
			munmap(g->maps[i], (size_t)g->zone->regions[i].size);
	pthread_mutex_destroy(&g->memory_lock);
	free(g->zone);
	free(g);
}

const struct hv_abi_zone *hv_guest_zone(const struct hv_guest *g)
{
	return g->zone;
}

unsigned int hv_guest_cpus(const struct hv_guest *g)
{
	return g->n_cpus;
}

bool hv_guest_stopping(const struct hv_guest *g)
{
	return atomic_load(&g->stopping);
}

void hv_guest_exit(struct hv_guest *g, bool crash)
{
	hv_sim_run_exit(g->guests->hyp, g->zone->id, g, crash);
}

void hv_guest_lose_wakeups(struct hv_guest *g, unsigned int n)
{
	atomic_store(&g->lose_wakeups, n);
}

uint64_t hv_guest_wakeups(const struct hv_guest *g)
{
	return atomic_load(&g->wakeups);
}

static int map_all(struct hv_guest *g, struct hv_err *err)
{
	const struct hv_abi_region *largest = NULL;

	for (uint32_t i = 0; i < g->zone->n_regions; i++) {
		const struct hv_abi_region *r = &g->zone->regions[i];
		int rc;

		if (r->type != HV_REGION_RAM)
			continue;
		rc = hv_sim_run_map(g->guests->hyp, r->phys, r->size, &g->maps[i], err);
		if (rc < 0) {
			g->maps[i] = NULL;
			return rc;
		}
		rc = hv_gmem_add(&g->mem, r->ipa, r->size, g->maps[i], err);
		if (rc < 0)
			return rc;
		if (!largest || r->size > largest->size)
			largest = r;
	}
	if (!largest)
		return hv_err_set(err, EINVAL, "zone %u has no RAM", g->zone->id);
	g->heap_end = largest->ipa + largest->size;
	g->heap = g->heap_end - (largest->size / 4 < HEAP_MAX ? largest->size / 4 : HEAP_MAX);
	return 0;
}

int hv_guest_memory(struct hv_guest *g, const struct hv_gmem **mem, struct hv_err *err)
{
	int rc = 0;

	pthread_mutex_lock(&g->memory_lock);
	if (!g->mapped && g->mem.n)
		rc = hv_err_set(err, EIO, "the memory of zone %u could not be mapped", g->zone->id);
	else if (!g->mapped)
		rc = map_all(g, err);
	if (rc == 0) {
		g->mapped = true;
		*mem = &g->mem;
	}
	pthread_mutex_unlock(&g->memory_lock);
	return rc;
}

void *hv_guest_at(struct hv_guest *g, uint64_t addr, uint64_t size)
{
	const struct hv_gmem *mem;

	if (hv_guest_memory(g, &mem, NULL) < 0)
		return NULL;
	return hv_gmem_at(mem, addr, size);
}

uint64_t hv_guest_alloc(struct hv_guest *g, uint64_t size, uint64_t align)
{
	const struct hv_gmem *mem;
	uint64_t addr = 0, at;

	if (hv_guest_memory(g, &mem, NULL) < 0)
		return 0;
	pthread_mutex_lock(&g->memory_lock);
	at = hv_align_up(g->heap, align);
	if (size && at < g->heap_end && size <= g->heap_end - at) {
		g->heap = at + size;
		addr = at;
		memset(hv_gmem_at(mem, addr, size), 0, (size_t)size);
	}
	pthread_mutex_unlock(&g->memory_lock);
	return addr;
}

uint64_t hv_guest_heap_mark(struct hv_guest *g)
{
	const struct hv_gmem *mem;
	uint64_t mark;

	if (hv_guest_memory(g, &mem, NULL) < 0)
		return 0;
	pthread_mutex_lock(&g->memory_lock);
	mark = g->heap;
	pthread_mutex_unlock(&g->memory_lock);
	return mark;
}

void hv_guest_heap_reset(struct hv_guest *g, uint64_t mark)
{
	pthread_mutex_lock(&g->memory_lock);
	g->heap = mark;
	pthread_mutex_unlock(&g->memory_lock);
}
