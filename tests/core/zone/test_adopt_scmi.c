// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "abi/bridge.h"
#include "abi/resource.h"
#include "base/log.h"
#include "base/now.h"
#include "guest/driver.h"
#include "guest/guest.h"
#include "virtio/state.h"
#include "zone/serve.h"
#include "zone_fixture.h"

/*
 * Zones that share a clock, one service after the other: the clock is on as long as one of them
 * wants it, also while they are not served, and a zone that cannot be taken up whole is left as it
 * was.
 */
#define LONG_NS UINT64_C(30000000000)
#define SCMI_ID 32
#define FILLER 7 /* devices of another zone: one of ours has room */

/* Devices in their order, which makes their lines: 50 and 53 behind the zone's. */
enum { SCMI, RNG };

struct driver {
	struct hv_guest *g;
	struct hv_gdev dev;
	uint64_t out, in;
};

static struct {
	struct zf *f;
	struct hv_loop *loop;
	struct hv_serve *serve;
	struct hv_guests *guests;
	struct driver driver[3]; /* by zone */
	char state[128], log[4096];
} box;

static void take_line(enum hv_log_level level, const char *line, void *arg)
{
	size_t used = strlen(box.log);

	(void)arg;
	if (level <= HV_LOG_WARN)
		snprintf(box.log + used, sizeof(box.log) - used, "%s\n", line);
}

static void open_service(void)
{
	const struct hv_serve_opts opts = { .state_dir = box.state, .loop = box.loop };

	*box.log = '\0';
	assert_int_equal(hv_serve_new(box.f->hyp, &opts, &box.serve, &box.f->err), 0);
	box.f->machine.serve = box.serve;
}

static void next_service(void)
{
	hv_serve_free(box.serve);
	open_service();
}

static int setup(void **state)
{
	const struct hv_guests_opts manual = { .manual = true };
	struct zf *f;

	if (zf_setup(state))
		return -1;
	memset(&box, 0, sizeof(box));
	f = box.f = *state;
	snprintf(box.state, sizeof(box.state), "%s/devices", f->dir);
	hv_log_set_sink(take_line, NULL);
	assert_int_equal(hv_sim_set_clocks(f->hyp,
					   "clock bus 4000000\n"
					   "clock a parent=bus div=1..4 gate lent\n",
					   &f->err),
			 0);
	assert_int_equal(hv_loop_new(&box.loop, &f->err), 0);
	assert_int_equal(hv_guests_new(f->hyp, &manual, &box.guests, &f->err), 0);
	open_service();
	return 0;
}

static int teardown(void **state)
{
	char command[160];

	hv_serve_free(box.serve);
	for (int i = 0; i < 3; i++) {
		hv_gdev_free(&box.driver[i].dev);
		hv_guest_put(box.driver[i].g);
	}
	hv_guests_free(box.guests);
	hv_loop_free(box.loop);
	hv_log_set_sink(NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", box.state);
	return system(command) || zf_teardown(state);
}

/* ---- zones */

static struct hv_spec_device *device(struct hv_zone_spec *z, const char *type, const char *name)
{
	return zf_device(box.f, z, type, name);
}

static struct hv_zone_spec *zone(uint32_t id)
{
	static const char *const names[] = { "", "linux1", "linux2" };
	static int64_t a;
	const struct hv_spec_option clocks = {
		.type = HV_OPT_INTS, .key = "clocks", .n_ints = 1, .ints = &a
	};
	struct hv_zone_spec *z = zf_zone(box.f, names[id], id);

	z->dtb.present = false;
	zf_option(box.f, device(z, "scmi", "scmi0"), clocks);
	device(z, "rng", "rng0");
	return z;
}

static void must_apply(void)
{
	if (zf_apply(box.f, 0))
		fail_msg("not applied: %s", box.f->err.msg);
}

/* Of the set's zones this one. */
static void apply_only(uint32_t id)
{
	const char *const names[] = { id == 1 ? "linux1" : "linux2" };
	struct zf *f = box.f;
	struct hv_plan *plan;

	zf_check(f);
	assert_int_equal(hv_plan_make(f->set, &f->machine, names, 1, 0, &plan, &f->err), 0);
	if (hv_plan_apply(plan, &f->machine, NULL, NULL, &f->err))
		fail_msg("not applied: %s", f->err.msg);
	hv_plan_free(plan);
}

static void says(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static bool is_adopted(uint32_t id)
{
	struct hv_served *d = hv_serve_find(box.serve, id, "scmi0");

	assert_non_null(d);
	return hv_state_is_adopted(d->dev.kept);
}

static void kept_file(uint32_t id, unsigned int i, char path[256])
{
	static const char *const names[] = { "scmi0", "rng0" };
	struct hv_served *d = hv_serve_find(box.serve, id, names[i]);

	assert_non_null(d);
	snprintf(path, 256, "%s/%u-%llx-%llx", box.state, (unsigned int)id,
		 (unsigned long long)d->at, (unsigned long long)d->size);
	assert_int_equal(access(path, F_OK), 0);
}

static void damage(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "nonsense", 8, 0), 8);
	close(fd);
}

/* ---- their drivers */

static void start_driver(uint32_t id)
{
	const struct hv_served *d = hv_serve_find(box.serve, id, "scmi0");
	struct driver *drv = &box.driver[id];

	assert_non_null(d);
	drv->g = hv_guest_get(box.guests, id);
	assert_non_null(drv->g);
	assert_int_equal(hv_gdev_probe(&drv->dev, drv->g, 0, d->at, d->irq), 0);
	assert_int_equal(drv->dev.id, SCMI_ID);
	assert_int_equal(hv_gdev_negotiate(&drv->dev, HV_GDEV_FEATURES), 0);
	assert_int_equal(hv_gdev_add_queue(&drv->dev, 8), 0);
	assert_int_equal(hv_gdev_add_queue(&drv->dev, 8), 0);
	assert_int_equal(hv_gdev_start(&drv->dev), 0);
	drv->out = hv_guest_alloc(drv->g, 64, 8);
	drv->in = hv_guest_alloc(drv->g, 256, 8);
}

/* An SCMI command to the clock protocol; its status, and the first word behind it. */
static int32_t ask(uint32_t id, const uint32_t *words, uint32_t n, uint32_t *word)
{
	struct driver *drv = &box.driver[id];
	struct hv_gbuf out = { drv->out, 4 * n }, in = { drv->in, 136 };
	uint32_t answer[3], written;
	void *token;

	memcpy(hv_guest_at(drv->g, drv->out, out.len), words, out.len);
	assert_int_equal(hv_gring_add(&drv->dev.rings[0], &out, 1, &in, 1, drv), 0);
	assert_int_equal(hv_gdev_kick(&drv->dev, 0), 0);
	assert_int_equal(hv_gdev_wait(&drv->dev, 0, LONG_NS), 1);
	assert_int_equal(hv_gring_get(&drv->dev.rings[0], &token, &written), 1);
	assert_true(written >= 8);
	memcpy(answer, hv_guest_at(drv->g, drv->in, sizeof(answer)), sizeof(answer));
	if (word)
		*word = answer[2];
	return (int32_t)answer[1];
}

#define CLOCK_ATTRIBUTES (0x3 | 0x14 << 10)
#define CLOCK_CONFIG_SET (0x7 | 0x14 << 10)

static void wants(uint32_t id, bool on)
{
	assert_int_equal(ask(id, (const uint32_t[]){ CLOCK_CONFIG_SET, 0, on, 0 }, 4, NULL), 0);
}

static void believes(uint32_t id, bool on)
{
	uint32_t attributes;

	assert_int_equal(ask(id, (const uint32_t[]){ CLOCK_ATTRIBUTES, 0 }, 2, &attributes), 0);
	assert_int_equal(attributes & 1, on);
}

static bool clock_is_on(void)
{
	struct hv_ioc_clock args = { .subcmd = HV_CLOCK_CONFIG_GET };

	assert_int_equal(hv_hyp_clock(box.f->hyp, &args, &box.f->err), 0);
	return args.config.config & HV_CLOCK_ON;
}

/* Both run, and have the clock on. */
static void start_both(void)
{
	zone(1);
	zone(2);
	must_apply();
	for (uint32_t id = 1; id < 3; id++) {
		start_driver(id);
		wants(id, true);
	}
}

/* ---- a clock of two zones */

static void it_stays_on_for_a_zone_still_to_come(void **state)
{
	(void)state;
	start_both();
	for (int i = 0; i < 3; i++) {
		next_service();
		apply_only(1);
		wants(1, false);
		believes(1, false);
		assert_true(clock_is_on());
		must_apply();
		assert_true(is_adopted(2));
		believes(2, true);
		wants(1, true);
	}
	wants(1, false);
	assert_true(clock_is_on());
	/* And for nobody else. */
	wants(2, false);
	assert_false(clock_is_on());
}

static void a_service_that_never_takes_it_up_leaves_it_on(void **state)
{
	(void)state;
	start_both();
	for (int i = 0; i < 3; i++) {
		next_service();
		apply_only(1);
	}
	wants(1, false);
	next_service();
	must_apply();
	assert_true(clock_is_on());
	believes(2, true);
	wants(2, false);
	assert_false(clock_is_on());
}

/* A zone of its own is in nobody's way: not even while it is taken up. */
static void its_rate_is_the_zones_own(void **state)
{
	static const uint32_t rate_set[] = { 0x5 | 0x14 << 10, 0, 0, 2000000, 0 };

	(void)state;
	zone(1);
	must_apply();
	start_driver(1);
	wants(1, true);
	for (int i = 0; i < 20; i++) {
		next_service();
		must_apply();
		assert_int_equal(ask(1, rate_set, 5, NULL), 0);
		assert_true(clock_is_on());
	}
}

static void a_zone_that_ended_meanwhile_wants_nothing(void **state)
{
	char path[256];

	(void)state;
	start_both();
	kept_file(2, SCMI, path);
	hv_serve_free(box.serve);
	assert_int_equal(hv_hyp_zone_stop(box.f->hyp, 2, &box.f->err), 0);
	open_service();
	apply_only(1);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(clock_is_on());
	wants(1, false);
	assert_false(clock_is_on());
}

static void a_zone_that_ends_before_its_turn_wants_nothing(void **state)
{
	struct hv_zone_info zones[HV_MAX_ZONES];
	char path[256];
	int n;

	(void)state;
	start_both();
	kept_file(2, SCMI, path);
	next_service();
	apply_only(1);
	wants(1, false);
	n = hv_hyp_zone_list(box.f->hyp, zones, HV_MAX_ZONES, &box.f->err);
	assert_int_equal(n, 3);
	hv_serve_running(box.serve, zones, n);
	assert_true(clock_is_on());
	assert_int_equal(hv_hyp_zone_stop(box.f->hyp, 2, &box.f->err), 0);
	n = hv_hyp_zone_list(box.f->hyp, zones, HV_MAX_ZONES, &box.f->err);
	hv_serve_running(box.serve, zones, n);
	assert_false(clock_is_on());
	assert_int_equal(access(path, F_OK), -1);
	assert_true(is_adopted(1));
}

static void a_zone_started_since_wants_nothing(void **state)
{
	struct hv_record record;

	(void)state;
	start_both();
	next_service();
	apply_only(1);
	/* As if it had been started without us. */
	assert_int_equal(hv_records_get(box.f->records, 2, &record, &box.f->err), 0);
	record.life++;
	assert_int_equal(hv_records_put(box.f->records, &record, &box.f->err), 0);
	wants(1, false);
	assert_true(clock_is_on());
	must_apply();
	assert_false(is_adopted(2));
	assert_false(clock_is_on());
}

static void a_refused_zone_wants_it_until_it_ends(void **state)
{
	char path[256];

	(void)state;
	start_both();
	kept_file(2, RNG, path);
	next_service();
	damage(path);
	assert_int_equal(zf_apply(box.f, 0), -EBADMSG);
	says(box.f->err.msg, "linux2/rng0 (zones.lua:253: devices): ");
	says(box.f->err.msg, "zone linux2 is left alone, and waits; hvsh restart linux2");
	/* The other one was taken up before, and is not spoilt by that. */
	says(box.f->err.msg, "; zone linux1 waits until it is served again");
	assert_int_equal(zf_running(box.f), 2);
	apply_only(1);
	assert_true(is_adopted(1));
	believes(1, true);
	wants(1, false);
	assert_true(clock_is_on());
	assert_int_equal(hv_zone_stop(&box.f->machine, 2, &box.f->err), 0);
	assert_false(clock_is_on());
	assert_int_equal(access(path, F_OK), -1);
}

/* ---- a device that cannot be had, after others of its zone went on */

struct look {
	struct driver *drv;
	uint32_t id;
};

static void *look_at_it(void *arg)
{
	struct look *look = arg;

	look->id = hv_gdev_reg(&look->drv->dev, 8 /* DeviceID */);
	return NULL;
}

/* Off the ring: from then on it is for the service to answer. */
static void await_taken(const struct hv_bridge_page *page, uint32_t front)
{
	uint64_t start = hv_now();

	while (__atomic_load_n(&page->req_front, __ATOMIC_ACQUIRE) != front) {
		if (hv_now() - start > LONG_NS)
			fail_msg("the request is not taken");
		usleep(1000);
	}
}

static void what_was_taken_up_is_left_again(void **state)
{
	struct look look = { .drv = &box.driver[1] };
	char scmi[256], rng[256];
	struct hv_bridge_page *page;
	pthread_t thread;
	uint32_t rear;

	(void)state;
	zone(1);
	must_apply();
	start_driver(1);
	wants(1, true);
	kept_file(1, SCMI, scmi);
	kept_file(1, RNG, rng);
	next_service();
	zf_fill(box.f, FILLER);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(zf_apply(box.f, 0), -ENOSPC);
		says(box.f->err.msg, "linux1/rng0 (zones.lua:153: devices): hvisor has room for 8");
		says(box.f->err.msg, "; zone linux1 is left alone, and waits; hvsh restart linux1");
		assert_false(hv_serve_has(box.serve, 1));
		assert_int_equal(zf_running(box.f), 1);
		assert_int_equal(access(scmi, F_OK) | access(rng, F_OK), 0);
		assert_true(clock_is_on());
	}
	/* A CPU that asks meanwhile waits for the right answer. */
	assert_int_equal(hv_hyp_bridge(box.f->hyp, &page, &box.f->err), 0);
	rear = page->req_rear;
	assert_int_equal(pthread_create(&thread, NULL, look_at_it, &look), 0);
	await_taken(page, (rear + 1) % HV_BRIDGE_SLOTS);
	hv_serve_drop(box.serve, 3);
	must_apply();
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(look.id, SCMI_ID);
	assert_true(is_adopted(1));
	believes(1, true);
	/* The same for a service that comes later. */
	next_service();
	zf_fill(box.f, FILLER);
	assert_int_equal(zf_apply(box.f, 0), -ENOSPC);
	next_service();
	must_apply();
	assert_true(is_adopted(1));
	believes(1, true);
	wants(1, false);
	assert_false(clock_is_on());
	assert_string_equal(box.log, "");
}

static void what_is_left_again_still_counts(void **state)
{
	(void)state;
	start_both();
	next_service();
	apply_only(2);
	zf_fill(box.f, FILLER - 2);
	assert_int_equal(zf_apply(box.f, 0), -ENOSPC);
	says(box.f->err.msg, "linux1/rng0 (zones.lua:153: devices): ");
	wants(2, false);
	assert_true(clock_is_on());
	hv_serve_drop(box.serve, 3);
	must_apply();
	believes(1, true);
	wants(1, false);
	assert_false(clock_is_on());
}

/* ---- a device that a script added, and that no definition knows */

static void another_one_in_its_window_has_nothing_on(void **state)
{
	struct hv_zone_spec *z = zone(1);
	struct hv_spec_device spec = z->devices[SCMI];
	struct hv_served *scmi;

	(void)state;
	((struct hv_spec_device *)z->devices)[SCMI] =
		(struct hv_spec_device){ .type = "slot", .name = "spare", .origin = spec.origin };
	must_apply();
	assert_int_equal(hv_serve_add(box.serve, 1, &spec, &scmi, &box.f->err), 0);
	start_driver(1);
	wants(1, true);
	next_service();
	must_apply();
	assert_true(clock_is_on());
	assert_int_equal(hv_serve_add(box.serve, 1, &spec, &scmi, &box.f->err), 0);
	assert_false(is_adopted(1));
	assert_false(clock_is_on());
}

/* ---- a device that is not kept */

static void set_int(struct hv_spec_device *d, const char *key, int64_t value)
{
	zf_option(box.f, d,
		  (struct hv_spec_option){ .type = HV_OPT_INT, .key = key, .integer = value });
}

static void a_custom_device_is_named(void **state)
{
	static int64_t size = 8;
	const struct hv_spec_option sizes = {
		.type = HV_OPT_INTS, .key = "queue_sizes", .n_ints = 1, .ints = &size
	};
	struct hv_spec_device *d;

	(void)state;
	d = device(zone(1), "custom", "leds");
	zf_option(box.f, d, sizes);
	set_int(d, "id", 42);
	set_int(d, "requests", 8);
	set_int(d, "max_request", 4096);
	set_int(d, "memory", 65536);
	set_int(d, "timeout", 1000000000);
	must_apply();
	start_driver(1);
	wants(1, true);
	next_service();
	/* Its drivers' agreements end with the service that served them. */
	assert_false(clock_is_on());
	must_apply();
	says(box.log, "linux1/leds (zones.lua:156: devices): a custom device cannot go on where an "
		      "earlier service left it, so that all devices of zone linux1 begin anew");
	says(box.log, "hvsh restart linux1 starts it anew");
	/* They are served, to drivers that begin anew. */
	hv_gdev_free(&box.driver[1].dev);
	hv_guest_put(box.driver[1].g);
	start_driver(1);
	wants(1, true);
	assert_true(clock_is_on());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_stays_on_for_a_zone_still_to_come),
		TEST(a_service_that_never_takes_it_up_leaves_it_on),
		TEST(its_rate_is_the_zones_own),
		TEST(a_zone_that_ended_meanwhile_wants_nothing),
		TEST(a_zone_that_ends_before_its_turn_wants_nothing),
		TEST(a_zone_started_since_wants_nothing),
		TEST(a_refused_zone_wants_it_until_it_ends),
		TEST(what_was_taken_up_is_left_again),
		TEST(what_is_left_again_still_counts),
		TEST(another_one_in_its_window_has_nothing_on),
		TEST(a_custom_device_is_named),
	};

	return cmocka_run_group_tests_name("adopt_scmi", tests, NULL, NULL);
}
