// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_ring.h>

#include "virtio/device.h"

/* A queue whose process is killed, after each of its instructions. */

static struct hv_err err;

#define BASE UINT64_C(0x40000000)
#define SIZE 8
#define RAM 4096u
#define DESC 0u
#define AVAIL 1024u
#define USED 2048u
#define DATA 3072u

/* What another process finds. */
struct left {
	struct hv_queue_keep keep;
	uint8_t ram[RAM];
};

/* In the order in which the guest made them available. */
static const uint16_t heads[SIZE] = { 3, 0, 7, 1, 6, 2, 5, 4 };

static void fill_rings(uint8_t *ram)
{
	struct vring_desc *desc = (struct vring_desc *)(void *)(ram + DESC);
	struct vring_avail *avail = (struct vring_avail *)(void *)(ram + AVAIL);

	for (unsigned int i = 0; i < SIZE; i++) {
		desc[i] = (struct vring_desc){ .addr = BASE + DATA + 16 * i, .len = 16 };
		avail->ring[i] = heads[i];
	}
	avail->idx = SIZE;
}

static void map_ram(struct hv_gmem *mem, uint8_t *ram)
{
	memset(mem, 0, sizeof(*mem));
	assert_int_equal(hv_gmem_add(mem, BASE, RAM, ram, &err), 0);
}

static uint16_t take(struct hv_queue *q)
{
	struct hv_chain chain;

	if (hv_queue_pop(q, &chain) != 1)
		_exit(1);
	return chain.head;
}

/* A device's work: out of order, in batches, with something given back. */
static void work(struct hv_queue *q)
{
	uint16_t a = take(q), b = take(q), c = take(q), d;

	hv_queue_push(q, b, 1);
	hv_queue_push(q, a, 2);
	hv_queue_flush(q);
	d = take(q);
	take(q);
	hv_queue_unpop(q);
	hv_queue_push(q, d, 3);
	hv_queue_flush(q);
	a = take(q);
	b = take(q);
	hv_queue_push(q, b, 4);
	hv_queue_flush(q);
	hv_queue_push(q, c, 5);
	b = take(q);
	hv_queue_push(q, a, 6);
	hv_queue_flush(q);
	take(q);
	hv_queue_unpop(q);
	hv_queue_push(q, b, 7);
	hv_queue_push(q, take(q), 8);
	hv_queue_flush(q);
}

/*
 * Another process takes over: each chain was shown to the guest as done, or is to be done, and
 * what is to be done comes in the guest's order.
 */
static void check_left(const struct left *left)
{
	static struct left copy;
	const struct vring_used *used = (struct vring_used *)(void *)(copy.ram + USED);
	unsigned int seen[SIZE] = { 0 }, place = 0;
	struct hv_gmem mem;
	struct hv_queue q;
	struct hv_chain chain;

	copy = *left;
	map_ram(&mem, copy.ram);
	if (!copy.keep.on)
		return;
	if (hv_queue_adopt(&q, &mem, SIZE, BASE + DESC, BASE + AVAIL, BASE + USED,
			   HV_FEATURE(HV_F_VERSION_1), &copy.keep, &err))
		fail_msg("%s", err.msg);
	for (uint16_t i = 0; i < used->idx; i++)
		seen[used->ring[i].id]++;
	while (hv_queue_pop(&q, &chain) == 1) {
		seen[chain.head]++;
		while (place < SIZE && heads[place] != chain.head)
			place++;
		assert_true(place < SIZE);
	}
	for (unsigned int i = 0; i < SIZE; i++)
		assert_int_equal(seen[i], 1);
	/* And once more, as if it was killed before it did anything. */
	assert_int_equal(hv_queue_waiting(&q), 0);
	hv_queue_leave(&q);
}

static void run_traced(struct left *left)
{
	struct hv_gmem mem = { 0 };
	struct hv_queue q;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	if (hv_gmem_add(&mem, BASE, RAM, left->ram, &err) ||
	    hv_queue_start(&q, &mem, SIZE, BASE + DESC, BASE + AVAIL, BASE + USED,
			   HV_FEATURE(HV_F_VERSION_1), 0, &err))
		_exit(1);
	raise(SIGSTOP);
	if (hv_queue_keep(&q, &left->keep, &err))
		_exit(1);
	work(&q);
	_exit(0);
}

static void killed_at_any_instruction(void **state)
{
	static struct left before;
	struct left *left;
	unsigned int changes = 0;
	int status;
	pid_t pid;

	(void)state;
	left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(left != MAP_FAILED);
	fill_rings(left->ram);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		run_traced(left);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		munmap(left, sizeof(*left));
		skip();
	}
	assert_true(WIFSTOPPED(status));
	memset(&before, 0xff, sizeof(before));
	while (!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL)) {
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!memcmp(left, &before, sizeof(before)))
			goto next;
		before = *left;
		changes++;
		check_left(left);
	next:
		if (!WIFSTOPPED(status))
			break;
	}
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	/* Each store was seen by itself. */
	if (changes < 40)
		fail_msg("%u changes", changes);
	munmap(left, sizeof(*left));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_instruction),
	};

	return cmocka_run_group_tests_name("state_kill", tests, NULL, NULL);
}
