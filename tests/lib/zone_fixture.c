// SPDX-License-Identifier: GPL-2.0-or-later
#include "zone_fixture.h"

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libfdt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/size.h"
#include "zone/serve.h"

static const struct hv_board_range board_ram = { 0x40000000, 2 * HV_GIB, "ram" };
static const struct hv_board_range root_ram = { 0xa0000000, 512 * HV_MIB, "zone0" };
static const struct hv_board_slots board_slots = { ZF_SLOTS, 0x200, 0x200, 48, 32 };
static const struct hv_sim_ram sim_ram = { 0x40000000, 2 * HV_GIB };

static const struct hv_board board = {
	.name = "test board",
	.arch = HV_ARCH_ARM64,
	.n_cpus = 8,
	.n_ram = 1,
	.ram = &board_ram,
	.hypervisor = { 0x40400000, 0x4400000, "hvisor" },
	.root_cpus = 0x3,
	.n_root_ram = 1,
	.root_ram = &root_ram,
	.n_slots = 1,
	.slots = &board_slots,
	.has_gic = true,
	.gic = { .gic_version = 3,
		 .gicd_base = ZF_GICD,
		 .gicd_size = 0x10000,
		 .gicr_base = ZF_GICR,
		 .gicr_size = 0xf60000 },
	.wakeup_irq = 64,
};

void zf_new_set(struct zf *f)
{
	hv_zone_set_free(f->set);
	hv_findings_free(&f->findings);
	assert_int_equal(hv_zone_set_new(&f->set, NULL), 0);
	assert_int_equal(hv_findings_init(&f->findings), 0);
}

int zf_setup(void **state)
{
	struct hv_sim_opts opts = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 8,
		.root_cpus = 0x3,
		.ram = &sim_ram,
		.n_ram = 1,
		.hypervisor = { 0x40400000, 0x4400000 },
	};
	struct zf *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/hvsh-zone-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->board = board;
	assert_int_equal(hv_hyp_open_sim(&opts, &f->hyp, &f->err), 0);
	assert_int_equal(hv_records_open(NULL, &f->records, &f->err), 0);
	assert_int_equal(hv_host_from_board(&f->board, &f->host, &f->err), 0);
	f->machine = (struct hv_machine){
		.hyp = f->hyp,
		.host = &f->host,
		.records = f->records,
		.board = &f->board,
	};
	zf_new_set(f);
	*state = f;
	return 0;
}

int zf_teardown(void **state)
{
	struct zf *f = *state;
	char command[96];

	hv_zone_set_free(f->set);
	hv_findings_free(&f->findings);
	hv_host_free(&f->host);
	hv_records_close(f->records);
	hv_hyp_close(f->hyp);
	snprintf(command, sizeof(command), "rm -r '%s'", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

static struct hv_origin at_line(const struct hv_zone_spec *z, int line, const char *field)
{
	return (struct hv_origin){ "zones.lua", z->origin.line + line, field };
}

/* Lists of a spec are const and grow rarely: each new element copies the list. */
static void *grow(struct zf *f, const void *old, size_t n, size_t size)
{
	char *copy = hv_arena_array(hv_zone_set_arena(f->set), n + 1, size);

	assert_non_null(copy);
	if (n)
		memcpy(copy, old, n * size);
	return copy;
}

#define GROW(f, list, n) ((list) = grow(f, list, (n)++, sizeof(*(list))))

struct hv_zone_spec *zf_zone(struct zf *f, const char *name, uint32_t id)
{
	struct hv_zone_spec *z = hv_arena_alloc(hv_zone_set_arena(f->set), sizeof(*z));
	char file[64];
	struct zf_tree tree;

	assert_non_null(z);
	z->name = name;
	z->id = id;
	z->arch = HV_ARCH_ARM64;
	z->cpus = UINT64_C(1) << (id + 1);
	z->origin = (struct hv_origin){ "zones.lua", (int)id * 100, name };
	z->id_origin = at_line(z, ZF_ID, "id");
	z->cpus_origin = at_line(z, ZF_CPUS, "cpus");
	z->entry_origin = at_line(z, ZF_ENTRY, "entry");
	z->cmdline_origin = at_line(z, ZF_CMDLINE, "kernel.cmdline");
	z->arch_origin = at_line(z, ZF_ARCH, "gic");
	zf_region(f, z, HV_REGION_RAM, ZF_RAM(id), ZF_RAM_SIZE);
	z->kernel.present = z->dtb.present = true;
	z->kernel.origin = at_line(z, ZF_KERNEL, "kernel");
	z->kernel.at_origin = at_line(z, ZF_KERNEL_AT, "kernel.at");
	z->dtb.origin = z->dtb.at_origin = at_line(z, ZF_DTB, "dtb");
	z->initrd.origin = z->initrd.at_origin = at_line(z, ZF_INITRD, "initrd");
	z->kernel.path = zf_kernel(f, "Image", 8192, 65536);
	snprintf(file, sizeof(file), "zone%" PRIu32 ".dtb", id);
	tree = zf_tree_of(z);
	z->dtb.path = zf_dtb(f, file, &tree);
	assert_int_equal(hv_zone_set_add(f->set, z, NULL), 0);
	return z;
}

struct hv_spec_region *zf_region(struct zf *f, struct hv_zone_spec *z, enum hv_region_type type,
				 uint64_t at, uint64_t size)
{
	struct hv_spec_region *r;
	int line = ZF_REGION + (int)z->n_regions;

	GROW(f, z->regions, z->n_regions);
	r = (struct hv_spec_region *)&z->regions[z->n_regions - 1];
	*r = (struct hv_spec_region){ .type = type, .ipa = at, .phys = at, .size = size };
	r->origin = at_line(z, line, "regions");
	return r;
}

struct hv_spec_irq *zf_irq(struct zf *f, struct hv_zone_spec *z, uint32_t irq)
{
	struct hv_spec_irq *i;

	GROW(f, z->irqs, z->n_irqs);
	i = (struct hv_spec_irq *)&z->irqs[z->n_irqs - 1];
	*i = (struct hv_spec_irq){ irq, at_line(z, ZF_IRQ, "irqs") };
	return i;
}

struct hv_spec_device *zf_device(struct zf *f, struct hv_zone_spec *z, const char *type,
				 const char *name)
{
	int line = ZF_DEVICE + 3 * (int)z->n_devices;
	struct hv_spec_device *d;

	GROW(f, z->devices, z->n_devices);
	d = (struct hv_spec_device *)&z->devices[z->n_devices - 1];
	*d = (struct hv_spec_device){ .type = type, .name = name };
	d->origin = at_line(z, line, "devices");
	d->at_origin = at_line(z, line + 1, "devices.at");
	d->irq_origin = at_line(z, line + 2, "devices.irq");
	return d;
}

void zf_option(struct zf *f, struct hv_spec_device *d, struct hv_spec_option value)
{
	struct hv_arena *arena = hv_zone_set_arena(f->set);
	struct hv_spec_option *options = hv_arena_array(arena, d->n_options + 1, sizeof(*options));

	assert_non_null(options);
	if (d->n_options)
		memcpy(options, d->options, d->n_options * sizeof(*options));
	value.origin = d->origin;
	options[d->n_options++] = value;
	d->options = options;
}

void zf_text(struct zf *f, struct hv_spec_device *d, const char *key, const char *text)
{
	zf_option(f, d,
		  (struct hv_spec_option){ .type = HV_OPT_STRING, .key = key, .string = text });
}

struct hv_spec_image *zf_module(struct zf *f, struct hv_zone_spec *z, const char *name,
				const char *path, uint64_t at)
{
	struct hv_spec_image *m;

	GROW(f, z->modules, z->n_modules);
	m = (struct hv_spec_image *)&z->modules[z->n_modules - 1];
	*m = (struct hv_spec_image){
		.present = true, .name = name, .path = path, .has_at = at, .at = at
	};
	m->origin = m->at_origin = at_line(z, ZF_MODULE, "modules");
	return m;
}

struct hv_spec_pci_dev *zf_pci(struct zf *f, struct hv_zone_spec *z, uint8_t bus, uint8_t device)
{
	struct hv_spec_pci_dev *d;

	GROW(f, z->pci_devs, z->n_pci_devs);
	d = (struct hv_spec_pci_dev *)&z->pci_devs[z->n_pci_devs - 1];
	*d = (struct hv_spec_pci_dev){
		.dev = { .bus = bus, .device = device, .v_bus = bus, .v_device = device }
	};
	d->origin = at_line(z, ZF_PCI, "pci");
	return d;
}

struct hv_spec_ivc *zf_ivc(struct zf *f, struct hv_zone_spec *z, uint32_t id, uint32_t peer)
{
	struct hv_spec_ivc *v;

	GROW(f, z->ivc, z->n_ivc);
	v = (struct hv_spec_ivc *)&z->ivc[z->n_ivc - 1];
	*v = (struct hv_spec_ivc){ .ivc = { .ivc_id = id,
					    .peer_id = peer,
					    .control_table_ipa = 0xb0000000,
					    .shared_mem_ipa = 0xb0001000,
					    .rw_sec_size = 0x1000,
					    .out_sec_size = 0x1000,
					    .interrupt = 65,
					    .max_peers = 2 } };
	v->origin = at_line(z, ZF_IVC, "ivc");
	return v;
}

const char *zf_file(struct zf *f, const char *name, const void *bytes, size_t size)
{
	const char *path = hv_arena_printf(hv_zone_set_arena(f->set), "%s/%s", f->dir, name);
	FILE *file = fopen(path, "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void put64(unsigned char *p, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

const char *zf_kernel(struct zf *f, const char *name, size_t bytes, uint64_t image_size)
{
	unsigned char *b = malloc(bytes);
	const char *path;

	assert_non_null(b);
	for (size_t i = 0; i < bytes; i++)
		b[i] = (unsigned char)(i * 7);
	memset(b, 0, 64);
	put64(b + 16, image_size);
	put64(b + 24, 0xa);
	memcpy(b + 56, "ARM\x64", 4);
	path = zf_file(f, name, b, bytes);
	free(b);
	return path;
}

const char *zf_elf(struct zf *f, const char *name, unsigned int machine, uint64_t addr,
		   uint64_t mem_size)
{
	unsigned char b[0x1000 + 0x100] = { 0 };
	Elf64_Ehdr e = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			     EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = (Elf64_Half)machine,
		.e_version = EV_CURRENT,
		.e_entry = addr,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Phdr p = {
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = 0x1000,
		.p_vaddr = addr,
		.p_paddr = addr,
		.p_filesz = 0x100,
		.p_memsz = mem_size,
		.p_align = 0x1000,
	};

	memcpy(b, &e, sizeof(e));
	memcpy(b + sizeof(e), &p, sizeof(p));
	memset(b + 0x1000, 0x5a, 0x100);
	return zf_file(f, name, b, sizeof(b));
}

struct zf_tree zf_tree_of(const struct hv_zone_spec *z)
{
	return (struct zf_tree){
		.mem_start = z->regions[0].ipa,
		.mem_size = z->regions[0].size,
		.n_cpus = 1,
		.gic = 3,
		.gicd = ZF_GICD,
		.gicr = ZF_GICR,
		.bootargs = "console=hvc0",
	};
}

static void reg_prop(void *b, uint64_t start, uint64_t size, uint64_t start2, uint64_t size2)
{
	fdt64_t reg[4] = { cpu_to_fdt64(start), cpu_to_fdt64(size), cpu_to_fdt64(start2),
			   cpu_to_fdt64(size2) };

	fdt_property(b, "reg", reg, size2 ? 32 : 16);
}

static void spi_prop(void *b, uint32_t irq)
{
	fdt32_t cells[3] = { cpu_to_fdt32(0), cpu_to_fdt32(irq - 32), cpu_to_fdt32(1) };

	fdt_property(b, "interrupts", cells, sizeof(cells));
}

static void tree_nodes(void *b, const struct zf_tree *t)
{
	char name[64];

	fdt_begin_node(b, "cpus");
	fdt_property_u32(b, "#address-cells", 1);
	fdt_property_u32(b, "#size-cells", 0);
	for (unsigned int i = 0; i < t->n_cpus; i++) {
		snprintf(name, sizeof(name), "cpu@%u", i);
		fdt_begin_node(b, name);
		fdt_property_string(b, "device_type", "cpu");
		fdt_property_string(b, "compatible", "arm,cortex-a72");
		fdt_property_u32(b, "reg", i);
		fdt_end_node(b);
	}
	fdt_end_node(b);
	if (t->gic) {
		snprintf(name, sizeof(name), "intc@%" PRIx64, t->gicd);
		fdt_begin_node(b, name);
		fdt_property_string(b, "compatible",
				    t->gic == 2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
		fdt_property(b, "interrupt-controller", NULL, 0);
		fdt_property_u32(b, "#interrupt-cells", 3);
		fdt_property_u32(b, "#address-cells", 2);
		fdt_property_u32(b, "#size-cells", 2);
		fdt_property(b, "ranges", NULL, 0);
		fdt_property_u32(b, "phandle", 1);
		reg_prop(b, t->gicd, 0x10000, t->gicr, 0xf60000);
		if (t->its) {
			fdt_begin_node(b, "its@8080000");
			fdt_property_string(b, "compatible", "arm,gic-v3-its");
			fdt_property(b, "msi-controller", NULL, 0);
			reg_prop(b, 0x8080000, 0x20000, 0, 0);
			fdt_end_node(b);
		}
		fdt_end_node(b);
	}
	if (t->mem_size) {
		snprintf(name, sizeof(name), "memory@%" PRIx64, t->mem_start);
		fdt_begin_node(b, name);
		fdt_property_string(b, "device_type", "memory");
		reg_prop(b, t->mem_start, t->mem_size, 0, 0);
		fdt_end_node(b);
	}
	for (unsigned int i = 0; i < t->n_virtio; i++) {
		snprintf(name, sizeof(name), "virtio_mmio@%" PRIx64, t->virtio[i].at);
		fdt_begin_node(b, name);
		fdt_property_string(b, "compatible", "virtio,mmio");
		reg_prop(b, t->virtio[i].at, 0x200, 0, 0);
		spi_prop(b, t->virtio[i].irq);
		fdt_end_node(b);
	}
	if (t->uart_irq) {
		fdt_begin_node(b, "pl011@9000000");
		fdt_property_string(b, "compatible", "arm,pl011");
		reg_prop(b, 0x9000000, 0x1000, 0, 0);
		spi_prop(b, t->uart_irq);
		fdt_end_node(b);
	}
	if (t->ivc_irq) {
		fdt_begin_node(b, "hvisor_ivc_device");
		spi_prop(b, t->ivc_irq);
		fdt_end_node(b);
	}
	fdt_begin_node(b, "chosen");
	if (t->bootargs)
		fdt_property_string(b, "bootargs", t->bootargs);
	if (t->initrd_end) {
		fdt_property_u64(b, "linux,initrd-start", t->initrd_start);
		fdt_property_u64(b, "linux,initrd-end", t->initrd_end);
	}
	fdt_end_node(b);
}

const char *zf_dtb(struct zf *f, const char *name, const struct zf_tree *tree)
{
	static char blob[16384];

	assert_int_equal(fdt_create(blob, sizeof(blob)), 0);
	fdt_finish_reservemap(blob);
	fdt_begin_node(blob, "");
	fdt_property_string(blob, "compatible", "test,board");
	fdt_property_u32(blob, "#address-cells", 2);
	fdt_property_u32(blob, "#size-cells", 2);
	if (tree->gic)
		fdt_property_u32(blob, "interrupt-parent", 1);
	tree_nodes(blob, tree);
	fdt_end_node(blob);
	assert_int_equal(fdt_finish(blob), 0);
	return zf_file(f, name, blob, fdt_totalsize(blob));
}

/* ---- checking */

static void print_findings(const struct zf *f)
{
	char a[HV_ORIGIN_TEXT], b[HV_ORIGIN_TEXT];

	for (size_t i = 0; i < f->findings.n; i++) {
		const struct hv_finding *x = &f->findings.items[i];

		print_message("  %s %s: %s | %s %s (%s) | %s %s (%s) | fix: %s\n",
			      hv_severity_name(x->severity), x->code, x->message, x->a.zone ?: "-",
			      x->a.what ?: "-", hv_origin_format(&x->a.origin, a), x->b.zone ?: "-",
			      x->b.what ?: "-", hv_origin_format(&x->b.origin, b), x->fix ?: "-");
	}
}

void zf_check(struct zf *f)
{
	hv_findings_free(&f->findings);
	assert_int_equal(hv_findings_init(&f->findings), 0);
	if (hv_zone_set_check(f->set, &f->machine, &f->findings, &f->err))
		fail_msg("the check failed: %s", f->err.msg);
	if (getenv("HVSH_TEST_SHOW"))
		print_findings(f);
}

const struct hv_finding *zf_find(struct zf *f, const char *code)
{
	for (size_t i = 0; i < f->findings.n; i++)
		if (!strcmp(f->findings.items[i].code, code))
			return &f->findings.items[i];
	print_findings(f);
	fail_msg("no finding %s", code);
	return NULL;
}

void zf_expect(struct zf *f, enum hv_severity severity, const char *code, const char *part,
	       const char *zone, const char *what, int line)
{
	const struct hv_finding *x;
	size_t errors = severity == HV_ERROR, warnings = severity == HV_WARNING;
	char number[16];

	zf_check(f);
	x = zf_find(f, code);
	if (f->findings.n_errors != errors ||
	    (severity < HV_ERROR && f->findings.n_warnings != warnings)) {
		print_findings(f);
		fail_msg("%zu errors and %zu warnings where only %s belongs", f->findings.n_errors,
			 f->findings.n_warnings, code);
	}
	assert_int_equal(x->severity, severity);
	if (!strstr(x->message, part))
		fail_msg("\"%s\" lacks \"%s\"", x->message, part);
	if (zone)
		assert_string_equal(x->a.zone, zone);
	else
		assert_null(x->a.zone);
	if (what)
		assert_string_equal(x->a.what, what);
	snprintf(number, sizeof(number), "%d", x->a.origin.line);
	if (x->a.origin.line != line)
		fail_msg("%s is said of line %s, not %d", code, number, line);
	if (line)
		assert_string_equal(x->a.origin.file, "zones.lua");
}

void zf_expect_other(struct zf *f, const char *code, const char *zone, const char *what, int line)
{
	const struct hv_finding *x = zf_find(f, code);

	assert_non_null(x->b.zone);
	assert_string_equal(x->b.zone, zone);
	assert_string_equal(x->b.what, what);
	assert_int_equal(x->b.origin.line, line);
}

void zf_expect_fix(struct zf *f, const char *code, const char *part)
{
	const struct hv_finding *x = zf_find(f, code);

	if (!x->fix || !strstr(x->fix, part))
		fail_msg("the fix \"%s\" lacks \"%s\"", x->fix ?: "(none)", part);
}

void zf_expect_clean(struct zf *f)
{
	zf_check(f);
	if (f->findings.n_errors || f->findings.n_warnings) {
		print_findings(f);
		fail_msg("findings where none belong");
	}
}

int zf_apply(struct zf *f, unsigned int flags)
{
	struct hv_plan *plan = NULL;
	int ret;

	zf_check(f);
	ret = hv_plan_make(f->set, &f->machine, NULL, 0, flags, &plan, &f->err);
	if (!ret)
		ret = hv_plan_apply(plan, &f->machine, NULL, NULL, &f->err);
	hv_plan_free(plan);
	return ret;
}

size_t zf_running(struct zf *f)
{
	struct hv_zone_info list[HV_MAX_ZONES];
	int n = hv_hyp_zone_list(f->hyp, list, HV_MAX_ZONES, &f->err);

	assert_true(n >= 1);
	return (size_t)n - 1;
}

void zf_fill(struct zf *f, unsigned int n)
{
	static const struct hv_spec_device rng[ZF_FILL_MAX] = {
		{ .type = "rng", .name = "a" }, { .type = "rng", .name = "b" },
		{ .type = "rng", .name = "c" }, { .type = "rng", .name = "d" },
		{ .type = "rng", .name = "e" }, { .type = "rng", .name = "f" },
		{ .type = "rng", .name = "g" },
	};
	struct hv_vzone_ram ram = { ZF_RAM(3), ZF_RAM(3), 0x10000 };
	struct hv_device_slot slots[ZF_FILL_MAX];
	const struct hv_serve_zone full = {
		.id = 3, .name = "full", .n_ram = 1, .ram = &ram, .n_slots = n, .slots = slots
	};

	for (unsigned int i = 0; i < n; i++)
		slots[i] = (struct hv_device_slot){
			.spec = &rng[i],
			.at = ZF_SLOTS + 0x200 * (uint64_t)i,
			.size = 0x200,
			.irq = 48 + i,
		};
	assert_int_equal(hv_serve_open(f->machine.serve, &full, &f->err), 0);
	assert_int_equal(hv_serve_attach(f->machine.serve, 3, &f->err), 0);
}
