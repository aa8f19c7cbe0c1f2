// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_mmio.h>

#include "base/size.h"
#include "guest/drivers.h"
#include "far_service.h"
#include "self.h"
#include "hypervisor/sim.h"
#include "srig.h"

/*
 * A service that is killed, again and again, under a guest that does not stop. The machine with its
 * guest lives in this process; the service is this program once more, started with --serve, and
 * reaches the machine's memory through the file that the simulated machine keeps it in.
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

struct box {
	char dir[64];
	struct hv_hyp *hyp;
	struct hv_guests *guests;
	struct hv_guest *guest;
	int wakeup, call, ready[2];
	pthread_t hypervisor, disk, tty;
	_Atomic bool stop, quit;
	_Atomic uint64_t done, lines, resets;
	pid_t service;
	const char *serial;
	struct block blocks[BLOCKS];
	char trouble[256];
	_Atomic bool in_trouble;
};

static struct box box;
static struct hv_err err;

static void must(int rc)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, err.msg);
}

static void *trouble(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void *trouble(const char *fmt, ...)
{
	va_list ap;

	if (!atomic_exchange(&box.in_trouble, true)) {
		va_start(ap, fmt);
		vsnprintf(box.trouble, sizeof(box.trouble), fmt, ap);
		va_end(ap);
	}
	return NULL;
}

static void check(void)
{
	if (atomic_load(&box.in_trouble))
		fail_msg("%s", box.trouble);
}

/* The hypercall of the service, made here. */
static void *run_hypervisor(void *arg)
{
	struct pollfd fd = { .fd = box.call, .events = POLLIN };
	struct hv_err why;
	uint64_t n;

	(void)arg;
	while (!atomic_load(&box.quit)) {
		if (poll(&fd, 1, 100) > 0 && read(box.call, &n, sizeof(n)) == sizeof(n) &&
		    hv_hyp_inject(box.hyp, &why) < 0)
			trouble("inject: %s", why.msg);
	}
	return NULL;
}

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
	uint32_t *data = hv_guest_at(box.guest, b->at, BLOCK);
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
	else if (!is_filled(hv_guest_at(box.guest, b->at, BLOCK), n, b->written))
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
	rc = hv_gdev_probe(&dev, box.guest, 0, SRIG_SLOT(FAR_BLK), SRIG_IRQ(FAR_BLK));
	if (!rc)
		rc = hv_gblk_start(blk, &dev, 1, 0);
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
	return rc || wrong ? trouble("disk: %s (%d)", wrong ?: "its driver", rc) : NULL;
}

/* A console and resets of another device, on the second CPU. */
static void *run_tty(void *arg)
{
	struct hv_gconsole con;
	struct hv_gdev tty, rng;
	char line[64];
	int rc;

	(void)arg;
	rc = hv_gdev_probe(&tty, box.guest, 1, SRIG_SLOT(FAR_CONSOLE), SRIG_IRQ(FAR_CONSOLE));
	if (!rc)
		rc = hv_gconsole_start(&con, &tty);
	if (!rc)
		rc = hv_gdev_probe(&rng, box.guest, 1, SRIG_SLOT(FAR_RNG), SRIG_IRQ(FAR_RNG));
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
	return rc ? trouble("console: %d", rc) : NULL;
}

/* ---- */

static void make_file(const char *name, size_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", box.dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static char *read_file(const char *name, size_t *size)
{
	char path[128], *bytes;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", box.dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	bytes = malloc(*size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *size), *size);
	bytes[*size] = '\0';
	close(fd);
	return bytes;
}

/* adopted: what the service finds; text: what it says, when that is an error. */
static void start_service(int adopted, char text[512])
{
	char wakeup[16], call[16], ready[16], wanted[16], said[512] = "";
	const char *serial = box.serial;
	ssize_t n;

	snprintf(wakeup, sizeof(wakeup), "%d", box.wakeup);
	snprintf(call, sizeof(call), "%d", box.call);
	assert_int_equal(pipe(box.ready), 0);
	snprintf(ready, sizeof(ready), "%d", box.ready[1]);
	snprintf(wanted, sizeof(wanted), "%d", adopted);
	box.service = fork();
	assert_true(box.service >= 0);
	if (!box.service) {
		fcntl(box.wakeup, F_SETFD, 0);
		exec_self((const char *const[]){ "test_adopt", "--serve", box.dir, wakeup, call,
						 ready, wanted, serial, NULL });
		_exit(127);
	}
	close(box.ready[1]);
	n = read(box.ready[0], said, sizeof(said) - 1);
	close(box.ready[0]);
	assert_true(n >= 1);
	if (adopted >= 0)
		assert_int_equal(said[0], FAR_READY);
	else
		strcpy(text, said);
}

static void end_service(int signal)
{
	int status;

	if (signal)
		kill(box.service, signal);
	assert_int_equal(waitpid(box.service, &status, 0), box.service);
	box.service = 0;
	if (signal == SIGKILL)
		assert_true(WIFSIGNALED(status));
	else
		assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

static int setup(void **state)
{
	static const struct hv_sim_ram ram = { FAR_RAM, FAR_RAM_SIZE };
	struct hv_abi_zone zone = srig_zone(1);
	struct hv_sim_opts sim = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 4,
		.root_cpus = 0x3,
		.ram = &ram,
		.n_ram = 1,
		.state_dir = box.dir,
	};
	struct hv_guests_opts guests = { .manual = true };
	struct hv_bridge_page *page;

	(void)state;
	memset(&box, 0, sizeof(box));
	box.serial = "one";
	snprintf(box.dir, sizeof(box.dir), "/tmp/hvsh-adopt-XXXXXX");
	assert_non_null(mkdtemp(box.dir));
	make_file("disk", BLOCKS * BLOCK);
	make_file("log", 0);
	must(hv_hyp_open_sim(&sim, &box.hyp, &err));
	must(hv_guests_new(box.hyp, &guests, &box.guests, &err));
	must(hv_hyp_bridge(box.hyp, &page, &err));
	must(hv_hyp_wakeup_fd(box.hyp, &box.wakeup, &err));
	box.call = eventfd(0, EFD_NONBLOCK);
	assert_true(box.call >= 0);
	must(hv_hyp_zone_start(box.hyp, &zone, &err));
	box.guest = hv_guest_get(box.guests, 1);
	assert_non_null(box.guest);
	assert_int_equal(pthread_create(&box.hypervisor, NULL, run_hypervisor, NULL), 0);
	return 0;
}

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

static int teardown(void **state)
{
	char command[128];

	(void)state;
	if (box.service) {
		kill(box.service, SIGKILL);
		waitpid(box.service, NULL, 0);
	}
	hv_hyp_zone_stop(box.hyp, 1, &err);
	join_guest();
	atomic_store(&box.quit, true);
	pthread_join(box.hypervisor, NULL);
	hv_guest_put(box.guest);
	hv_guests_free(box.guests);
	hv_hyp_close(box.hyp);
	close(box.call);
	snprintf(command, sizeof(command), "rm -r %s", box.dir);
	return system(command);
}

/* Until the guest has got on by so much. */
static void await_progress(uint64_t requests, uint64_t lines)
{
	uint64_t done = atomic_load(&box.done) + requests, said = atomic_load(&box.lines) + lines;
	struct timespec pause = { .tv_nsec = 100000 };
	uint64_t until = hv_now() + SRIG_LONG;

	while (!atomic_load(&box.in_trouble) &&
	       (atomic_load(&box.done) < done || atomic_load(&box.lines) < said)) {
		if (hv_now() > until)
			fail_msg("the guest does not get on: %llu requests, %llu lines",
				 (unsigned long long)atomic_load(&box.done),
				 (unsigned long long)atomic_load(&box.lines));
		nanosleep(&pause, NULL);
	}
	check();
}

static void check_disk(void)
{
	size_t size;
	char *disk = read_file("disk", &size);

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

	at = log = read_file("log", &size);
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
	start_service(0, NULL);
	start_guest();
	for (int i = 0; i < KILLS; i++) {
		/* Not always after the same: some get far, some nowhere. */
		await_progress((uint64_t)rand_r(&seed) % 200, (uint64_t)rand_r(&seed) % 20);
		end_service(SIGKILL);
		start_service(1, NULL);
	}
	await_progress(1000, 50);
	join_guest();
	check();
	end_service(SIGTERM);
	check_disk();
	check_log(KILLS);
	assert_true(atomic_load(&box.resets) > 0);
}

static void a_clean_restart_is_not_noticed(void **state)
{
	(void)state;
	start_service(0, NULL);
	start_guest();
	for (int i = 0; i < 10; i++) {
		await_progress(100, 5);
		end_service(SIGTERM);
		start_service(1, NULL);
	}
	await_progress(100, 5);
	join_guest();
	check();
	end_service(SIGTERM);
	check_disk();
	/* What is in flight ends first: nothing is said twice. */
	check_log(0);
}

static void damage(const char *name)
{
	char path[128];
	uint64_t noise[512];
	int fd;

	memset(noise, 0xa5, sizeof(noise));
	snprintf(path, sizeof(path), "%s/devices/%s", box.dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, noise, sizeof(noise), 128), sizeof(noise));
	close(fd);
}

static void refused(int code, const char *words)
{
	uint64_t done, flag;
	struct hv_bridge_page *page;
	char text[512];

	must(hv_hyp_bridge(box.hyp, &page, &err));
	done = atomic_load(&box.done);
	flag = __atomic_load_n(&page->cfg_flags[2], __ATOMIC_ACQUIRE);
	start_service(code, text);
	end_service(0);
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
	/* The zone is left alone: nobody answers its disk's driver, rightly or wrongly. */
	assert_int_equal(atomic_load(&box.done), done);
	assert_int_equal(__atomic_load_n(&page->cfg_flags[2], __ATOMIC_ACQUIRE), flag);
	check();
}

static void what_does_not_fit_is_refused(void **state)
{
	(void)state;
	start_service(0, NULL);
	start_guest();
	await_progress(100, 5);
	end_service(SIGKILL);
	/* What was shown to the guest before the end is taken by it first. */
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	box.serial = "two";
	refused(-ESTALE, "set up otherwise");
	box.serial = "one";
	start_service(1, NULL);
	await_progress(100, 5);
	end_service(SIGKILL);
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	damage("1-a000000-200");
	refused(-EBADMSG, "damaged");
	atomic_store(&box.stop, true);
	/* Whoever waits is let go by the end of the zone. */
	must(hv_hyp_zone_stop(box.hyp, 1, &err));
	pthread_join(box.disk, NULL);
	pthread_join(box.tty, NULL);
	box.disk = box.tty = 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_killed_service_is_not_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_clean_restart_is_not_noticed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, setup, teardown),
	};

	if (argc == 8 && !strcmp(argv[1], "--serve"))
		return far_service(argv + 2);
	return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}
