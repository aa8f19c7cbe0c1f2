// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

/* RAM, but minivisor's own. */
#define NOT_OURS 0x40400000UL

static uint64_t version_word;

static int64_t version(void)
{
	version_word = 0;
	return hvc(CALL_VERSION, (uint64_t)&version_word, 0) ? -1 : (int64_t)version_word;
}

static void test_versions(void)
{
	tap_prefix("version");
	for (unsigned int i = 0; i < CONFIG_COUNT; i++) {
		use_layout(i);
		tap_is(version(), config_page(i)->name[0] - '0', config_page(i)->name);
	}
	use_layout(LAYOUT_5A);
	tap_is(hvc(CALL_SET_LAYOUT, 7, 0), -EINVAL, "layout 7 does not exist");
	tap_is(hvc(CALL_SET_LAYOUT, 4, 0), -EINVAL, "layout 4 without a letter does not exist");
	tap_is(version(), 5, "a wrong layout changes nothing");
	tap_is(hvc(CALL_VERSION, NOT_OURS, 0), -EFAULT, "an address outside zone0 is EFAULT");
	tap_is(hvc(CALL_VERSION, (uint64_t)&version_word + 4, 0), -EFAULT,
	       "an address that is not aligned is EFAULT");
	tap_is(hvc(CALL_VERSION, ~7UL, 0), -EFAULT, "an address beyond everything is EFAULT");
}

static void test_lists(void)
{
	static const char root[] = "root-linux";
	bool is_same = true;

	tap_prefix("list");
	tap_is(list(), 1, "only zone0");
	for (unsigned int i = 0; i < sizeof(root); i++)
		is_same = is_same && zone_infos[0].name[i] == root[i];
	tap(zone_infos[0].id == 0 && is_same, "zone0's id and name");
	tap_is((int64_t)zone_infos[0].cpus, 3, "zone0's CPUs");
	tap_is(zone_infos[0].is_err, 0, "zone0 is no error");
	tap_is(hvc(CALL_LIST, (uint64_t)zone_infos, 0), 0, "room for none");
	tap_is(hvc(CALL_LIST, NOT_OURS, 8), -EFAULT, "an address outside zone0 is EFAULT");
	tap_is(hvc(CALL_LIST, RAM_END - 56, 2), -EFAULT, "an array over the end is EFAULT");
}

static void test_start_refusals(void)
{
	uint64_t size = config_page(LAYOUT_5A)->size;
	struct start_config *config = config_of(0, GUEST_CPUS);

	tap_prefix("start refused");
	tap_is(hvc(CALL_START, (uint64_t)config, size - 8), -EINVAL, "too small: EINVAL");
	tap_is(hvc(CALL_START, NOT_OURS, size - 8), -EINVAL, "the size comes before the address");
	tap_is(hvc(CALL_START, NOT_OURS, size), -EFAULT, "outside zone0: EFAULT");
	tap_is(hvc(CALL_START, RAM_END - size + 8, size), -EFAULT, "over the end of RAM: EFAULT");
	config->id = 0;
	tap_is(start(0, config), -EINVAL, "id 0 exists: EINVAL");
	tap_is(start(0, config_of(0, 0)), -EINVAL, "no CPU: EINVAL");
	tap_is(start(0, config_of(0, 1UL << 4)), -EINVAL, "a CPU that is not there: EINVAL");
	tap_is(start(0, config_of(0, 1UL << 2 | 1UL << 63)), -EINVAL, "CPU 63: EINVAL");
	tap_is(start(0, config_of(0, 1UL << 1)), -EBUSY, "zone0's CPU: EBUSY");
	config = config_of(0, GUEST_CPUS);
	config->n_regions = 65;
	tap_is(start(0, config), -EINVAL, "65 regions: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->regions[1].type = 3;
	tap_is(start(0, config), -EINVAL, "a region of unknown type: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->is_aarch32 = 1;
	tap_is(start(0, config), -EINVAL, "AArch32: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->gic_tag = 0;
	tap_is(start(0, config), -EINVAL, "GICv2: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->gicd_base = 0;
	tap_is(start(0, config), -EINVAL, "no distributor: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->regions[0].phys = RAM_BASE;
	tap_is(start(0, config), -EINVAL, "minivisor's memory: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->regions[0].size -= 1;
	tap_is(start(0, config), -EINVAL, "half a page: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->regions[1].ipa = GUEST_IPA + GUEST_SIZE - 4096;
	tap_is(start(0, config), -EINVAL, "regions over each other: EINVAL");
	config = config_of(0, GUEST_CPUS);
	config->n_ivcs = 3;
	tap_is(start(0, config), -EINVAL, "3 IVC configs: EINVAL");
	tap_is(list(), 1, "none of these left a zone");
	tap(start_plain(0, GUEST_CPUS), "none of these keeps the right one from starting");
	tap_is(stop(0), 0, "and from stopping");
}

static void test_other_refusals(void)
{
	tap_prefix("calls");
	tap_is(hvc(CALL_IDENTIFY, 0, 0), 1, "this is minivisor");
	tap_is(hvc(77, 1, 2), 0, "an unknown code answers 0");
	tap_is(hvc(CALL_COUNTER, 99, 0), -EINVAL, "there is no counter 99");
	tap_is(hvc(CALL_FAULT + 99, 1, 0), -EINVAL, "there is no fault 99");
	tap_is(hvc(CALL_FAULT + SLOTS, 32, 0), -EINVAL, "a ring of 32 does not exist");
	tap_is(hvc(CALL_STOP, 0, 0), -EINVAL, "stop of zone0: EINVAL");
	tap_is(hvc(CALL_STOP, 5, 0), -EINVAL, "stop of an unknown zone: EINVAL");
	tap_is(hvc(CALL_STOP, 1UL << 32, 0), -EINVAL, "stop of a number that is no id: EINVAL");
	tap_is(hvc(CALL_FINISH, 0, 0), -ENODEV, "finish without a bridge: ENODEV");
	tap_is(hvc(CALL_INIT_VIRTIO, (uint64_t)bridge + 8, 0), -EINVAL,
	       "a bridge that is no page: EINVAL");
	tap_is(hvc(CALL_INIT_VIRTIO, NOT_OURS, 0), -EFAULT, "a bridge outside zone0: EFAULT");
	tap_is(hvc(CALL_INIT_VIRTIO, (uint64_t)bridge, 0), 0, "a bridge");
	tap_is(hvc(CALL_FINISH, 0, 0), 0, "finish with nothing to do");
}

/* A zone other than zone0 may ask for the version and its IVC. */
static void test_from_a_zone(void)
{
	static const uint8_t root_only[] = { CALL_INIT_VIRTIO, CALL_FINISH, CALL_START, CALL_STOP,
					     CALL_LIST };
	uint64_t word = GUEST_IPA + TREE_AT;

	tap_prefix("from a zone");
	tap(start_plain(0, GUEST_CPUS), "it starts");
	for (unsigned int i = 0; i < sizeof(root_only); i++)
		tap_is((int64_t)order(0, CMD_HVC, root_only[i], word, 0, 0), -EPERM,
		       "what is zone0's is EPERM");
	tap_is((int64_t)order(0, CMD_HVC, CALL_IDENTIFY, 0, 0, 0), -EPERM,
	       "private calls are EPERM");
	tap_is((int64_t)order(0, CMD_HVC, CALL_VERSION, word, 0, 0), 0, "the version");
	tap_is((int64_t)read64(GUEST_PHYS(0) + TREE_AT), 5, "it lands in the zone's own memory");
	tap_is((int64_t)order(0, CMD_HVC, CALL_VERSION, GUEST_PHYS(0), 0, 0), -EFAULT,
	       "an address that is zone0's, not the zone's, is EFAULT");
	tap_is(stop(0), 0, "it stops");
}

void test_calls(void)
{
	test_versions();
	test_lists();
	test_start_refusals();
	test_other_refusals();
	test_from_a_zone();
}
