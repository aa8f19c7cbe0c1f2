// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
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
#include "virtio/state.h"
#include "zone/serve.h"
#include "zone_fixture.h"

/* A plan finds zones that an earlier service left: which are taken up, and what is said of others.
 */

struct box {
	struct hv_loop *loop;
	struct hv_serve *serve;
	char state[128], log[2048];
	struct hv_zone_spec *zone;
};

static struct box box;

static void take_line(enum hv_log_level level, const char *line, void *arg)
{
	size_t used = strlen(box.log);

	(void)arg;
	if (level <= HV_LOG_WARN)
		snprintf(box.log + used, sizeof(box.log) - used, "%s\n", line);
}

static void open_service(struct zf *f)
{
	const struct hv_serve_opts opts = { .state_dir = box.state, .loop = box.loop };

	*box.log = '\0';
	assert_int_equal(hv_serve_new(f->hyp, &opts, &box.serve, &f->err), 0);
	f->machine.serve = box.serve;
}

static void next_service(struct zf *f)
{
	hv_serve_free(box.serve);
	open_service(f);
}

static int setup(void **state)
{
	static char sectors[4096];
	struct hv_spec_option *image;
	struct hv_spec_device *d;
	struct hv_zone_spec *z;
	struct zf *f;

	if (zf_setup(state))
		return -1;
	f = *state;
	snprintf(box.state, sizeof(box.state), "%s/devices", f->dir);
	hv_log_set_sink(take_line, NULL);
	assert_int_equal(hv_loop_new(&box.loop, &f->err), 0);
	open_service(f);
	z = box.zone = zf_zone(f, "linux1", 1);
	d = zf_device(f, z, "blk", "root");
	z->dtb.present = false;
	image = hv_arena_array(hv_zone_set_arena(f->set), 1, sizeof(*image));
	assert_non_null(image);
	*image = (struct hv_spec_option){
		.type = HV_OPT_STRING,
		.key = "image",
		.string = zf_file(f, "disk", sectors, sizeof(sectors)),
	};
	d->options = image;
	d->n_options = 1;
	return 0;
}

static int teardown(void **state)
{
	char command[160];

	hv_serve_free(box.serve);
	hv_loop_free(box.loop);
	hv_log_set_sink(NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", box.state);
	return system(command) || zf_teardown(state);
}

static void must_apply(struct zf *f, unsigned int flags)
{
	if (zf_apply(f, flags))
		fail_msg("not applied: %s", f->err.msg);
}

static struct hv_served *root(void)
{
	struct hv_served *d = hv_serve_find(box.serve, 1, "root");

	assert_non_null(d);
	return d;
}

static void the_next_service_goes_on(void **state)
{
	struct zf *f = *state;
	struct hv_record record;
	uint64_t life;

	must_apply(f, 0);
	life = hv_serve_life(box.serve, 1);
	assert_true(life);
	assert_int_equal(hv_records_get(f->records, 1, &record, &f->err), 0);
	assert_int_equal(record.life, life);
	assert_false(hv_state_is_adopted(root()->dev.kept));
	for (int i = 0; i < 3; i++) {
		next_service(f);
		must_apply(f, 0);
		assert_true(hv_state_is_adopted(root()->dev.kept));
		assert_int_equal(hv_serve_life(box.serve, 1), life);
		assert_string_equal(box.log, "");
	}
}

static void a_zone_started_since_begins_anew(void **state)
{
	struct zf *f = *state;
	struct hv_record record;
	uint64_t life;

	must_apply(f, 0);
	life = hv_serve_life(box.serve, 1);
	must_apply(f, HV_PLAN_FORCE);
	assert_true(hv_serve_life(box.serve, 1) != life);
	/* As if it had been started without us. */
	assert_int_equal(hv_records_get(f->records, 1, &record, &f->err), 0);
	record.life++;
	assert_int_equal(hv_records_put(f->records, &record, &f->err), 0);
	next_service(f);
	must_apply(f, 0);
	assert_false(hv_state_is_adopted(root()->dev.kept));
	assert_non_null(strstr(box.log, "linux1 ran before this service did"));
	/* From then on it is known. */
	next_service(f);
	must_apply(f, 0);
	assert_true(hv_state_is_adopted(root()->dev.kept));
}

static void what_is_damaged_is_left_alone(void **state)
{
	struct zf *f = *state;
	char path[256];
	int fd;

	must_apply(f, 0);
	snprintf(path, sizeof(path), "%s/1-%llx-%llx", box.state, (unsigned long long)root()->at,
		 (unsigned long long)root()->size);
	next_service(f);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "nonsense", 8, 0), 8);
	close(fd);
	assert_int_equal(zf_apply(f, 0), -EBADMSG);
	assert_non_null(strstr(f->err.msg, "no state of a device; zone linux1 is left alone"));
	assert_non_null(strstr(f->err.msg, "hvsh restart linux1 starts it anew"));
	assert_int_equal(zf_running(f), 1);
	assert_false(hv_serve_has(box.serve, 1));
	assert_int_equal(access(path, F_OK), 0);
	must_apply(f, HV_PLAN_FORCE);
	assert_true(hv_serve_has(box.serve, 1));
}

/* linux1 with a second device. Its file's path. */
static const char *second(struct zf *f)
{
	static char path[256];
	const struct hv_served *d;

	zf_device(f, box.zone, "rng", "rng");
	must_apply(f, 0);
	d = hv_serve_find(box.serve, 1, "rng");
	assert_non_null(d);
	snprintf(path, sizeof(path), "%s/1-%llx-%llx", box.state, (unsigned long long)d->at,
		 (unsigned long long)d->size);
	return path;
}

/* Half of it would be refused, and its guest waited for for ever. */
static void all_of_a_zone_is_kept_or_nothing(void **state)
{
	struct zf *f = *state;
	const char *path = second(f);
	char part[300];

	assert_non_null(root()->dev.kept);
	assert_int_equal(hv_zone_stop(&f->machine, 1, &f->err), 0);
	snprintf(part, sizeof(part), "%s.new", path);
	assert_int_equal(mkdir(part, 0700), 0);
	must_apply(f, 0);
	if (!strstr(box.log, "zone linux1 will notice when this service ends"))
		fail_msg("%s", box.log);
	assert_null(root()->dev.kept);
	next_service(f);
	must_apply(f, 0);
	assert_non_null(strstr(box.log, "linux1 ran before this service did"));
	assert_int_equal(rmdir(part), 0);
}

/* So it is with a device that is added later: the file of the first one goes. */
static void one_that_is_added_and_not_kept_spoils_the_others(void **state)
{
	struct zf *f = *state;
	const struct hv_spec_device *rng;
	struct hv_served *added;
	const char *path = second(f);
	char part[300];

	rng = &box.zone->devices[1];
	assert_string_equal(rng->name, "rng");
	hv_serve_remove(hv_serve_find(box.serve, 1, "rng"));
	snprintf(part, sizeof(part), "%s.new", path);
	assert_int_equal(mkdir(part, 0700), 0);
	assert_int_equal(hv_serve_add(box.serve, 1, rng, &added, &f->err), 0);
	if (!strstr(box.log, "linux1/rng: zone linux1 will notice when this service ends"))
		fail_msg("%s", box.log);
	next_service(f);
	must_apply(f, 0);
	assert_non_null(strstr(box.log, "linux1 ran before this service did"));
	assert_int_equal(rmdir(part), 0);
}

/* Killed between the files of a zone that no driver knows yet. */
static void half_of_a_zone_begins_anew(void **state)
{
	struct zf *f = *state;
	const char *path = second(f);

	next_service(f);
	assert_int_equal(unlink(path), 0);
	must_apply(f, 0);
	assert_non_null(strstr(box.log, "linux1 ran before this service did"));
	assert_non_null(root()->dev.kept);
	assert_false(hv_state_is_adopted(root()->dev.kept));
	next_service(f);
	must_apply(f, 0);
	assert_true(hv_state_is_adopted(root()->dev.kept));
}

static void a_stopped_zone_leaves_nothing(void **state)
{
	struct zf *f = *state;
	char path[256];

	must_apply(f, 0);
	snprintf(path, sizeof(path), "%s/1-%llx-%llx", box.state, (unsigned long long)root()->at,
		 (unsigned long long)root()->size);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(hv_zone_stop(&f->machine, 1, &f->err), 0);
	assert_int_equal(access(path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_next_service_goes_on),
		TEST(a_zone_started_since_begins_anew),
		TEST(what_is_damaged_is_left_alone),
		TEST(all_of_a_zone_is_kept_or_nothing),
		TEST(one_that_is_added_and_not_kept_spoils_the_others),
		TEST(half_of_a_zone_begins_anew),
		TEST(a_stopped_zone_leaves_nothing),
	};

	return cmocka_run_group_tests_name("adopt_apply", tests, NULL, NULL);
}
