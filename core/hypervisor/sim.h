/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_HYPERVISOR_SIM_H
#define HV_HYPERVISOR_SIM_H

#include "hypervisor/hypervisor.h"

/*
 * The simulated hypervisor: decodes the bytes the encoder made, keeps CPUs,
 * zones and guest memory, refuses what hvisor refuses with the same errno.
 */
struct hv_sim_ram {
	uint64_t start, size;
};
#define HV_SIM_RAM_MAX 32

struct hv_sim_opts {
	enum hv_arch arch;
	enum hv_layout layout;  /* what this hypervisor's struct is; its version number follows */
	uint64_t version;       /* answered instead when not 0 (an unknown version) */
	unsigned int n_cpus;    /* 1..32; 0 = as kept in state_dir (-ENOENT when none is) */
	uint64_t root_cpus;     /* bitmap of zone0's */
	unsigned int max_zones; /* this build's limit, the root zone included; 0 = HV_MAX_ZONES */
	const struct hv_sim_ram *ram; /* what exists; writes elsewhere are bus errors; copied */
	size_t n_ram;                 /* 1..HV_SIM_RAM_MAX, page aligned, not overlapping */
	struct hv_sim_ram hypervisor; /* writes here "panic" the machine; size 0 = none */
	/*
	 * A directory in which the machine lives on between processes (created, 0700;
	 * locked while open: a second process waits some seconds, then gets -EBUSY), or NULL:
	 * gone when closed. A reboot of the computer switches it off. Opened with other
	 * hardware it is replaced by a new machine, or -EBUSY while zones run on it.
	 */
	const char *state_dir;
};

/*
 * What would panic the real hvisor (a CPU that does not exist, a region or load in
 * its own memory, an unaligned RAM region, more zones than max_zones, an eighth pending
 * interrupt …) is -EIO with that said; from then on the machine answers everything with EIO.
 */
int hv_hyp_open_sim(const struct hv_sim_opts *opts, struct hv_hyp **hyp, struct hv_err *err);

/*
 * Takes the oldest interrupt that waits for a zone, as its guest would. -EAGAIN when none
 * does, -ENOENT when the zone is not there. Any thread.
 */
int hv_sim_take_irq(struct hv_hyp *hyp, uint32_t zone, uint32_t *irq, struct hv_err *err);

/*
 * Faults on request, for tests and for trying a script against trouble:
 *   "busy-cpu:N"      CPU N is already on: the start of a zone with it is EBUSY
 *   "stuck-cpu:N"     CPU N does not stop: shutdown takes its time, the zone is removed,
 *                     later starts are EBUSY
 *   "errno:OP:NAME"   the next OP (start stop list version load map bridge inject) fails
 *                     with NAME (EIO, ENOSYS …); "errno:OP:NAME:*" every one from now on
 *   "die:ID[:MS]"     zone ID powers itself off after MS milliseconds (gone from the list);
 *                     counted from its next start when it does not run yet
 *   "crash:ID[:MS]"   the same, but it stays with is_err set
 *   "no-load-image"   as a kernel module before 2026-03: loads go through map
 * -EINVAL with the list of what exists. Faults are part of the machine and kept in its state_dir.
 */
int hv_sim_fault(struct hv_hyp *hyp, const char *fault, struct hv_err *err);

/*
 * What runs in the zones of a simulated machine. During begin, interrupt and end the machine is
 * locked: they may not call it nor wait for anything.
 */
struct hv_sim_runner {
	/* A zone begins to run. What is returned stands for it; NULL: nothing runs in it. */
	void *(*begin)(void *arg, const struct hv_abi_zone *zone);
	/* Interrupts wait to be taken. */
	void (*interrupt)(void *run);
	/* The zone ended, by whatever way: its CPUs are to stop. The last call for run. */
	void (*end)(void *run);
	/* Not locked, by the thread that uses the seam: waits until all that ended is gone. */
	void (*reap)(void *arg);
};

/*
 * runner NULL = nothing runs any more. Zones that run already begin anew in the new runner. Must be
 * undone, or the machine closed, before arg goes away.
 */
int hv_sim_set_runner(struct hv_hyp *hyp, const struct hv_sim_runner *runner, void *arg,
		      struct hv_err *err);

/*
 * For runners, any thread. They answer -ENOENT when the run has ended, also when the zone's
 * id is used again.
 */
/* -EAGAIN when no interrupt waits. */
int hv_sim_run_take_irq(struct hv_hyp *hyp, uint32_t zone, const void *run, uint32_t *irq);
/* The zone powers itself off, or (crash) stays with is_err set. */
int hv_sim_run_exit(struct hv_hyp *hyp, uint32_t zone, const void *run, bool crash);
/* -ENODEV while no service has initialised the bridge. Valid until the machine is closed. */
int hv_sim_run_bridge(struct hv_hyp *hyp, struct hv_bridge_page **page, int *wakeup_fd);
/* Page aligned; undone by munmap. Injected faults are not for this one. */
int hv_sim_run_map(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr,
		   struct hv_err *err);

/*
 * A zone's ends of its IVC channels (hypervisor/ivc.h has zone0's). The control table, as hvisor
 * answers its accesses: -EFAULT outside of the tables of the zone.
 */
int hv_sim_run_ivc_read(struct hv_hyp *hyp, uint32_t zone, const void *run, uint64_t ipa,
			uint32_t *value);
int hv_sim_run_ivc_write(struct hv_hyp *hyp, uint32_t zone, const void *run, uint64_t ipa,
			 uint32_t value);
/*
 * All sections of the shared memory that begins at ipa; those of other peers can only be read.
 * Undone by munmap.
 */
int hv_sim_run_ivc_map(struct hv_hyp *hyp, uint32_t zone, const void *run, uint64_t ipa,
		       void **addr, uint64_t *size, struct hv_err *err);

/*
 * The clocks, resets and power domains of the simulated machine, a line each ("#" begins a
 * comment), parents first:
 *   clock osc 24000000                      an oscillator
 *   clock pll parent=osc mul=10..60 gate    times 10 to 60, can be set; can be switched off
 *   clock uart0 parent=pll div=12 lent for=9000000.serial:baud
 *   reset uart0                             resets and power domains are always lent
 *   power gpu
 * What is lent has an id: its place among those of its kind. "for" is who uses it in zone0:
 * device and connection, who has it switched on, too. Replaces what there was; nothing of it is kept
 * in state_dir.
 */
struct hv_buf;
int hv_sim_set_clocks(struct hv_hyp *hyp, const char *description, struct hv_err *err);
/* As Linux shows them in /sys/kernel/debug/clk/clk_summary. */
int hv_sim_clk_summary(struct hv_hyp *hyp, struct hv_buf *out, struct hv_err *err);
/* A lent reset line, and how many have a power domain on. -ENOENT: no such id. */
int hv_sim_reset_state(struct hv_hyp *hyp, uint32_t id, bool *asserted, uint32_t *pulses);
int hv_sim_power_users(struct hv_hyp *hyp, uint32_t id, uint32_t *users);

/* Reads guest memory back, for tests and the simulated guest. */
int hv_sim_read(struct hv_hyp *hyp, uint64_t phys, void *bytes, uint64_t size, struct hv_err *err);

#endif
