/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_VIRTIO_SERVICE_H
#define HV_VIRTIO_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "hypervisor/hypervisor.h"
#include "memmap/gmem.h"
#include "virtio/device.h"

/*
 * The virtio service: owns the bridge (one per machine, by a lock file that
 * names the owner's pid), the bridge thread, and which device answers at which window of which
 * zone. All calls from the main thread unless said otherwise.
 */
struct hv_service;
struct hv_vzone;

struct hv_service_opts {
	const char *lock_path;	 /* NULL = no lock (simulated machine) */
	hv_vdev_event_fn *event; /* may be NULL */
	void *event_arg;
	uint32_t spin_ns; /* upper bound of the bridge's polling; 0 = default */
	/*
	 * Where devices' state is kept (virtio/state.h), so that the next service goes on with what
	 * this one leaves; NULL = nowhere. Windows of devices another service left are
	 * not answered before they are attached again, or their zone is removed or forgotten.
	 */
	const char *state_dir;
};

/*
 * -EBUSY with the pid when another service has the bridge. Guests' registers are answered from now
 * on; the folder of lock_path is made when missing. The calling thread must outlive the service
 * (see hv_hyp_wakeup_fd), and hyp must stay open until it is freed.
 */
int hv_service_new(struct hv_hyp *hyp, const struct hv_service_opts *opts, struct hv_service **svc,
		   struct hv_err *err);
/*
 * Detaches everything in order, joins the threads, answers what still waits, closes; after
 * hv_service_leave nothing more is answered.
 */
void hv_service_free(struct hv_service *svc);
/*
 * For the next service: devices whose state is kept end what is in flight and are given up as they
 * are; registers are not answered any more. Devices without are detached. Afterwards no device
 * is attached, and none can be.
 */
void hv_service_leave(struct hv_service *svc);
/*
 * The same for one zone, which the service knows no more then. Its RAM is unmapped; a CPU that asks
 * for a device whose state is kept waits until that is attached again.
 */
void hv_service_leave_zone(struct hv_service *svc, struct hv_vzone *zone);
/* Windows of this zone that are held for devices of an earlier service are held no more. */
void hv_service_forget(struct hv_service *svc, uint32_t zone);

/*
 * A zone the service knows: its RAM mapped, its devices. cpus: physical, bit per CPU; 0 = not
 * known. -EINVAL: an id, CPU or range that cannot be; -EEXIST: the id; -EBUSY: a CPU belongs to
 * another zone here (the cap on waiting interrupts is per CPU and counted per zone); else what
 * mapping answers.
 */
struct hv_vzone_ram {
	uint64_t ipa, phys, size;
};
int hv_service_add_zone(struct hv_service *svc, uint32_t id, const char *name, uint64_t cpus,
			const struct hv_vzone_ram *ram, unsigned int n_ram, struct hv_vzone **zone,
			struct hv_err *err);
/* Detaches its devices (they live on, owned by whoever made them), then unmaps its RAM. */
void hv_service_remove_zone(struct hv_service *svc, struct hv_vzone *zone);

const struct hv_gmem *hv_vzone_mem(const struct hv_vzone *zone);
uint32_t hv_vzone_id(const struct hv_vzone *zone);
const char *hv_vzone_name(const struct hv_vzone *zone);

/*
 * Makes a device answer at its window. -EBUSY: window or interrupt in use, or it is attached
 * already; -EINVAL: a window that cannot be; -ENOSPC: more than 8 devices on the machine. Other
 * devices are not disturbed.
 */
int hv_service_attach(struct hv_service *svc, struct hv_vzone *zone, struct hv_vdev *dev,
		      uint64_t at, uint64_t size, uint32_t irq, struct hv_err *err);
/*
 * From now on its window answers as an empty virtio slot (magic, version, device id 0, else
 * zeroes), until another device takes it or the zone is removed. Waits for the workers to
 * acknowledge. A device that is not attached may be detached.
 */
void hv_service_detach(struct hv_service *svc, struct hv_vdev *dev);

struct hv_service_stats {
	uint64_t registers; /* requests answered */
	uint64_t unknown;   /* to no device's window, or from a CPU that cannot be; the last one: */
	uint64_t unknown_at; /* guest address */
	uint32_t unknown_zone;
	uint64_t sleeps, wakeups, timeouts; /* timeouts: sleeps that ended by themselves and found a
					       request: a lost wake-up */
	uint64_t injections;		    /* hypercalls */
	uint64_t spin_ns;		    /* time spent polling */
};
/* Any thread. */
void hv_service_stats(struct hv_service *svc, struct hv_service_stats *out);

#endif
