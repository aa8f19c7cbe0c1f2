// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "guest/drivers.h"
#include "guest/hostile.h"
#include "srig.h"
#include "virtio/dev/blk.h"
#include "virtio/dev/console.h"
#include "virtio/dev/net.h"
#include "virtio/dev/rng.h"

/*
 * Every behaviour of the hostile guest, on every type of device: the service survives, a device of
 * the same zone and one of another zone go on meanwhile, and after a reset the victim works.
 */
#define DISK 65536
#define SHORT UINT64_C(2000000) /* ns a device has to react in, the first time */
#define LONGER UINT64_C(50000000)
enum { ECHO, CONSOLE, BLK, NET, RNG, BYSTANDER, TYPES = BYSTANDER };

static struct hv_err err;
static _Atomic unsigned int lines, breaks;

static void must(int rc)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, err.msg);
}

static void count_line(enum hv_log_level level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
	atomic_fetch_add(&lines, 1);
}

static void on_event(struct hv_vdev *dev, enum hv_vdev_event event, const char *message, void *arg)
{
	(void)dev;
	(void)message;
	(void)arg;
	if (event == HV_EV_BROKEN)
		atomic_fetch_add(&breaks, 1);
}

struct house {
	struct srig rig;
	char image[32];
	struct srig_echo *echo, *bystander, *neighbour;
	struct hv_vdev console, blk, net;
	struct hv_vdev rng;
	struct hv_switch *sw;
	struct hv_gdev by, far; /* the drivers of bystander and neighbour */
};

static void plug(struct house *h, struct hv_vdev *dev, unsigned int slot)
{
	must(hv_service_attach(h->rig.svc, h->rig.zones[1], dev, SRIG_SLOT(slot), 0x200,
			       SRIG_IRQ(slot), &err));
}

static int set_up(void **state)
{
	static struct house house;
	struct house *h = &house;
	struct hv_blk_opts blk = { .image = h->image };
	struct hv_console_opts console = { 0 };
	struct hv_net_opts net = { 0 };
	struct hv_origin origin = { 0 };
	int fd;

	memset(h, 0, sizeof(*h));
	hv_log_set_sink(count_line, NULL);
	snprintf(h->image, sizeof(h->image), "/tmp/hvsh-hostile-XXXXXX");
	fd = mkstemp(h->image);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK), 0);
	close(fd);
	must(hv_switch_new("s0", &h->sw, &err));
	net.sw = h->sw;
	must(hv_console_init(&h->console, "zone1/hvc0", &console, &err));
	must(hv_blk_init(&h->blk, "zone1/root", &blk, &err));
	must(hv_net_init(&h->net, "zone1/eth0", &net, &err));
	must(hv_rng_init(&h->rng, "zone1/rng", &origin, &err));
	h->echo = srig_echo_new("zone1/echo");
	h->bystander = srig_echo_new("zone1/by");
	h->neighbour = srig_echo_new("zone2/echo");
	srig_open(&h->rig, &(struct srig_opts){ .n_zones = 2, .event = on_event });
	srig_attach(&h->rig, 1, h->echo, ECHO);
	plug(h, &h->console, CONSOLE);
	plug(h, &h->blk, BLK);
	plug(h, &h->net, NET);
	plug(h, &h->rng, RNG);
	srig_attach(&h->rig, 1, h->bystander, BYSTANDER);
	srig_attach(&h->rig, 2, h->neighbour, 0);
	srig_driver(&h->rig, 1, 1, BYSTANDER, &h->by);
	srig_driver(&h->rig, 2, 0, 0, &h->far);
	hv_hostile_set_patience(SHORT);
	*state = h;
	return 0;
}

static int tear_down(void **state)
{
	struct house *h = *state;

	hv_gdev_free(&h->by);
	hv_gdev_free(&h->far);
	srig_close(&h->rig);
	srig_echo_free(h->echo);
	srig_echo_free(h->bystander);
	srig_echo_free(h->neighbour);
	hv_vdev_destroy(&h->console);
	hv_vdev_destroy(&h->blk);
	hv_vdev_destroy(&h->net);
	hv_vdev_destroy(&h->rng);
	hv_switch_put(h->sw);
	unlink(h->image);
	hv_log_set_sink(NULL, NULL);
	return 0;
}

/* The device works as if nothing had been. */
static void check_works(struct house *h, unsigned int type, const char *after)
{
	struct hv_gconsole console;
	struct hv_gnet net;
	static struct hv_gblk blk;
	struct hv_gdev dev;
	uint8_t bytes[600];
	int rc = hv_gdev_probe(&dev, h->rig.guest[1], 0, SRIG_SLOT(type), SRIG_IRQ(type));

	if (rc == 0) {
		switch (type) {
		case ECHO:
			srig_driver(&h->rig, 1, 0, ECHO, &dev);
			srig_ping(&dev, 300);
			break;
		case CONSOLE:
			rc = hv_gconsole_start(&console, &dev);
			for (int i = 0; i < 10 && rc == 0; i++)
				rc = hv_gconsole_write(&console, "still here\r\n", 12);
			break;
		case BLK:
			rc = hv_gblk_start(&blk, &dev, 1, 0);
			if (rc == 0)
				rc = hv_gblk_write(&blk, 700, "disk", 4);
			if (rc == 0)
				rc = hv_gblk_read(&blk, 500, bytes, sizeof(bytes));
			if (rc == 0)
				assert_memory_equal(bytes + 200, "disk", 4);
			break;
		case NET:
			rc = hv_gnet_start(&net, &dev);
			for (int i = 0; i < 10 && rc == 0; i++)
				rc = hv_gnet_send(&net, bytes, 60);
			break;
		default:
			rc = hv_grng_start(&dev);
			if (rc == 0)
				rc = hv_grng_read(&dev, bytes, 100);
		}
	}
	if (rc < 0)
		fail_msg("device %u after \"%s\": %s", type, after, strerror(-rc));
	must(hv_gdev_reset(&dev));
}

static void misbehave(struct house *h, unsigned int type, const struct hv_hostile *how)
{
	uint64_t mark = hv_guest_heap_mark(h->rig.guest[1]);
	struct hv_gdev dev;

	must(hv_gdev_probe(&dev, h->rig.guest[1], 0, SRIG_SLOT(type), SRIG_IRQ(type)));
	how->run(&dev);
	srig_ping(&h->by, 64);
	srig_ping(&h->far, 64);
	if (hv_gdev_reset(&dev) < 0)
		fail_msg("device %u cannot be reset after \"%s\"", type, how->name);
	hv_guest_heap_reset(h->rig.guest[1], mark);
}

static void check_all(struct house *h, unsigned int type)
{
	unsigned int n;
	const struct hv_hostile *list = hv_hostile_list(&n);
	struct stat st;

	for (unsigned int i = 0; i < n; i++) {
		uint64_t mark = hv_guest_heap_mark(h->rig.guest[1]);

		atomic_store(&lines, 0);
		atomic_store(&breaks, 0);
		misbehave(h, type, &list[i]);
		/* The echo device looks at all that is shown to it; others may have no use for a
		 * queue. */
		for (uint64_t ns = LONGER; type == ECHO && list[i].fatal && !atomic_load(&breaks);
		     ns *= 4) {
			if (ns > SRIG_LONG)
				fail_msg("the device did not mind \"%s\"", list[i].name);
			hv_hostile_set_patience(ns);
			misbehave(h, type, &list[i]);
		}
		hv_hostile_set_patience(SHORT);
		if (type == ECHO && !list[i].fatal && atomic_load(&breaks))
			fail_msg("\"%s\" made the device need a reset %u times", list[i].name,
				 atomic_load(&breaks));
		check_works(h, type, list[i].name);
		hv_guest_heap_reset(h->rig.guest[1], mark);
		/* However often it does it, a few lines and no more. */
		if (atomic_load(&lines) > 12)
			fail_msg("%u lines in the log after \"%s\"", atomic_load(&lines),
				 list[i].name);
	}
	assert_int_equal(stat(h->image, &st), 0);
	assert_int_equal(st.st_size, DISK);
}

static void test_echo(void **state)
{
	check_all(*state, ECHO);
}

static void test_console(void **state)
{
	check_all(*state, CONSOLE);
}

static void test_blk(void **state)
{
	check_all(*state, BLK);
}

static void test_net(void **state)
{
	check_all(*state, NET);
}

static void test_rng(void **state)
{
	check_all(*state, RNG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo), cmocka_unit_test(test_console),
		cmocka_unit_test(test_blk),  cmocka_unit_test(test_net),
		cmocka_unit_test(test_rng),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
