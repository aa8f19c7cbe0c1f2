/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_IVC_H
#define MV_IVC_H

#include <stdbool.h>
#include <stdint.h>

struct zone;
struct config_ivc;
struct ivc;
struct wire_ivc_info;

/*
 * IVC: memory that zones share. First a section all peers may write, then one for each peer that
 * only it may write. A page of registers, the control table, tells a zone about it and interrupts a
 * peer.
 */

/* A zone's end of one. */
struct ivc_end {
	struct ivc *ivc;
	uint32_t peer;
	uint64_t control_ipa, shared_ipa;
	uint32_t irq;
};

/*
 * Makes the zone a peer; the IVC comes into being with its first. Callers hold the zones' lock.
 * -EINVAL: sizes that differ from those of the other peers or are no pages, a peer id that is taken
 * or too high, or addresses over something else. -ENOMEM: too large, or too many.
 */
int ivc_join(struct zone *zone, const struct config_ivc *config);

/* Gives up all of a zone's ends. What the last peer leaves is cleared. */
void ivc_leave(struct zone *zone);

/* A guest's access: true where ipa lies in one of its control tables. */
bool ivc_access(struct zone *zone, uint64_t ipa, bool is_write, uint64_t *value);

/* Hypercall 5: 0, -ENODEV. */
int64_t ivc_info(const struct zone *zone, struct wire_ivc_info *out);

#endif
