/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_ZONE_H
#define HV_ZONE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fdt/fdt.h"
#include "hypervisor/hypervisor.h"
#include "memmap/memmap.h"
#include "zone/finding.h"
#include "zone/host.h"
#include "zone/image.h"
#include "zone/record.h"
#include "zone/serve.h"
#include "zone/spec.h"

/*
 * spec → resolve → check → plan → apply.
 *
 * A set is all zones one script defines, with the machine they are meant for.
 * Resolving opens the images and allocates windows; checking looks at everything together, the zones
 * that run already included; a plan is the ordered list of steps; applying it is the only thing that
 * writes. One thread.
 *
 * What resolving decides when the author did not:
 *   passthrough          registers (1:1, whole pages) and interrupts of the devices, behind those
 *                        the author listed; reserved memory of theirs as RAM that nothing is loaded to
 *   device window, irq   the lowest slot of the board (by address) whose window is free in the zone
 *                        and whose interrupt neither the zone lists nor a zone before it in the set
 *                        has. What runs, and what comes later, plays no part: the same script gives
 *                        the same zones. A given window that begins a slot takes that slot's interrupt
 *   virtio region        one per window, unless it lies inside a region the author listed
 *   irqs                 the devices' are added (not on x86_64, whose files list none)
 *   kernel               ELF: its own addresses. Otherwise the first RAM region with room: its start
 *                        + 4 MiB, aligned as the image asks, + text_offset; its start when that is too far
 *   initrd               behind the kernel, on a multiple of 2 MiB (where none is left: of 4 KiB)
 *   dtb                  the first such place in RAM: its start when the kernel leaves room, so that
 *                        a tree up to 2 MiB never crosses a 2 MiB boundary. Always written as
 *                        bytes. "auto": made from all of this and the machine's tree
 *   entry                the ELF's entry point, the kernel's address; on x86_64 the boot code's
 */
struct hv_placement {
	enum { HV_PLACE_KERNEL, HV_PLACE_DTB, HV_PLACE_INITRD, HV_PLACE_MODULE, HV_PLACE_TEXT } kind;
	const char *what;        /* "kernel Image", "dtb linux1.dtb", "module ramdisk" */
	struct hv_image *image;  /* NULL when bytes are written instead */
	const void *bytes;       /* a patched tree, a command line */
	uint64_t ipa, phys, size; /* what it occupies */
	uint64_t base;           /* for hv_image_load */
	const struct hv_spec_image *spec;
	struct hv_origin origin;
};

struct hv_device_slot {
	const struct hv_spec_device *spec;
	uint64_t at, size;
	uint32_t irq;
	bool at_given, irq_given;
};

/* A zone with everything decided: what is encoded, and what is loaded where. */
struct hv_zone {
	const struct hv_zone_spec *spec;
	struct hv_abi_zone abi;
	size_t n_placements;
	struct hv_placement *placements;
	size_t n_devices;
	struct hv_device_slot *devices;
	struct hv_fdt *tree; /* the tree as it will be loaded; NULL = none */
	bool resolved;       /* false when findings of the resolving forbid to go on with this zone */
};

struct hv_zone_set;

/* The set owns its arena, zones, images, trees. hyp may be NULL (check without a hypervisor: running zones unknown). */
int hv_zone_set_new(struct hv_zone_set **set, struct hv_err *err);
void hv_zone_set_free(struct hv_zone_set *set);
struct hv_arena *hv_zone_set_arena(struct hv_zone_set *set);
/* spec lives in the set's arena. */
int hv_zone_set_add(struct hv_zone_set *set, const struct hv_zone_spec *spec, struct hv_err *err);
size_t hv_zone_set_count(const struct hv_zone_set *set);
const struct hv_zone *hv_zone_set_at(const struct hv_zone_set *set, size_t i);
const struct hv_zone *hv_zone_set_find(const struct hv_zone_set *set, const char *name);

struct hv_machine {
	struct hv_hyp *hyp;              /* NULL = none */
	const struct hv_host *host;      /* zone0's view */
	struct hv_records *records;      /* what we started earlier; may be NULL */
	const struct hv_board *board;    /* fallback for zones without one; may be NULL */
	struct hv_serve *serve; /* what serves virtio devices; NULL = not this process */
};

/*
 * Resolves and checks all zones of the set, anew each time: pointers into
 * zones (placements, trees) of an earlier check, and plans made from it, are no longer good.
 * Findings are appended, all of them at once, sorted by severity and place. Returns 0 also when there are errors among the
 * findings; negative only when the check itself could not be made (no memory, hypervisor does not answer).
 */
int hv_zone_set_check(struct hv_zone_set *set, const struct hv_machine *machine,
		      struct hv_findings *findings, struct hv_err *err);

/* The physical map of the machine with running zones and the set (after check). The caller frees it. */
int hv_zone_set_memmap(const struct hv_zone_set *set, const struct hv_machine *machine,
		       struct hv_memmap **map, struct hv_err *err);

/* What differs between a zone and what runs. */
enum hv_zone_state {
	HV_ZONE_ABSENT,    /* not running */
	HV_ZONE_SAME,      /* running, started from the same spec and images */
	HV_ZONE_CHANGED,   /* running, but the spec or an image differs: see changes */
	HV_ZONE_FOREIGN,   /* its id runs, but we have no record of how it was started */
	HV_ZONE_FAILED,    /* in the list with is_err */
};
/* "absent", "same", "changed", "foreign", "failed". */
const char *hv_zone_state_name(enum hv_zone_state state);

struct hv_change {
	const char *field;       /* "cpus", "region 0 size", "kernel" */
	const char *from, *to;
};

enum hv_step_kind {
	HV_STEP_STOP,
	HV_STEP_SERVE, /* opens the zone's virtio devices; the start attaches them */
	HV_STEP_LOAD,  /* placement.image */
	HV_STEP_WRITE, /* placement.bytes */
	HV_STEP_START,
};
/* "stop", "serve", "load", "write", "start". */
const char *hv_step_kind_name(enum hv_step_kind kind);

struct hv_step {
	enum hv_step_kind kind;
	const struct hv_zone *zone;
	const struct hv_placement *placement; /* load and write */
};

struct hv_zone_delta {
	const struct hv_zone *zone;
	enum hv_zone_state state;
	size_t n_changes;
	const struct hv_change *changes;
};

struct hv_plan {
	struct hv_arena *arena;
	size_t n_deltas;
	struct hv_zone_delta *deltas; /* one per zone asked for, in the order of the script */
	size_t n_steps;
	struct hv_step *steps;
};

#define HV_PLAN_RESTART 1u /* zones that are CHANGED or FAILED are stopped and started; otherwise they are left and only reported */
/*
 * Zones that run as written but are not served, though this machine has who could do it (the
 * service was restarted), are served anew: their guests find devices that were reset.
 */
#define HV_PLAN_FORCE 2u   /* restart also those that are SAME */

/*
 * Plans for the named zones (NULL = all) of a set that was checked; the plan
 * points into the set. -EINVAL when a zone asked for had errors, -ENOENT for a name that the
 * set does not have, -EBUSY when a zone to be started needs what another one of the set, changed in
 * the script but left running, still holds. An empty list of steps means: nothing to do. FOREIGN zones
 * are touched only by FORCE.
 */
int hv_plan_make(struct hv_zone_set *set, const struct hv_machine *machine, const char *const *names,
		 size_t n_names, unsigned int flags, struct hv_plan **plan, struct hv_err *err);
void hv_plan_free(struct hv_plan *plan);

/* Told before each step and, for loads, as they go on; non-zero cancels. */
typedef int hv_apply_fn(const struct hv_step *step, size_t index, uint64_t done, uint64_t total,
			void *arg);

/*
 * Takes the steps in order: everything is stopped that has to be, then the devices of all zones are
 * opened, then one zone after the other is loaded and started. When one fails, zones this plan has
 * started are stopped again, in reverse order, their devices closed, and the error says what was
 * undone (and what could not
 * be: a zone that was stopped for a restart stays stopped). A record is written for each zone started.
 * -EEXIST, and its memory is left alone, when a zone's id runs that did not when the plan was made.
 * -ENODEV without a hypervisor.
 */
int hv_plan_apply(struct hv_plan *plan, const struct hv_machine *machine, hv_apply_fn *progress,
		  void *arg, struct hv_err *err);

/* Stops a running zone, closes its devices and drops its record. -ENOENT when it does not run; zone 0 is -EPERM. */
int hv_zone_stop(const struct hv_machine *machine, uint32_t id, struct hv_err *err);

#endif
