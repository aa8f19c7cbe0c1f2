// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "guest/drivers.h"
#include "srig.h"
#include "virtio/dev/blk.h"
#include "virtio/dev/console.h"
#include "virtio/dev/net.h"
#include "virtio/dev/rng.h"

/* Zones whose own program drives the real devices, from their device tree on. */

#define DISK 65536
#define CONSOLE_SLOT 5
#define BLK_SLOT 0
#define NET_SLOT 2
#define RNG_SLOT 1

static struct hv_err err;

static void must(int rc)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, err.msg);
}

struct box {
	char image[32];
	uint8_t bytes[DISK];
	struct hv_vdev *console, *blk, *net, *rng;
	struct hv_console_client *client;
	char seen[65536]; /* all the console has said */
	size_t len;
};

static void box_init(struct box *box, unsigned int zone, struct hv_switch *sw)
{
	struct hv_net_opts net = { .sw = sw };
	struct hv_blk_opts blk = { .image = box->image };
	struct hv_console_opts console = { 0 };
	struct hv_console_client_opts client = { .who = "test",
						 .back = HV_CONSOLE_ALL,
						 .wake = -1 };
	struct hv_origin origin = { 0 };
	char name[32];
	FILE *f;

	memset(box, 0, sizeof(*box));
	snprintf(box->image, sizeof(box->image), "/tmp/hvsh-guest-XXXXXX");
	f = fdopen(mkstemp(box->image), "w");
	assert_non_null(f);
	for (unsigned int i = 0; i < DISK; i++)
		box->bytes[i] = (uint8_t)(i * 31 + i / 512 + zone);
	assert_int_equal(fwrite(box->bytes, DISK, 1, f), 1);
	fclose(f);
	box->console = calloc(1, sizeof(struct hv_vdev));
	box->blk = calloc(1, sizeof(struct hv_vdev));
	box->rng = calloc(1, sizeof(struct hv_vdev));
	snprintf(name, sizeof(name), "zone%u/hvc0", zone);
	must(hv_console_init(box->console, name, &console, &err));
	must(hv_console_open(box->console, 0, &client, &box->client, &err));
	must(hv_console_claim(box->client, false, &err));
	snprintf(name, sizeof(name), "zone%u/root", zone);
	must(hv_blk_init(box->blk, name, &blk, &err));
	snprintf(name, sizeof(name), "zone%u/rng", zone);
	must(hv_rng_init(box->rng, name, &origin, &err));
	if (sw) {
		box->net = calloc(1, sizeof(struct hv_vdev));
		net.has_mac = true;
		memcpy(net.mac, (uint8_t[]){ 0x52, 0x54, 0, 0, 0, (uint8_t)zone }, 6);
		snprintf(name, sizeof(name), "zone%u/eth0", zone);
		must(hv_net_init(box->net, name, &net, &err));
	}
}

static void box_free(struct box *box)
{
	hv_console_close(box->client);
	hv_vdev_destroy(box->console);
	hv_vdev_destroy(box->blk);
	hv_vdev_destroy(box->rng);
	free(box->console);
	free(box->blk);
	free(box->rng);
	if (box->net)
		hv_vdev_destroy(box->net);
	free(box->net);
	unlink(box->image);
}

static void plug(struct srig *rig, unsigned int zone, struct hv_vdev *dev, unsigned int slot)
{
	must(hv_service_attach(rig->svc, rig->zones[zone], dev, SRIG_SLOT(slot), 0x200,
			       SRIG_IRQ(slot), &err));
}

static void box_start(struct srig *rig, unsigned int zone, struct box *box)
{
	srig_add(rig, zone);
	plug(rig, zone, box->console, CONSOLE_SLOT);
	plug(rig, zone, box->blk, BLK_SLOT);
	plug(rig, zone, box->rng, RNG_SLOT);
	if (box->net)
		plug(rig, zone, box->net, NET_SLOT);
	srig_run(rig, zone);
}

struct wish {
	struct box *box;
	const char *text;
	size_t from;
};

static bool appeared(void *arg)
{
	struct wish *w = arg;
	struct box *box = w->box;
	ssize_t n = hv_console_read(box->client, box->seen + box->len,
				    sizeof(box->seen) - 1 - box->len, NULL);

	if (n > 0)
		box->len += (size_t)n;
	return strstr(box->seen + w->from, w->text) != NULL;
}

/* Waits for the text in what comes from now on (from is where to begin). */
static void expect_from(struct box *box, size_t from, const char *text)
{
	struct wish w = { box, text, from };
	struct timespec pause = { .tv_nsec = 1000000 };

	for (uint64_t until = hv_now() + SRIG_LONG; hv_now() < until;) {
		if (appeared(&w))
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("no \"%s\" in:\n%s", text, box->seen + from);
}

static void type(struct box *box, const char *line)
{
	must((int)hv_console_write(box->client, line, strlen(line), &err));
	must((int)hv_console_write(box->client, "\r", 1, &err));
}

/* Types a line and waits for what it says. */
static void ask(struct box *box, const char *line, const char *text)
{
	size_t from = box->len;

	type(box, line);
	expect_from(box, from, text);
	from = (size_t)(strstr(box->seen + from, text) - box->seen);
	expect_from(box, from, "> ");
}

/* A device is there for others from when its I/O thread has begun, a little after its guest thinks.
 */
static void ping_until_answered(struct box *box, const char *mac)
{
	char line[64], text[64];
	size_t from;

	snprintf(line, sizeof(line), "ping %s", mac);
	snprintf(text, sizeof(text), "answer from %s\r\n", mac);
	do {
		from = box->len;
		ask(box, line, text);
	} while (strstr(box->seen + from, "no answer"));
}

static uint32_t sum(const struct box *box, size_t offset, size_t len)
{
	return (uint32_t)crc32(crc32(0, NULL, 0), box->bytes + offset, (uInt)len);
}

static void test_boot(void **state)
{
	struct box *box = malloc(sizeof(*box));
	char text[128];
	struct srig rig;

	(void)state;
	box_init(box, 1, NULL);
	srig_open(&rig, &(struct srig_opts){ .program = true });
	box_start(&rig, 1, box);
	expect_from(box, 0, "zone1> ");
	assert_non_null(
		strstr(box->seen, "hvsh guest: zone zone1 (id 1), CPU 2,3, 16M of RAM\r\n"));
	assert_non_null(strstr(box->seen, "0xa000a00 irq 53: console\r\n"));
	snprintf(text, sizeof(text),
		 "0xa000000 irq 48: disk, 128 sectors, the first 8 sum to %08x\r\n",
		 sum(box, 0, 4096));
	assert_non_null(strstr(box->seen, text));
	assert_non_null(strstr(box->seen, "0xa000200 irq 49: entropy, such as "));

	ask(box, "echo hello  there", "\r\nhello  there\r\n");
	ask(box, "", "> ");
	ask(box, "nonsense", "nonsense: no such command");
	ask(box, "help", "poweroff: the zone ends\r\n");
	ask(box, "ecX\177ho wi\bthout", "\r\nwthout\r\n");
	snprintf(text, sizeof(text), "\r\n%08x\r\n", sum(box, 1000, 40000));
	ask(box, "sum 1000 40000", text);
	memcpy(box->bytes + 3000, "written by the guest", 20);
	ask(box, "write 3000 written by the guest", "20 bytes written at 3000");
	snprintf(text, sizeof(text), "\r\n%08x\r\n", sum(box, 0, DISK));
	ask(box, "sum 0 64K", text);
	ask(box, "sum 1 64K", "sum: Numerical result out of range");
	ask(box, "sum", "sum: an offset and a length");
	ask(box, "write 64K x", "write: Numerical result");
	ask(box, "ping 52:54:00:00:00:02", "ping: No such device");
	ask(box, "devices", "type 3, features ");
	srig_stop(&rig, 1);
	{
		uint8_t *now = malloc(DISK);
		FILE *f = fopen(box->image, "r");

		assert_int_equal(fread(now, DISK, 1, f), 1);
		assert_memory_equal(now, box->bytes, DISK);
		fclose(f);
		free(now);
	}
	srig_close(&rig);
	box_free(box);
	free(box);
}

/* Two zones, a switch between them. */
static void test_two_zones(void **state)
{
	struct box *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));
	struct hv_switch *sw;
	struct srig rig;

	(void)state;
	must(hv_switch_new("s0", &sw, &err));
	box_init(a, 1, sw);
	box_init(b, 2, sw);
	srig_open(&rig, &(struct srig_opts){ .program = true });
	box_start(&rig, 1, a);
	box_start(&rig, 2, b);
	expect_from(a, 0, "zone1> ");
	expect_from(b, 0, "zone2> ");
	assert_non_null(strstr(b->seen, "0xa000400 irq 50: network, 52:54:00:00:00:02\r\n"));
	ping_until_answered(a, "52:54:00:00:00:02");
	ping_until_answered(b, "52:54:00:00:00:01");
	for (int i = 0; i < 20; i++) {
		ask(a, "ping 52:54:00:00:00:02", "\r\nanswer from 52:54:00:00:00:02\r\n");
		ask(b, "ping 52:54:00:00:00:01", "\r\nanswer from 52:54:00:00:00:01\r\n");
	}
	ask(a, "ping 52:54:00:00:00", "ping: a MAC address");
	type(a, "say ff:ff:ff:ff:ff:ff good morning");
	expect_from(b, 0, "52:54:00:00:00:01 says: good morning\r\n");
	/* The other one is gone; this one goes on. */
	srig_stop(&rig, 2);
	ask(a, "ping 52:54:00:00:00:02", "no answer from 52:54:00:00:00:02");
	ask(a, "echo still here", "\r\nstill here\r\n");
	srig_close(&rig);
	box_free(a);
	box_free(b);
	hv_switch_put(sw);
	free(a);
	free(b);
}

struct look {
	struct hv_hyp *hyp;
	bool listed, is_err;
};

static bool looks(void *arg)
{
	struct look *look = arg;
	struct hv_zone_info zones[HV_MAX_ZONES];
	int n = hv_hyp_zone_list(look->hyp, zones, HV_MAX_ZONES, &err);

	must(n);
	return look->listed ? n == 2 && zones[1].is_err == look->is_err : n == 1;
}

static void await_zone(struct srig *rig, bool listed, bool is_err, const char *what)
{
	srig_await(looks, &(struct look){ rig->hyp, listed, is_err }, what);
}

static void test_ends(void **state)
{
	struct box *box = malloc(sizeof(*box));
	struct srig rig;

	(void)state;
	box_init(box, 1, NULL);
	srig_open(&rig, &(struct srig_opts){ .program = true });
	box_start(&rig, 1, box);
	expect_from(box, 0, "zone1> ");
	type(box, "poweroff");
	expect_from(box, 0, "powering off");
	await_zone(&rig, false, false, "the end of the zone");
	srig_stop(&rig, 1);

	box_start(&rig, 1, box);
	expect_from(box, box->len, "zone1> ");
	type(box, "panic");
	await_zone(&rig, true, true, "the crash");
	srig_stop(&rig, 1);

	box_start(&rig, 1, box);
	expect_from(box, box->len, "zone1> ");
	must(hv_sim_fault(rig.hyp, "die:1", &err));
	await_zone(&rig, false, false, "the death");
	srig_stop(&rig, 1);
	srig_close(&rig);
	box_free(box);
	free(box);
}

/* A guest that reaches for its devices before there is a service does not survive it. */
static void test_no_service(void **state)
{
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .program = true });
	/* Another machine, without. */
	{
		static const struct hv_sim_ram ram = { UINT64_C(0x40000000), UINT64_C(0x40000000) };
		struct hv_sim_opts sim = { .arch = HV_ARCH_ARM64,
					   .layout = HV_LAYOUT_6,
					   .n_cpus = 4,
					   .root_cpus = 1,
					   .ram = &ram,
					   .n_ram = 1 };
		struct srig bare = { 0 };

		must(hv_hyp_open_sim(&sim, &bare.hyp, &err));
		must(hv_guests_new(bare.hyp, &(struct hv_guests_opts){ 0 }, &bare.guests, &err));
		srig_run(&bare, 1);
		await_zone(&bare, true, true, "the crash");
		hv_guest_put(bare.guest[1]);
		hv_guests_free(bare.guests);
		hv_hyp_close(bare.hyp);
	}
	srig_close(&rig);
}

/* No tree, a broken one, and one without any device behind its windows. */
static void test_no_devices(void **state)
{
	static const uint8_t junk[4096] = { 0xd0, 0x0d, 0xfe, 0xed, 0,	  0,
					    0x20, 0,	0xff, 0xff, 0xff, 0xff };
	struct hv_abi_zone zone;
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .program = true });
	srig_start(&rig, 1);
	srig_stop(&rig, 1);
	zone = srig_zone(1);
	must(hv_hyp_load_mem(rig.hyp, junk, sizeof(junk), zone.dtb_phys, &err));
	must(hv_hyp_zone_start(rig.hyp, &zone, &err));
	must(hv_hyp_zone_stop(rig.hyp, 1, &err));
	zone.dtb_size = 0;
	must(hv_hyp_zone_start(rig.hyp, &zone, &err));
	must(hv_hyp_zone_stop(rig.hyp, 1, &err));
	zone.dtb_size = UINT64_MAX;
	must(hv_hyp_zone_start(rig.hyp, &zone, &err));
	must(hv_hyp_zone_stop(rig.hyp, 1, &err));
	zone.dtb_phys = 0;
	must(hv_hyp_zone_start(rig.hyp, &zone, &err));
	must(hv_hyp_zone_stop(rig.hyp, 1, &err));
	srig_close(&rig);
}

static unsigned int entries(const char *folder)
{
	unsigned int n = 0;
	DIR *dir = opendir(folder);

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* A thread that has been joined is still in its folder for a moment. */
static unsigned int entries_at_rest(const char *folder)
{
	struct timespec pause = { .tv_nsec = 1000000 };
	unsigned int n = 0;

	for (int same = 0; same < 50; same++) {
		unsigned int now = entries(folder);

		if (now != n)
			same = 0;
		n = now;
		nanosleep(&pause, NULL);
	}
	return n;
}

static unsigned long resident_kib(void)
{
	unsigned long size, resident;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return resident * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
}

/* Starting and stopping leaves nothing behind: descriptors, threads, memory. */
static void test_soak(void **state)
{
	const char *wish = getenv("HVSH_SOAK");
	unsigned int cycles = wish ? (unsigned int)atoi(wish) : 20;
	unsigned int warm = cycles / 10 + 1, fds = 0, threads = 0;
	unsigned long memory = 0;
	struct srig rig;

	(void)state;
	srig_open(&rig, &(struct srig_opts){ .program = true });
	for (unsigned int i = 0; i < cycles + warm; i++) {
		struct box *box = malloc(sizeof(*box));
		struct hv_switch *sw;

		if (i == warm) {
			fds = entries("/proc/self/fd");
			threads = entries_at_rest("/proc/self/task");
			memory = resident_kib();
		}
		must(hv_switch_new("s0", &sw, &err));
		box_init(box, 1, sw);
		box_start(&rig, 1, box);
		/* Every third one is stopped wherever it happens to be. */
		if (i % 3)
			expect_from(box, 0, "zone1> ");
		if (i % 3 == 1)
			ask(box, "echo done", "\r\ndone\r\n");
		srig_stop(&rig, 1);
		box_free(box);
		hv_switch_put(sw);
		free(box);
	}
	assert_int_equal(entries("/proc/self/fd"), fds);
	assert_int_equal(entries_at_rest("/proc/self/task"), threads);
	print_message("%u cycles: memory %lu KiB, then %lu KiB\n", cycles, memory, resident_kib());
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	/* The sanitizers keep what was freed; the address sanitizer finds leaks itself. */
	assert_true(resident_kib() < memory + 2048);
#endif
	srig_close(&rig);
}

/* Nobody is told of what has not left. */
static void test_what_is_not_sent_is_not_counted(void **state)
{
	static const uint8_t frame[64];
	struct hv_net_opts opts = { 0 };
	struct hv_vdev net = { 0 };
	struct hv_gnet driver;
	struct hv_gdev dev;
	struct srig rig;

	(void)state;
	must(hv_switch_new("s0", &opts.sw, &err));
	must(hv_net_init(&net, "zone1/net", &opts, &err));
	srig_open(&rig, &(struct srig_opts){ .n_zones = 1 });
	must(hv_service_attach(rig.svc, rig.zones[1], &net, SRIG_SLOT(0), 0x200, SRIG_IRQ(0),
			       &err));
	assert_int_equal(hv_gdev_probe(&dev, rig.guest[1], 0, SRIG_SLOT(0), SRIG_IRQ(0)), 0);
	assert_int_equal(hv_gnet_start(&driver, &dev), 0);
	must(hv_hyp_zone_stop(rig.hyp, 1, &err));
	assert_int_equal(hv_gnet_send(&driver, frame, sizeof(frame)), -ESHUTDOWN);
	assert_int_equal(driver.sent, 0);
	hv_gdev_free(&dev);
	srig_close(&rig);
	hv_vdev_destroy(&net);
	hv_switch_put(opts.sw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot),
		cmocka_unit_test(test_two_zones),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_no_service),
		cmocka_unit_test(test_no_devices),
		cmocka_unit_test(test_what_is_not_sent_is_not_counted),
		cmocka_unit_test(test_soak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
