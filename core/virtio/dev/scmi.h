/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_DEV_SCMI_H
#define HV_VIRTIO_DEV_SCMI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/origin.h"
#include "clock/host.h"
#include "virtio/device.h"
#include "virtio/state.h"

/*
 * virtio-scmi (virtio 1.2, 5.17): a zone asks zone0 for clocks, power domains and resets in the
 * words of Arm's SCMI 3.2 (DEN0056). It sees and moves what it is allowed to, under zone0's ids;
 * everything else is not there. What it had on is given back when its driver or the zone ends.
 */

/* What a zone may use of one kind: ids, names and references (hv_clock_host_find), or all. */
struct hv_scmi_allow {
	bool all;
	size_t n_ids;
	const int64_t *ids;
	size_t n_names;
	const char *const *names;
	struct hv_origin origin; /* for messages */
};

struct hv_scmi_opts {
	struct hv_clock_host *host; /* held while the device lives */
	const char *zone;	    /* "linux1": who others hear of */
	struct hv_scmi_allow allow[HV_LENT_KINDS];
	struct hv_origin origin;
};

/*
 * dev is zeroed, and ended by hv_vdev_destroy. -ENOENT: an id or name that zone0 does not lend,
 * with where it was asked for; nothing is allowed then. Nothing of opts but the host is kept.
 * dev->limit counts messages and bytes. main thread.
 */
int hv_scmi_init(struct hv_vdev *dev, const char *name, const struct hv_scmi_opts *opts,
		 struct hv_err *err);

/*
 * What a device of an earlier process has on, as it is kept (virtio/state.h), before it is taken
 * up: entries of hv_clock_agent_take, of which this returns how many. 0: none, or what is there is
 * no scmi device; -EBADMSG: it cannot be read. main thread.
 */
#define HV_SCMI_HELD 480
int hv_scmi_held(const char *dir, const struct hv_state_id *id, uint16_t held[HV_SCMI_HELD],
		 struct hv_err *err);
/*
 * Before such a device is attached: it has what the agent has that stood in for it until now, which
 * is freed. NULL is fine.
 */
void hv_scmi_take_over(struct hv_vdev *dev, struct hv_clock_agent *stand_in);

#endif
