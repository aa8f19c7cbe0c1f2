// SPDX-License-Identifier: GPL-2.0-or-later
#include "ivc.h"

#include <errno.h>

#include "arch.h"
#include "gic.h"
#include "stage2.h"
#include "text.h"
#include "wire.h"
#include "zone.h"

#define PAGE 4096
#define IVCS 4
#define PEERS 8
#define MEMORY (256 * 1024UL)

struct ivc {
	uint32_t id;
	uint32_t n_peers; /* 0 = free */
	uint32_t rw_size, out_size, max_peers;
	struct zone *peers[PEERS];
};

static struct ivc ivcs[IVCS];
static uint8_t memory[IVCS][MEMORY] __attribute__((aligned(4096)));

static uint8_t *memory_of(const struct ivc *ivc)
{
	return memory[ivc - ivcs];
}

static struct ivc *find(uint32_t id)
{
	for (unsigned int i = 0; i < IVCS; i++)
		if (ivcs[i].n_peers && ivcs[i].id == id)
			return &ivcs[i];
	return NULL;
}

static int create(const struct config_ivc *config, struct ivc **out)
{
	uint64_t size = config->rw_size + (uint64_t)config->out_size * config->max_peers;

	if (config->rw_size % PAGE || config->out_size % PAGE || !size)
		return -EINVAL;
	if (config->max_peers > PEERS || size > MEMORY)
		return -ENOMEM;
	for (unsigned int i = 0; i < IVCS; i++) {
		if (ivcs[i].n_peers)
			continue;
		ivcs[i] = (struct ivc){ .id = config->id,
					.rw_size = config->rw_size,
					.out_size = config->out_size,
					.max_peers = config->max_peers };
		*out = &ivcs[i];
		return 0;
	}
	return -ENOMEM;
}

static bool fits(const struct ivc *ivc, const struct config_ivc *config)
{
	return ivc->rw_size == config->rw_size && ivc->out_size == config->out_size &&
	       ivc->max_peers == config->max_peers && config->peer < ivc->max_peers &&
	       !ivc->peers[config->peer];
}

static int map(struct zone *zone, const struct ivc *ivc, const struct config_ivc *config)
{
	uint64_t ipa = config->shared_ipa, phys = (uint64_t)memory_of(ivc);
	int rc = stage2_map(zone, ipa, phys, ivc->rw_size, STAGE2_RAM);

	ipa += ivc->rw_size;
	phys += ivc->rw_size;
	for (uint32_t peer = 0; !rc && peer < ivc->max_peers; peer++) {
		rc = stage2_map(zone, ipa, phys, ivc->out_size,
				peer == config->peer ? STAGE2_RAM : STAGE2_RAM_RO);
		ipa += ivc->out_size;
		phys += ivc->out_size;
	}
	return rc;
}

int ivc_join(struct zone *zone, const struct config_ivc *config)
{
	struct ivc *ivc = find(config->id);
	int rc = ivc ? 0 : create(config, &ivc);

	if (!rc && (!fits(ivc, config) || config->control_ipa % PAGE))
		rc = -EINVAL;
	if (!rc)
		rc = map(zone, ivc, config);
	if (rc) {
		say("zone %u cannot be peer %u of IVC %u: error %d", zone->id, config->peer,
		    config->id, -rc);
		return rc;
	}
	ivc->peers[config->peer] = zone;
	ivc->n_peers++;
	zone->ivcs[zone->n_ivcs++] = (struct ivc_end){
		.ivc = ivc,
		.peer = config->peer,
		.control_ipa = config->control_ipa,
		.shared_ipa = config->shared_ipa,
		.irq = config->irq,
	};
	return 0;
}

void ivc_leave(struct zone *zone)
{
	for (uint32_t i = 0; i < zone->n_ivcs; i++) {
		struct ivc *ivc = zone->ivcs[i].ivc;

		ivc->peers[zone->ivcs[i].peer] = NULL;
		if (--ivc->n_peers)
			continue;
		memset(memory_of(ivc), 0, MEMORY);
		/* The next peer's MMU may still be off when it looks. */
		dcache_flush(memory_of(ivc), MEMORY);
	}
	zone->n_ivcs = 0;
}

static void notify(const struct ivc *ivc, uint64_t peer)
{
	const struct zone *zone = peer < ivc->max_peers ? ivc->peers[peer] : NULL;

	if (!zone)
		return;
	for (uint32_t i = 0; i < zone->n_ivcs; i++)
		if (zone->ivcs[i].ivc == ivc && !gic_inject(zone, zone->ivcs[i].irq))
			say("zone %u does not own interrupt %u of IVC %u", zone->id,
			    zone->ivcs[i].irq, ivc->id);
}

static uint64_t read_register(const struct ivc_end *end, uint64_t offset)
{
	switch (offset) {
	case WIRE_IVC_ID:
		return end->ivc->id;
	case WIRE_IVC_MAX_PEERS:
		return end->ivc->max_peers;
	case WIRE_IVC_RW_SIZE:
		return end->ivc->rw_size;
	case WIRE_IVC_OUT_SIZE:
		return end->ivc->out_size;
	case WIRE_IVC_PEER:
		return end->peer;
	default:
		return 0;
	}
}

bool ivc_access(struct zone *zone, uint64_t ipa, bool is_write, uint64_t *value)
{
	for (uint32_t i = 0; i < zone->n_ivcs; i++) {
		const struct ivc_end *end = &zone->ivcs[i];
		uint64_t offset = ipa - end->control_ipa;

		if (offset >= WIRE_IVC_TABLE)
			continue;
		if (!is_write)
			*value = read_register(end, offset);
		else if (offset == WIRE_IVC_NOTIFY)
			notify(end->ivc, *value);
		return true;
	}
	return false;
}

int64_t ivc_info(const struct zone *zone, struct wire_ivc_info *out)
{
	struct wire_ivc_info info = { .count = zone->n_ivcs };

	if (!zone->n_ivcs)
		return -ENODEV;
	for (uint32_t i = 0; i < zone->n_ivcs; i++) {
		info.control_ipa[i] = zone->ivcs[i].control_ipa;
		info.shared_ipa[i] = zone->ivcs[i].shared_ipa;
		info.id[i] = zone->ivcs[i].ivc->id;
		info.irq[i] = zone->ivcs[i].irq;
	}
	memcpy(out, &info, sizeof(info));
	return 0;
}
