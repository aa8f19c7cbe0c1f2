// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs on the host: what hvsh encodes is what minivisor reads, field by field, in every layout.
 * Prints TAP. */
#include <stdio.h>
#include <string.h>

#include "abi/ioctl.h"
#include "abi/ivc.h"
#include "abi/zone_config.h"
#include "config.h"
#include "wire.h"

static int n_tests, n_failed;

static void check(int is_ok, const char *layout, const char *what)
{
	n_failed += !is_ok;
	printf("%sok %d - layout %s: %s\n", is_ok ? "" : "not ", ++n_tests, layout, what);
}

/* No two numbers are alike, so that none can be taken for another. */
static void fill(struct hv_abi_zone *zone)
{
	uint64_t next = 0x1000;

	memset(zone, 0, sizeof(*zone));
	zone->id = 17;
	zone->cpus = 0xa5;
	memset(zone->name, 'n', HV_ZONE_NAME_MAX);
	zone->n_regions = HV_MAX_REGIONS;
	for (uint32_t i = 0; i < zone->n_regions; i++)
		zone->regions[i] =
			(struct hv_abi_region){ (enum hv_region_type)(i % 3), next += 0x1000,
						next += 0x1000, next += 0x1000 };
	zone->n_irqs = 32;
	for (uint32_t i = 0; i < zone->n_irqs; i++)
		zone->irqs[i] = 31 + i * 32;
	zone->n_ivc = HV_MAX_IVC;
	for (uint32_t i = 0; i < zone->n_ivc; i++)
		zone->ivc[i] = (struct hv_abi_ivc){ .ivc_id = 3 + i,
						    .peer_id = 5 + i,
						    .control_table_ipa = next += 0x1000,
						    .shared_mem_ipa = next += 0x1000,
						    .rw_sec_size = 0x10000 + i,
						    .out_sec_size = 0x20000 + i,
						    .interrupt = 90 + i,
						    .max_peers = 7 + i };
	zone->entry = next += 0x1000;
	zone->kernel_phys = next += 0x1000;
	zone->kernel_size = next += 0x1000;
	zone->dtb_phys = next += 0x1000;
	zone->dtb_size = next += 0x1000;
	zone->n_pci_buses = 1;
	zone->pci_buses[0].ecam_base = next += 0x1000;
	zone->n_pci_devs = 3;
	for (uint32_t i = 0; i < zone->n_pci_devs; i++)
		zone->pci_devs[i] = (struct hv_abi_pci_dev){ .bus = 1,
							     .device = (uint8_t)(i + 1),
							     .v_bus = 1,
							     .v_device = (uint8_t)(i + 1) };
	zone->arm64 = (struct hv_abi_arm64){ .aarch32 = true,
					     .gic_version = 3,
					     .gicd_base = next += 0x1000,
					     .gicd_size = next += 0x1000,
					     .gicr_base = next += 0x1000,
					     .gicr_size = next += 0x1000,
					     .gits_base = next += 0x1000,
					     .gits_size = next += 0x1000 };
}

static int same_regions(const struct hv_abi_zone *zone, const struct config *config)
{
	int is_same = config->n_regions == zone->n_regions;

	for (uint32_t i = 0; is_same && i < zone->n_regions; i++)
		is_same = config->regions[i].type == (uint32_t)zone->regions[i].type &&
			  config->regions[i].phys == zone->regions[i].phys &&
			  config->regions[i].ipa == zone->regions[i].ipa &&
			  config->regions[i].size == zone->regions[i].size;
	return is_same;
}

static int same_irqs(const struct hv_abi_zone *zone, const struct config *config)
{
	uint32_t irqs[CONFIG_IRQS / 32] = { 0 };

	for (uint32_t i = 0; i < zone->n_irqs; i++)
		irqs[zone->irqs[i] / 32] |= 1U << zone->irqs[i] % 32;
	return !memcmp(irqs, config->irqs, sizeof(irqs));
}

static int same_ivcs(const struct hv_abi_zone *zone, const struct config *config)
{
	int is_same = config->n_ivcs == zone->n_ivc;

	for (uint32_t i = 0; is_same && i < zone->n_ivc; i++) {
		const struct config_ivc *a = &config->ivcs[i];
		const struct hv_abi_ivc *b = &zone->ivc[i];

		is_same = a->id == b->ivc_id && a->peer == b->peer_id &&
			  a->control_ipa == b->control_table_ipa &&
			  a->shared_ipa == b->shared_mem_ipa && a->rw_size == b->rw_sec_size &&
			  a->out_size == b->out_sec_size && a->irq == b->interrupt &&
			  a->max_peers == b->max_peers;
	}
	return is_same;
}

static int same_rest(const struct hv_abi_zone *zone, const struct config *config)
{
	return config->id == zone->id && config->cpus == zone->cpus &&
	       !strcmp(config->name, zone->name) && config->entry == zone->entry &&
	       config->dtb_phys == zone->dtb_phys && config->is_aarch32 == zone->arm64.aarch32 &&
	       config->gic_tag == 1 && config->gicd_base == zone->arm64.gicd_base &&
	       config->gicr_base == zone->arm64.gicr_base && config->n_pci_devs == zone->n_pci_devs;
}

/* Counts that reach beyond their arrays; all layouts have the first where it is here. */
static void check_refusals(const struct config_layout *layout, uint8_t *bytes, uint64_t size)
{
	struct config config;
	const char *why;

	check(config_parse(layout, bytes, size - 8, &config, &why) < 0 && why, layout->name,
	      "a shorter one is refused");
	check(config_parse(layout, bytes, size + 8, &config, &why) < 0 && why, layout->name,
	      "a longer one is refused");
	bytes[16] = 65;
	check(config_parse(layout, bytes, size, &config, &why) < 0 && why, layout->name,
	      "65 regions are refused");
	bytes[16] = 64;
	bytes[24] = 3;
	check(config_parse(layout, bytes, size, &config, &why) < 0 && why, layout->name,
	      "a region of an unknown type is refused");
	bytes[24] = 0;
	bytes[layout->ivc_count_at] = 3;
	check(config_parse(layout, bytes, size, &config, &why) < 0 && why, layout->name,
	      "three IVC configs are refused");
	bytes[layout->ivc_count_at] = 2;
	if (!layout->has_irq_bitmap) {
		bytes[2072] = 33;
		check(config_parse(layout, bytes, size, &config, &why) < 0 && why, layout->name,
		      "33 interrupts are refused");
		bytes[2072] = 32;
	}
	check(!config_parse(layout, bytes, size, &config, &why), layout->name,
	      "and taken once it is right again");
}

static void check_layout(enum hv_layout which)
{
	const char *name = hv_layout_name(which);
	const struct config_layout *layout = config_layout_named(name, strlen(name));
	uint8_t bytes[HV_ZONE_CONFIG_MAX];
	struct hv_err err = { 0 };
	struct hv_abi_zone zone;
	struct config config;
	const char *why = NULL;
	int size;

	fill(&zone);
	size = hv_zone_config_encode(which, HV_ARCH_ARM64, &zone, bytes, sizeof(bytes), &err);
	check(size > 0 && layout, name, "exists on both sides");
	if (size < 0 || !layout) {
		printf("# %s\n", err.msg);
		return;
	}
	check(layout->size == (uint32_t)size && layout->version == hv_layout_version(which), name,
	      "has the same size and version");
	check(!config_parse(layout, bytes, (uint64_t)size, &config, &why), name, "is read");
	if (why) {
		printf("# %s\n", why);
		return;
	}
	check(same_regions(&zone, &config), name, "memory regions");
	check(same_irqs(&zone, &config), name, "interrupts");
	check(same_ivcs(&zone, &config), name, "IVC");
	check(same_rest(&zone, &config), name, "everything else");
	check_refusals(layout, bytes, (uint64_t)size);
}

#define SAME_PLACE(a, a_field, b, b_field)                                                         \
	(offsetof(struct a, a_field) == offsetof(struct b, b_field))

static void check_infos(void)
{
	check(sizeof(struct wire_zone_info) == sizeof(struct hv_wire_zone_info) &&
		      SAME_PLACE(wire_zone_info, id, hv_wire_zone_info, zone_id) &&
		      SAME_PLACE(wire_zone_info, cpus, hv_wire_zone_info, cpus) &&
		      SAME_PLACE(wire_zone_info, name, hv_wire_zone_info, name) &&
		      SAME_PLACE(wire_zone_info, is_err, hv_wire_zone_info, is_err),
	      "any", "the zone info is the same");
	check(sizeof(struct wire_ivc_info) == sizeof(struct hv_wire_ivc_info) &&
		      SAME_PLACE(wire_ivc_info, count, hv_wire_ivc_info, len) &&
		      SAME_PLACE(wire_ivc_info, control_ipa, hv_wire_ivc_info, ct_ipa) &&
		      SAME_PLACE(wire_ivc_info, shared_ipa, hv_wire_ivc_info, shmem_ipa) &&
		      SAME_PLACE(wire_ivc_info, id, hv_wire_ivc_info, id) &&
		      SAME_PLACE(wire_ivc_info, irq, hv_wire_ivc_info, irq),
	      "any", "the IVC info is the same");
	check(WIRE_IVC_ID == HV_IVC_ID && WIRE_IVC_MAX_PEERS == HV_IVC_MAX_PEERS &&
		      WIRE_IVC_RW_SIZE == HV_IVC_RW_SEC_SIZE &&
		      WIRE_IVC_OUT_SIZE == HV_IVC_OUT_SEC_SIZE && WIRE_IVC_PEER == HV_IVC_PEER_ID &&
		      WIRE_IVC_NOTIFY == HV_IVC_RING && WIRE_IVC_TABLE == HV_IVC_TABLE_SIZE,
	      "any", "the IVC control table is the same");
}

int main(void)
{
	for (int layout = 0; layout < HV_LAYOUT_COUNT; layout++)
		check_layout((enum hv_layout)layout);
	check_infos();
	printf("1..%d\n", n_tests);
	return n_failed > 0;
}
