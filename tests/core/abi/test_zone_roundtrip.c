// SPDX-License-Identifier: GPL-2.0-or-later
/* Encoding and decoding undo each other, over zones and damaged bytes from a fixed generator. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/zone_config.h"

#define N_PAIRS (HV_LAYOUT_COUNT * HV_ARCH_COUNT)

static struct hv_abi_zone zone, again;
static uint8_t got[HV_ZONE_CONFIG_MAX];

static bool has_list(enum hv_layout l)
{
	return l == HV_LAYOUT_3 || l == HV_LAYOUT_4A;
}

static bool has_one_bus(enum hv_layout l)
{
	return l == HV_LAYOUT_3 || l == HV_LAYOUT_4B;
}

/* 3, 4A and 4B: 88 bytes and no domain, no device type */
static bool has_short_bus(enum hv_layout l)
{
	return l < HV_LAYOUT_5A;
}

static bool can_move_devs(enum hv_layout l)
{
	return l == HV_LAYOUT_4A || l >= HV_LAYOUT_5B;
}

/* xorshift64: the same zones every time */
static uint64_t seed;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint32_t below(uint32_t n)
{
	return (uint32_t)(rnd() >> 11) % n;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void random_irqs(enum hv_layout l, struct hv_abi_zone *z)
{
	bool taken[HV_MAX_IRQ] = { false };
	uint32_t n = has_list(l) ? below(33) : below(HV_MAX_IRQ + 1);

	while (z->n_irqs < n) {
		uint32_t irq = below(HV_MAX_IRQ);

		if (!taken[irq])
			z->irqs[z->n_irqs++] = irq;
		taken[irq] = true;
	}
	if (!has_list(l))
		qsort(z->irqs, n, sizeof(z->irqs[0]), by_number);
}

static void random_arch(enum hv_layout l, enum hv_arch arch, struct hv_abi_zone *z)
{
	struct hv_abi_arm64 *a = &z->arm64;

	if (arch == HV_ARCH_RISCV64) {
		z->riscv64 = (struct hv_abi_riscv64){ rnd(), rnd(), rnd(), rnd() };
	} else if (arch == HV_ARCH_X86_64) {
		uint64_t *words = &z->x86_64.ioapic_base;

		for (unsigned int i = 0; i < (l == HV_LAYOUT_6 ? 11 : 10); i++)
			words[i] = rnd();
	} else if (arch == HV_ARCH_ARM64) {
		a->aarch32 = below(2);
		a->gic_version = 2 + below(2);
		a->gicd_base = rnd();
		a->gicd_size = rnd();
		if (a->gic_version == 2) {
			a->gicc_base = rnd();
			a->gicc_size = rnd();
			a->gicc_offset = rnd();
			a->gich_base = rnd();
			a->gich_size = rnd();
			a->gicv_base = rnd();
			a->gicv_size = rnd();
		} else {
			a->gicr_base = rnd();
			a->gicr_size = rnd();
			a->gits_base = rnd();
			a->gits_size = rnd();
		}
		a->has_uefi = l == HV_LAYOUT_6 && below(2);
		if (a->has_uefi) {
			a->memory_map_addr = rnd();
			a->memory_map_size = rnd();
			a->sys_map_addr = rnd();
		}
	}
}

/* Anything the pair can express. */
static void random_zone(enum hv_layout l, enum hv_arch arch, struct hv_abi_zone *z)
{
	uint32_t len = below(HV_ZONE_NAME_MAX + 1);

	memset(z, 0, sizeof(*z));
	z->id = (uint32_t)rnd();
	z->cpus = rnd();
	for (uint32_t i = 0; i < len; i++)
		z->name[i] = (char)(1 + below(255));
	z->n_regions = below(HV_MAX_REGIONS + 1);
	for (uint32_t i = 0; i < z->n_regions; i++) {
		z->regions[i].type = (enum hv_region_type)below(3);
		z->regions[i].phys = rnd();
		z->regions[i].ipa = rnd();
		z->regions[i].size = rnd();
	}
	random_irqs(l, z);
	z->n_ivc = below(HV_MAX_IVC + 1);
	for (uint32_t i = 0; i < z->n_ivc; i++)
		z->ivc[i] = (struct hv_abi_ivc){ below(9), below(9), rnd(), rnd(), (uint32_t)rnd(),
						 (uint32_t)rnd(), (uint32_t)rnd(), below(9) };
	z->entry = rnd();
	z->kernel_phys = rnd();
	z->kernel_size = rnd();
	z->dtb_phys = rnd();
	z->dtb_size = rnd();
	z->n_pci_buses = below(has_one_bus(l) ? 2 : HV_MAX_PCI_BUSES + 1);
	for (uint32_t i = 0; i < z->n_pci_buses; i++) {
		uint64_t *words = &z->pci_buses[i].ecam_base;

		for (unsigned int w = 0; w < 11; w++)
			words[w] = rnd();
		if (!has_short_bus(l)) {
			z->pci_buses[i].bus_begin = (uint32_t)rnd();
			z->pci_buses[i].bus_end = (uint32_t)rnd();
			z->pci_buses[i].domain = (uint8_t)rnd();
		}
	}
	z->n_pci_devs = below(HV_MAX_PCI_DEVICES + 1);
	for (uint32_t i = 0; i < z->n_pci_devs; i++) {
		struct hv_abi_pci_dev *d = &z->pci_devs[i];

		d->bus = d->v_bus = (uint8_t)rnd();
		d->device = d->v_device = (uint8_t)below(32);
		d->function = d->v_function = (uint8_t)below(8);
		if (can_move_devs(l)) {
			d->v_bus = (uint8_t)rnd();
			d->v_device = (uint8_t)below(32);
			d->v_function = (uint8_t)below(8);
		}
		if (!has_short_bus(l)) {
			d->domain = (uint8_t)rnd();
			d->dev_type = (uint32_t)rnd();
		}
	}
	random_arch(l, arch, z);
}

static void decode_undoes_encode(void **state)
{
	(void)state;
	seed = 88172645463325252ULL;
	for (size_t i = 0; i < N_PAIRS; i++) {
		enum hv_layout l = (enum hv_layout)(i / HV_ARCH_COUNT);
		enum hv_arch a = (enum hv_arch)(i % HV_ARCH_COUNT);
		size_t size = hv_zone_config_size(l, a);

		if (!size)
			continue;
		for (unsigned int round = 0; round < 60; round++) {
			struct hv_err err = { 0 };

			random_zone(l, a, &zone);
			if (hv_zone_config_encode(l, a, &zone, got, sizeof(got),
						  &err) != (int)size ||
			    hv_zone_config_decode(l, a, got, size, &again, &err))
				fail_msg("%s %s round %u: %s", hv_layout_name(l),
					 hv_arch_name(a), round, err.msg);
			assert_memory_equal(&zone, &again, sizeof(zone));
		}
	}
}

/* What is accepted of damaged bytes can be said again, and means the same. */
static void encode_undoes_decode(void **state)
{
	static uint8_t second[HV_ZONE_CONFIG_MAX];
	static struct hv_abi_zone third;
	unsigned int accepted = 0, refused = 0;

	(void)state;
	seed = 362436069ULL;
	for (size_t i = 0; i < N_PAIRS; i++) {
		enum hv_layout l = (enum hv_layout)(i / HV_ARCH_COUNT);
		enum hv_arch a = (enum hv_arch)(i % HV_ARCH_COUNT);
		size_t size = hv_zone_config_size(l, a);

		if (!size)
			continue;
		for (unsigned int round = 0; round < 200; round++) {
			unsigned int n = 1 + below(6);
			struct hv_err err = { 0 };

			random_zone(l, a, &zone);
			hv_zone_config_encode(l, a, &zone, got, sizeof(got), NULL);
			while (n--)
				got[below((uint32_t)size)] = (uint8_t)rnd();
			if (hv_zone_config_decode(l, a, got, size, &again, &err)) {
				assert_int_equal(err.code, EINVAL);
				refused++;
				continue;
			}
			accepted++;
			if (hv_zone_config_encode(l, a, &again, second,
						  sizeof(second), &err) != (int)size)
				fail_msg("%s", err.msg);
			assert_int_equal(hv_zone_config_decode(l, a, second, size,
							       &third, &err), 0);
			assert_memory_equal(&again, &third, sizeof(again));
		}
	}
	assert_true(accepted > 100);
	assert_true(refused > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decode_undoes_encode),
		cmocka_unit_test(encode_undoes_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
