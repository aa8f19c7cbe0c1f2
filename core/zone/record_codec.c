// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone/record_codec.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#define MAGIC UINT64_C(0x4345524853564809) /* "\tHVSHREC" */
#define VERSION 2
#define OLD_VERSION 1 /* without life */
#define HEADER_BYTES 16
#define CRC_BYTES 4

/* One walk over the fields serves both directions, so that they cannot differ. */
struct coder {
	bool reading;
	uint8_t *at;
	size_t left;
	const char *bad; /* the first field that was out of bounds */
};

static void fail(struct coder *c, const char *field)
{
	if (!c->bad)
		c->bad = field;
}

static void number(struct coder *c, uint64_t *value, size_t bytes, const char *field)
{
	if (c->bad || c->left < bytes) {
		fail(c, field);
		if (c->reading)
			*value = 0;
		return;
	}
	if (c->reading)
		*value = 0;
	for (size_t i = 0; i < bytes; i++) {
		if (c->reading)
			*value |= (uint64_t)c->at[i] << (8 * i);
		else
			c->at[i] = (uint8_t)(*value >> (8 * i));
	}
	c->at += bytes;
	c->left -= bytes;
}

static void f64(struct coder *c, uint64_t *value, const char *field)
{
	number(c, value, 8, field);
}

static void f32(struct coder *c, uint32_t *value, const char *field)
{
	uint64_t v = *value;

	number(c, &v, 4, field);
	*value = (uint32_t)v;
}

static void f8(struct coder *c, uint8_t *value, const char *field)
{
	uint64_t v = *value;

	number(c, &v, 1, field);
	*value = (uint8_t)v;
}

/* A number from 0 to max; a read one that is larger becomes 0, so that no loop runs over its array.
 */
static uint32_t bounded(struct coder *c, uint32_t value, uint32_t max, const char *field)
{
	f32(c, &value, field);
	if (value > max) {
		fail(c, field);
		return 0;
	}
	return value;
}

static void flag(struct coder *c, bool *value, const char *field)
{
	*value = bounded(c, *value, 1, field);
}

/* A terminated text in an array of cap bytes. */
static void text(struct coder *c, char *value, size_t cap, const char *field)
{
	uint32_t len = c->reading ? 0 : (uint32_t)strnlen(value, cap);

	len = bounded(c, len, (uint32_t)cap - 1, field);
	if (c->bad || c->left < len) {
		fail(c, field);
		return;
	}
	if (c->reading) {
		memcpy(value, c->at, len);
		value[len] = '\0';
		if (strlen(value) != len)
			fail(c, field);
	} else {
		memcpy(c->at, value, len);
	}
	c->at += len;
	c->left -= len;
}

static void code_arm64(struct coder *c, struct hv_abi_arm64 *a)
{
	uint64_t *const numbers[] = {
		&a->gicd_base,	 &a->gicd_size,	      &a->gicc_base,	   &a->gicc_size,
		&a->gicc_offset, &a->gich_base,	      &a->gich_size,	   &a->gicv_base,
		&a->gicv_size,	 &a->gicr_base,	      &a->gicr_size,	   &a->gits_base,
		&a->gits_size,	 &a->memory_map_addr, &a->memory_map_size, &a->sys_map_addr,
	};

	flag(c, &a->aarch32, "aarch32");
	a->gic_version = bounded(c, a->gic_version, 4, "GIC version");
	flag(c, &a->has_uefi, "UEFI flag");
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		f64(c, numbers[i], "GIC and UEFI");
}

static void code_riscv64(struct coder *c, struct hv_abi_riscv64 *r)
{
	f64(c, &r->plic_base, "PLIC");
	f64(c, &r->plic_size, "PLIC");
	f64(c, &r->aplic_base, "APLIC");
	f64(c, &r->aplic_size, "APLIC");
}

static void code_x86_64(struct coder *c, struct hv_abi_x86_64 *x)
{
	uint64_t *const numbers[] = {
		&x->ioapic_base,    &x->ioapic_size,	 &x->kernel_entry_gpa, &x->cmdline_load_gpa,
		&x->setup_load_gpa, &x->initrd_load_gpa, &x->initrd_size,      &x->rsdp_region,
		&x->acpi_region,    &x->uefi_region,	 &x->screen_base,
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		f64(c, numbers[i], "x86_64 boot");
}

static void code_pci_bus(struct coder *c, struct hv_abi_pci_bus *b)
{
	uint64_t *const numbers[] = {
		&b->ecam_base,	 &b->ecam_size,	 &b->io_base,	     &b->io_size,
		&b->pci_io_base, &b->mem32_base, &b->mem32_size,     &b->pci_mem32_base,
		&b->mem64_base,	 &b->mem64_size, &b->pci_mem64_base,
	};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		f64(c, numbers[i], "PCI bus");
	f32(c, &b->bus_begin, "PCI bus");
	f32(c, &b->bus_end, "PCI bus");
	f8(c, &b->domain, "PCI bus");
}

static void code_pci_dev(struct coder *c, struct hv_abi_pci_dev *d)
{
	uint8_t *const numbers[] = { &d->domain, &d->bus,      &d->device,    &d->function,
				     &d->v_bus,	 &d->v_device, &d->v_function };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		f8(c, numbers[i], "PCI device");
	f32(c, &d->dev_type, "PCI device");
}

static void code_ivc(struct coder *c, struct hv_abi_ivc *v)
{
	f32(c, &v->ivc_id, "IVC");
	f32(c, &v->peer_id, "IVC");
	f64(c, &v->control_table_ipa, "IVC");
	f64(c, &v->shared_mem_ipa, "IVC");
	f32(c, &v->rw_sec_size, "IVC");
	f32(c, &v->out_sec_size, "IVC");
	f32(c, &v->interrupt, "IVC");
	f32(c, &v->max_peers, "IVC");
}

static void code_zone(struct coder *c, enum hv_arch arch, struct hv_abi_zone *z)
{
	z->id = bounded(c, z->id, HV_MAX_ZONES - 1, "zone id");
	if (!z->id)
		fail(c, "zone id");
	f64(c, &z->cpus, "cpus");
	text(c, z->name, sizeof(z->name), "name");
	z->n_regions = bounded(c, z->n_regions, HV_MAX_REGIONS, "number of regions");
	for (uint32_t i = 0; i < z->n_regions; i++) {
		struct hv_abi_region *r = &z->regions[i];

		r->type = (enum hv_region_type)bounded(c, r->type, HV_REGION_VIRTIO, "region type");
		f64(c, &r->phys, "region");
		f64(c, &r->ipa, "region");
		f64(c, &r->size, "region");
	}
	z->n_irqs = bounded(c, z->n_irqs, HV_MAX_IRQ, "number of interrupts");
	for (uint32_t i = 0; i < z->n_irqs; i++)
		f32(c, &z->irqs[i], "interrupt");
	z->n_ivc = bounded(c, z->n_ivc, HV_MAX_IVC, "number of IVC channels");
	for (uint32_t i = 0; i < z->n_ivc; i++)
		code_ivc(c, &z->ivc[i]);
	f64(c, &z->entry, "entry");
	f64(c, &z->kernel_phys, "kernel");
	f64(c, &z->kernel_size, "kernel");
	f64(c, &z->dtb_phys, "dtb");
	f64(c, &z->dtb_size, "dtb");
	z->n_pci_buses = bounded(c, z->n_pci_buses, HV_MAX_PCI_BUSES, "number of PCI buses");
	for (uint32_t i = 0; i < z->n_pci_buses; i++)
		code_pci_bus(c, &z->pci_buses[i]);
	z->n_pci_devs = bounded(c, z->n_pci_devs, HV_MAX_PCI_DEVICES, "number of PCI devices");
	for (uint32_t i = 0; i < z->n_pci_devs; i++)
		code_pci_dev(c, &z->pci_devs[i]);
	if (arch == HV_ARCH_ARM64)
		code_arm64(c, &z->arm64);
	else if (arch == HV_ARCH_RISCV64)
		code_riscv64(c, &z->riscv64);
	else if (arch == HV_ARCH_X86_64)
		code_x86_64(c, &z->x86_64);
}

static void code_image(struct coder *c, struct hv_record_image *image)
{
	uint64_t mtime = (uint64_t)image->mtime_ns;

	text(c, image->what, sizeof(image->what), "image");
	text(c, image->path, sizeof(image->path), "image path");
	f64(c, &image->phys, "image");
	f64(c, &image->size, "image");
	f64(c, &image->dev, "image");
	f64(c, &image->ino, "image");
	f64(c, &image->file_size, "image");
	f64(c, &mtime, "image");
	f64(c, &image->digest, "image");
	image->mtime_ns = (int64_t)mtime;
}

static void code_record(struct coder *c, struct hv_record *r, uint32_t version)
{
	uint32_t n;

	r->arch = (enum hv_arch)bounded(c, r->arch, HV_ARCH_COUNT - 1, "architecture");
	f64(c, &r->boot_id[0], "boot id");
	f64(c, &r->boot_id[1], "boot id");
	if (version != OLD_VERSION)
		f64(c, &r->life, "life");
	code_zone(c, r->arch, &r->config);
	n = r->n_images > HV_RECORD_IMAGES ? HV_RECORD_IMAGES + 1 : (uint32_t)r->n_images;
	r->n_images = bounded(c, n, HV_RECORD_IMAGES, "number of images");
	for (size_t i = 0; i < r->n_images; i++)
		code_image(c, &r->images[i]);
}

static uint32_t checksum(const void *bytes, size_t size)
{
	return (uint32_t)crc32(0, bytes, (uInt)size);
}

int hv_record_encode(const struct hv_record *record, void *buf, size_t cap, size_t *size,
		     struct hv_err *err)
{
	struct hv_record copy = *record;
	uint64_t magic = MAGIC;
	uint32_t version = VERSION, length, crc;
	struct coder c = { .at = buf, .left = cap };
	struct coder head = c;

	if (cap < HEADER_BYTES + CRC_BYTES)
		return hv_err_set(err, EINVAL, "no room for a record in %zu bytes", cap);
	c.at += HEADER_BYTES;
	c.left -= HEADER_BYTES + CRC_BYTES;
	code_record(&c, &copy, version);
	if (c.bad)
		return hv_err_set(err, EINVAL, "cannot record zone %" PRIu32 ": bad %s",
				  record->config.id, c.bad);
	length = (uint32_t)(c.at - (uint8_t *)buf - HEADER_BYTES);
	f64(&head, &magic, "magic");
	f32(&head, &version, "version");
	f32(&head, &length, "length");
	crc = checksum(buf, HEADER_BYTES + length);
	c.left += CRC_BYTES;
	f32(&c, &crc, "checksum");
	*size = HEADER_BYTES + length + CRC_BYTES;
	return 0;
}

int hv_record_decode(const void *buf, size_t size, struct hv_record *record, struct hv_err *err)
{
	/* A reading coder leaves the bytes alone. */
	struct coder c = { .reading = true, .at = (uint8_t *)(uintptr_t)buf, .left = size };
	struct coder tail = c;
	uint64_t magic = 0;
	uint32_t version = 0, length = 0, crc = 0;

	f64(&c, &magic, "magic");
	f32(&c, &version, "version");
	f32(&c, &length, "length");
	if (c.bad || magic != MAGIC)
		return hv_err_set(err, EINVAL, "not a record");
	if (version != VERSION && version != OLD_VERSION)
		return hv_err_set(err, EINVAL,
				  "written by another version (format %" PRIu32
				  ", this program knows %d)",
				  version, VERSION);
	if (size < HEADER_BYTES + CRC_BYTES || size > HV_RECORD_BYTES_MAX ||
	    length != size - HEADER_BYTES - CRC_BYTES)
		return hv_err_set(err, EINVAL, "%zu bytes long, its header says otherwise", size);
	tail.at += size - CRC_BYTES;
	tail.left = CRC_BYTES;
	f32(&tail, &crc, "checksum");
	if (crc != checksum(buf, size - CRC_BYTES))
		return hv_err_set(err, EINVAL, "wrong checksum");
	c.left -= CRC_BYTES;
	memset(record, 0, sizeof(*record));
	code_record(&c, record, version);
	if (c.bad)
		return hv_err_set(err, EINVAL, "bad %s", c.bad);
	if (c.left)
		return hv_err_set(err, EINVAL, "%zu bytes too many", c.left);
	return 0;
}
