// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/zone_priv.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/size.h"

/* What is remembered of a started zone, and how that differs from what would be started now. */

/* FNV-1a, 64 bits: to see a change, not to withstand an attacker. */
static uint64_t digest(const unsigned char *bytes, uint64_t size)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (uint64_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* Absolute, and cut at the front when it is too long: the end tells files apart. */
static void keep_path(const char *path, char *out, size_t cap)
{
	static const char cut[] = "…";
	char *full = realpath(path, NULL);
	const char *text = full ?: path;
	size_t len = strlen(text);

	if (len < cap)
		snprintf(out, cap, "%s", text);
	else
		snprintf(out, cap, "%s%s", cut, text + len - (cap - sizeof(cut)));
	free(full);
}

void hv_record_of(const struct hv_zone *zone, struct hv_record *record)
{
	memset(record, 0, sizeof(*record));
	record->arch = zone->spec->arch;
	record->config = zone->abi;
	for (size_t i = 0; i < zone->n_placements && i < HV_RECORD_IMAGES; i++) {
		const struct hv_placement *p = &zone->placements[i];
		struct hv_record_image *r = &record->images[record->n_images++];

		snprintf(r->what, sizeof(r->what), "%s", p->what);
		if (p->spec && p->spec->path)
			keep_path(p->spec->path, r->path, sizeof(r->path));
		r->phys = p->phys;
		r->size = p->size;
		if (p->image) {
			const struct hv_image_info *info = hv_image_info(p->image);

			r->dev = info->id_dev;
			r->ino = info->id_ino;
			r->file_size = info->file_size;
			r->mtime_ns = info->mtime_ns;
		} else {
			r->digest = digest(p->bytes, p->size);
		}
	}
}

/* ---- differences */

struct diff {
	struct hv_arena *arena;
	struct hv_change *items;
	size_t n, cap;
	bool failed;
};

static void change(struct diff *d, const char *field, const char *from, const char *to)
{
	struct hv_change *items;

	if (d->n == d->cap) {
		items = hv_arena_array(d->arena, d->cap * 2 + 8, sizeof(*items));
		if (!items) {
			d->failed = true;
			return;
		}
		if (d->n)
			memcpy(items, d->items, d->n * sizeof(*items));
		d->items = items;
		d->cap = d->cap * 2 + 8;
	}
	d->items[d->n] = (struct hv_change){
		.field = hv_arena_strdup(d->arena, field),
		.from = hv_arena_strdup(d->arena, from),
		.to = hv_arena_strdup(d->arena, to),
	};
	if (!d->items[d->n].field || !d->items[d->n].from || !d->items[d->n].to)
		d->failed = true;
	else
		d->n++;
}

static void change_hex(struct diff *d, const char *field, uint64_t from, uint64_t to)
{
	char a[24], b[24];

	if (from == to)
		return;
	snprintf(a, sizeof(a), "0x%" PRIx64, from);
	snprintf(b, sizeof(b), "0x%" PRIx64, to);
	change(d, field, a, b);
}

static void diff_region(struct diff *d, uint32_t i, const struct hv_abi_region *a,
			const struct hv_abi_region *b)
{
	char field[64];

	if (a->type != b->type) {
		snprintf(field, sizeof(field), "region %" PRIu32 " type", i);
		change(d, field, hv_region_type_name(a->type), hv_region_type_name(b->type));
	}
	snprintf(field, sizeof(field), "region %" PRIu32 " guest address", i);
	change_hex(d, field, a->ipa, b->ipa);
	snprintf(field, sizeof(field), "region %" PRIu32 " physical address", i);
	change_hex(d, field, a->phys, b->phys);
	snprintf(field, sizeof(field), "region %" PRIu32 " size", i);
	change_hex(d, field, a->size, b->size);
}

static void region_text(const struct hv_abi_region *r, char out[64])
{
	snprintf(out, 64, "%s 0x%" PRIx64 "+0x%" PRIx64, hv_region_type_name(r->type), r->ipa,
		 r->size);
}

static void diff_regions(struct diff *d, const struct hv_abi_zone *a, const struct hv_abi_zone *b)
{
	uint32_t max = a->n_regions > b->n_regions ? a->n_regions : b->n_regions;
	char field[32], text[64];

	for (uint32_t i = 0; i < max; i++) {
		if (i < a->n_regions && i < b->n_regions) {
			diff_region(d, i, &a->regions[i], &b->regions[i]);
			continue;
		}
		snprintf(field, sizeof(field), "region %" PRIu32, i);
		region_text(i < a->n_regions ? &a->regions[i] : &b->regions[i], text);
		change(d, field, i < a->n_regions ? text : "none",
		       i < a->n_regions ? "none" : text);
	}
}

static bool has_irq(const struct hv_abi_zone *z, uint32_t irq)
{
	for (uint32_t i = 0; i < z->n_irqs; i++)
		if (z->irqs[i] == irq)
			return true;
	return false;
}

/* As sets: their order means nothing to hvisor. */
static void diff_irqs(struct diff *d, const struct hv_abi_zone *a, const struct hv_abi_zone *b)
{
	char from[HV_LIST_TEXT], to[HV_LIST_TEXT];
	bool same = a->n_irqs == b->n_irqs;

	for (uint32_t i = 0; same && i < a->n_irqs; i++)
		same = has_irq(b, a->irqs[i]);
	if (!same)
		change(d, "irqs", hv_list_text(a->irqs, a->n_irqs, from),
		       hv_list_text(b->irqs, b->n_irqs, to));
}

struct field {
	const char *name;
	size_t offset;
};

#define FIELD(name, member)                                                                        \
	{                                                                                          \
		name, offsetof(struct hv_abi_zone, member)                                         \
	}

static const struct field common_fields[] = {
	FIELD("entry", entry),
	FIELD("kernel address", kernel_phys),
	FIELD("kernel size", kernel_size),
	FIELD("dtb address", dtb_phys),
	FIELD("dtb size", dtb_size),
};

static const struct field arm64_fields[] = {
	FIELD("gicd base", arm64.gicd_base),
	FIELD("gicd size", arm64.gicd_size),
	FIELD("gicc base", arm64.gicc_base),
	FIELD("gicc size", arm64.gicc_size),
	FIELD("gicc offset", arm64.gicc_offset),
	FIELD("gich base", arm64.gich_base),
	FIELD("gich size", arm64.gich_size),
	FIELD("gicv base", arm64.gicv_base),
	FIELD("gicv size", arm64.gicv_size),
	FIELD("gicr base", arm64.gicr_base),
	FIELD("gicr size", arm64.gicr_size),
	FIELD("gits base", arm64.gits_base),
	FIELD("gits size", arm64.gits_size),
	FIELD("uefi memory map", arm64.memory_map_addr),
	FIELD("uefi memory map size", arm64.memory_map_size),
	FIELD("uefi system table", arm64.sys_map_addr),
};

static const struct field riscv64_fields[] = {
	FIELD("plic base", riscv64.plic_base),
	FIELD("plic size", riscv64.plic_size),
	FIELD("aplic base", riscv64.aplic_base),
	FIELD("aplic size", riscv64.aplic_size),
};

static const struct field x86_64_fields[] = {
	FIELD("ioapic base", x86_64.ioapic_base),
	FIELD("ioapic size", x86_64.ioapic_size),
	FIELD("kernel entry", x86_64.kernel_entry_gpa),
	FIELD("command line address", x86_64.cmdline_load_gpa),
	FIELD("setup address", x86_64.setup_load_gpa),
	FIELD("initrd address", x86_64.initrd_load_gpa),
	FIELD("initrd size", x86_64.initrd_size),
	FIELD("rsdp region", x86_64.rsdp_region),
	FIELD("acpi region", x86_64.acpi_region),
	FIELD("uefi region", x86_64.uefi_region),
	FIELD("screen base", x86_64.screen_base),
};

static void diff_fields(struct diff *d, const struct field *fields, size_t n,
			const struct hv_abi_zone *a, const struct hv_abi_zone *b)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t x, y;

		memcpy(&x, (const char *)a + fields[i].offset, sizeof(x));
		memcpy(&y, (const char *)b + fields[i].offset, sizeof(y));
		change_hex(d, fields[i].name, x, y);
	}
}

#define DIFF_FIELDS(d, fields, a, b)                                                               \
	diff_fields(d, fields, sizeof(fields) / sizeof(fields[0]), a, b)

static void diff_arch(struct diff *d, enum hv_arch arch, const struct hv_abi_zone *a,
		      const struct hv_abi_zone *b)
{
	switch (arch) {
	case HV_ARCH_ARM64:
		if (a->arm64.gic_version != b->arm64.gic_version)
			change(d, "gic", a->arm64.gic_version == 2 ? "v2" : "v3",
			       b->arm64.gic_version == 2 ? "v2" : "v3");
		if (a->arm64.aarch32 != b->arm64.aarch32)
			change(d, "aarch32", a->arm64.aarch32 ? "true" : "false",
			       b->arm64.aarch32 ? "true" : "false");
		DIFF_FIELDS(d, arm64_fields, a, b);
		break;
	case HV_ARCH_RISCV64:
		DIFF_FIELDS(d, riscv64_fields, a, b);
		break;
	case HV_ARCH_X86_64:
		DIFF_FIELDS(d, x86_64_fields, a, b);
		break;
	case HV_ARCH_LOONGARCH64:
		break;
	}
}

/* Field by field: padding is not compared. */
static bool same_ivc(const struct hv_abi_ivc *a, const struct hv_abi_ivc *b)
{
	return a->ivc_id == b->ivc_id && a->peer_id == b->peer_id &&
	       a->control_table_ipa == b->control_table_ipa &&
	       a->shared_mem_ipa == b->shared_mem_ipa && a->rw_sec_size == b->rw_sec_size &&
	       a->out_sec_size == b->out_sec_size && a->interrupt == b->interrupt &&
	       a->max_peers == b->max_peers;
}

static bool same_bus(const struct hv_abi_pci_bus *a, const struct hv_abi_pci_bus *b)
{
	return a->ecam_base == b->ecam_base && a->ecam_size == b->ecam_size &&
	       a->io_base == b->io_base && a->io_size == b->io_size &&
	       a->pci_io_base == b->pci_io_base && a->mem32_base == b->mem32_base &&
	       a->mem32_size == b->mem32_size && a->pci_mem32_base == b->pci_mem32_base &&
	       a->mem64_base == b->mem64_base && a->mem64_size == b->mem64_size &&
	       a->pci_mem64_base == b->pci_mem64_base && a->bus_begin == b->bus_begin &&
	       a->bus_end == b->bus_end && a->domain == b->domain;
}

static bool same_dev(const struct hv_abi_pci_dev *a, const struct hv_abi_pci_dev *b)
{
	return a->domain == b->domain && a->bus == b->bus && a->device == b->device &&
	       a->function == b->function && a->v_bus == b->v_bus && a->v_device == b->v_device &&
	       a->v_function == b->v_function && a->dev_type == b->dev_type;
}

static void diff_lists(struct diff *d, const struct hv_abi_zone *a, const struct hv_abi_zone *b)
{
	bool ivc = a->n_ivc == b->n_ivc, bus = a->n_pci_buses == b->n_pci_buses;
	bool dev = a->n_pci_devs == b->n_pci_devs;
	char from[32], to[32];

	for (uint32_t i = 0; ivc && i < a->n_ivc; i++)
		ivc = same_ivc(&a->ivc[i], &b->ivc[i]);
	for (uint32_t i = 0; bus && i < a->n_pci_buses; i++)
		bus = same_bus(&a->pci_buses[i], &b->pci_buses[i]);
	for (uint32_t i = 0; dev && i < a->n_pci_devs; i++)
		dev = same_dev(&a->pci_devs[i], &b->pci_devs[i]);

	const struct {
		const char *name;
		bool same;
		uint32_t from, to;
	} lists[] = {
		{ "ivc", ivc, a->n_ivc, b->n_ivc },
		{ "pci buses", bus, a->n_pci_buses, b->n_pci_buses },
		{ "pci devices", dev, a->n_pci_devs, b->n_pci_devs },
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (lists[i].same)
			continue;
		snprintf(from, sizeof(from), "%" PRIu32 " entries", lists[i].from);
		snprintf(to, sizeof(to), "%" PRIu32 " entries%s", lists[i].to,
			 lists[i].from == lists[i].to ? ", other ones" : "");
		change(d, lists[i].name, from, to);
	}
}

static void time_text(int64_t ns, char out[64])
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || !strftime(out, 40, "modified %Y-%m-%d %H:%M:%S", &tm))
		snprintf(out, 64, "modified %" PRId64, (int64_t)seconds);
	snprintf(out + strlen(out), 64 - strlen(out), ".%09" PRId64, ns % 1000000000);
}

static void diff_image(struct diff *d, const struct hv_record_image *a,
		       const struct hv_record_image *b)
{
	char from[64], to[64], field[96];

	/* The path first, then what else tells two files apart; one line is enough. */
	if (strcmp(a->path, b->path)) {
		change(d, b->what, a->path, b->path);
	} else if (a->file_size != b->file_size || (a->digest != b->digest && a->size != b->size)) {
		snprintf(from, sizeof(from), "%" PRIu64 " bytes", a->file_size ?: a->size);
		snprintf(to, sizeof(to), "%" PRIu64 " bytes", b->file_size ?: b->size);
		change(d, b->what, from, to);
	} else if (a->mtime_ns != b->mtime_ns) {
		time_text(a->mtime_ns, from);
		time_text(b->mtime_ns, to);
		change(d, b->what, from, to);
	} else if (a->dev != b->dev || a->ino != b->ino) {
		change(d, b->what, "the file as it was", "another file of that name");
	} else if (a->digest != b->digest) {
		change(d, b->what, "contents as they were", "other contents");
	}
	snprintf(field, sizeof(field), "%s address", b->what);
	change_hex(d, field, a->phys, b->phys);
}

/* "dtb x.dtb" and "dtb y.dtb" are the same thing with another file. */
static bool same_role(const struct hv_record_image *a, const struct hv_record_image *b)
{
	size_t x = strcspn(a->what, " "), y = strcspn(b->what, " ");

	if (!strncmp(a->what, "module", 6))
		return !strcmp(a->what, b->what);
	return x == y && !strncmp(a->what, b->what, x);
}

static void diff_images(struct diff *d, const struct hv_record *a, const struct hv_record *b)
{
	bool used[HV_RECORD_IMAGES] = { false };

	for (size_t i = 0; i < b->n_images; i++) {
		size_t k = 0;

		while (k < a->n_images && (used[k] || !same_role(&a->images[k], &b->images[i])))
			k++;
		if (k == a->n_images) {
			change(d, b->images[i].what, "none", b->images[i].path);
			continue;
		}
		used[k] = true;
		diff_image(d, &a->images[k], &b->images[i]);
	}
	for (size_t k = 0; k < a->n_images; k++)
		if (!used[k])
			change(d, a->images[k].what, a->images[k].path, "none");
}

int hv_record_diff(const struct hv_record *old, const struct hv_record *new, struct hv_arena *arena,
		   const struct hv_change **changes, size_t *n, struct hv_err *err)
{
	const struct hv_abi_zone *a = &old->config, *b = &new->config;
	char from[HV_LIST_TEXT], to[HV_LIST_TEXT];
	struct diff d = { .arena = arena };

	if (old->arch != new->arch)
		change(&d, "arch", hv_arch_name(old->arch), hv_arch_name(new->arch));
	else
		diff_arch(&d, new->arch, a, b);
	if (strcmp(a->name, b->name))
		change(&d, "name", a->name, b->name);
	if (a->cpus != b->cpus)
		change(&d, "cpus", hv_cpus_text(a->cpus, from), hv_cpus_text(b->cpus, to));
	diff_regions(&d, a, b);
	diff_irqs(&d, a, b);
	DIFF_FIELDS(&d, common_fields, a, b);
	diff_lists(&d, a, b);
	diff_images(&d, old, new);
	if (d.failed)
		return hv_err_nomem(err);
	*changes = d.items;
	*n = d.n;
	return 0;
}
