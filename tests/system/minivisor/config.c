// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>

/* The same in all layouts. */
enum {
	ID_AT = 0,
	CPUS_AT = 8,
	REGION_COUNT_AT = 16,
	REGIONS_AT = 24,
	REGION_SIZE = 32,
	IRQS_AT = 2072, /* a bitmap, or a count and its list */
	IRQ_LIST_MAX = 32,
	IVCS_AT = 2208,
	IVC_SIZE = 40,
	ENTRY_AT = 2288,
	DTB_AT = 2312,
	NAME_AT = 2328,
	AARCH32_AT = 2360,
	GIC_TAG_AT = 2368,
	GICD_AT = 2376,
	GICR_AT = 2392,
};

static const struct config_layout layouts[] = {
	{ "3", 0x3, 3, 2800, false, 2204, 2536 },  { "4A", 0x4a, 4, 3328, false, 2204, 2808 },
	{ "4B", 0x4b, 4, 2800, true, 2200, 2536 }, { "5A", 0x5a, 5, 3136, true, 2200, 2872 },
	{ "5B", 0x5b, 5, 3264, true, 2200, 2872 }, { "6", 0x6, 6, 3296, true, 2200, 2904 },
};
#define N_LAYOUTS (sizeof(layouts) / sizeof(layouts[0]))

const struct config_layout *config_layout_named(const char *name, size_t len)
{
	for (size_t i = 0; i < N_LAYOUTS; i++) {
		size_t same = 0;

		while (same < len && layouts[i].name[same] == name[same])
			same++;
		if (len && same == len && !layouts[i].name[len])
			return &layouts[i];
	}
	return NULL;
}

const struct config_layout *config_layout_coded(uint64_t code)
{
	for (size_t i = 0; i < N_LAYOUTS; i++)
		if (layouts[i].code == code)
			return &layouts[i];
	return NULL;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
}

static int parse_irqs(const struct config_layout *layout, const uint8_t *bytes, struct config *out)
{
	uint32_t n = get32(bytes + IRQS_AT);

	if (layout->has_irq_bitmap) {
		for (uint32_t i = 0; i < CONFIG_IRQS / 32; i++)
			out->irqs[i] = get32(bytes + IRQS_AT + 4 * i);
		return 0;
	}
	for (uint32_t i = 0; i < CONFIG_IRQS / 32; i++)
		out->irqs[i] = 0;
	if (n > IRQ_LIST_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t irq = get32(bytes + IRQS_AT + 4 + 4 * i);

		if (irq >= CONFIG_IRQS)
			return -EINVAL;
		out->irqs[irq / 32] |= 1U << irq % 32;
	}
	return 0;
}

static void parse_region(const uint8_t *at, struct config_region *out)
{
	out->type = get32(at);
	out->phys = get64(at + 8);
	out->ipa = get64(at + 16);
	out->size = get64(at + 24);
}

static void parse_ivc(const uint8_t *at, struct config_ivc *out)
{
	out->id = get32(at);
	out->peer = get32(at + 4);
	out->control_ipa = get64(at + 8);
	out->shared_ipa = get64(at + 16);
	out->rw_size = get32(at + 24);
	out->out_size = get32(at + 28);
	out->irq = get32(at + 32);
	out->max_peers = get32(at + 36);
}

int config_parse(const struct config_layout *layout, const void *bytes, uint64_t size,
		 struct config *out, const char **why)
{
	const uint8_t *b = bytes;

	*why = "its size is not that of the layout";
	if (size != layout->size)
		return -EINVAL;
	out->id = get32(b + ID_AT);
	out->cpus = get64(b + CPUS_AT);
	*why = "it has more than 64 memory regions";
	out->n_regions = get32(b + REGION_COUNT_AT);
	if (out->n_regions > CONFIG_REGIONS)
		return -EINVAL;
	*why = "it has a memory region that is none of ram, io, virtio";
	for (uint32_t i = 0; i < out->n_regions; i++) {
		parse_region(b + REGIONS_AT + REGION_SIZE * i, &out->regions[i]);
		if (out->regions[i].type > CONFIG_VIRTIO)
			return -EINVAL;
	}
	*why = "it has more than 32 interrupts, or one above 1023";
	if (parse_irqs(layout, b, out))
		return -EINVAL;
	*why = "it has more than 2 IVC configs";
	out->n_ivcs = get32(b + layout->ivc_count_at);
	if (out->n_ivcs > CONFIG_IVCS)
		return -EINVAL;
	for (uint32_t i = 0; i < out->n_ivcs; i++)
		parse_ivc(b + IVCS_AT + IVC_SIZE * i, &out->ivcs[i]);
	out->entry = get64(b + ENTRY_AT);
	out->dtb_phys = get64(b + DTB_AT);
	for (uint32_t i = 0; i < CONFIG_NAME; i++)
		out->name[i] = i == CONFIG_NAME - 1 ? '\0' : (char)b[NAME_AT + i];
	out->is_aarch32 = b[AARCH32_AT];
	out->gic_tag = get64(b + GIC_TAG_AT);
	out->gicd_base = get64(b + GICD_AT);
	out->gicr_base = get64(b + GICR_AT);
	out->n_pci_devs = get64(b + layout->pci_count_at);
	*why = NULL;
	return 0;
}
