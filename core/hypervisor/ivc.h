/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_HYPERVISOR_IVC_H
#define HV_HYPERVISOR_IVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "hypervisor/hypervisor.h"

/*
 * Inter-VM communication: this zone's end of a channel, by /dev/hivc<id> of the kernel module ivc,
 * or in the simulated machine. A channel is shared memory (one section that all peers write, and
 * one for each peer that only that peer writes) and an interrupt for each peer. What the other
 * peers write changes at any time: it is copied once, and nothing here depends on it.
 *
 * One thread per channel at a time. A channel outlives the hypervisor it was opened with: its
 * memory stays, and nobody is interrupted any more.
 */
struct hv_ivc;

struct hv_ivc_info {
	uint32_t id;
	uint32_t peer; /* this zone's number, below max_peers */
	uint32_t max_peers;
	uint32_t rw_size;  /* bytes of the section that all write; may be 0 */
	uint32_t out_size; /* bytes of each peer's own section */
};

/* The section that all peers write; any other number is the section of that peer. */
#define HV_IVC_SHARED UINT32_MAX

/*
 * path: "/dev/hivc0". -ENOENT, -EACCES, … with what that means; -EPROTO: the control table makes no
 * sense, or is that of another channel.
 */
int hv_ivc_open_device(const char *path, uint32_t id, struct hv_ivc **ivc, struct hv_err *err);
/*
 * zone0's end in the simulated machine, where zone0 is on every channel that a zone was started
 * with and has the lowest number that is left. -ENOENT: there is no such channel, or all its
 * numbers are zones'.
 */
int hv_ivc_open_sim(struct hv_hyp *hyp, uint32_t id, struct hv_ivc **ivc, struct hv_err *err);
/* NULL is fine. */
void hv_ivc_close(struct hv_ivc *ivc);

/* The ids of the channels of this zone, ascending; at most max of them. Returns how many. */
int hv_ivc_list_device(uint32_t *ids, size_t max, struct hv_err *err);
int hv_ivc_list_sim(struct hv_hyp *hyp, uint32_t *ids, size_t max, struct hv_err *err);

const struct hv_ivc_info *hv_ivc_info(const struct hv_ivc *ivc);

/*
 * Bytes from and to a section, copied once, in no order that others could rely on: flags are for
 * load and store. -ERANGE: not all of them are in the section, or there is no such peer. -EACCES: a
 * write to another peer's section, which hvisor does not allow.
 */
int hv_ivc_read(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, void *bytes,
		size_t size, struct hv_err *err);
int hv_ivc_write(struct hv_ivc *ivc, uint32_t section, uint64_t offset, const void *bytes,
		 size_t size, struct hv_err *err);
/* Whether so many bytes are in the section: what hv_ivc_read would say. */
int hv_ivc_check(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, uint64_t size,
		 struct hv_err *err);
/*
 * One access of 1, 2, 4 or 8 bytes, as the processor has integers: what is read after a load was
 * written before the store it saw (acquire, release). The same errors; -EINVAL: another size, or
 * an offset that is no multiple of it.
 */
int hv_ivc_load(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, unsigned int size,
		uint64_t *value, struct hv_err *err);
int hv_ivc_store(struct hv_ivc *ivc, uint32_t section, uint64_t offset, unsigned int size,
		 uint64_t value, struct hv_err *err);

/*
 * Interrupts a peer, which then sees what was written before. hvisor does not say whether that peer
 * is there. -ERANGE: no such peer; -ENODEV: the simulated machine is gone.
 */
int hv_ivc_notify(struct hv_ivc *ivc, uint32_t peer, struct hv_err *err);
/*
 * Readable (EPOLLIN) after an interrupt; owned by the channel. The module takes an interrupt as
 * heard when it has been reported, to epoll_ctl, too: watch it from the beginning and always, and
 * whatever was reported is not reported again.
 */
int hv_ivc_fd(const struct hv_ivc *ivc);
/* After each report of the descriptor: was there an interrupt since the last call? */
bool hv_ivc_take(struct hv_ivc *ivc);

#endif
