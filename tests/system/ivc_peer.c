// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The other end of an IVC channel, in a zone, by what the kernel module gives and nothing of
 * hvsh's: at each interrupt it takes a number and a text from the shared section, puts the number
 * and the text in capitals into its own section, and interrupts who asked. A number of 0 ends it.
 *
 * ivc_peer DEVICE: says "ready" when it listens.
 * ivc_peer DEVICE hold: only keeps it open and mapped, until it is killed.
 */
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/ivc.h"

#define PAGE 4096
#define NUMBER_AT 0
#define TEXT_AT 64
#define TEXT 64

static uint32_t *word_at(uint8_t *section)
{
	return (uint32_t *)(void *)(section + NUMBER_AT);
}

static int complain(const char *what)
{
	perror(what);
	return 1;
}

int main(int argc, char **argv)
{
	struct hv_ioc_ivc_info ids = { 0 };
	volatile uint32_t *table;
	uint8_t *shared, *own;
	uint32_t peer, rw, out, peers;
	int fd;

	if (argc < 2)
		return 2;
	fd = open(argv[1], O_RDWR);
	if (fd < 0)
		return complain(argv[1]);
	if (ioctl(fd, HV_IOC_IVC_INFO, &ids) < 0 || ids.len != 1)
		return complain("the list of channels");
	table = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (table == MAP_FAILED)
		return complain("control table");
	peer = table[HV_IVC_PEER_ID / 4];
	peers = table[HV_IVC_MAX_PEERS / 4];
	rw = table[HV_IVC_RW_SEC_SIZE / 4];
	out = table[HV_IVC_OUT_SEC_SIZE / 4];
	shared = mmap(NULL, rw + peers * out, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
	if (shared == MAP_FAILED)
		return complain("shared memory");
	own = shared + rw + peer * out;
	printf("ready: channel %d, peer %u of %u\n", ids.ids[0], peer, peers);
	fflush(stdout);
	if (argc > 2)
		for (;;)
			pause();

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint32_t number;

		if (poll(&p, 1, -1) < 0)
			return complain("poll");
		number = __atomic_load_n(word_at(shared), __ATOMIC_ACQUIRE);
		for (int i = 0; i < TEXT; i++)
			own[TEXT_AT + i] = (uint8_t)toupper(shared[TEXT_AT + i]);
		__atomic_store_n(word_at(own), number, __ATOMIC_RELEASE);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		table[HV_IVC_RING / 4] = 1 - peer;
		if (!number) {
			puts("over");
			return 0;
		}
	}
}
