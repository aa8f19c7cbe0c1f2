/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_HYPERVISOR_OPS_H
#define HV_HYPERVISOR_OPS_H

#include "abi/ioctl.h"
#include "hypervisor/hypervisor.h"

/*
 * Private to core/hypervisor: what stands below the seam. A backend embeds
 * struct hv_hyp as its first member.
 */
enum hv_hyp_op {
	HV_OP_START,
	HV_OP_STOP,
	HV_OP_LIST,
	HV_OP_VERSION,
	HV_OP_LOAD,
	HV_OP_MAP,
	HV_OP_BRIDGE,
	HV_OP_INJECT,
};
#define HV_OP_COUNT 8

/* Where the bytes of a load come from: a file (fd >= 0), memory, or zeroes (bytes NULL). */
struct hv_load_src {
	int fd;
	uint64_t offset;
	const uint8_t *bytes;
};

/*
 * Every operation returns 0 (or a count) or -errno. err is never NULL here and comes
 * with code 0. An operation sets it only where it knows more than the errno says; the
 * seam adds which operation it was and what the errno may mean.
 */
struct hv_hyp_ops {
	void (*close)(struct hv_hyp *hyp);
	int (*version)(struct hv_hyp *hyp, uint64_t *version, struct hv_err *err);
	/* The bytes exactly as encoded. -EINVAL includes "not my struct's size". */
	int (*start)(struct hv_hyp *hyp, const void *config, size_t size, struct hv_err *err);
	int (*stop)(struct hv_hyp *hyp, uint32_t id, struct hv_err *err);
	int (*list)(struct hv_hyp *hyp, struct hv_wire_zone_info *zones, size_t max,
		    struct hv_err *err);
	/* Optional: asked once before a load, for all of its range. */
	int (*load_begin)(struct hv_hyp *hyp, uint64_t phys, uint64_t size, struct hv_err *err);
	/* One chunk: size bytes from `at` bytes into src. -EOPNOTSUPP: go through a mapping. */
	int (*load)(struct hv_hyp *hyp, const struct hv_load_src *src, uint64_t at, size_t size,
		    uint64_t phys, struct hv_err *err);
	/* phys and size are multiples of the host's page size. Undone by munmap. */
	int (*map)(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr,
		   struct hv_err *err);
	/* Optional: makes what was written through a mapping visible to a zone with caches off. */
	void (*publish)(void *addr, uint64_t size);
	/* The same page every time. */
	int (*bridge)(struct hv_hyp *hyp, struct hv_bridge_page **page, struct hv_err *err);
	int (*wakeup_fd)(struct hv_hyp *hyp, int *fd, struct hv_err *err);
	int (*inject)(struct hv_hyp *hyp, struct hv_err *err);
	/* Optional: where interrupt lines clear themselves. */
	int (*clear_irq)(struct hv_hyp *hyp, uint32_t zone, uint32_t irq, struct hv_err *err);
	/* request: HV_IOC_CLOCK, HV_IOC_RESET or HV_IOC_POWER, with its struct. Any thread. */
	int (*resource)(struct hv_hyp *hyp, unsigned long request, void *args, struct hv_err *err);
};

struct hv_hyp {
	const struct hv_hyp_ops *ops;
	const char *name;    /* "/dev/hvisor" */
	const char *speaker; /* "hvisor": who refuses, in messages */
	enum hv_arch arch;
	bool version_known;
	uint64_t version;
	/* The layouts still possible, the smallest first; 0 of them = not asked yet. */
	int n_layouts;
	enum hv_layout layouts[2];
};

/*
 * Returns rc, a failure of one operation, with a message: "<what>: …" and then what the
 * operation said itself (detail), what the errno may mean, or both.
 */
int hv_hyp_fail(const struct hv_hyp *hyp, enum hv_hyp_op op, int rc, const struct hv_err *detail,
		struct hv_err *err, const char *what, ...) __attribute__((format(printf, 6, 7)));

/* -EIO when a file is known to end before size bytes from src->offset; 0 for other sources. */
int hv_load_check(const struct hv_load_src *src, uint64_t size, struct hv_err *err);
/* -EIO: the file ended before all of it was there. */
int hv_load_truncated(struct hv_err *err);

#endif
