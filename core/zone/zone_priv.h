/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_ZONE_PRIV_H
#define HV_ZONE_ZONE_PRIV_H

#include "fdt/passthrough.h"
#include "zone/zone.h"

/* The smallest register window of a virtio device, and what a device without a size gets. */
#define HV_WINDOW_SIZE UINT64_C(0x200)

/* Longer than any address hvisor maps; ends beyond it are typing mistakes. */
#define HV_ADDRESS_END (UINT64_C(1) << 48)

/* One zone of a set with what checking needs besides. */
struct hv_entry {
	struct hv_zone zone;
	const struct hv_zone_spec *written; /* zone.spec is this, or this and what the plan adds */
	struct hv_fdt *machine_tree;	    /* that devices are given from; NULL = none */
	struct hv_fdt_passthrough *plan;    /* made from it; NULL = nothing is given */
	bool plan_failed;
	bool regions_ok; /* every region has a size and an end: ranges may be computed with */
	uint32_t
		n_given; /* regions[0 .. n_given) are the author's, the others windows of devices */
	void *dtb_bytes; /* the file as read; NULL when the tree was patched or there is none */
	size_t n_errors; /* of the last check, as either party */
};

struct hv_zone_set {
	struct hv_arena *arena;
	size_t n, cap;
	struct hv_entry **entries;
	bool checked;
};

/* Gives back what resolving acquired (images, trees); the entry can be resolved anew. */
void hv_entry_reset(struct hv_entry *e);
struct hv_entry *hv_set_find(const struct hv_zone_set *set, const char *name);

/* A zone that runs, the root zone not counted. */
struct hv_running {
	struct hv_zone_info info;
	bool known; /* record says how it was started */
	struct hv_record record;
	struct hv_entry *self; /* the set's zone of the same id and name */
	bool aside; /* self, or its id or name is one of the set's, which is reported: not compared
		     */
};

/* The running machine at one moment. */
struct hv_view {
	bool asked;	    /* there is a hypervisor */
	uint64_t root_cpus; /* 0 = nobody knows */
	size_t n;
	struct hv_running *zones;
};

int hv_view_read(const struct hv_zone_set *set, const struct hv_machine *machine,
		 struct hv_view *view, struct hv_err *err);
void hv_view_free(struct hv_view *view);
const struct hv_running *hv_view_find(const struct hv_view *view, uint32_t id);

/* The board all zones stand on: the machine's, otherwise the first one a zone names; NULL = none.
 */
const struct hv_board *hv_set_board(const struct hv_zone_set *set, const struct hv_machine *m);

/*
 * Physical memory: windows, zone0, hypervisor, running zones, the set's zones
 * in order. with_windows adds virtio windows (guest addresses), which is for drawing, not for
 * finding conflicts.
 */
int hv_map_build(const struct hv_zone_set *set, const struct hv_machine *machine,
		 const struct hv_view *view, bool with_windows, struct hv_memmap **map,
		 struct hv_err *err);

/* "ram at 0x50000000", or the region's own name. Returns out. */
#define HV_WHAT_TEXT 96
const char *hv_region_what(const struct hv_zone *zone, uint32_t i, char out[HV_WHAT_TEXT]);
/* Where region i was written: the author's region, or the device it belongs to. */
const struct hv_origin *hv_region_origin(const struct hv_entry *e, uint32_t i);
const char *hv_device_what(const struct hv_spec_device *dev, char out[HV_WHAT_TEXT]);
/* "1, 2 and 5", at most max numbers and then "…"; returns out. */
#define HV_LIST_TEXT 160
const char *hv_list_text(const uint32_t *numbers, size_t n, char out[HV_LIST_TEXT]);
const char *hv_cpus_text(uint64_t cpus, char out[HV_LIST_TEXT]);

/* Whether two ranges have a byte in common; ends must not wrap. */
static inline bool hv_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a_size && b_size && a < b + b_size && b < a + a_size;
}

/* Whether [at, at + size) lies inside [start, start + len); at + size may wrap and is then false.
 */
static inline bool hv_inside(uint64_t at, uint64_t size, uint64_t start, uint64_t len)
{
	return at >= start && at - start <= len && size <= len - (at - start);
}

/* Translation through one RAM region; false when the range lies in none. */
bool hv_zone_to_phys(const struct hv_abi_zone *abi, uint64_t ipa, uint64_t size, uint64_t *phys);
bool hv_zone_to_ipa(const struct hv_abi_zone *abi, uint64_t phys, uint64_t *ipa);
/* hv_image_phys_fn; arg is the struct hv_zone. */
int hv_zone_phys_fn(void *arg, uint64_t ipa, uint64_t size, uint64_t *phys, struct hv_err *err);

/* One run of the checks. */
struct hv_check {
	struct hv_zone_set *set;
	const struct hv_machine *machine;
	const struct hv_board *board; /* NULL = not known */
	struct hv_findings *findings;
	struct hv_view view;
	struct hv_memmap *map; /* without virtio windows; NULL while limits are checked */
};

/* A finding about a part of a zone; an origin that says nothing is replaced by the zone's. */
struct hv_finding *hv_report(struct hv_check *c, const struct hv_entry *e, const char *what,
			     const struct hv_origin *origin, enum hv_severity severity,
			     const char *code, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));
#define hv_report_fix(c, f, ...) hv_finding_fix((c)->findings, f, __VA_ARGS__)
/* The other owner: a zone of the set, or a running one (what it has is not written anywhere). */
void hv_report_other(struct hv_check *c, struct hv_finding *f, const struct hv_entry *other,
		     const char *what, const struct hv_origin *origin);
void hv_report_running(struct hv_check *c, struct hv_finding *f, const struct hv_running *other,
		       const char *what);

/*
 * Before everything else that looks at a zone: the machine's tree is opened where the zone needs it,
 * and the regions and interrupts of the devices it is given become its own. What stands against it
 * becomes findings; negative only when memory is out.
 */
int hv_give_devices(struct hv_check *c, struct hv_entry *e, struct hv_err *err);
/* Whether this is the machine itself, whose clocks can be read. */
bool hv_check_real(const struct hv_check *c);

/*
 * Resolving one zone; entries before it are resolved. What the author got wrong
 * becomes findings and clears zone.resolved (or regions_ok); negative only when memory is out.
 */
int hv_resolve(struct hv_check *c, struct hv_entry *e, struct hv_err *err);
/* Part two of it: images opened, places decided, the tree patched. */
int hv_resolve_images(struct hv_check *c, struct hv_entry *e, struct hv_err *err);
/* The tree: made, or read and patched; its bytes and size become the placement's. */
int hv_resolve_tree(struct hv_check *c, struct hv_entry *e, struct hv_placement *p,
		    const struct hv_placement *initrd, struct hv_err *err);
int hv_resolve_x86(struct hv_check *c, struct hv_entry *e, struct hv_err *err);
/* Adds a placement for an image that was written (present), opened unless its path is NULL; *out
 * NULL when none was added. */
int hv_place_open(struct hv_check *c, struct hv_entry *e, const struct hv_spec_image *spec,
		  int kind, const char *label, enum hv_image_format format,
		  struct hv_placement **out, struct hv_err *err);
/* Its address from `at` or `phys`; false when the author gave neither, or a finding was made (then
 * failed is set). */
bool hv_place_given(struct hv_check *c, struct hv_entry *e, const struct hv_spec_image *spec,
		    const char *what, uint64_t *ipa, uint64_t *phys, bool *failed);
/* Sets where a placement lies; phys is looked up unless the author gave it. */
void hv_place_set(struct hv_entry *e, struct hv_placement *p, uint64_t base);
/* Looks for room from `from` on, in one RAM region, beside what has a place already. */
bool hv_place_find(const struct hv_entry *e, uint64_t from, uint64_t size, uint64_t align,
		   uint64_t *at);

/* Limits of the format, on the specification alone. Before resolving. */
void hv_check_limits(struct hv_check *c, struct hv_entry *e);
void hv_check_ids(struct hv_check *c);
/* Who owns what of the machine. After resolving all. */
void hv_check_cpus(struct hv_check *c);
void hv_check_memory(struct hv_check *c);
void hv_check_irqs(struct hv_check *c);
void hv_check_pci(struct hv_check *c);
void hv_check_ivc(struct hv_check *c);
void hv_check_devices(struct hv_check *c);
/* The lists of scmi devices. -ENOMEM, or what the hypervisor answers. */
int hv_check_lent(struct hv_check *c, struct hv_err *err);
/* One zone by itself. */
void hv_check_layout(struct hv_check *c, struct hv_entry *e);
void hv_check_windows(struct hv_check *c);
void hv_check_images(struct hv_check *c, struct hv_entry *e);
int hv_check_tree(struct hv_check *c, struct hv_entry *e, struct hv_err *err);
void hv_check_ivc_node(struct hv_check *c, const struct hv_entry *e);

/*
 * What two configurations cannot both have: CPUs, memory, interrupts. Writes
 * the first such thing into text ("CPU 2", "interrupt 76") and returns true.
 */
bool hv_abi_clash(const struct hv_abi_zone *a, const struct hv_abi_zone *b,
		  char text[HV_LIST_TEXT]);

/* What is remembered of a zone when it is started. */
void hv_record_of(const struct hv_zone *zone, struct hv_record *record);
/* Differences between how a zone was started and how it would be now; in arena. */
int hv_record_diff(const struct hv_record *old, const struct hv_record *new, struct hv_arena *arena,
		   const struct hv_change **changes, size_t *n, struct hv_err *err);

#endif
