// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/sandbox/sandbox_rig.h"

#include "net_box.h"
#include "virtio/dev/blk.h"
#include "virtio/dev/blk_image.h"
#include "virtio/dev/console.h"
#include "virtio/dev/console_log.h"
#include "virtio/dev/tap.h"
#include "virtio/dev/tap_opener.h"
#include "zone/host.h"
#include "zone/image.h"

/* What a service does at run time goes on inside its sandbox, with files of others and without
 * rights. */

static struct hv_err err;

static void want(int rc)
{
	if (rc < 0)
		fprintf(stderr, "# %s\n", err.msg);
	CHECK(rc >= 0);
}

/* A file of somebody else: only a right beyond those of root's own files leads to it. */
static void make_file(const char *name, size_t size)
{
	int fd = open(rig_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size));
	CHECK(write(fd, "MZ", 2) == 2 && !close(fd));
	if (!geteuid())
		CHECK(!chown(rig_path(name), 65534, 65534));
}

static void make_folder(const char *name)
{
	CHECK(!mkdir(rig_path(name), 0700));
	if (!geteuid())
		CHECK(!chown(rig_path(name), 65534, 65534));
}

static void close_all(void)
{
	want(hv_opener_start(NULL, hv_tap_opener_serve, &err));
	hv_opener_allow(HV_ALLOW_WRITE | HV_ALLOW_BENEATH, rig_path("run"));
	rig_close_sandbox();
}

static bool is_there(const char *name)
{
	return faccessat(AT_FDCWD, rig_path(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void try_disk(bool direct, const char *overlay)
{
	struct hv_blk_opts opts = {
		.image = rig_path("disks/image"),
		.overlay = overlay,
		.direct = direct,
		.queues = 1,
	};
	struct hv_vdev dev = { 0 };

	want(hv_blk_init(&dev, "z/disk", &opts, &err));
	hv_vdev_destroy(&dev);
}

static void disks(void)
{
	make_folder("disks");
	make_file("disks/image", 1 << 20);
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("disks/image"));
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("disks/changes"));
	close_all();
	try_disk(false, NULL);
	try_disk(true, NULL);
	try_disk(false, rig_path("disks/changes"));
	/* It is there now. */
	try_disk(false, rig_path("disks/changes"));
}

static void test_disks(void **state)
{
	(void)state;
	rig_run(disks);
}

static void kernel(void)
{
	struct hv_image *image;

	make_folder("disks");
	make_file("disks/Image", 4096);
	hv_opener_allow(HV_ALLOW_READ, rig_path("disks/Image"));
	close_all();
	want(hv_image_open(rig_path("disks/Image"), HV_IMAGE_RAW, &image, &err));
	hv_image_close(image);
}

static void test_kernel(void **state)
{
	(void)state;
	rig_run(kernel);
}

static void logs(void)
{
	struct hv_console_log log = { 0 };

	make_folder("logs");
	want(hv_console_log_open(&log, rig_path("logs/z.log"), 8, 2, &err));
	close_all();
	want(hv_console_log_write(&log, "0123456789abcdefghijk", 21, &err));
	hv_console_log_close(&log);
	want(hv_console_log_open(&log, rig_path("logs/z.log"), 8, 2, &err));
	hv_console_log_close(&log);
	/* The folder may be one where nobody else may look. */
	want(hv_opener_access(rig_path("logs/z.log.1"), F_OK));
	want(hv_opener_access(rig_path("logs/z.log.2"), F_OK));
}

static void test_logs(void **state)
{
	(void)state;
	rig_run(logs);
}

static void terminals(void)
{
	const char *link = rig_path("link");
	struct hv_console_port_opts port = { .pty = true, .pty_link = link };
	struct hv_console_opts opts = { .ports = &port, .n_ports = 1 };
	struct hv_vdev dev = { 0 };

	rig_need(!access("/dev/ptmx", F_OK), "a pseudo-terminal");
	hv_opener_allow(HV_ALLOW_WRITE, link);
	close_all();
	for (int i = 0; i < 2; i++) {
		want(hv_console_init(&dev, "z/console", &opts, &err));
		CHECK(is_there("link"));
		hv_vdev_destroy(&dev);
		CHECK(!is_there("link"));
	}
}

static void test_terminals(void **state)
{
	(void)state;
	rig_run(terminals);
}

static void networks(void)
{
	struct hv_tap_opts opts = { .name = "hvsb0", .queues = 2 };
	struct hv_tap tap;

	rig_need(nb_own_network(), "a network of its own, which takes root and /dev/net/tun,");
	hv_opener_allow(HV_ALLOW_TAP, "hvsb0");
	hv_opener_allow(HV_ALLOW_BRIDGE, "hvsbr0");
	close_all();
	want(hv_tap_open(&opts, &tap, &err));
	CHECK(!strcmp(tap.name, "hvsb0") && tap.made && tap.n == 2 && tap.mtu == 1500);
	CHECK(tap.offloads);
	want(hv_tap_offload(&tap, tap.offloads, &err));
	hv_tap_close(&tap);
	opts.name = "hvsb1";
	CHECK(hv_tap_open(&opts, &tap, &err) == -EPERM && strstr(err.msg, "the sandbox keeps"));
	opts.name = "hvsb0";
	opts.bridge = "hvsbr1";
	CHECK(hv_tap_open(&opts, &tap, &err) == -EPERM && strstr(err.msg, "the sandbox keeps"));
}

static void test_networks(void **state)
{
	(void)state;
	rig_run(networks);
}

/* Where RAM is: the kernel shows zeroes to who has no rights. */
static void memory(void)
{
	struct hv_host before, after;

	want(hv_host_read("/", &before, &err));
	rig_need(before.addresses_known, "the right to see where RAM is");
	close_all();
	want(hv_host_read("/", &after, &err));
	CHECK(after.addresses_known && after.n_ram == before.n_ram);
	CHECK(after.ram[0].start == before.ram[0].start);
	hv_host_free(&before);
	hv_host_free(&after);
}

static void test_memory(void **state)
{
	(void)state;
	rig_run(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_disks, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_kernel, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_logs, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_terminals, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_networks, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_memory, rig_make_dir, rig_remove_dir),
	};

	return cmocka_run_group_tests_name("devices in the sandbox", tests, NULL, NULL);
}
