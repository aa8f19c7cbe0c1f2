// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/bind.h"

#include <string.h>

#include "virtio/dev/net.h"

/* Zones with everything decided: what hvisor is told and what is loaded where, as tables. */

struct number {
	const char *key;
	uint64_t value;
};

static void push_numbers(lua_State *L, const struct number *list, size_t n)
{
	lua_createtable(L, 0, (int)n + 2);
	for (size_t i = 0; i < n; i++)
		hv_bind_field_int(L, list[i].key, (lua_Integer)list[i].value);
}
#define PUSH_NUMBERS(L, list) push_numbers(L, list, sizeof(list) / sizeof((list)[0]))

/* For the table below the one on top. */
static void add_entry(lua_State *L)
{
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static void push_regions(lua_State *L, const struct hv_zone *zone)
{
	lua_createtable(L, (int)zone->abi.n_regions, 0);
	for (uint32_t i = 0; i < zone->abi.n_regions; i++) {
		const struct hv_abi_region *r = &zone->abi.regions[i];
		const struct number numbers[] = {
			{ "at", r->ipa },
			{ "phys", r->phys },
			{ "size", r->size },
		};

		PUSH_NUMBERS(L, numbers);
		hv_bind_field(L, "type", hv_region_type_name(r->type));
		if (i < zone->spec->n_regions) {
			hv_bind_field(L, "name", zone->spec->regions[i].name);
			lua_pushboolean(L, zone->spec->regions[i].shared);
			lua_setfield(L, -2, "shared");
		}
		add_entry(L);
	}
	lua_setfield(L, -2, "regions");
}

static void push_irqs(lua_State *L, const struct hv_abi_zone *abi)
{
	lua_createtable(L, (int)abi->n_irqs, 0);
	for (uint32_t i = 0; i < abi->n_irqs; i++) {
		lua_pushinteger(L, abi->irqs[i]);
		add_entry(L);
	}
	lua_setfield(L, -2, "irqs");
}

/* The address a network has, given or not. */
static void push_mac(lua_State *L, const struct hv_zone *zone, const struct hv_spec_device *spec)
{
	const struct hv_spec_option *given = hv_spec_option(spec, "mac");
	char text[HV_MAC_TEXT];
	uint8_t mac[6];

	if (given) {
		hv_bind_field(L, "mac", given->string);
		return;
	}
	lua_pushfstring(L, "%s/%s", zone->spec->name, spec->name);
	hv_mac_derive(lua_tostring(L, -1), mac);
	lua_pop(L, 1);
	hv_bind_field(L, "mac", hv_mac_format(mac, text));
}

static void push_devices(lua_State *L, const struct hv_zone *zone)
{
	lua_createtable(L, (int)zone->n_devices, 0);
	for (size_t i = 0; i < zone->n_devices; i++) {
		const struct hv_device_slot *d = &zone->devices[i];
		const struct number numbers[] = {
			{ "at", d->at },
			{ "size", d->size },
			{ "irq", d->irq },
		};

		PUSH_NUMBERS(L, numbers);
		hv_bind_field(L, "type", d->spec->type);
		hv_bind_field(L, "name", d->spec->name);
		if (!strcmp(d->spec->type, "net"))
			push_mac(L, zone, d->spec);
		add_entry(L);
	}
	lua_setfield(L, -2, "devices");
}

static const char *role_of(const struct hv_zone *zone, const struct hv_placement *p)
{
	const struct hv_zone_spec *spec = zone->spec;

	if (p->kind == HV_PLACE_TEXT)
		return "cmdline";
	if (p->kind == HV_PLACE_KERNEL)
		return "kernel";
	if (p->kind == HV_PLACE_DTB)
		return "dtb";
	if (p->spec == &spec->x86.boot)
		return "boot";
	if (p->spec == &spec->x86.setup)
		return "setup";
	return p->kind == HV_PLACE_INITRD || p->spec == &spec->x86.initrd ? "initrd" : "module";
}

/* What is loaded: {role, what, path, ipa, phys, size, format, gzip} or, written as it is, bytes. */
static void push_images(lua_State *L, const struct hv_zone *zone)
{
	static const char *const formats[] = {
		[HV_IMAGE_AUTO] = "auto",   [HV_IMAGE_RAW] = "raw", [HV_IMAGE_ELF] = "elf",
		[HV_IMAGE_LINUX] = "linux", [HV_IMAGE_DTB] = "dtb",
	};

	lua_createtable(L, (int)zone->n_placements, 0);
	for (size_t i = 0; i < zone->n_placements; i++) {
		const struct hv_placement *p = &zone->placements[i];
		const struct number numbers[] = {
			{ "ipa", p->ipa },
			{ "phys", p->phys },
			{ "size", p->size },
		};

		PUSH_NUMBERS(L, numbers);
		hv_bind_field(L, "role", role_of(zone, p));
		hv_bind_field(L, "what", p->what);
		if (p->spec) {
			hv_bind_field(L, "path", p->spec->path);
			hv_bind_field(L, "name", p->spec->name);
		}
		if (p->image) {
			const struct hv_image_info *info = hv_image_info(p->image);

			hv_bind_field(L, "format", formats[info->format]);
			lua_pushboolean(L, info->gzip);
			lua_setfield(L, -2, "gzip");
		} else if (p->bytes) {
			lua_pushlstring(L, p->bytes, (size_t)p->size);
			lua_setfield(L, -2, "bytes");
		}
		add_entry(L);
	}
	lua_setfield(L, -2, "images");
}

static void push_pci(lua_State *L, const struct hv_abi_zone *abi)
{
	lua_createtable(L, (int)abi->n_pci_buses, 0);
	for (uint32_t i = 0; i < abi->n_pci_buses; i++) {
		const struct hv_abi_pci_bus *b = &abi->pci_buses[i];
		const struct number numbers[] = {
			{ "ecam_base", b->ecam_base },
			{ "ecam_size", b->ecam_size },
			{ "io_base", b->io_base },
			{ "io_size", b->io_size },
			{ "pci_io_base", b->pci_io_base },
			{ "mem32_base", b->mem32_base },
			{ "mem32_size", b->mem32_size },
			{ "pci_mem32_base", b->pci_mem32_base },
			{ "mem64_base", b->mem64_base },
			{ "mem64_size", b->mem64_size },
			{ "pci_mem64_base", b->pci_mem64_base },
			{ "bus_begin", b->bus_begin },
			{ "bus_end", b->bus_end },
			{ "domain", b->domain },
		};

		PUSH_NUMBERS(L, numbers);
		add_entry(L);
	}
	lua_setfield(L, -2, "pci_buses");
	lua_createtable(L, (int)abi->n_pci_devs, 0);
	for (uint32_t i = 0; i < abi->n_pci_devs; i++) {
		const struct hv_abi_pci_dev *d = &abi->pci_devs[i];
		const struct number numbers[] = {
			{ "domain", d->domain },	 { "bus", d->bus },
			{ "device", d->device },	 { "function", d->function },
			{ "v_bus", d->v_bus },		 { "v_device", d->v_device },
			{ "v_function", d->v_function }, { "dev_type", d->dev_type },
		};

		PUSH_NUMBERS(L, numbers);
		add_entry(L);
	}
	lua_setfield(L, -2, "pci_devices");
}

static void push_ivc(lua_State *L, const struct hv_abi_zone *abi)
{
	lua_createtable(L, (int)abi->n_ivc, 0);
	for (uint32_t i = 0; i < abi->n_ivc; i++) {
		const struct hv_abi_ivc *ivc = &abi->ivc[i];
		const struct number numbers[] = {
			{ "id", ivc->ivc_id },
			{ "peer", ivc->peer_id },
			{ "control", ivc->control_table_ipa },
			{ "shared", ivc->shared_mem_ipa },
			{ "rw_size", ivc->rw_sec_size },
			{ "out_size", ivc->out_sec_size },
			{ "irq", ivc->interrupt },
			{ "peers", ivc->max_peers },
		};

		PUSH_NUMBERS(L, numbers);
		add_entry(L);
	}
	lua_setfield(L, -2, "ivc");
}

static void push_arm64(lua_State *L, const struct hv_abi_arm64 *a)
{
	const struct number gic[] = {
		{ "version", a->gic_version }, { "gicd_base", a->gicd_base },
		{ "gicd_size", a->gicd_size }, { "gicc_base", a->gicc_base },
		{ "gicc_size", a->gicc_size }, { "gicc_offset", a->gicc_offset },
		{ "gich_base", a->gich_base }, { "gich_size", a->gich_size },
		{ "gicv_base", a->gicv_base }, { "gicv_size", a->gicv_size },
		{ "gicr_base", a->gicr_base }, { "gicr_size", a->gicr_size },
		{ "gits_base", a->gits_base }, { "gits_size", a->gits_size },
	};
	const struct number uefi[] = {
		{ "memory_map_addr", a->memory_map_addr },
		{ "memory_map_size", a->memory_map_size },
		{ "sys_map_addr", a->sys_map_addr },
	};

	PUSH_NUMBERS(L, gic);
	lua_setfield(L, -2, "gic");
	lua_pushboolean(L, a->aarch32);
	lua_setfield(L, -2, "aarch32");
	if (!a->has_uefi)
		return;
	PUSH_NUMBERS(L, uefi);
	lua_setfield(L, -2, "uefi");
}

static void push_arch(lua_State *L, const struct hv_zone *zone)
{
	const struct hv_abi_riscv64 *rv = &zone->abi.riscv64;
	const struct hv_abi_x86_64 *x = &zone->abi.x86_64;

	if (zone->spec->arch == HV_ARCH_ARM64) {
		push_arm64(L, &zone->abi.arm64);
	} else if (zone->spec->arch == HV_ARCH_RISCV64) {
		const struct number numbers[] = {
			{ "plic_base", rv->plic_base },
			{ "plic_size", rv->plic_size },
			{ "aplic_base", rv->aplic_base },
			{ "aplic_size", rv->aplic_size },
		};

		PUSH_NUMBERS(L, numbers);
		lua_setfield(L, -2, "plic");
	} else if (zone->spec->arch == HV_ARCH_X86_64) {
		const struct number numbers[] = {
			{ "ioapic_base", x->ioapic_base },
			{ "ioapic_size", x->ioapic_size },
			{ "kernel_entry_gpa", x->kernel_entry_gpa },
			{ "cmdline_load_gpa", x->cmdline_load_gpa },
			{ "setup_load_gpa", x->setup_load_gpa },
			{ "initrd_load_gpa", x->initrd_load_gpa },
			{ "rsdp_memory_region_id", x->rsdp_region },
			{ "acpi_memory_region_id", x->acpi_region },
			{ "uefi_memory_region_id", x->uefi_region },
			{ "screen_base", x->screen_base },
		};

		PUSH_NUMBERS(L, numbers);
		lua_setfield(L, -2, "x86");
	}
}

static void push_zone(lua_State *L, const struct hv_zone *zone)
{
	const struct number numbers[] = {
		{ "id", zone->abi.id },
		{ "entry", zone->abi.entry },
		{ "kernel_phys", zone->abi.kernel_phys },
		{ "dtb_phys", zone->abi.dtb_phys },
	};

	PUSH_NUMBERS(L, numbers);
	hv_bind_field(L, "name", zone->spec->name);
	hv_bind_field(L, "arch", hv_arch_name(zone->spec->arch));
	hv_bind_push_cpus(L, zone->abi.cpus);
	lua_setfield(L, -2, "cpus");
	push_regions(L, zone);
	push_irqs(L, &zone->abi);
	push_devices(L, zone);
	push_images(L, zone);
	push_pci(L, &zone->abi);
	push_ivc(L, &zone->abi);
	push_arch(L, zone);
}

/*
 * resolve(specs) -> zones | nil, message, code[, findings]. Zones without errors, each decided to
 * the last address, as they would be started; nothing that runs plays a part.
 */
static int resolve(lua_State *L)
{
	struct hv_machine machine;
	struct hv_bind_set *s;
	struct hv_err err;

	lua_settop(L, 1);
	s = hv_bind_set_new(L, 1, &err);
	if (!s || hv_bind_set_run_check(L, s, HV_NEED_MAYBE, &machine, &err) < 0)
		return hv_bind_fail(L, &err);
	if (s->findings.n_errors > 0) {
		hv_bind_refuse(&s->findings, &err);
		hv_bind_fail(L, &err);
		hv_bind_push_findings(L, &s->findings);
		return 4;
	}
	luaL_checkstack(L, 8, NULL);
	lua_createtable(L, (int)hv_zone_set_count(s->set), 0);
	for (size_t i = 0; i < hv_zone_set_count(s->set); i++) {
		push_zone(L, hv_zone_set_at(s->set, i));
		add_entry(L);
	}
	return 1;
}

void hv_bind_zone(lua_State *L)
{
	lua_pushcfunction(L, resolve);
	lua_setfield(L, -2, "resolve");
}
