/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_HYPERVISOR_IVC_PRIV_H
#define HV_HYPERVISOR_IVC_PRIV_H

#include <sys/types.h>

#include "hypervisor/ivc.h"

/* Private to core/hypervisor: what the two kinds of channels share. Embedded as first member. */
struct hv_ivc_ops {
	void (*close)(struct hv_ivc *ivc);
	int (*notify)(struct hv_ivc *ivc, uint32_t peer, struct hv_err *err);
	bool (*take)(struct hv_ivc *ivc);
};

struct hv_ivc {
	const struct hv_ivc_ops *ops;
	struct hv_ivc_info info;
	uint8_t *memory; /* NULL = not mapped */
	size_t size;
	int fd; /* reports interrupts */
};

/* Maps all sections of fd from offset on; those of other peers can only be read. */
int hv_ivc_map(struct hv_ivc *ivc, int fd, off_t offset, struct hv_err *err);
void hv_ivc_unmap(struct hv_ivc *ivc);
/* rw_size + max_peers * out_size */
uint64_t hv_ivc_memory_size(const struct hv_ivc_info *info);

#endif
