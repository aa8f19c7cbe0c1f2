/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTEST_PAYLOAD_H
#define SELFTEST_PAYLOAD_H

#include "arch.h"
#include "board.h"

/*
 * Two programs at EL1 with the MMU off: zone0.c tests, guest.c is what runs in the zones it starts.
 * A guest does what its mailbox says; all decisions are zone0's.
 */

/* Where guests lie: slot n of zone0's RAM for guest n. All see themselves at the same place. */
#define GUEST_PHYS(n) (0x60000000UL + (n)*GUEST_SIZE)
#define GUEST_IPA 0x10000000UL
#define GUEST_SIZE 0x200000UL
#define MAILBOX_AT 0x100000UL
#define TREE_AT 0x180000UL

/* What the loader puts there for zone0. */
#define GUEST_IMAGE 0xa1000000UL
#define GUEST_IMAGE_SIZE 0x10000UL
#define CONFIGS 0xa2000000UL /* one page for each layout, made by make_configs.c */
#define CONFIG_PAGE 4096UL
#define CONFIG_COUNT 6

struct config_page {
	uint8_t bytes[CONFIG_PAGE - 16];
	char name[8];
	uint32_t code;
	uint32_t size;
};

/* In make_configs.c and zone0.c. */
#define WINDOW_BASE 0x0a003000UL
#define WINDOW_SIZE 0x1000UL
#define IO_IPA 0x0d010000UL /* the RTC, moved */
#define IO_PHYS 0x09010000UL
#define GUEST_IRQ 76
#define GUEST_IVC_IRQ 78
#define GUEST_IVC_CONTROL 0xe0000000UL
#define GUEST_IVC_SHARED 0xe0001000UL
#define GUEST_CPUS 0xcUL

enum command {
	CMD_READ = 1, /* address, size */
	CMD_WRITE,    /* address, size, value */
	CMD_HVC,      /* x0 to x2 */
	CMD_SMC,      /* x0 to x3 */
	CMD_IRQ_ON,   /* INTID: enables it in the distributor and the CPU interface */
	CMD_IRQ_TAKE, /* acknowledges and ends one; its INTID, 1023 = none */
	CMD_ARGUMENT, /* what it got in x0 */
	CMD_WFI,      /* for good */
};

struct mailbox {
	volatile uint64_t posted, done; /* counts of commands */
	volatile uint64_t command, args[4];
	volatile uint64_t result;
	volatile uint64_t alive;  /* 1 once it runs */
	volatile uint64_t second; /* 1 once its second CPU runs */
};

static inline uint64_t conduit_hvc(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = b;
	register uint64_t x2 __asm__("x2") = c;
	register uint64_t x3 __asm__("x3") = d;

	__asm__ volatile("hvc #0x4856" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

static inline uint64_t conduit_smc(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = b;
	register uint64_t x2 __asm__("x2") = c;
	register uint64_t x3 __asm__("x3") = d;

	__asm__ volatile("smc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}

#endif
