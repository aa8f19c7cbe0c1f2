/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_SANDBOX_CAPS_H
#define HV_SANDBOX_CAPS_H

#include <linux/capability.h>
#include <stdint.h>

#define HV_CAP(number) (UINT64_C(1) << (number))

/*
 * Opens what belongs to others, makes TAPs, reads where RAM is in /proc/iomem (which asks who
 * opened it).
 */
#define HV_CAPS_OPENER                                                                             \
	(HV_CAP(CAP_DAC_OVERRIDE) | HV_CAP(CAP_DAC_READ_SEARCH) | HV_CAP(CAP_FOWNER) |             \
	 HV_CAP(CAP_NET_ADMIN) | HV_CAP(CAP_SYS_ADMIN))

/* The calling thread keeps of its capabilities only these. 0 or -errno. Allocates nothing. */
int hv_caps_keep(uint64_t keep);
/* Those the calling thread has. */
uint64_t hv_caps_have(void);

#endif
