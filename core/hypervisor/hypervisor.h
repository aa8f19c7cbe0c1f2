/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_HYPERVISOR_HYPERVISOR_H
#define HV_HYPERVISOR_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/arch.h"
#include "abi/bridge.h"
#include "abi/zone_config.h"
#include "base/err.h"

/*
 * The seam: everything above talks to "a hypervisor" through these calls and
 * cannot tell the real one from the simulated one, except by asking.
 * Calls are made by one thread at a time, but for hv_hyp_inject and hv_hyp_clear_irq, which
 * the virtio service may call from any thread.
 */
struct hv_hyp;

struct hv_zone_info {
	uint32_t id; /* 0 = the root zone */
	uint64_t cpus;
	char name[HV_ZONE_NAME_MAX + 2]; /* always terminated, non-printable bytes as '?' */
	bool is_err;
};

/*
 * path NULL = /dev/hvisor. Messages tell apart a missing module (ENOENT), no permission, and
 * a device that is not hvisor's. Asks for the zone list once, to see that it answers.
 */
int hv_hyp_open_device(const char *path, struct hv_hyp **hyp, struct hv_err *err);
void hv_hyp_close(struct hv_hyp *hyp);

bool hv_hyp_is_sim(const struct hv_hyp *hyp);
/* "/dev/hvisor", or "simulated". */
const char *hv_hyp_name(const struct hv_hyp *hyp);
enum hv_arch hv_hyp_arch(const struct hv_hyp *hyp);

/* Hypercall 6, asked once and remembered. */
int hv_hyp_version(struct hv_hyp *hyp, uint64_t *version, struct hv_err *err);

/*
 * The layout in use, once known: when the version names one layout, or after
 * a first successful start, or when set (`--abi`). -EAGAIN while two are possible.
 */
int hv_hyp_layout(struct hv_hyp *hyp, enum hv_layout *layout, struct hv_err *err);
int hv_hyp_set_layout(struct hv_hyp *hyp, enum hv_layout layout, struct hv_err *err);

/*
 * Encodes and starts. Where the version names two layouts and the first is
 * refused with EINVAL, the second is tried; what worked is remembered (EBUSY tells it, too:
 * hvisor answers that only after the size was right). A refusal says in its message
 * what hvisor may mean by it (EINVAL: size, id exists; EBUSY: a CPU is taken).
 */
int hv_hyp_zone_start(struct hv_hyp *hyp, const struct hv_abi_zone *zone, struct hv_err *err);

/* Would it encode, in every layout that is still possible? No hypercall but the version's. */
int hv_hyp_zone_expressible(struct hv_hyp *hyp, const struct hv_abi_zone *zone, struct hv_err *err);

/*
 * Shuts down, then looks at the list: -EBUSY "did not go away" when it is still there.
 * hvisor removes a zone whose CPU could not be stopped all the same, after waiting for it:
 * -ETIMEDOUT when that took so long. The zone is gone then, and its CPU is lost.
 */
int hv_hyp_zone_stop(struct hv_hyp *hyp, uint32_t id, struct hv_err *err);

/* Fills at most max entries, the root zone first; returns how many. */
int hv_hyp_zone_list(struct hv_hyp *hyp, struct hv_zone_info *zones, size_t max,
		     struct hv_err *err);

/* Called while a load goes on, about every 4 MiB; non-zero cancels it (-ECANCELED). */
typedef int hv_progress_fn(uint64_t done, uint64_t total, void *arg);

/*
 * Copies size bytes of a file, from offset, to physical memory. One copy;
 * nothing of it on the heap. A file that ends early is -EIO ("truncated"), never a signal.
 */
int hv_hyp_load_fd(struct hv_hyp *hyp, int fd, uint64_t offset, uint64_t size, uint64_t phys,
		   hv_progress_fn *progress, void *arg, struct hv_err *err);
/* The same from memory; bytes NULL = zeroes. */
int hv_hyp_load_mem(struct hv_hyp *hyp, const void *bytes, uint64_t size, uint64_t phys,
		    struct hv_err *err);

/*
 * Physical memory of zones in this process; any alignment, addr points at phys itself. The
 * mapping lives until unmapped, also across zone stops; unmap takes the same addr and size.
 */
int hv_hyp_map(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr, struct hv_err *err);
void hv_hyp_unmap(struct hv_hyp *hyp, void *addr, uint64_t size);

/* The bridge page, initialised by the first call (hypercall 0); the same pointer afterwards. */
int hv_hyp_bridge(struct hv_hyp *hyp, struct hv_bridge_page **page, struct hv_err *err);
/*
 * An eventfd, owned by the seam, that becomes readable when the hypervisor wakes the service.
 * Kernel modules before 2026-02 wake by signal 10 instead, sent to the thread that
 * made the first call of hv_hyp_bridge or hv_hyp_wakeup_fd: a handler turns it into the same
 * eventfd. That thread must live as long as the bridge, and its waits may return EINTR.
 */
int hv_hyp_wakeup_fd(struct hv_hyp *hyp, int *fd, struct hv_err *err);
/* Hypercall 1: the result ring has entries. Any thread. */
int hv_hyp_inject(struct hv_hyp *hyp, struct hv_err *err);
/*
 * Takes back an injected interrupt whose cause the guest has acknowledged: needed on
 * loongarch64 only, where lines stay up; elsewhere it does nothing. Any thread.
 */
int hv_hyp_clear_irq(struct hv_hyp *hyp, uint32_t zone, uint32_t irq, struct hv_err *err);

/*
 * Clocks, resets and power domains that zone0 lends, as the kernel module's ioctls have them
 * (abi/resource.h; data_len is filled in here). What the module leaves unwritten stays as it was.
 * -ENOTTY or -EINVAL: the kernel module may lack the call. Any thread.
 */
struct hv_ioc_clock;
struct hv_ioc_reset;
struct hv_ioc_power;
int hv_hyp_clock(struct hv_hyp *hyp, struct hv_ioc_clock *args, struct hv_err *err);
int hv_hyp_reset(struct hv_hyp *hyp, struct hv_ioc_reset *args, struct hv_err *err);
int hv_hyp_power(struct hv_hyp *hyp, struct hv_ioc_power *args, struct hv_err *err);

#endif
