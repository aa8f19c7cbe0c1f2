/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_HYPERVISOR_SIM_MACHINE_H
#define HV_HYPERVISOR_SIM_MACHINE_H

#include <pthread.h>

#include "hypervisor/ops.h"
#include "hypervisor/sim.h"

/* Private to core/hypervisor/sim: the simulated machine. */

/* hvisor queues interrupts per CPU and asserts that no eighth one comes. */
#define SIM_PENDING_MAX 7
#define SIM_REASON_MAX 256

enum sim_doom { SIM_DOOM_NONE, SIM_DOOM_DIE, SIM_DOOM_CRASH };

struct sim_zone {
	uint32_t used;
	uint32_t id;
	uint64_t cpus;
	char name[HV_ZONE_NAME_MAX + 1];
	uint32_t is_err;
	uint32_t doom;        /* enum sim_doom */
	int64_t doom_at;      /* ns of CLOCK_BOOTTIME */
	uint32_t config_size;
	uint32_t pad;
	uint8_t config[HV_ZONE_CONFIG_MAX]; /* as it was started with */
};

struct sim_op_fault {
	int32_t code; /* errno, 0 = none */
	uint32_t sticky;
};

/* What waits for the start of a zone. */
struct sim_doom_order {
	uint32_t id, doom;
	uint64_t after_ns;
};

/*
 * All that survives a process. It is written to state_dir as it is: fixed widths, no
 * pointers, no implicit padding; a change of it is a new SIM_STATE_VERSION (state.c).
 */
struct sim_state {
	char boot_id[40];
	/* The hardware and the hypervisor build. */
	uint32_t arch, layout;
	uint64_t version;
	uint32_t n_cpus, max_zones;
	uint64_t root_cpus;
	struct hv_sim_ram hypervisor;
	uint32_t n_ram, pad;
	struct hv_sim_ram ram[HV_SIM_RAM_MAX]; /* sorted, adjacent ones merged */
	/* Trouble. */
	char panic[SIM_REASON_MAX]; /* empty = alive */
	uint64_t busy_cpus;         /* on, and in no zone */
	uint64_t stuck_cpus;        /* will not stop when told to */
	uint32_t no_load_image, n_orders;
	struct sim_op_fault faults[HV_OP_COUNT];
	struct sim_doom_order orders[HV_MAX_ZONES];
	/* zones[0] is the root zone. */
	struct sim_zone zones[HV_MAX_ZONES];
};

struct sim_pending {
	unsigned int n;
	uint32_t irqs[SIM_PENDING_MAX];
};

struct hv_sim {
	struct hv_hyp hyp;
	/* Guards everything below but the memory's contents. */
	pthread_mutex_t lock;
	struct sim_state state;
	struct sim_pending pending[HV_MAX_ZONES]; /* beside state.zones */
	char *dir; /* NULL = none */
	int dir_fd, lock_fd;
	int mem_fd; /* the RAM windows one after the other, then the bridge page */
	uint64_t mem_size;
	uint64_t mem_at[HV_SIM_RAM_MAX]; /* where each window begins in mem_fd */
	uint64_t bridge_at;
	struct hv_bridge_page *bridge;
	int wakeup_fd;
	const struct hv_sim_runner *runner; /* changed by the thread that uses the seam only */
	void *runner_arg;
	void *runs[HV_MAX_ZONES]; /* beside state.zones */
	struct sim_clocks *clocks;
	struct sim_ivcs *ivcs;
};

static inline struct hv_sim *hv_sim_of(struct hv_hyp *hyp)
{
	return (struct hv_sim *)hyp;
}

/* machine.c. Callers hold the lock; what changes the state saves it. */

/* Lets zones die whose time has come, refuses all after a panic, takes the injected fault of op. */
int hv_sim_enter(struct hv_sim *sim, enum hv_hyp_op op, struct hv_err *err);
/* The machine is dead from now on; returns -EIO. */
int hv_sim_panic(struct hv_sim *sim, struct hv_err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int hv_sim_start(struct hv_sim *sim, const void *config, size_t size, struct hv_err *err);
/* delay_ms: what a shutdown waits for a CPU that does not stop; the caller sleeps, unlocked. */
int hv_sim_stop(struct hv_sim *sim, uint32_t id, unsigned int *delay_ms, struct hv_err *err);
/* NULL when no such zone exists. */
struct sim_zone *hv_sim_zone(struct hv_sim *sim, uint32_t id);
/* A zone ends by itself: it is gone, or (crash) stays with is_err set. */
void hv_sim_die(struct hv_sim *sim, struct sim_zone *zone, bool crash);
/* Takes the oldest interrupt that waits; false when none does. */
bool hv_sim_pop_irq(struct hv_sim *sim, const struct sim_zone *zone, uint32_t *irq);
/* Drains the result ring. */
int hv_sim_drain(struct hv_sim *sim, struct hv_err *err);
int64_t hv_sim_now(void);

/* run.c. The first four with the lock held, reap without. */
void hv_sim_run_begin(struct hv_sim *sim, const struct sim_zone *zone);
void hv_sim_run_end(struct hv_sim *sim, const struct sim_zone *zone);
void hv_sim_run_end_all(struct hv_sim *sim);
void hv_sim_run_interrupt(struct hv_sim *sim, const struct sim_zone *zone);
void hv_sim_run_reap(struct hv_sim *sim);

/* clocks.c */
int hv_sim_clocks_open(struct hv_sim *sim, struct hv_err *err);
void hv_sim_clocks_close(struct hv_sim *sim);
int hv_sim_resource(struct hv_hyp *hyp, unsigned long request, void *args, struct hv_err *err);

/* ivc.c. Callers of join, leave and pop hold the lock. */
int hv_sim_ivc_open(struct hv_sim *sim, struct hv_err *err);
void hv_sim_ivc_close(struct hv_sim *sim);
/* A zone is to run in that slot: all its channels, or none. */
int hv_sim_ivc_join(struct hv_sim *sim, const struct sim_zone *slot,
		    const struct hv_abi_zone *config, struct hv_err *err);
void hv_sim_ivc_leave(struct hv_sim *sim, const struct sim_zone *slot);
/* Takes an interrupt of a channel; false when none waits. */
bool hv_sim_ivc_pop(struct hv_sim *sim, const struct sim_zone *zone, uint32_t *irq);

/* memory.c */
int hv_sim_memory_open(struct hv_sim *sim, bool fresh, struct hv_err *err);
/* Where [phys, phys + size) lies in mem_fd; -EFAULT when not all of it is memory. */
int hv_sim_locate(const struct hv_sim *sim, uint64_t phys, uint64_t size, uint64_t *at,
		  struct hv_err *err);
int hv_sim_load(struct hv_sim *sim, const struct hv_load_src *src, uint64_t at, size_t size,
		uint64_t phys, struct hv_err *err);
bool hv_sim_in_hypervisor(const struct hv_sim *sim, uint64_t phys, uint64_t size);

/* state.c */
/*
 * Opens and locks the directory and loads what is there: 1 = loaded, 0 = there was
 * nothing, or it is from before a reboot. Closed by hv_sim_state_close in any case.
 */
int hv_sim_state_open(struct hv_sim *sim, const char *dir, struct hv_err *err);
/* Does nothing without a directory. */
int hv_sim_state_save(struct hv_sim *sim, struct hv_err *err);
void hv_sim_state_close(struct hv_sim *sim);
void hv_sim_boot_id(char out[40]);

#endif
