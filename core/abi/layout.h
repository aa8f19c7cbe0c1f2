/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ABI_LAYOUT_H
#define HV_ABI_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/zone_config.h"

/*
 * Private to core/abi: what a zone config looks like on the wire, as data. A layout is a list of
 * sections, a section is an array of records, a record is a list of fields. The encoder, the
 * decoder and the explainer are three visitors of the same list.
 */
enum hv_wire_kind {
	HV_WIRE_NUMBER,
	HV_WIRE_ADDR,
	HV_WIRE_SIZE,  /* of an address range */
	HV_WIRE_BYTES, /* of a file */
	HV_WIRE_CPUS,
	HV_WIRE_REGION_TYPE,
	HV_WIRE_REGION_INDEX,
	HV_WIRE_IRQ,
	HV_WIRE_BOOL,
	HV_WIRE_GIC_TAG,  /* 0 = GICv2, 1 = GICv3; the member holds 2 or 3 */
	HV_WIRE_UEFI_TAG, /* 0 = UEFI follows, 1 = none; the member holds true or false */
	/*
	 * bus << 8 | device << 3 | function: what hvisor compares the u64 of layouts 3, 4A and 4B with (the
	 * form with bus << 20 is older than they are). The member is three bytes in a row.
	 */
	HV_WIRE_BDF,
	HV_WIRE_NAME,       /* 32 bytes */
	HV_WIRE_IRQ_BITMAP, /* 128 bytes, bit n of word n / 32 */
};

struct hv_wire_field {
	const char *name;
	enum hv_wire_kind kind;
	uint16_t at;    /* bytes into the record */
	uint8_t width;  /* bytes on the wire; 0 = this layout has no such field */
	uint8_t member_size;
	uint16_t member; /* bytes into the record's struct in memory */
	/* Where the layout has no such field: */
	enum {
		HV_ABSENT_ZERO, /* the member must be 0 */
		HV_ABSENT_LIKE, /* the member must equal the one at `like` */
		HV_ABSENT_ANY,  /* any value may be dropped */
	} absent;
	uint16_t like;
	const char *like_name;
	/* The field exists only where the u64 at tag_at of its record is tag; tag_name says so. */
	uint16_t tag_at;
	uint8_t tag;
	const char *tag_name; /* NULL = exists always */
};

struct hv_wire_section {
	const char *name; /* NULL = one record; its fields carry no prefix */
	const char *count_name;
	unsigned int count_at;
	unsigned int count_width; /* 0 = no count on the wire */
	bool counted; /* an array: member_count is meaningful */
	unsigned int at, stride, max;
	const struct hv_wire_field *fields;
	size_t n_fields;
	size_t member, member_stride; /* bytes into struct hv_abi_zone */
	size_t member_count;          /* where its u32 count is */
};

#define HV_WIRE_SECTIONS 9
struct hv_wire_layout {
	size_t size; /* bytes in total */
	size_t n_sections;
	struct hv_wire_section sections[HV_WIRE_SECTIONS];
};

/* False where the pair does not exist. */
bool hv_wire_layout(enum hv_layout layout, enum hv_arch arch, struct hv_wire_layout *out);

/* The first layout that exists for the architecture. */
enum hv_layout hv_wire_first_layout(enum hv_arch arch);

/* One field of one record, as a visitor meets it. */
struct hv_wire_place {
	const struct hv_wire_section *section;
	const struct hv_wire_field *field;
	unsigned int index;
	unsigned int at; /* bytes into the config; meaningless for an absent field */
	bool absent;     /* the layout has no such field, or the tag says it is not there */
};

/* "memory_regions[3].size", "entry_point"; returns out. */
#define HV_WIRE_NAME_TEXT 64
const char *hv_wire_place_name(const struct hv_wire_place *place, char out[HV_WIRE_NAME_TEXT]);

/* Both return 0, or negative to end the walk. */
struct hv_wire_visitor {
	/* A section begins; *n is how many records to visit, preset to max. */
	int (*section)(void *arg, const struct hv_wire_section *section, unsigned int *n);
	int (*field)(void *arg, const struct hv_wire_place *place);
};

/*
 * Visits everything in wire order. Tags are read from buf when a field that depends on one is
 * reached, so an encoder has written them by then. buf holds layout->size bytes.
 */
int hv_wire_walk(const struct hv_wire_layout *layout, const uint8_t *buf,
		 const struct hv_wire_visitor *visitor, void *arg);

/* Little endian, unaligned, width 1, 4 or 8. */
uint64_t hv_wire_get(const uint8_t *buf, unsigned int width);
void hv_wire_put(uint8_t *buf, unsigned int width, uint64_t value);

/* Why a value on the wire cannot be meant ("neither GICv2 nor GICv3"); NULL = it can. */
const char *hv_wire_wrong(enum hv_wire_kind kind, uint64_t value);

bool hv_wire_is_zero(const uint8_t *buf, size_t size);

#endif
