// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/spec.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "lua/spec_read.h"

static void get_regions(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	static const enum hv_region_type types[] = { HV_REGION_RAM, HV_REGION_IO,
						     HV_REGION_VIRTIO };
	struct hv_spec_region *regions;
	size_t i, n;
	int list;

	if (!hv_read_push_table(r, t, "regions"))
		return;
	list = lua_gettop(r->L);
	n = lua_rawlen(r->L, list);
	regions = hv_read_array(r, n, sizeof(*regions));
	for (i = 0; i < n; i++) {
		int e = hv_read_push_entry(r, list, i);
		const char *type = hv_read_text(r, e, "type");
		size_t k;

		for (k = 0; k < sizeof(types) / sizeof(types[0]); k++)
			if (type && !strcmp(type, hv_region_type_name(types[k])))
				regions[i].type = types[k];
		hv_read_u64(r, e, "at", &regions[i].ipa);
		hv_read_u64(r, e, "phys", &regions[i].phys);
		hv_read_u64(r, e, "size", &regions[i].size);
		regions[i].shared = hv_read_bool(r, e, "shared");
		regions[i].name = hv_read_text(r, e, "name");
		regions[i].origin = hv_read_origin(r, e, "at");
		/* The region as a whole: "ram[2]" rather than "ram[2].at". */
		if (regions[i].origin.field) {
			char *dot = (char *)strrchr(regions[i].origin.field, '.');

			if (dot)
				*dot = '\0';
		}
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	spec->regions = regions;
	spec->n_regions = n;
}

static void get_irqs(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	struct hv_spec_irq *irqs;
	size_t i, n;
	int list;

	if (!hv_read_push_table(r, t, "irqs"))
		return;
	list = lua_gettop(r->L);
	n = lua_rawlen(r->L, list);
	irqs = hv_read_array(r, n, sizeof(*irqs));
	for (i = 0; i < n; i++) {
		int64_t number;

		lua_rawgeti(r->L, list, (lua_Integer)i + 1);
		number = hv_read_integer_at(r, -1);
		if (number < 0 || number > UINT32_MAX)
			luaL_error(r->L, "spec: interrupt out of range");
		irqs[i].number = (uint32_t)number;
		irqs[i].origin = hv_read_origin_at(r, list, i);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	spec->irqs = irqs;
	spec->n_irqs = n;
}

static enum hv_image_format format_of(struct hv_reader *r, int t)
{
	static const struct {
		const char *name;
		enum hv_image_format format;
	} formats[] = {
		{ "auto", HV_IMAGE_AUTO },
		{ "raw", HV_IMAGE_RAW },
		{ "elf", HV_IMAGE_ELF },
		{ "linux", HV_IMAGE_LINUX },
	};
	const char *name = hv_read_text(r, t, "format");
	size_t i;

	for (i = 0; name && i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(name, formats[i].name))
			return formats[i].format;
	return HV_IMAGE_AUTO;
}

/* The image table at t, which stands at holder[key]. */
static void read_image(struct hv_reader *r, int t, struct hv_origin where,
		       struct hv_spec_image *image)
{
	image->present = true;
	image->name = hv_read_text(r, t, "name");
	if (hv_read_push(r, t, "image")) {
		if (lua_type(r->L, -1) == LUA_TSTRING)
			image->path = hv_read_text_at(r, -1);
		lua_pop(r->L, 1);
	}
	image->format = format_of(r, t);
	image->has_at = hv_read_u64(r, t, "at", &image->at);
	image->has_phys = hv_read_u64(r, t, "phys", &image->phys);
	image->origin = where;
	image->at_origin = image->has_phys ? hv_read_origin(r, t, "phys")
			   : image->has_at ? hv_read_origin(r, t, "at")
					   : where;
}

static bool get_image(struct hv_reader *r, int t, const char *key, struct hv_spec_image *image)
{
	if (!hv_read_push_table(r, t, key))
		return false;
	read_image(r, lua_gettop(r->L), hv_read_origin(r, t, key), image);
	lua_pop(r->L, 1);
	return true;
}

static void get_modules(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	struct hv_spec_image *modules;
	size_t i, n;
	int list;

	if (!hv_read_push_table(r, t, "modules"))
		return;
	list = lua_gettop(r->L);
	n = lua_rawlen(r->L, list);
	modules = hv_read_array(r, n, sizeof(*modules));
	for (i = 0; i < n; i++) {
		int e = hv_read_push_entry(r, list, i);

		read_image(r, e, hv_read_origin_at(r, list, i), &modules[i]);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	spec->modules = modules;
	spec->n_modules = n;
}

static int by_key(const void *a, const void *b)
{
	const struct hv_spec_option *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* The list on top of the stack: texts, or integers. */
static void read_list(struct hv_reader *r, struct hv_spec_option *option)
{
	lua_State *L = r->L;
	size_t n = lua_rawlen(L, -1);
	const char **strings = NULL;
	int64_t *ints = NULL;

	option->type = lua_rawgeti(L, -1, 1) == LUA_TSTRING ? HV_OPT_STRINGS : HV_OPT_INTS;
	lua_pop(L, 1);
	if (option->type == HV_OPT_STRINGS)
		strings = hv_read_array(r, n, sizeof(*strings));
	else
		ints = hv_read_array(r, n, sizeof(*ints));
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -1, (lua_Integer)i + 1);
		if (strings)
			strings[i] = hv_read_need(r, hv_read_text_at(r, -1));
		else
			ints[i] = hv_read_integer_at(r, -1);
		lua_pop(L, 1);
	}
	option->n_strings = strings ? n : 0;
	option->strings = strings;
	option->n_ints = ints ? n : 0;
	option->ints = ints;
}

/* The value on top of the stack. */
static void read_option(struct hv_reader *r, struct hv_spec_option *option)
{
	lua_State *L = r->L;

	switch (lua_type(L, -1)) {
	case LUA_TSTRING:
		option->type = HV_OPT_STRING;
		option->string = hv_read_text_at(r, -1);
		break;
	case LUA_TBOOLEAN:
		option->type = HV_OPT_BOOL;
		option->boolean = lua_toboolean(L, -1);
		break;
	case LUA_TTABLE:
		read_list(r, option);
		break;
	default:
		option->type = HV_OPT_INT;
		option->integer = hv_read_integer_at(r, -1);
	}
}

static void get_options(struct hv_reader *r, int t, struct hv_spec_device *device)
{
	struct hv_spec_option *options;
	size_t n = 0;
	int o;

	if (!hv_read_push_table(r, t, "options"))
		return;
	o = lua_gettop(r->L);
	for (lua_pushnil(r->L); lua_next(r->L, o); lua_pop(r->L, 1))
		n++;
	options = hv_read_array(r, n, sizeof(*options));
	n = 0;
	for (lua_pushnil(r->L); lua_next(r->L, o); lua_pop(r->L, 1)) {
		options[n].key = hv_read_text_at(r, -2);
		options[n].origin = hv_read_origin(r, o, options[n].key);
		read_option(r, &options[n++]);
	}
	if (n)
		qsort(options, n, sizeof(*options), by_key);
	lua_pop(r->L, 1);
	device->options = options;
	device->n_options = n;
}

static void get_devices(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	struct hv_spec_device *devices;
	size_t i, n, used = 0;
	int list;

	if (!hv_read_push_table(r, t, "devices"))
		return;
	list = lua_gettop(r->L);
	n = lua_rawlen(r->L, list);
	devices = hv_read_array(r, n, sizeof(*devices));
	for (i = 0; i < n; i++) {
		int e = hv_read_push_entry(r, list, i);
		struct hv_spec_device *device = &devices[used];
		bool disabled = false;

		if (hv_read_push(r, e, "enabled")) {
			disabled = !lua_toboolean(r->L, -1);
			lua_pop(r->L, 1);
		}
		if (!disabled) {
			char *path;

			used++;
			device->type = hv_read_need(r, hv_read_text(r, e, "type"));
			device->name = hv_read_need(r, hv_read_text(r, e, "name"));
			path = hv_read_need(r,
					    hv_arena_printf(r->arena, "devices.%s", device->name));
			device->origin = hv_read_origin_of(r, path);
			device->has_at = hv_read_u64(r, e, "at", &device->at);
			device->at_origin =
				device->has_at ? hv_read_origin(r, e, "at") : device->origin;
			hv_read_u64(r, e, "size", &device->size);
			device->has_irq = hv_read_u32(r, e, "irq", &device->irq);
			device->irq_origin =
				device->has_irq ? hv_read_origin(r, e, "irq") : device->origin;
			get_options(r, e, device);
		}
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	spec->devices = devices;
	spec->n_devices = used;
}

static void get_pci_window(struct hv_reader *r, int t, const char *key, uint64_t *base,
			   uint64_t *size, uint64_t *pci)
{
	if (!hv_read_push_table(r, t, key))
		return;
	hv_read_u64(r, lua_gettop(r->L), "at", base);
	hv_read_u64(r, lua_gettop(r->L), "size", size);
	hv_read_u64(r, lua_gettop(r->L), "pci", pci);
	lua_pop(r->L, 1);
}

static void read_pci_bus(struct hv_reader *r, int t, struct hv_abi_pci_bus *bus)
{
	hv_read_window(r, t, "ecam", &bus->ecam_base, &bus->ecam_size);
	get_pci_window(r, t, "io", &bus->io_base, &bus->io_size, &bus->pci_io_base);
	get_pci_window(r, t, "mem32", &bus->mem32_base, &bus->mem32_size, &bus->pci_mem32_base);
	get_pci_window(r, t, "mem64", &bus->mem64_base, &bus->mem64_size, &bus->pci_mem64_base);
	if (hv_read_push_table(r, t, "bus_range")) {
		uint32_t *ends[2] = { &bus->bus_begin, &bus->bus_end };
		int i;

		for (i = 0; i < 2; i++) {
			lua_rawgeti(r->L, -1, i + 1);
			*ends[i] = (uint32_t)hv_read_integer_at(r, -1);
			lua_pop(r->L, 1);
		}
		lua_pop(r->L, 1);
	}
	bus->domain = hv_read_u8(r, t, "domain");
}

static void read_pci_device(struct hv_reader *r, int t, struct hv_abi_pci_dev *dev)
{
	dev->domain = hv_read_u8(r, t, "domain");
	hv_read_u32(r, t, "type", &dev->dev_type);
	if (hv_read_push_table(r, t, "at")) {
		int a = lua_gettop(r->L);

		dev->bus = hv_read_u8(r, a, "bus");
		dev->device = hv_read_u8(r, a, "device");
		dev->function = hv_read_u8(r, a, "func");
		lua_pop(r->L, 1);
	}
	if (hv_read_push_table(r, t, "as")) {
		int a = lua_gettop(r->L);

		dev->v_bus = hv_read_u8(r, a, "bus");
		dev->v_device = hv_read_u8(r, a, "device");
		dev->v_function = hv_read_u8(r, a, "func");
		lua_pop(r->L, 1);
	}
}

static void get_pci(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	struct hv_spec_pci_bus *buses = NULL;
	struct hv_spec_pci_dev *devs = NULL;
	size_t i;
	int pci, list;

	if (!hv_read_push_table(r, t, "pci"))
		return;
	pci = lua_gettop(r->L);
	if (hv_read_push_table(r, pci, "buses")) {
		list = lua_gettop(r->L);
		spec->n_pci_buses = lua_rawlen(r->L, list);
		buses = hv_read_array(r, spec->n_pci_buses, sizeof(*buses));
		for (i = 0; i < spec->n_pci_buses; i++) {
			read_pci_bus(r, hv_read_push_entry(r, list, i), &buses[i].bus);
			buses[i].origin = hv_read_origin_at(r, list, i);
			lua_pop(r->L, 1);
		}
		lua_pop(r->L, 1);
	}
	if (hv_read_push_table(r, pci, "devices")) {
		list = lua_gettop(r->L);
		spec->n_pci_devs = lua_rawlen(r->L, list);
		devs = hv_read_array(r, spec->n_pci_devs, sizeof(*devs));
		for (i = 0; i < spec->n_pci_devs; i++) {
			read_pci_device(r, hv_read_push_entry(r, list, i), &devs[i].dev);
			devs[i].origin = hv_read_origin_at(r, list, i);
			lua_pop(r->L, 1);
		}
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	spec->pci_buses = buses;
	spec->pci_devs = devs;
}

static void get_ivc(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	struct hv_spec_ivc *channels;
	size_t i, n;
	int list;

	if (!hv_read_push_table(r, t, "ivc"))
		return;
	list = lua_gettop(r->L);
	n = lua_rawlen(r->L, list);
	channels = hv_read_array(r, n, sizeof(*channels));
	for (i = 0; i < n; i++) {
		struct hv_abi_ivc *ivc = &channels[i].ivc;
		int e = hv_read_push_entry(r, list, i);

		hv_read_u32(r, e, "id", &ivc->ivc_id);
		hv_read_u32(r, e, "peer", &ivc->peer_id);
		hv_read_u64(r, e, "control", &ivc->control_table_ipa);
		hv_read_u64(r, e, "shared", &ivc->shared_mem_ipa);
		hv_read_u32(r, e, "rw_size", &ivc->rw_sec_size);
		hv_read_u32(r, e, "out_size", &ivc->out_sec_size);
		hv_read_u32(r, e, "irq", &ivc->interrupt);
		hv_read_u32(r, e, "peers", &ivc->max_peers);
		channels[i].origin = hv_read_origin_at(r, list, i);
		lua_pop(r->L, 1);
	}
	lua_pop(r->L, 1);
	spec->ivc = channels;
	spec->n_ivc = n;
}

/* hvisor is told `at`; where both are given the file goes to `phys`. */
static void get_x86_image(struct hv_reader *r, int t, const char *key, struct hv_spec_image *image,
			  uint64_t *gpa)
{
	if (!get_image(r, t, key, image))
		return;
	if (gpa && image->has_at)
		*gpa = image->at;
	if (image->has_at && image->has_phys)
		image->has_at = false;
}

static void get_x86(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	struct hv_spec_x86 *x86 = &spec->x86;
	bool ioapic = false;
	int x;

	if (hv_read_push_table(r, t, "x86")) {
		x = lua_gettop(r->L);
		x86->origin = hv_read_origin(r, t, "x86");
		ioapic = hv_read_window(r, x, "ioapic", &x86->abi.ioapic_base,
					&x86->abi.ioapic_size);
		get_x86_image(r, x, "boot", &x86->boot, NULL);
		get_x86_image(r, x, "setup", &x86->setup, &x86->abi.setup_load_gpa);
		get_x86_image(r, x, "initrd", &x86->initrd, &x86->abi.initrd_load_gpa);
		if (hv_read_push_table(r, x, "cmdline")) {
			int c = lua_gettop(r->L);

			hv_read_u64(r, c, "at", &x86->abi.cmdline_load_gpa);
			x86->has_cmdline_phys = hv_read_u64(r, c, "phys", &x86->cmdline_phys);
			lua_pop(r->L, 1);
		}
		hv_read_u64(r, x, "kernel_gpa", &x86->abi.kernel_entry_gpa);
		hv_read_u64(r, x, "rsdp_region", &x86->abi.rsdp_region);
		hv_read_u64(r, x, "acpi_region", &x86->abi.acpi_region);
		hv_read_u64(r, x, "uefi_region", &x86->abi.uefi_region);
		hv_read_u64(r, x, "screen_base", &x86->abi.screen_base);
		lua_pop(r->L, 1);
	}
	if (!ioapic && spec->board) {
		x86->abi.ioapic_base = spec->board->ioapic_base;
		x86->abi.ioapic_size = spec->board->ioapic_size;
	}
}

static void get_kernel(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	if (!get_image(r, t, "kernel", &spec->kernel))
		return;
	hv_read_push_table(r, t, "kernel");
	spec->cmdline = hv_read_text(r, lua_gettop(r->L), "cmdline");
	spec->cmdline_origin = hv_read_origin(r, lua_gettop(r->L), "cmdline");
	lua_pop(r->L, 1);
	/* An x86 zone has no tree: its command line is written to memory of its own. */
	if (spec->arch == HV_ARCH_X86_64) {
		spec->x86.cmdline = spec->cmdline;
		spec->cmdline = NULL;
	}
}

static void get_dtb(struct hv_reader *r, int t, struct hv_zone_spec *spec)
{
	int dtb;

	if (!get_image(r, t, "dtb", &spec->dtb))
		return;
	spec->dtb.format = HV_IMAGE_DTB;
	hv_read_push_table(r, t, "dtb");
	dtb = lua_gettop(r->L);
	spec->dtb_auto = hv_read_bool(r, dtb, "auto");
	spec->dtb_patch = hv_read_bool(r, dtb, "patch");
	spec->stdout_path = hv_read_text(r, dtb, "stdout");
	lua_pop(r->L, 1);
}

static const struct hv_zone_spec *read_zone(struct hv_reader *r, int t)
{
	struct hv_zone_spec *spec = hv_read_need(r, hv_arena_alloc(r->arena, sizeof(*spec)));

	spec->name = hv_read_need(r, hv_read_text(r, t, "name"));
	spec->origin = hv_read_origin_of(r, "");
	hv_read_u32(r, t, "id", &spec->id);
	spec->id_origin = hv_read_origin(r, t, "id");
	spec->arch = hv_read_arch(r, t);
	spec->cpus = hv_read_cpus(r, t, "cpus");
	spec->cpus_origin = hv_read_origin(r, t, "cpus");
	if (hv_read_push_table(r, t, "board")) {
		spec->board = hv_read_board(r, lua_gettop(r->L));
		lua_pop(r->L, 1);
	}
	get_regions(r, t, spec);
	get_irqs(r, t, spec);
	get_kernel(r, t, spec);
	get_dtb(r, t, spec);
	hv_read_passthrough(r, t, &spec->passthrough);
	get_image(r, t, "initrd", &spec->initrd);
	get_modules(r, t, spec);
	spec->has_entry = hv_read_u64(r, t, "entry", &spec->entry);
	spec->entry_origin = hv_read_origin(r, t, "entry");
	get_devices(r, t, spec);
	get_pci(r, t, spec);
	get_ivc(r, t, spec);
	if (hv_read_gic(r, t, &spec->arm64)) {
		spec->has_arch_config = true;
		spec->arch_origin = hv_read_origin(r, t, "gic");
	}
	if (hv_read_plic(r, t, &spec->riscv64)) {
		spec->has_arch_config = true;
		spec->arch_origin = hv_read_origin(r, t, "plic");
	}
	spec->arm64.aarch32 = hv_read_bool(r, t, "aarch32");
	if (hv_read_push_table(r, t, "uefi")) {
		int u = lua_gettop(r->L);

		spec->arm64.has_uefi = true;
		hv_read_window(r, u, "memory_map", &spec->arm64.memory_map_addr,
			       &spec->arm64.memory_map_size);
		hv_read_u64(r, u, "system_table", &spec->arm64.sys_map_addr);
		lua_pop(r->L, 1);
	}
	get_x86(r, t, spec);
	return spec;
}

/* Pushes what is behind the spec at idx; the index of its fields. */
static int open_spec(struct hv_reader *r, int idx)
{
	lua_State *L = r->L;
	int t = hv_read_behind(L, idx, "hvsh.specs");

	if (!lua_istable(L, t))
		luaL_error(L, "a zone was expected, got %s", luaL_typename(L, idx));
	if (!hv_read_push_table(r, t, "origins") || !hv_read_push_table(r, t, "places") ||
	    !hv_read_push_table(r, t, "spec"))
		luaL_error(L, "spec: incomplete");
	r->origins = t + 1;
	r->places = t + 2;
	return t + 3;
}

const struct hv_zone_spec *hv_spec_from_lua(lua_State *L, int idx, struct hv_arena *arena)
{
	struct hv_reader r = { .L = L, .arena = arena };
	int top = lua_gettop(L);
	const struct hv_zone_spec *spec = read_zone(&r, open_spec(&r, idx));

	lua_settop(L, top);
	return spec;
}

size_t hv_spec_devices_from_lua(lua_State *L, int idx, struct hv_arena *arena,
				const struct hv_spec_device **devices)
{
	struct hv_reader r = { .L = L, .arena = arena };
	struct hv_zone_spec spec = { 0 };
	int top = lua_gettop(L);

	get_devices(&r, open_spec(&r, idx), &spec);
	lua_settop(L, top);
	*devices = spec.devices;
	return spec.n_devices;
}

int hv_spec_add_from_lua(lua_State *L, int idx, struct hv_zone_set *set, struct hv_err *err)
{
	return hv_zone_set_add(set, hv_spec_from_lua(L, idx, hv_zone_set_arena(set)), err);
}
