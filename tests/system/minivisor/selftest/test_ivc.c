// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

#define NOTIFY 20
#define RW_AT 0
#define OUT_AT(peer) (4096UL * (1 + (peer)))

static struct wire_ivc_info info;

static void test_tables(void)
{
	static const struct {
		const char *what;
		uint64_t offset;
		uint32_t zone0, guest;
	} registers[] = {
		{ "ivc_id", 0, 0, 0 },
		{ "max_peers", 4, 2, 2 },
		{ "rw_sec_size", 8, 4096, 4096 },
		{ "out_sec_size", 12, 4096, 4096 },
		{ "peer_id", 16, 0, 1 },
	};

	tap_prefix("IVC control table");
	for (unsigned int i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		tap(read32(ZONE0_IVC_CONTROL + registers[i].offset) == registers[i].zone0 &&
			    order(0, CMD_READ, GUEST_IVC_CONTROL + registers[i].offset, 4, 0, 0) ==
				    registers[i].guest,
		    registers[i].what);
}

static void test_memory(void)
{
	tap_prefix("IVC memory");
	write32(ZONE0_IVC_SHARED + RW_AT, 11);
	tap_is((int64_t)order(0, CMD_READ, GUEST_IVC_SHARED + RW_AT, 4, 0, 0), 11,
	       "shared, from zone0");
	order(0, CMD_WRITE, GUEST_IVC_SHARED + RW_AT, 4, 12, 0);
	tap_is(read32(ZONE0_IVC_SHARED + RW_AT), 12, "shared, to zone0");
	write32(ZONE0_IVC_SHARED + OUT_AT(0), 13);
	tap_is((int64_t)order(0, CMD_READ, GUEST_IVC_SHARED + OUT_AT(0), 4, 0, 0), 13,
	       "out of zone0");
	order(0, CMD_WRITE, GUEST_IVC_SHARED + OUT_AT(1), 4, 14, 0);
	tap_is(read32(ZONE0_IVC_SHARED + OUT_AT(1)), 14, "out of the zone");
}

static void test_notifications(void)
{
	tap_prefix("IVC interrupt");
	order(0, CMD_IRQ_ON, GUEST_IVC_IRQ, 0, 0, 0);
	write32(ZONE0_IVC_CONTROL + NOTIFY, 1);
	tap_is((int64_t)order(0, CMD_IRQ_TAKE, 0, 0, 0, 0), GUEST_IVC_IRQ, "to the zone");
	tap(!is_pending(ZONE0_IVC_IRQ), "none to zone0 yet");
	order(0, CMD_WRITE, GUEST_IVC_CONTROL + NOTIFY, 4, 0, 0);
	tap(is_pending(ZONE0_IVC_IRQ), "to zone0");
	write32(ZONE0_IVC_CONTROL + NOTIFY, 7);
	tap_is((int64_t)order(0, CMD_IRQ_TAKE, 0, 0, 0, 0), 1023,
	       "a peer that is not there is nobody");
}

static void test_info(void)
{
	const struct wire_ivc_info *guest_info =
		(const struct wire_ivc_info *)(GUEST_PHYS(0) + TREE_AT);

	tap_prefix("IVC info");
	tap_is(hvc(CALL_IVC_INFO, (uint64_t)&info, sizeof(info)), 0, "zone0's");
	tap(info.count == 1 && info.control_ipa[0] == ZONE0_IVC_CONTROL &&
		    info.shared_ipa[0] == ZONE0_IVC_SHARED && info.id[0] == 0 &&
		    info.irq[0] == ZONE0_IVC_IRQ,
	    "says where");
	tap_is((int64_t)order(0, CMD_HVC, CALL_IVC_INFO, GUEST_IPA + TREE_AT, sizeof(info), 0), 0,
	       "the zone's");
	tap(guest_info->count == 1 && guest_info->control_ipa[0] == GUEST_IVC_CONTROL &&
		    guest_info->irq[0] == GUEST_IVC_IRQ,
	    "says where it is there");
	tap_is(hvc(CALL_IVC_INFO, 0x40400000, sizeof(info)), -EFAULT,
	       "an address outside zone0 is EFAULT");
}

static void test_refusals(void)
{
	struct start_config *config = config_of(1, 1UL << 3);

	tap_prefix("IVC refused");
	stop(0);
	start_plain(0, 1UL << 2);
	config = config_of(0, 1UL << 3);
	config->id = 2;
	config->regions[0].phys = GUEST_PHYS(1);
	tap_is(start(1, config), -EINVAL, "a peer id that is taken: EINVAL");
	config->ivcs[0].peer = 2;
	tap_is(start(1, config), -EINVAL, "a peer id that is too high: EINVAL");
	stop(0);
	config->ivcs[0].peer = 1;
	config->ivcs[0].out_size = 8192;
	tap_is(start(1, config), -EINVAL, "other sizes than zone0's: EINVAL");
	config->ivcs[0].out_size = 4096;
	config->ivcs[0].shared_ipa = GUEST_IPA;
	tap_is(start(1, config), -EINVAL, "over RAM: EINVAL");
	config->ivcs[0].shared_ipa = GUEST_IVC_SHARED;
	config->ivcs[0].id = 5;
	config->ivcs[0].rw_size = 100;
	tap_is(start(1, config), -EINVAL, "a section that is no page: EINVAL");
	config->ivcs[0].rw_size = 4096;
	tap_is(start(1, config), 0, "another IVC");
	tap(WAIT(mailbox(1)->alive), "runs");
	tap_is((int64_t)order(1, CMD_READ, GUEST_IVC_CONTROL, 4, 0, 0), 5, "as what it says");
	order(1, CMD_WRITE, GUEST_IVC_SHARED, 4, 99, 0);
	stop(1);
	start(1, config);
	WAIT(mailbox(1)->alive);
	tap_is((int64_t)order(1, CMD_READ, GUEST_IVC_SHARED, 4, 0, 0), 0,
	       "what the last peer leaves is cleared");
	stop(1);
	config->n_ivcs = 0;
	start(1, config);
	WAIT(mailbox(1)->alive);
	tap_is((int64_t)order(1, CMD_HVC, CALL_IVC_INFO, GUEST_IPA + TREE_AT, 56, 0), -ENODEV,
	       "a zone without one: ENODEV");
	stop(1);
}

void test_ivc(void)
{
	start_plain(0, GUEST_CPUS);
	test_tables();
	test_memory();
	test_notifications();
	test_info();
	tap_prefix("IVC memory");
	post(0, CMD_WRITE, GUEST_IVC_SHARED + OUT_AT(0), 4, 1, 0);
	tap(WAIT(is_err(1) == 1), "writing another's section is a stray access");
	tap_is(read32(ZONE0_IVC_SHARED + OUT_AT(0)), 13, "and changes nothing");
	test_refusals();
}
