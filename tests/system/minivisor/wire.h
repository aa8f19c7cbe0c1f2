/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_WIRE_H
#define MV_WIRE_H

#include <stdint.h>

/* The interface besides config and bridge; selftest/check_config.c holds it against core/abi. */

/* Hypercall 4 */
struct wire_zone_info {
	uint32_t id;
	uint32_t pad;
	uint64_t cpus;
	char name[32];
	uint8_t is_err;
	uint8_t pad2[7];
};
_Static_assert(sizeof(struct wire_zone_info) == 56, "zone info of version 2 and later");

/* Hypercall 5 */
struct wire_ivc_info {
	uint64_t count;
	uint64_t control_ipa[2];
	uint64_t shared_ipa[2];
	uint32_t id[2];
	uint32_t irq[2];
};
_Static_assert(sizeof(struct wire_ivc_info) == 56, "IVC info");

/* Registers of an IVC's control table, a page. */
#define WIRE_IVC_TABLE 4096
enum {
	WIRE_IVC_ID = 0,
	WIRE_IVC_MAX_PEERS = 4,
	WIRE_IVC_RW_SIZE = 8,
	WIRE_IVC_OUT_SIZE = 12,
	WIRE_IVC_PEER = 16,
	WIRE_IVC_NOTIFY = 20, /* write a peer's id: interrupts it */
};

#endif
