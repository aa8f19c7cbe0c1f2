// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/now.h"
#include "guest/guest.h"
#include "net_box.h"
#include "virtio/dev/console.h"
#include "virtio/dev/tap.h"
#include "zone/serve.h"
#include "zone_fixture.h"

/*
 * What goes wrong outside: files and TAPs that cannot be had, and those that fail later. Each
 * message names the zone, the device and the line of the script, and the other zone never notices:
 * its guest is asked to read its disk and to type on its console afterwards.
 */
#define LONG_NS UINT64_C(30000000000)
#define NOBODY 65534

/* Devices in their order, which makes their lines: 50, 53 and (eth0) 56 behind the zone's. */
enum { ROOT, HVC0 };

struct box {
	struct zf *f;
	struct hv_loop *loop;
	struct hv_serve *serve;
	struct hv_guests *guests;
	char lock[128];
	struct hv_console_client *client[3]; /* by zone */
	char text[3][16384];
	unsigned int errors; /* HV_EV_ERROR */
	pthread_mutex_t mutex;
	char log[16384]; /* under mutex */
};

static struct box box;
static bool have_network;

static void on_line(enum hv_log_level level, const char *line, void *arg)
{
	size_t len;

	(void)arg;
	if (level > HV_LOG_WARN)
		return;
	pthread_mutex_lock(&box.mutex);
	len = strlen(box.log);
	snprintf(box.log + len, sizeof(box.log) - len, "%s\n", line);
	pthread_mutex_unlock(&box.mutex);
}

static bool logged(const char *text)
{
	bool found;

	pthread_mutex_lock(&box.mutex);
	found = strstr(box.log, text) != NULL;
	pthread_mutex_unlock(&box.mutex);
	return found;
}

static void on_event(struct hv_served *dev, enum hv_vdev_event event, const char *message,
		     void *arg)
{
	(void)dev;
	(void)message;
	(void)arg;
	box.errors += event == HV_EV_ERROR;
}

static int setup(void **state)
{
	const struct hv_guests_opts run = { 0 };
	struct hv_serve_opts opts = { .lock_path = box.lock, .event = on_event };
	struct zf *f;

	if (zf_setup(state))
		return -1;
	f = *state;
	box = (struct box){ .f = f };
	pthread_mutex_init(&box.mutex, NULL);
	hv_log_set_sink(on_line, NULL);
	snprintf(box.lock, sizeof(box.lock), "%s/bridge.lock", f->dir);
	if (hv_loop_new(&box.loop, &f->err))
		return -1;
	opts.loop = box.loop;
	if (hv_serve_new(f->hyp, &opts, &box.serve, &f->err) ||
	    hv_guests_new(f->hyp, &run, &box.guests, &f->err))
		return -1;
	f->machine.serve = box.serve;
	return 0;
}

static int teardown(void **state)
{
	hv_guests_free(box.guests);
	hv_serve_free(box.serve);
	for (int i = 0; i < 3; i++)
		hv_console_close(box.client[i]);
	hv_loop_free(box.loop);
	hv_log_set_sink(NULL, NULL);
	pthread_mutex_destroy(&box.mutex);
	return zf_teardown(state);
}

/* ---- zones */

static const char *disk(const char *name)
{
	char sectors[65536];

	memset(sectors, 'x', sizeof(sectors));
	return zf_file(box.f, name, sectors, sizeof(sectors));
}

/* A zone that boots from its tree and has a disk, a console and, with a TAP, a network. */
static struct hv_zone_spec *zone(uint32_t id, const char *image, const char *tap)
{
	static const char *const names[] = { "", "linux1", "linux2" };
	struct hv_zone_spec *z = zf_zone(box.f, names[id], id);
	struct zf_tree tree = zf_tree_of(z);
	char file[32];

	zf_text(box.f, zf_device(box.f, z, "blk", "root"), "image", image);
	zf_device(box.f, z, "console", "hvc0");
	if (tap)
		zf_text(box.f, zf_device(box.f, z, "net", "eth0"), "tap", tap);
	for (size_t i = 0; i < z->n_devices; i++) {
		struct hv_spec_device *d = (struct hv_spec_device *)&z->devices[i];
		uint32_t slot = 8 * (id - 1) + (uint32_t)i;

		d->has_at = d->has_irq = true;
		d->at = ZF_SLOTS + 0x200 * (uint64_t)slot;
		d->irq = 48 + slot;
		tree.virtio[tree.n_virtio].at = d->at;
		tree.virtio[tree.n_virtio++].irq = d->irq;
	}
	snprintf(file, sizeof(file), "windows%u.dtb", (unsigned int)id);
	z->dtb.path = zf_dtb(box.f, file, &tree);
	return z;
}

static struct hv_spec_device *device(struct hv_zone_spec *z, unsigned int i)
{
	return (struct hv_spec_device *)&z->devices[i];
}

static void must_apply(void)
{
	if (zf_apply(box.f, 0))
		fail_msg("not applied: %s", box.f->err.msg);
}

/* ---- their guests */

static void wait_a_moment(uint64_t *since, const char *what)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	if (!*since)
		*since = hv_now();
	if (hv_now() - *since > LONG_NS)
		fail_msg("%s: did not come; the log has: %s; the console: %s / %s", what, box.log,
			 box.text[1], box.text[2]);
	assert_true(hv_loop_run_once(box.loop, 0, &box.f->err) >= 0);
	nanosleep(&ms, NULL);
}

static void wait_text(uint32_t id, const char *text)
{
	uint64_t since = 0;
	ssize_t n;

	for (;;) {
		size_t len = strlen(box.text[id]);

		n = hv_console_read(box.client[id], box.text[id] + len,
				    sizeof(box.text[id]) - len - 1, NULL);
		if (n > 0) {
			box.text[id][len + (size_t)n] = 0;
			continue;
		}
		if (strstr(box.text[id], text))
			return;
		wait_a_moment(&since, text);
	}
}

/* Types a line at the zone's guest and waits for its answer. */
static void ask(uint32_t id, const char *line, const char *answer)
{
	const struct hv_console_client_opts opts = {
		.who = "a test",
		.back = HV_CONSOLE_ALL,
		.wake = -1,
	};
	struct hv_served *con = hv_serve_find(box.serve, id, "hvc0");
	struct hv_err err;

	assert_non_null(con);
	if (!box.client[id]) {
		assert_int_equal(hv_console_open(&con->dev, 0, &opts, &box.client[id], &err), 0);
		wait_text(id, "> ");
		assert_int_equal(hv_console_claim(box.client[id], false, &err), 0);
	}
	memset(box.text[id], 0, sizeof(box.text[id]));
	assert_int_equal(hv_console_write(box.client[id], line, strlen(line), &err), strlen(line));
	assert_int_equal(hv_console_write(box.client[id], "\r", 1, &err), 1);
	wait_text(id, answer);
}

/* What 512 times 'x' come to. */
#define SUM_OF_X "3b0b6d5d"

static void goes_on(uint32_t id)
{
	ask(id, "sum 0 512", SUM_OF_X);
}

/* Applying says this of linux1, which is not there then; linux2 runs on as before. */
static void refused(int code, const char *place, const char *says)
{
	struct hv_err *err = &box.f->err;

	assert_int_equal(zf_apply(box.f, 0), code);
	if (!strstr(err->msg, "linux1/") || !strstr(err->msg, place) || !strstr(err->msg, says))
		fail_msg("\"%s\" lacks \"linux1/\", \"%s\" or \"%s\"", err->msg, place, says);
	assert_false(hv_serve_has(box.serve, 1));
	assert_int_equal(zf_running(box.f), 1);
	goes_on(2);
}

/* linux2 runs alone; the set is empty again. */
static void start_bystander(void)
{
	zone(2, disk("disk2"), NULL);
	must_apply();
	goes_on(2);
	zf_new_set(box.f);
}

/* ---- before they start */

static void an_image_that_may_not_be_read(void **state)
{
	const struct hv_finding *found;
	const char *image;

	(void)state;
	start_bystander();
	image = disk("disk1");
	assert_int_equal(chmod(image, 0), 0);
	assert_int_equal(chmod(box.f->dir, 0755), 0);
	zone(1, image, NULL);
	/* Rights are looked at as somebody who has none. */
	if (!geteuid() && setresuid(NOBODY, NOBODY, 0))
		fail();
	zf_check(box.f);
	if (getuid() == NOBODY && setresuid(0, 0, 0))
		fail();
	found = zf_find(box.f, "disk-image");
	assert_non_null(strstr(found->message, "disk1: Permission denied"));
	assert_string_equal(found->a.zone, "linux1");
	assert_string_equal(found->a.what, "blk root");
	assert_int_equal(found->a.origin.line, 100 + ZF_DEVICE);
	goes_on(2);
}

/* Between the check and the opening it went away. */
static void an_image_that_goes_away(void **state)
{
	const char *image;
	struct hv_plan *plan;
	struct zf *f = box.f;

	(void)state;
	start_bystander();
	image = disk("disk1");
	zone(1, image, NULL);
	zf_check(f);
	assert_int_equal(hv_plan_make(f->set, &f->machine, NULL, 0, 0, &plan, &f->err), 0);
	assert_int_equal(unlink(image), 0);
	assert_int_equal(hv_plan_apply(plan, &f->machine, NULL, NULL, &f->err), -ENOENT);
	hv_plan_free(plan);
	assert_non_null(strstr(f->err.msg, "linux1/root (zones.lua:150"));
	assert_non_null(strstr(f->err.msg, "disk1: cannot open it: No such file"));
	goes_on(2);
}

static void an_image_another_process_writes(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const char *image;
	char who[64];
	int go[2], ready[2];
	char byte;
	pid_t pid;

	(void)state;
	start_bystander();
	image = disk("disk1");
	assert_int_equal(pipe(go) | pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(image, O_RDWR);

		close(go[1]);
		if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) || write(ready[1], "", 1) != 1)
			_exit(1);
		_exit(read(go[0], &byte, 1) != 0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	zone(1, image, NULL);
	snprintf(who, sizeof(who), "disk1: in use by process %d (", (int)pid);
	refused(-EBUSY, "(zones.lua:150", who);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(ready[i]);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* As soon as it is free, it can be had. */
	must_apply();
	goes_on(1);
	goes_on(2);
}

static void need_network(void)
{
	if (!have_network) {
		print_message("this needs root and /dev/net/tun\n");
		skip();
	}
}

static void a_tap_in_use(void **state)
{
	struct hv_tap tap;

	(void)state;
	need_network();
	start_bystander();
	assert_int_equal(hv_tap_open(&(struct hv_tap_opts){ .name = "tap0", .queues = 1 }, &tap,
				     &box.f->err),
			 0);
	zone(1, disk("disk1"), "tap0");
	refused(-EBUSY, "(zones.lua:156", "the TAP tap0 is in use");
	hv_tap_close(&tap);
	must_apply();
	goes_on(1);
	goes_on(2);
}

/* Of this thread, which opens TAPs. */
static long may_make_networks(bool yes)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };
	uint32_t bit = 1u << CAP_NET_ADMIN;

	if (syscall(SYS_capget, &head, caps))
		return -1;
	caps[0].effective = yes ? caps[0].effective | bit : caps[0].effective & ~bit;
	return syscall(SYS_capset, &head, caps);
}

static void a_tap_without_permission(void **state)
{
	int rc;

	(void)state;
	need_network();
	start_bystander();
	zone(1, disk("disk1"), "tap0");
	assert_int_equal(may_make_networks(false), 0);
	rc = zf_apply(box.f, 0);
	assert_int_equal(may_make_networks(true), 0);
	assert_int_equal(rc, -EPERM);
	assert_non_null(strstr(box.f->err.msg, "linux1/eth0 (zones.lua:156"));
	assert_non_null(strstr(box.f->err.msg, "no permission to make the TAP tap0: run as root"));
	assert_false(hv_serve_has(box.serve, 1));
	goes_on(2);
}

/* ---- windows and interrupts: the checks find them; who comes without checks is told as well */

static void a_window_outside_of_what_an_address_has(void **state)
{
	(void)state;
	start_bystander();
	device(zone(1, disk("disk1"), NULL), ROOT)->at = UINT64_C(1) << 48;
	zf_check(box.f);
	assert_non_null(strstr(zf_find(box.f, "region-range")->message, "blk root"));
	assert_int_equal(zf_find(box.f, "region-range")->a.origin.line, 100 + ZF_DEVICE + 1);
	goes_on(2);
}

/* Devices of a zone that somebody else starts, as old virtio files describe them. */
static int serve_directly(uint64_t at, uint32_t irq)
{
	struct hv_vzone_ram ram = { ZF_RAM(1), ZF_RAM(1), ZF_RAM_SIZE };
	struct hv_zone_spec *z = zone(1, disk("disk1"), NULL);
	struct hv_device_slot slots[2];
	struct hv_serve_zone served = {
		.id = 1, .name = "linux1", .n_ram = 1, .ram = &ram, .n_slots = 2, .slots = slots
	};
	int rc;

	for (size_t i = 0; i < 2; i++)
		slots[i] = (struct hv_device_slot){
			.spec = &z->devices[i],
			.at = i == HVC0 ? at : z->devices[i].at,
			.size = 0x200,
			.irq = i == HVC0 ? irq : z->devices[i].irq,
		};
	assert_int_equal(hv_serve_open(box.serve, &served, &box.f->err), 0);
	rc = hv_serve_attach(box.serve, 1, &box.f->err);
	hv_serve_drop(box.serve, 1);
	zf_new_set(box.f);
	return rc;
}

static void says(const char *a, const char *b)
{
	if (!strstr(box.f->err.msg, a) || !strstr(box.f->err.msg, b))
		fail_msg("\"%s\" lacks \"%s\" or \"%s\"", box.f->err.msg, a, b);
}

static void windows_and_interrupts_without_a_check(void **state)
{
	(void)state;
	start_bystander();
	assert_int_equal(serve_directly(ZF_RAM(1) + 0x1000, 60), -EINVAL);
	says("lies in the zone's RAM", "linux1/hvc0 (zones.lua:153: devices): its register window "
				       "(0x50001000) lies in the zone's RAM");
	assert_int_equal(serve_directly(UINT64_MAX - 3, 60), -EINVAL);
	says("linux1/hvc0 (zones.lua:153: devices): ", "a register window");
	assert_int_equal(serve_directly(ZF_SLOTS + 0x100, 60), -EBUSY);
	says("linux1/hvc0 (zones.lua:153: devices): ", "overlaps that of linux1/root");
	assert_int_equal(serve_directly(ZF_SLOTS + 0x400, 48), -EBUSY);
	says("linux1/hvc0 (zones.lua:153: devices): ", "interrupt 48 is that of linux1/root");
	assert_int_equal(serve_directly(ZF_SLOTS + 0x400, 49), 0);
	goes_on(2);
}

static void a_device_for_a_window_nobody_planned(void **state)
{
	struct hv_spec_device late = { .type = "rng",
				       .name = "late",
				       .has_at = true,
				       .at = 0x12340000,
				       .origin = { "policy.lua", 7, "devices.late" } };
	struct hv_served *d;

	(void)state;
	start_bystander();
	assert_int_equal(hv_serve_add(box.serve, 2, &late, &d, &box.f->err), -EINVAL);
	says("linux2/late (policy.lua:7: devices.late): ", "planned");
	late.has_at = false;
	assert_int_equal(hv_serve_add(box.serve, 2, &late, &d, &box.f->err), -ENOSPC);
	says("linux2/late (policy.lua:7: devices.late): ", "planned");
	late.name = "root";
	assert_int_equal(hv_serve_add(box.serve, 2, &late, &d, &box.f->err), -EEXIST);
	says("linux2/root (policy.lua:7: devices.late): ", "there is a device of this name");
	goes_on(2);
}

/* ---- while they run */

static void wait_logged(const char *place, const char *what)
{
	uint64_t since = 0;

	while (!logged(what))
		wait_a_moment(&since, what);
	if (!logged(place))
		fail_msg("the log lacks \"%s\": %s", place, box.log);
	while (!box.errors)
		wait_a_moment(&since, "the event");
}

static void an_image_that_is_truncated(void **state)
{
	const char *image;

	(void)state;
	zone(2, disk("disk2"), NULL);
	image = disk("disk1");
	zone(1, image, NULL);
	must_apply();
	goes_on(1);
	assert_int_equal(truncate(image, 4096), 0);
	ask(1, "sum 32K 512", "sum: Input/output error");
	wait_logged("linux1/root (zones.lua:150", "disk1: was truncated while in use");
	ask(1, "write 32K no", "write: Input/output error");
	/* What is left of it is still there, and so is the rest of the zone. */
	goes_on(1);
	goes_on(2);
	assert_false(logged("linux2"));
}

/* A small file system of our own; false when we may not have one. */
static bool small_disk(const char *at)
{
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", at, "tmpfs", 0, "size=256k,mode=0700");
}

static void an_overlay_on_a_full_disk(void **state)
{
	char dir[96], overlay[128], filler[128], bytes[4096] = { 1 };
	int fd;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/small", box.f->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (!small_disk(dir)) {
		rmdir(dir);
		print_message("no mount namespace to be had: a full disk was not tried\n");
		skip();
	}
	snprintf(overlay, sizeof(overlay), "%s/root.overlay", dir);
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	zone(2, disk("disk2"), NULL);
	zf_text(box.f, device(zone(1, disk("disk1"), NULL), ROOT), "overlay", overlay);
	must_apply();
	goes_on(1);
	fd = open(filler, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	close(fd);
	ask(1, "write 8K hello", "write: Input/output error");
	wait_logged("linux1/root (zones.lua:150", "no room for what the guest writes");
	goes_on(1);
	goes_on(2);
	/* The operator makes room. */
	assert_int_equal(unlink(filler), 0);
	ask(1, "write 8K hello", "5 bytes written at 8192");
	assert_false(logged("linux2"));
	assert_int_equal(hv_zone_stop(&box.f->machine, 1, &box.f->err), 0);
	assert_int_equal(umount(dir), 0);
}

static void a_tap_that_vanishes(void **state)
{
	(void)state;
	need_network();
	zone(2, disk("disk2"), "tap2");
	zone(1, disk("disk1"), "tap1");
	must_apply();
	goes_on(1);
	assert_int_equal(system("ip link del tap1"), 0);
	wait_logged("linux1/eth0 (zones.lua:156", "the TAP tap1 has vanished");
	goes_on(1);
	goes_on(2);
	/* Frames of the guest go nowhere, and do no harm. */
	ask(1, "say 52:54:00:00:00:09 anybody", "> ");
	goes_on(1);
	assert_false(logged("linux2"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_image_that_may_not_be_read),
		T(an_image_that_goes_away),
		T(an_image_another_process_writes),
		T(a_tap_in_use),
		T(a_tap_without_permission),
		T(a_window_outside_of_what_an_address_has),
		T(windows_and_interrupts_without_a_check),
		T(a_device_for_a_window_nobody_planned),
		T(an_image_that_is_truncated),
		T(an_overlay_on_a_full_disk),
		T(a_tap_that_vanishes),
	};

	have_network = nb_own_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
