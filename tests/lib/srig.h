/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_SRIG_H
#define TESTS_LIB_SRIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "guest/driver.h"
#include "guest/guest.h"
#include "hypervisor/sim.h"
#include "virtio/service.h"

/*
 * A simulated machine with running zones, the virtio service on it, and a device to
 * plug in that answers at once. Every failure ends the test.
 */
#define SRIG_ZONES 4
#define SRIG_CPUS_PER_ZONE 2 /* zone n: CPUs 2n and 2n + 1 */
#define SRIG_RAM (16 * UINT64_C(0x100000))
#define SRIG_WINDOWS UINT64_C(0xa000000) /* the zones' virtio region */
#define SRIG_WINDOWS_SIZE UINT64_C(0x4000)
#define SRIG_SLOT(n) (SRIG_WINDOWS + UINT64_C(0x200) * (n))
#define SRIG_IRQ(n) (48u + (n))
#define SRIG_LONG UINT64_C(60000000000) /* ns: nothing that works takes so long */

struct srig {
	struct hv_hyp *hyp;
	struct hv_bridge_page *page;
	struct hv_guests *guests;
	struct hv_service *svc;
	unsigned int n_zones;
	struct hv_vzone *zones[SRIG_ZONES + 1]; /* by id, from 1 */
	struct hv_guest *guest[SRIG_ZONES + 1];
};

struct srig_opts {
	unsigned int n_zones; /* started */
	uint32_t spin_ns;
	bool program; /* the guests run their own program */
	hv_vdev_event_fn *event;
	void *event_arg;
};

uint64_t srig_ram(unsigned int zone); /* where its RAM begins, guest = physical */
struct hv_abi_zone srig_zone(unsigned int zone);

void srig_open(struct srig *rig, const struct srig_opts *opts);
void srig_close(struct srig *rig);
/*
 * The zone is added to the service and started; the reverse. In two steps: what its own program
 * is to find has to be attached in between. Its tree has SRIG_TREE_SLOTS windows.
 */
#define SRIG_TREE_SLOTS 8
void srig_add(struct srig *rig, unsigned int zone);
void srig_run(struct srig *rig, unsigned int zone);
void srig_start(struct srig *rig, unsigned int zone);
void srig_stop(struct srig *rig, unsigned int zone);

/*
 * The device: device id 42, 64 bytes of config (byte i is i, writable), two queues. Queue 0 copies
 * what it reads to what it may write. While `hold` is set chains are kept and given back when it is
 * cleared (srig_echo_let_go); a reset waits for that.
 */
struct srig_echo {
	struct hv_vdev dev;
	uint8_t config[64];
	_Atomic bool hold;
	_Atomic unsigned int held, config_reads;
	struct hv_chain kept[64];
	pthread_mutex_t lock;
	pthread_cond_t go;
	void (*on_config_read)(struct srig_echo *echo, unsigned int off);
	void *arg;
};

struct srig_echo *srig_echo_new(const char *name); /* "zone1/echo" */
void srig_echo_free(struct srig_echo *echo);	   /* detached */
void srig_echo_let_go(struct srig_echo *echo);
void srig_attach(struct srig *rig, unsigned int zone, struct srig_echo *echo, unsigned int slot);

/* Finds, negotiates (all of HV_GDEV_FEATURES) and starts the device in a slot, with both queues. */
void srig_driver(struct srig *rig, unsigned int zone, unsigned int cpu, unsigned int slot,
		 struct hv_gdev *dev);
/* The usual rig: zone 1, the device in its first slot, driven by its first CPU. */
void srig_open_one(struct srig *rig, struct srig_echo *echo, struct hv_gdev *dev);
/* Sends len bytes (up to 16 KiB) through queue 0 and checks that they come back. It uses no heap:
 * one thread for each device may. */
void srig_ping(struct hv_gdev *dev, unsigned int len);
/* The same, up to the kick; the token is `in`'s address. */
void srig_send(struct hv_gdev *dev, uint64_t out, uint64_t in, uint32_t len);

/* Polls until cond() holds; fails the test with `what` after a long time. */
void srig_await(bool (*cond)(void *arg), void *arg, const char *what);

/* How often a CPU has been answered. */
uint64_t srig_flag(struct srig *rig, unsigned int cpu);
/* A thread's body: a driver (struct hv_gdev *) resets its device and waits for it. */
void *srig_reset(void *dev);
/* Conditions: the device (struct srig_echo *) keeps a chain; a reset (struct hv_vdev *) is waited
 * for. */
bool srig_is_held(void *echo);
bool srig_is_resetting(void *dev);

#endif
