// SPDX-License-Identifier: GPL-2.0-or-later
#include "calls.h"

#include <errno.h>

#include "board.h"
#include "bridge.h"
#include "cpu.h"
#include "fault.h"
#include "ivc.h"
#include "stage2.h"
#include "text.h"
#include "wire.h"
#include "zone.h"

enum {
	CALL_INIT_VIRTIO = 0,
	CALL_FINISH = 1,
	CALL_ZONE_START = 2,
	CALL_ZONE_STOP = 3,
	CALL_ZONE_LIST = 4,
	CALL_IVC_INFO = 5,
	CALL_CONFIG_CHECK = 6,
	PRIVATE_IDENTIFY = 0x4d560000,
	PRIVATE_SET_LAYOUT,
	PRIVATE_CLEAR_FAULTS,
	PRIVATE_COUNTER,
	PRIVATE_FAULT = 0x4d560100,
};

static int64_t config_check(struct zone *zone, uint64_t ipa)
{
	uint32_t wrong = fault_value(FAULT_VERSION);
	uint64_t version = wrong ? wrong : zone_layout()->version;
	void *out = stage2_ram(zone, ipa, sizeof(version));

	if (!out || ipa % sizeof(version))
		return -EFAULT;
	memcpy(out, &version, sizeof(version));
	return 0;
}

static int64_t start(struct zone *root, uint64_t ipa, uint64_t size)
{
	uint32_t refusal = fault_take(FAULT_REFUSE);
	const void *config;

	if (refusal) {
		say("start refused as ordered: error %u", refusal);
		return -(int64_t)refusal;
	}
	/* Before the address, as hvisor does. */
	if (size != zone_layout()->size) {
		say("start refused: %lu bytes, layout %s has %u", size, zone_layout()->name,
		    zone_layout()->size);
		return -EINVAL;
	}
	config = stage2_ram(root, ipa, size);
	return config ? zone_start(config, size) : -EFAULT;
}

static int64_t list(struct zone *root, uint64_t ipa, uint64_t max)
{
	void *infos;

	if (!max)
		return 0;
	/* More than there can be: the array need not be there to its end. */
	if (max > MAX_ZONES)
		max = MAX_ZONES;
	infos = stage2_ram(root, ipa, max * sizeof(struct wire_zone_info));
	return infos ? zone_list(infos, max) : -EFAULT;
}

static int64_t info(struct zone *zone, uint64_t ipa)
{
	void *out;

	if (!zone->n_ivcs)
		return -ENODEV;
	out = stage2_ram(zone, ipa, sizeof(struct wire_ivc_info));
	return out ? ivc_info(zone, out) : -EFAULT;
}

static int64_t set_layout(uint64_t code)
{
	const struct config_layout *layout = config_layout_coded(code);

	if (!layout)
		return -EINVAL;
	zone_set_layout(layout);
	return 0;
}

static int64_t private_call(uint64_t code, uint64_t arg0, uint64_t arg1)
{
	switch (code) {
	case PRIVATE_IDENTIFY:
		return 1;
	case PRIVATE_SET_LAYOUT:
		return set_layout(arg0);
	case PRIVATE_CLEAR_FAULTS:
		fault_clear();
		return 0;
	case PRIVATE_COUNTER:
		return arg0 < COUNTERS ? (int64_t)counted((enum counter)arg0) : -EINVAL;
	default:
		return code > PRIVATE_FAULT ? fault_set(code - PRIVATE_FAULT, arg0, arg1) : 0;
	}
}

/* Calls 2 to 4 and private ones change or show all zones. */
static int64_t root_call(struct zone *root, uint64_t code, uint64_t arg0, uint64_t arg1)
{
	switch (code) {
	case CALL_ZONE_START:
		return start(root, arg0, arg1);
	case CALL_ZONE_STOP:
		return zone_stop(arg0);
	case CALL_ZONE_LIST:
		return list(root, arg0, arg1);
	case CALL_INIT_VIRTIO:
		return bridge_init(arg0);
	default:
		return private_call(code, arg0, arg1);
	}
}

static bool is_private(uint64_t code)
{
	return code >> 16 == PRIVATE_IDENTIFY >> 16;
}

int64_t hypercall(struct zone *zone, uint64_t code, uint64_t arg0, uint64_t arg1)
{
	int64_t rc;

	switch (code) {
	case CALL_IVC_INFO:
		return info(zone, arg0);
	case CALL_CONFIG_CHECK:
		return config_check(zone, arg0);
	case CALL_INIT_VIRTIO:
	case CALL_FINISH:
	case CALL_ZONE_START:
	case CALL_ZONE_STOP:
	case CALL_ZONE_LIST:
		break;
	default:
		if (!is_private(code))
			return 0;
	}
	if (!zone_is_root(zone))
		return -EPERM;
	/* Not under the lock: a stop may last, and until then the other zones want their
	 * interrupts. */
	if (code == CALL_FINISH)
		return bridge_drain();
	zone_lock();
	rc = root_call(zone, code, arg0, arg1);
	zone_unlock();
	return rc;
}

/* ---- PSCI */

#define PSCI_1_0 0x10000
#define NO_TRUSTED_OS 2
#define NOT_SUPPORTED (-1)
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON (-4)

static int64_t psci_features(uint32_t function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON_32:
	case PSCI_CPU_ON:
	case PSCI_AFFINITY_INFO_32:
	case PSCI_AFFINITY_INFO:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case PSCI_FEATURES:
		return 0;
	default:
		return NOT_SUPPORTED;
	}
}

/* The machine is zone0's; another zone's off and reset end the zone, without a word to zone0. */
static void system_end(struct zone *zone, uint32_t function) __attribute__((noreturn));
static void system_end(struct zone *zone, uint32_t function)
{
	bool is_reset = function == PSCI_SYSTEM_RESET;

	if (zone_is_root(zone)) {
		say("zone0: system %s", is_reset ? "reset" : "off");
		firmware_call(function, 0, 0, 0);
	}
	say("zone %u: system %s", zone->id, is_reset ? "reset, taken as off" : "off");
	zone_end_own(false);
}

int64_t guest_psci(struct zone *zone, const uint64_t args[4])
{
	uint32_t function = (uint32_t)args[0];
	uint64_t cpu = args[1];
	bool is_own = cpu < cpu_count() && zone->cpus >> cpu & 1;

	switch (function) {
	case PSCI_VERSION:
		return PSCI_1_0;
	case PSCI_CPU_OFF:
		say("zone %u: CPU %u off", zone->id, cpu_self());
		cpu_park();
	case PSCI_CPU_ON_32:
	case PSCI_CPU_ON:
		if (!is_own)
			return INVALID_PARAMETERS;
		if (!cpu_is_off((unsigned int)cpu))
			return ALREADY_ON;
		return cpu_on(zone, (unsigned int)cpu, args[2], args[3]);
	case PSCI_AFFINITY_INFO_32:
	case PSCI_AFFINITY_INFO:
		return is_own ? firmware_call(PSCI_AFFINITY_INFO, cpu, 0, 0) : INVALID_PARAMETERS;
	case PSCI_MIGRATE_INFO_TYPE:
		return NO_TRUSTED_OS;
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
		system_end(zone, function);
	case PSCI_FEATURES:
		return psci_features((uint32_t)args[1]);
	default:
		return NOT_SUPPORTED;
	}
}
