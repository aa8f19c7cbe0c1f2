/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_ZONE_H
#define MV_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "board.h"
#include "config.h"
#include "ivc.h"

/* The zones and their lives. zone0 is slot 0, always there. */

enum zone_state {
	ZONE_FREE,
	ZONE_RUNNING,
	ZONE_STOPPING,
	ZONE_CRASHED, /* still listed, its CPUs are off */
};

struct zone_window {
	uint64_t base, size;
};

#define ZONE_WINDOWS CONFIG_REGIONS

struct zone {
	uint32_t state;
	uint32_t id;
	uint32_t life; /* no two lives of any zones have the same */
	uint64_t cpus;
	uint64_t started; /* counter value */
	bool is_err;
	bool is_hung; /* by fault: runs, but its CPUs are kept in EL2 */
	char name[CONFIG_NAME];
	uint32_t irqs[CONFIG_IRQS / 32]; /* SPIs it owns; guarded by the distributor's lock */
	uint32_t n_windows;
	struct zone_window windows[ZONE_WINDOWS]; /* virtio */
	uint64_t gicd_base;
	uint32_t n_ivcs;
	struct ivc_end ivcs[CONFIG_IVCS];
	/* Of an ended life, CPUs that would not go off: the slot waits for them. */
	uint64_t lingering;
};

/* Sets up zone0 with the machine's devices. */
struct zone *zone_init_root(uint64_t cpus, const struct config_layout *layout, bool has_ivc);

unsigned int zone_slot(const struct zone *zone);
struct zone *zone_at(unsigned int slot);
bool zone_is_root(const struct zone *zone);

/* Running, not stopping. Any CPU. */
bool zone_runs(const struct zone *zone);

/* The running zone of that id, zone0 among them; NULL. */
struct zone *zone_running(uint32_t id);

void zone_set_layout(const struct config_layout *layout);
const struct config_layout *zone_layout(void);

/*
 * Hypercalls 2, 3 and 4. Callers hold the zones' lock. config and infos are RAM of zone0.
 * start: -EINVAL, -EBUSY, -ENOMEM, -EIO; stop: -EINVAL; list: how many entries it filled.
 */
int64_t zone_start(const void *config, uint64_t size);
int64_t zone_stop(uint64_t id);
int64_t zone_list(void *infos, uint64_t max);

/*
 * Takes the lock over starts, stops and everything that belongs to them. A CPU whose zone is being
 * stopped must not wait for it: then it goes off instead of returning.
 */
void zone_lock(void);
void zone_unlock(void);

/* Ends the zone of the CPU that asks: silently removed, or kept with is_err. */
void zone_end_own(bool crashed) __attribute__((noreturn));

/* Applies the faults `die` and `hang` that are due. */
void zone_doom(void);

#endif
