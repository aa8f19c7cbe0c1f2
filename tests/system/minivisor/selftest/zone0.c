// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.h"

/* What the loader puts where zone0's tree would be. */
enum mode {
	MODE_TESTS,
	MODE_FACTS, /* prints what the options make of it */
	MODE_CRASH,
	MODE_RESET,
};

#define NOWHERE 0x08f00000UL

/* start.S */
void payload_main(uint64_t argument);
void payload_second(void);
void payload_trap(uint64_t esr, uint64_t elr, uint64_t far);

static volatile uint64_t second_runs;
extern char second_entry[];

static void test_zone0_psci(void)
{
	tap_prefix("zone0's PSCI");
	tap_is((int64_t)conduit_smc(AFFINITY_INFO, 1, 0, 0), 1, "its second CPU is off");
	tap_is((int64_t)conduit_smc(CPU_ON, 1, (uint64_t)second_entry, 0), 0, "and comes on");
	tap(WAIT(second_runs), "and runs");
	tap_is((int64_t)conduit_smc(CPU_ON, 2, (uint64_t)second_entry, 0), -2,
	       "a CPU that is not its own does not");
	tap(WAIT(conduit_smc(AFFINITY_INFO, 1, 0, 0) == 1), "it goes off again");
}

static void print_fact(const char *name, const char *detail, int64_t value)
{
	print("fact ");
	print(name);
	print(detail);
	print("=");
	print_number(value);
	print("\r\n");
}

static void print_facts(void)
{
	static struct wire_ivc_info info;
	static uint64_t version;
	int64_t rc = hvc(CALL_VERSION, (uint64_t)&version, 0);

	print_fact("version", "", rc ? rc : (int64_t)version);
	print_fact("ivc", "", hvc(CALL_IVC_INFO, (uint64_t)&info, sizeof(info)));
	list();
	print_fact("cpus", "", (int64_t)zone_infos[0].cpus);
	for (unsigned int i = 0; i < CONFIG_COUNT; i++) {
		const struct config_page *page = config_page(i);

		rc = hvc(CALL_START, (uint64_t)page->bytes, page->size);
		print_fact("start", page->name, rc);
		if (!rc)
			hvc(CALL_STOP, 1, 0);
	}
}

void payload_main(uint64_t argument)
{
	switch (read32(argument)) {
	case MODE_TESTS:
		test_calls();
		test_layouts();
		test_bridge();
		test_life();
		test_interrupts();
		test_ivc();
		test_faults();
		test_zone0_psci();
		break;
	case MODE_FACTS:
		print_facts();
		break;
	case MODE_CRASH:
		read32(NOWHERE);
		break;
	case MODE_RESET:
		conduit_hvc(SYSTEM_RESET, 0, 0, 0);
		break;
	}
	print("done ");
	print_number(tap_count());
	print("\r\n");
	conduit_smc(SYSTEM_OFF, 0, 0, 0);
}

void payload_second(void)
{
	second_runs = 1;
	conduit_hvc(CPU_OFF, 0, 0, 0);
}

void payload_trap(uint64_t esr, uint64_t elr, uint64_t far)
{
	print("Bail out! zone0's test has an exception: esr ");
	print_number((int64_t)esr);
	print(" elr ");
	print_number((int64_t)elr);
	print(" far ");
	print_number((int64_t)far);
	print("\r\n");
	conduit_smc(SYSTEM_OFF, 0, 0, 0);
}
