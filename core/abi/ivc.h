/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_IVC_H
#define HV_ABI_IVC_H

#include "abi/ioctl.h"

/*
 * Inter-VM communication as a zone sees it. The shared memory is one section that all peers
 * write, then one section per peer, which only that peer writes.
 */
#define HV_IVC_MAX 2

/* The control table: registers of 32 bits. */
#define HV_IVC_TABLE_SIZE 4096
#define HV_IVC_ID 0
#define HV_IVC_MAX_PEERS 4
#define HV_IVC_RW_SEC_SIZE 8
#define HV_IVC_OUT_SEC_SIZE 12
#define HV_IVC_PEER_ID 16
#define HV_IVC_RING 20 /* write a peer's id: interrupts it */

/* Filled by hypercall 5. */
struct hv_wire_ivc_info {
	uint64_t len;
	uint64_t ct_ipa[HV_IVC_MAX];
	uint64_t shmem_ipa[HV_IVC_MAX];
	uint32_t id[HV_IVC_MAX];
	uint32_t irq[HV_IVC_MAX];
};
static_assert(sizeof(struct hv_wire_ivc_info) == 56, "as hvisor has it");

/* /dev/hivc<id> */
struct hv_ioc_ivc_info {
	int32_t len;
	int32_t ids[HV_IVC_MAX];
};

/* Upstream declares it with a pointer, so the value tells the size of one. */
#define HV_IOC_IVC_INFO _IOR('I', 0, uint64_t)
static_assert(HV_IOC_IVC_INFO == 0x80084900, "upstream value");

#endif
