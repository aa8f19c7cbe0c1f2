// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>

#include "base/size.h"
#include "guest/drivers.h"
#include "far_box.h"
#include "srig.h"
#include "virtio/state_priv.h"

/*
 * A service that is killed, again and again, under a guest that does not stop. The machine with its
 * guest lives in this process.
 */
#define BLOCK 4096u
#define BLOCKS 512u
#define DEPTH 24u
#define BUFFERS_AT (4 * HV_MIB) /* in the zone's RAM, below its heap */
#define KILLS 100

/* ---- the machine and its guest */

struct block {
	uint32_t written; /* generation that was acknowledged last */
	uint32_t under_way;
	bool busy, reading;
	uint64_t at; /* buffer */
};

static struct far_box far;
static struct {
	pthread_t disk, tty;
	_Atomic bool stop;
	_Atomic uint64_t done, lines, resets;
	struct vring_used *used; /* the disk's; atomic */
	struct block blocks[BLOCKS];
} box;

static void fill(uint32_t *to, uint32_t block, uint32_t generation)
{
	for (uint32_t i = 0; i < BLOCK / 4; i += 2) {
		to[i] = block * 2654435761u + i;
		to[i + 1] = generation;
	}
}

static bool is_filled(const uint32_t *at, uint32_t block, uint32_t generation)
{
	for (uint32_t i = 0; i < BLOCK / 4; i += 2)
		if (at[i] != block * 2654435761u + i || at[i + 1] != generation)
			return false;
	return true;
}

static int submit(struct hv_gblk *blk, unsigned int *seed)
{
	uint32_t n = (uint32_t)rand_r(seed) % BLOCKS;
	struct block *b = &box.blocks[n];
	uint32_t *data = hv_guest_at(far.guest, b->at, BLOCK);
	int rc;

	if (b->busy)
		return 0;
	b->reading = b->written && rand_r(seed) % 3 == 0;
	b->under_way = b->written + 1;
	if (b->reading)
		memset(data, 0xee, BLOCK);
	else
		fill(data, n, b->under_way);
	rc = hv_gblk_submit(blk, 0, b->reading ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
			    (uint64_t)n * (BLOCK / 512), b->at, BLOCK, b);
	if (rc == -EAGAIN)
		return 0;
	b->busy = !rc;
	return rc ? rc : 1;
}

static const char *complete(struct block *b, uint8_t status)
{
	uint32_t n = (uint32_t)(b - box.blocks);

	if (status)
		return "an I/O error in the guest";
	if (!b->busy)
		return "a request was answered twice";
	b->busy = false;
	if (!b->reading)
		b->written = b->under_way;
	else if (!is_filled(hv_guest_at(far.guest, b->at, BLOCK), n, b->written))
		return "a block was read as it was not written";
	atomic_fetch_add(&box.done, 1);
	return NULL;
}

/* The disk's driver, on the first CPU. */
static void *run_disk(void *arg)
{
	struct hv_gblk *blk = calloc(1, sizeof(*blk));
	struct hv_gdev dev;
	unsigned int seed = 1, flying = 0;
	const char *wrong = NULL;
	uint8_t status;
	void *token;
	int rc;

	(void)arg;
	rc = hv_gdev_probe(&dev, far.guest, 0, SRIG_SLOT(FAR_BLK), SRIG_IRQ(FAR_BLK));
	if (!rc)
		rc = hv_gblk_start(blk, &dev, 1, 0);
	if (!rc)
		__atomic_store_n(&box.used, dev.rings[0].used, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < BLOCKS && !rc; i++)
		box.blocks[i].at = srig_ram(1) + BUFFERS_AT + i * BLOCK;
	while (!rc && !wrong && (!atomic_load(&box.stop) || flying)) {
		for (int tries = 0; tries < 8 && flying < DEPTH && !atomic_load(&box.stop);
		     tries++) {
			rc = submit(blk, &seed);
			if (rc < 0)
				break;
			flying += (unsigned int)rc;
			rc = 0;
		}
		if (!rc)
			rc = hv_gdev_kick(&dev, 0);
		if (!rc && hv_gdev_config(&dev, 0, 8) != BLOCKS * (BLOCK / 512))
			wrong = "the capacity reads as another one";
		if (rc || !flying)
			continue;
		rc = hv_gdev_wait(&dev, 0, SRIG_LONG);
		if (!rc)
			wrong = "the disk does not answer";
		while (rc > 0 && !wrong && (rc = hv_gblk_complete(blk, 0, &token, &status)) > 0) {
			wrong = complete(token, status);
			flying--;
		}
	}
	hv_gdev_free(&dev);
	free(blk);
	return rc || wrong ? far_box_trouble(&far, "disk: %s (%d)", wrong ?: "its driver", rc)
			   : NULL;
}

/* A console and resets of another device, on the second CPU. */
static void *run_tty(void *arg)
{
	struct hv_gconsole con;
	struct hv_gdev tty, rng;
	char line[64];
	int rc;

	(void)arg;
	rc = hv_gdev_probe(&tty, far.guest, 1, SRIG_SLOT(FAR_CONSOLE), SRIG_IRQ(FAR_CONSOLE));
	if (!rc)
		rc = hv_gconsole_start(&con, &tty);
	if (!rc)
		rc = hv_gdev_probe(&rng, far.guest, 1, SRIG_SLOT(FAR_RNG), SRIG_IRQ(FAR_RNG));
	while (!rc && !atomic_load(&box.stop)) {
		unsigned long n = atomic_load(&box.lines);

		snprintf(line, sizeof(line), "line %08lu of what the guest has to say\n", n);
		rc = hv_gconsole_write(&con, line, strlen(line));
		if (rc)
			break;
		atomic_store(&box.lines, n + 1);
		if (n % 4)
			continue;
		rc = hv_gdev_negotiate(&rng, HV_GDEV_FEATURES);
		if (!rc)
			rc = hv_gdev_start(&rng);
		if (!rc && hv_gdev_reg(&rng, VIRTIO_MMIO_STATUS) != 15)
			rc = -EPROTO;
		atomic_fetch_add(&box.resets, 1);
	}
	/* All of it is out when its buffers are back. */
	while (!rc && tty.rings[1].n_free < tty.rings[1].size) {
		void *token;

		rc = hv_gdev_wait(&tty, 1, SRIG_LONG);
		if (!rc)
			rc = -ETIMEDOUT;
		while (rc > 0)
			rc = hv_gring_get(&tty.rings[1], &token, NULL);
	}
	hv_gdev_free(&tty);
	return rc ? far_box_trouble(&far, "console: %d", rc) : NULL;
}

/* ---- */

static void start_guest(void)
{
	assert_int_equal(pthread_create(&box.disk, NULL, run_disk, NULL), 0);
	assert_int_equal(pthread_create(&box.tty, NULL, run_tty, NULL), 0);
}

static void join_guest(void)
{
	atomic_store(&box.stop, true);
	if (box.disk)
		pthread_join(box.disk, NULL);
	if (box.tty)
		pthread_join(box.tty, NULL);
	box.disk = box.tty = 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&far, 0, sizeof(far));
	memset(&box, 0, sizeof(box));
	far_box_open(&far, BLOCKS * BLOCK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	far_box_close(&far, join_guest);
	return 0;
}

/* Until the guest has got on by so much. */
static void await_progress(uint64_t requests, uint64_t lines)
{
	uint64_t done = atomic_load(&box.done) + requests, said = atomic_load(&box.lines) + lines;

	far_box_await(&far, &box.done, done, "requests");
	far_box_await(&far, &box.lines, said, "lines");
}

static void check_disk(void)
{
	size_t size;
	char *disk = far_box_read(&far, "disk", &size);

	for (uint32_t i = 0; i < BLOCKS; i++)
		if (box.blocks[i].written)
			assert_true(is_filled((uint32_t *)(void *)(disk + (size_t)i * BLOCK), i,
					      box.blocks[i].written));
	free(disk);
}

/* Every line in its order; what is said twice stays little. */
static void check_log(unsigned int kills)
{
	uint64_t lines = atomic_load(&box.lines);
	char line[64], *log, *at;
	size_t size, len = 0;

	at = log = far_box_read(&far, "log", &size);
	for (uint64_t i = 0; i < lines; i++) {
		snprintf(line, sizeof(line), "line %08llu of what the guest has to say\n",
			 (unsigned long long)i);
		len = strlen(line);
		at = strstr(at, line);
		if (!at)
			fail_msg("line %llu of %llu is missing", (unsigned long long)i,
				 (unsigned long long)lines);
		at += len;
	}
	/* A kill can repeat no more than the queue holds. */
	assert_true(size <= lines * len + kills * 32 * len);
	free(log);
}

static void a_killed_service_is_not_noticed(void **state)
{
	unsigned int seed = 42;

	(void)state;
	far_box_start(&far, 0, NULL);
	start_guest();
	for (int i = 0; i < KILLS; i++) {
		/* Not always after the same: some get far, some nowhere. */
		await_progress((uint64_t)rand_r(&seed) % 200, (uint64_t)rand_r(&seed) % 20);
		far_box_end(&far, SIGKILL);
		far_box_start(&far, 1, NULL);
	}
	await_progress(1000, 50);
	join_guest();
	far_box_check(&far);
	far_box_end(&far, SIGTERM);
	check_disk();
	check_log(KILLS);
	assert_true(atomic_load(&box.resets) > 0);
}

static void a_clean_restart_is_not_noticed(void **state)
{
	(void)state;
	far_box_start(&far, 0, NULL);
	start_guest();
	for (int i = 0; i < 10; i++) {
		await_progress(100, 5);
		far_box_end(&far, SIGTERM);
		far_box_start(&far, 1, NULL);
	}
	await_progress(100, 5);
	join_guest();
	far_box_check(&far);
	far_box_end(&far, SIGTERM);
	check_disk();
	/* What is in flight ends first: nothing is said twice. */
	check_log(0);
}

static bool has_used(void *arg)
{
	const struct hv_gdev *dev = arg;

	return __atomic_load_n(&dev->rings[0].used->idx, __ATOMIC_ACQUIRE) !=
	       dev->rings[0].last_used;
}

/* The CPU takes no interrupt meanwhile: more than seven on its list would be hvisor's end. */
static void starts_in_a_row_fill_no_list(void **state)
{
	struct hv_gbuf buf = { srig_ram(1) + BUFFERS_AT, 16 };
	struct hv_gdev rng;
	char bytes[16];
	void *token;

	(void)state;
	far_box_start(&far, 0, NULL);
	assert_int_equal(hv_gdev_probe(&rng, far.guest, 1, SRIG_SLOT(FAR_RNG), SRIG_IRQ(FAR_RNG)),
			 0);
	assert_int_equal(hv_grng_start(&rng), 0);
	hv_gring_listen(&rng.rings[0]);
	assert_int_equal(hv_gring_add(&rng.rings[0], NULL, 0, &buf, 1, &rng), 0);
	assert_int_equal(hv_gdev_kick(&rng, 0), 0);
	srig_await(has_used, &rng, "a filled buffer");
	for (int i = 0; i < 20; i++) {
		far_box_end(&far, SIGKILL);
		far_box_start(&far, 1, NULL);
	}
	far_box_check(&far);
	assert_int_equal(hv_gring_get(&rng.rings[0], &token, NULL), 1);
	assert_int_equal(hv_grng_read(&rng, bytes, sizeof(bytes)), 0);
	hv_gdev_free(&rng);
	far_box_end(&far, SIGTERM);
}

static void refused(int code, const char *words)
{
	const struct vring_used *used = __atomic_load_n(&box.used, __ATOMIC_ACQUIRE);
	struct hv_bridge_page *page;
	uint64_t flag;
	uint16_t shown;
	char text[512];

	/* What the guest was shown before it may take at any time: only a service shows it more. */
	assert_int_equal(hv_hyp_bridge(far.hyp, &page, &far.err), 0);
	shown = __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);
	flag = __atomic_load_n(&page->cfg_flags[2], __ATOMIC_ACQUIRE);
	far_box_start(&far, code, text);
	far_box_end(&far, 0);
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
	/* The zone is left alone: nobody answers its disk's driver, rightly or wrongly. */
	assert_int_equal(__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE), shown);
	assert_int_equal(__atomic_load_n(&page->cfg_flags[2], __ATOMIC_ACQUIRE), flag);
	far_box_check(&far);
}

static void what_does_not_fit_is_refused(void **state)
{
	uint64_t noise[512];
	char name[64];

	(void)state;
	far_box_start(&far, 0, NULL);
	start_guest();
	await_progress(100, 5);
	far_box_end(&far, SIGKILL);
	far.serial = "two";
	refused(-ESTALE, "set up otherwise");
	far.serial = "one";
	far_box_start(&far, 1, NULL);
	await_progress(100, 5);
	far_box_end(&far, SIGKILL);
	memset(noise, 0xa5, sizeof(noise));
	far_box_write(&far, far_box_kept(FAR_BLK, name), 128, noise, sizeof(noise));
	refused(-EBADMSG, "damaged");
	atomic_store(&box.stop, true);
	/* Whoever waits is let go by the end of the zone. */
	assert_int_equal(hv_hyp_zone_stop(far.hyp, 1, &far.err), 0);
	pthread_join(box.disk, NULL);
	pthread_join(box.tty, NULL);
	box.disk = box.tty = 0;
}

static void another_version_is_refused(void **state)
{
	const uint32_t theirs = STATE_VERSION + 1, ours = STATE_VERSION;
	char words[128], name[64];

	(void)state;
	far_box_start(&far, 0, NULL);
	start_guest();
	await_progress(100, 5);
	far_box_end(&far, SIGKILL);
	snprintf(words, sizeof(words),
		 "written by another version of hvsh (format %u, this one knows %u)", theirs, ours);
	far_box_write(&far, far_box_kept(FAR_BLK, name), offsetof(struct state_header, version),
		      &theirs, sizeof(theirs));
	refused(-EBADMSG, words);
	/* The one that wrote it goes on. */
	far_box_write(&far, far_box_kept(FAR_BLK, name), offsetof(struct state_header, version),
		      &ours, sizeof(ours));
	far_box_start(&far, 1, NULL);
	await_progress(100, 5);
	join_guest();
	far_box_check(&far);
	far_box_end(&far, SIGTERM);
	check_disk();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_killed_service_is_not_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clean_restart_is_not_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(starts_in_a_row_fill_no_list, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(another_version_is_refused, setup, teardown),
	};

	int code;

	if (far_box_serves(argc, argv, &code))
		return code;
	return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}
