/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTEST_RIG_H
#define SELFTEST_RIG_H

#include "abi/bridge.h"
#include "payload.h"
#include "wire.h"

/* What zone0's tests are written with: the UART, guests, the bridge's service, hypercalls. */

enum {
	EPERM = 1,
	ENOMEM = 12,
	EFAULT = 14,
	EBUSY = 16,
	ENODEV = 19,
	EINVAL = 22,
};

enum {
	CALL_INIT_VIRTIO,
	CALL_FINISH,
	CALL_START,
	CALL_STOP,
	CALL_LIST,
	CALL_IVC_INFO,
	CALL_VERSION,
	CALL_IDENTIFY = 0x4d560000,
	CALL_SET_LAYOUT,
	CALL_CLEAR_FAULTS,
	CALL_COUNTER,
	CALL_FAULT = 0x4d560100,
};

/* Numbers of README.md. */
enum {
	LATE = 1,
	LATE_ANSWER,
	LATE_DRAIN,
	LOSE_DRAIN,
	LOSE_WAKE,
	NOSTOP,
	DIE,
	HANG,
	REFUSE,
	VERSION,
	SLOTS,
};
#define FOREVER 0xffffffffUL

enum {
	COUNT_REQUESTS,
	COUNT_NOTIFICATIONS,
	COUNT_WAKES,
	COUNT_LOST_WAKES,
	COUNT_DRAINS,
	COUNT_RESULTS,
	COUNT_INJECTED,
	COUNT_REFUSED,
};

/* Numbers of PSCI. */
#define CPU_OFF 0x84000002UL
#define CPU_ON 0xc4000003UL
#define AFFINITY_INFO 0xc4000004UL
#define SYSTEM_OFF 0x84000008UL
#define SYSTEM_RESET 0x84000009UL

int64_t hvc(uint64_t code, uint64_t arg0, uint64_t arg1);

/* ---- results: one line each. `prefix` stands before them until it is changed. */
void tap_prefix(const char *prefix);
void tap(bool is_ok, const char *what);
/* Also shows both when they differ. */
void tap_is(int64_t got, int64_t want, const char *what);
unsigned int tap_count(void);
void print(const char *text);
void print_number(int64_t value);

/* Asks until it is true, as long as a machine that is busy may need; whether it became so. */
#define WAIT_MS 20000
#define BECOMES_TRUE(condition, ms)                                                                \
	({                                                                                         \
		uint64_t end_ = deadline(ms);                                                      \
		bool is_true_;                                                                     \
		while (!(is_true_ = (condition)) && !is_past(end_))                                \
			relax();                                                                   \
		is_true_;                                                                          \
	})
#define WAIT(condition) BECOMES_TRUE(condition, WAIT_MS)
/* Gives it a chance to happen, for things that must not. */
#define STAYS_FALSE(condition) (!BECOMES_TRUE(condition, 100))

/* ---- guests */

/* The config of hypercall 2 as far as the tests change it; where they do, all layouts agree. */
struct start_config {
	uint32_t id;
	uint32_t pad;
	uint64_t cpus;
	uint32_t n_regions, pad2;
	struct {
		uint32_t type, pad;
		uint64_t phys, ipa, size;
	} regions[64];
	uint32_t irqs[32]; /* the bitmap of layouts from 4B on */
	uint32_t n_ivcs, pad3;
	struct {
		uint32_t id, peer;
		uint64_t control_ipa, shared_ipa;
		uint32_t rw_size, out_size, irq, max_peers;
	} ivcs[2];
	uint64_t entry, kernel_phys, kernel_size, dtb_phys, dtb_size;
	char name[32];
	uint8_t is_aarch32, pad4[7];
	uint64_t gic_tag;
	uint64_t gicd_base;
};
_Static_assert(offsetof(struct start_config, irqs) == 2072, "zone config");
_Static_assert(offsetof(struct start_config, ivcs) == 2208, "zone config");
_Static_assert(offsetof(struct start_config, gicd_base) == 2376, "zone config");

const struct config_page *config_page(unsigned int layout);

/* One of the layouts 3 … 6 by its index, for minivisor and for configs to come. */
void use_layout(unsigned int layout);
#define LAYOUT_5A 3

/* A fresh config of guest n (0 or 1, on CPUs 2 and 3 or one of them) in the layout in use. */
struct start_config *config_of(unsigned int n, uint64_t cpus);

/* Puts the guest's image and an empty mailbox into place, then hypercall 2. */
int64_t start(unsigned int n, const struct start_config *config);
/* Both, with what config_of gives; also waits until it runs. */
bool start_plain(unsigned int n, uint64_t cpus);
int64_t stop(unsigned int n);

struct mailbox *mailbox(unsigned int n);
void post(unsigned int n, uint64_t command, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
bool is_done(unsigned int n);
/* Posts, waits, and returns the result; ~0 when it did not come. */
uint64_t order(unsigned int n, uint64_t command, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Hypercall 4 into zone_infos; how many. */
int64_t list(void);
extern struct wire_zone_info zone_infos[8];
/* Of a zone in the list; -1 = not there. */
int is_err(uint32_t id);

/* ---- the virtio service */
extern struct hv_bridge_page *const bridge;
bool has_request(void);
/* Waits for one and takes it. */
bool take_request(struct hv_bridge_req *out);
void answer(const struct hv_bridge_req *request, uint64_t value);
/* Guest n reads or writes a register; the service answers. The value read. */
uint64_t serve_read(unsigned int n, uint64_t offset, uint64_t size, uint64_t value,
		    struct hv_bridge_req *seen);
/* Into the result ring; without hypercall 1. */
void push_result(uint32_t zone, uint32_t irq);
/* Whether a fresh service wants wake-ups, and whether one came; taken back by asking. */
bool take_wakeup(void);
bool is_pending(uint32_t irq);

void fault(unsigned int number, uint64_t value, uint64_t ms);
void clear_faults(void);
int64_t counter(unsigned int number);

/* ---- the tests, a file each */
void test_calls(void);
void test_layouts(void);
void test_bridge(void);
void test_life(void);
void test_interrupts(void);
void test_ivc(void);
void test_faults(void);

#endif
