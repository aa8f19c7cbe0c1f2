// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/sim.h"
#include "vecho.h"
#include "virtio/device_priv.h"
#include "virtio/service.h"
#include "virtio/state_priv.h"
#include "vrig.h"

static struct hv_err err;

/* ---- a device */

#define LIFE 7u
#define QUEUES 2

struct box {
	char dir[64], path[128];
	struct vecho *echo;
	struct vrig rig;
	struct hv_state_id id;
	struct state_file file; /* as it was left */
	uint8_t *ram;
	int head;
	uint8_t *in;
};

static struct box box;

static int setup(void **state)
{
	(void)state;
	memset(&box, 0, sizeof(box));
	snprintf(box.dir, sizeof(box.dir), "/tmp/hvsh-state-XXXXXX");
	assert_non_null(mkdtemp(box.dir));
	snprintf(box.path, sizeof(box.path), "%s/1-a000000-200", box.dir);
	box.id = (struct hv_state_id){ .life = LIFE,
				       .at = 0xa000000,
				       .size = 0x200,
				       .config = 9,
				       .zone = 1,
				       .irq = VRIG_IRQ };
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	free(box.ram);
	snprintf(command, sizeof(command), "rm -r %s", box.dir);
	return system(command);
}

static void read_file(void)
{
	int fd = open(box.path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, &box.file, sizeof(box.file)), sizeof(box.file));
	close(fd);
}

static void write_file(size_t size)
{
	int fd = open(box.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, &box.file, size), size);
	close(fd);
}

/* A device with one chain in flight and one that is done, and what a process would leave of it. */
static void leave_one(uint64_t offered)
{
	struct vrig_buf bufs[2];
	struct hv_state *kept;
	uint64_t deadline = 0;
	uint8_t *out;

	box.echo = vecho_new(QUEUES, 64, false, offered);
	assert_int_equal(hv_state_create(box.dir, &box.id, &box.echo->dev, &err), 0);
	vrig_init(&box.rig, &box.echo->dev, 1 << 20);
	vrig_start(&box.rig, offered, 16, 0);
	vecho_once(&box.rig, 0);
	atomic_store(&box.echo->keep, true);
	out = vrig_alloc(&box.rig, 8, 8);
	box.in = vrig_alloc(&box.rig, 8, 8);
	memcpy(out, "in time!", 8);
	bufs[0] = (struct vrig_buf){ out, 8, false };
	bufs[1] = (struct vrig_buf){ box.in, 8, true };
	box.head = vrig_add(&box.rig, 0, bufs, 2);
	vrig_kick(&box.rig, 0);
	do {
		vrig_pause(&deadline, "the chain to be taken");
		read_file();
	} while (!box.file.queues[0].taken[box.head]);
	box.ram = malloc(box.rig.ram_size);
	assert_non_null(box.ram);
	/* Its thread may still ask for notifications. */
	for (size_t i = 0; i < box.rig.ram_size; i++)
		box.ram[i] = __atomic_load_n(&box.rig.ram[i], __ATOMIC_RELAXED);
	/* From here on nothing of it counts any more. */
	kept = box.echo->dev.kept;
	hv_vdev_detach(&box.echo->dev);
	hv_state_close(kept, true);
	hv_vdev_destroy(&box.echo->dev);
	memcpy(box.rig.ram, box.ram, box.rig.ram_size);
	write_file(sizeof(box.file));
}

static int open_again(uint64_t offered)
{
	box.echo = vecho_new(QUEUES, 64, false, offered);
	return hv_state_open(box.dir, &box.id, &box.echo->dev, &box.rig.mem, &err);
}

static void end(void)
{
	struct hv_state *kept = box.echo->dev.kept;

	vrig_free(&box.rig);
	hv_state_close(kept, false);
	hv_vdev_destroy(&box.echo->dev);
}

static void registers_and_chains_are_taken_up(void **state)
{
	(void)state;
	leave_one(HV_FEATURE(3));
	assert_int_equal(open_again(HV_FEATURE(3)), 0);
	box.rig.dev = &box.echo->dev;
	atomic_store(&box.rig.irqs, 0);
	assert_int_equal(
		hv_vdev_attach(&box.echo->dev, &box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	/* The guest may have waited for the first one. */
	vrig_wait_irqs(&box.rig, 1);
	assert_int_equal(vrig_read(&box.rig, VIRTIO_MMIO_STATUS), 15);
	assert_true(box.echo->dev.features & HV_FEATURE(3));
	assert_int_equal(vrig_finish(&box.rig, 0, box.head), 8);
	assert_memory_equal(box.in, "in time!", 8);
	for (int i = 0; i < 100; i++) {
		vecho_once(&box.rig, 0);
		vecho_once(&box.rig, 1);
	}
	end();
}

static void what_is_left_in_order_is_taken_up(void **state)
{
	uint64_t deadline = 0;

	(void)state;
	leave_one(0);
	assert_int_equal(open_again(0), 0);
	/* In flight again, and until it is left. */
	atomic_store(&box.echo->keep, true);
	box.rig.dev = &box.echo->dev;
	assert_int_equal(
		hv_vdev_attach(&box.echo->dev, &box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	while (!atomic_load(&box.echo->turns))
		vrig_pause(&deadline, "the chain to be taken again");
	hv_vdev_leave(&box.echo->dev);
	/* This device ends what it has in flight without an answer in it. */
	assert_int_equal(vrig_finish(&box.rig, 0, box.head), 0);
	hv_state_close(box.echo->dev.kept, false);
	hv_vdev_destroy(&box.echo->dev);
	read_file();
	for (unsigned int i = 0; i < HV_QUEUE_MAX; i++)
		assert_int_equal(box.file.queues[0].taken[i], 0);
	assert_int_equal(open_again(0), 0);
	box.rig.dev = &box.echo->dev;
	assert_int_equal(
		hv_vdev_attach(&box.echo->dev, &box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	vecho_once(&box.rig, 0);
	end();
}

static struct {
	pthread_t leaving;
	unsigned int posted;
} late;

/* A message that its thread finds only after it has let go. */
static void post_late(struct hv_vdev *dev, void *to)
{
	memset(to, 0, 1);
	if (dev->leaving && pthread_equal(pthread_self(), late.leaving)) {
		hv_worker_post(&dev->workers[0], HV_MSG_LIFE);
		late.posted++;
	}
}

static void take_nothing(struct hv_vdev *dev, const void *from)
{
	(void)dev;
	(void)from;
}

static void what_is_left_is_not_begun_again(void **state)
{
	struct hv_vdev_ops ops;

	(void)state;
	box.echo = vecho_new(1, 64, false, 0);
	ops = *box.echo->dev.ops;
	ops.kept_size = 1;
	ops.keep = post_late;
	ops.restore = take_nothing;
	box.echo->dev.ops = &ops;
	late.leaving = pthread_self();
	late.posted = 0;
	assert_int_equal(hv_state_create(box.dir, &box.id, &box.echo->dev, &err), 0);
	vrig_init(&box.rig, &box.echo->dev, 1 << 20);
	vrig_start(&box.rig, 0, 16, 0);
	vecho_once(&box.rig, 0);
	hv_vdev_leave(&box.echo->dev);
	assert_int_equal(late.posted, 1);
	assert_int_equal(atomic_load(&box.echo->starts), 1);
	assert_int_equal(atomic_load(&box.echo->stops), 1);
	end();
}

/* The guest's first word to this process. */
static void reset_at_once(struct hv_vdev *dev, const void *from)
{
	(void)from;
	hv_vdev_begin_reset(dev, HV_NO_CPU);
}

static void one_byte(struct hv_vdev *dev, void *to)
{
	(void)dev;
	memset(to, 0, 1);
}

static void a_reset_before_it_goes_on(void **state)
{
	struct hv_vdev_ops ops;
	struct state_regs *regs;
	uint64_t deadline = 0;

	(void)state;
	leave_one(0);
	regs = &box.file.regs[0];
	for (unsigned int i = 0; i < 2; i++) {
		regs[i].extra_size = 1;
		regs[i].sum = state_sum(&regs[i], offsetof(struct state_regs, sum));
	}
	write_file(sizeof(box.file));
	box.echo = vecho_new(QUEUES, 64, false, 0);
	ops = *box.echo->dev.ops;
	ops.kept_size = 1;
	ops.keep = one_byte;
	ops.restore = reset_at_once;
	box.echo->dev.ops = &ops;
	assert_int_equal(hv_state_open(box.dir, &box.id, &box.echo->dev, &box.rig.mem, &err), 0);
	box.rig.dev = &box.echo->dev;
	assert_int_equal(
		hv_vdev_attach(&box.echo->dev, &box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	while (vrig_read(&box.rig, VIRTIO_MMIO_STATUS))
		vrig_pause(&deadline, "the reset");
	/* Whoever takes over now must not look for the old rings. */
	read_file();
	for (unsigned int i = 0; i < QUEUES; i++)
		assert_int_equal(box.file.queues[i].on, 0);
	vrig_start(&box.rig, 0, 16, 0);
	vecho_once(&box.rig, 0);
	end();
}

static void *detach(void *arg)
{
	hv_vdev_detach(arg);
	return NULL;
}

/* Killed while it waits for a slow one of its threads: no queue may begin anew at its old place. */
static void a_device_that_is_being_detached_is_gone(void **state)
{
	uint64_t deadline = 0;
	pthread_t thread;

	(void)state;
	box.echo = vecho_new(QUEUES, 64, true, 0);
	assert_int_equal(hv_state_create(box.dir, &box.id, &box.echo->dev, &err), 0);
	vrig_init(&box.rig, &box.echo->dev, 1 << 20);
	vrig_start(&box.rig, 0, 16, 0);
	for (unsigned int i = 0; i < QUEUES; i++)
		vecho_once(&box.rig, i);
	atomic_store(&box.echo->stop_gate, 1);
	assert_int_equal(pthread_create(&thread, NULL, detach, &box.echo->dev), 0);
	while (!atomic_load(&box.echo->in_stop))
		vrig_pause(&deadline, "a thread that stops");
	read_file();
	assert_int_equal(box.file.regs[box.file.regs[1].seq > box.file.regs[0].seq].resetting, 1);
	atomic_store(&box.echo->stop_gate, 0);
	pthread_join(thread, NULL);
	end();
}

/* The CPU that waits for the end of a reset asks again: nothing of the old life is done by then. */
static void a_reset_under_way_is_done(void **state)
{
	struct state_regs *newer;

	(void)state;
	leave_one(0);
	newer = &box.file.regs[box.file.regs[1].seq > box.file.regs[0].seq];
	newer->resetting = 1;
	newer->sum = state_sum(newer, offsetof(struct state_regs, sum));
	write_file(sizeof(box.file));
	assert_int_equal(open_again(0), 0);
	box.rig.dev = &box.echo->dev;
	assert_int_equal(
		hv_vdev_attach(&box.echo->dev, &box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	assert_int_equal(vrig_read(&box.rig, VIRTIO_MMIO_STATUS), 0);
	/* Its next driver may be killed with this process before its queues have begun. */
	read_file();
	assert_int_equal(box.file.queues[0].on, 0);
	assert_false(vrig_write_async(&box.rig, VIRTIO_MMIO_STATUS, 0, 3));
	assert_int_equal(atomic_load(&box.echo->starts), 0);
	vrig_start(&box.rig, 0, 16, 0);
	vecho_once(&box.rig, 0);
	end();
}

static void a_torn_copy_is_not_used(void **state)
{
	struct state_regs *newer, *older;

	(void)state;
	leave_one(0);
	newer = &box.file.regs[box.file.regs[1].seq > box.file.regs[0].seq];
	older = &box.file.regs[newer == &box.file.regs[0]];
	*older = *newer;
	older->seq--;
	older->sum = state_sum(older, offsetof(struct state_regs, sum));
	newer->status = 0;
	write_file(sizeof(box.file));
	assert_int_equal(open_again(0), 0);
	box.rig.dev = &box.echo->dev;
	assert_int_equal(
		hv_vdev_attach(&box.echo->dev, &box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	assert_int_equal(vrig_read(&box.rig, VIRTIO_MMIO_STATUS), 15);
	end();
}

/* ---- what is refused */

static void sum_header(void)
{
	box.file.header.sum = state_sum(&box.file.header, offsetof(struct state_header, sum));
}

static void other_life(void)
{
	box.file.header.life++;
	sum_header();
}

static void other_setup(void)
{
	box.file.header.config++;
	sum_header();
}

static void other_window(void)
{
	box.file.header.irq++;
	sum_header();
}

static void other_type(void)
{
	box.file.header.device_id++;
	sum_header();
}

static void other_version(void)
{
	box.file.header.version++;
	sum_header();
}

static void no_state(void)
{
	box.file.header.magic++;
}

static void bad_header(void)
{
	box.file.header.life ^= 1;
}

static void bad_copies(void)
{
	box.file.regs[0].status ^= 1;
	box.file.regs[1].status ^= 1;
}

/* With a right checksum. */
static struct state_regs *edit(struct state_regs *to)
{
	for (int i = 0; i < 2; i++)
		box.file.regs[i] = *to;
	for (int i = 0; i < 2; i++)
		box.file.regs[i].sum =
			state_sum(&box.file.regs[i], offsetof(struct state_regs, sum));
	return to;
}

static struct state_regs newest(void)
{
	return box.file.regs[box.file.regs[1].seq > box.file.regs[0].seq];
}

static void bad_status(void)
{
	struct state_regs r = newest();

	r.status = 4;
	edit(&r);
}

static void bad_features(void)
{
	struct state_regs r = newest();

	r.features |= HV_FEATURE(17);
	edit(&r);
}

static void bad_queue(void)
{
	struct state_regs r = newest();

	r.queues[1].num = 48;
	edit(&r);
}

static void large_queue(void)
{
	struct state_regs r = newest();

	r.queues[1].num = 512;
	edit(&r);
}

static void ring_elsewhere(void)
{
	struct state_regs r = newest();

	r.queues[0].desc = 0x1000;
	edit(&r);
}

static void other_place(void)
{
	box.file.queues[0].used += 3;
	box.file.queues[0].pushed += 3;
}

static void wide_batch(void)
{
	box.file.queues[0].used -= 40;
}

static void too_many(void)
{
	for (unsigned int i = 0; i < 16; i++)
		box.file.queues[0].taken[i] = i + 1;
}

/* What is kept of its queues is of the life that its reset ends. */
static void a_broken_device_is_made_anew_by_a_reset(void **state)
{
	struct state_regs r;

	(void)state;
	leave_one(0);
	r = newest();
	r.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	edit(&r);
	/* Neither fits the guest's rings. */
	box.file.queues[0].used += 3;
	box.file.queues[0].pushed += 3;
	box.file.queues[1].used += 3;
	box.file.queues[1].pushed += 3;
	write_file(sizeof(box.file));
	assert_int_equal(open_again(0), 0);
	box.rig.dev = &box.echo->dev;
	assert_int_equal(
		hv_vdev_attach(&box.echo->dev, &box.rig.bus, 0xa000000, 0x200, VRIG_IRQ, &err), 0);
	assert_true(vrig_read(&box.rig, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET);
	vrig_write(&box.rig, VIRTIO_MMIO_STATUS, 0);
	vrig_start(&box.rig, 0, 16, 0);
	vecho_once(&box.rig, 0);
	vecho_once(&box.rig, 1);
	end();
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		void (*spoil)(void);
		int code;
		const char *words;
	} cases[] = {
		{ other_life, ENOENT, "before the zone was started" },
		{ other_setup, ESTALE, "set up otherwise" },
		{ other_window, ESTALE, "set up otherwise" },
		{ other_type, ESTALE, "set up otherwise" },
		{ other_version, EBADMSG, "another version" },
		{ no_state, EBADMSG, "no state of a device" },
		{ bad_header, EBADMSG, "damaged" },
		{ bad_copies, EBADMSG, "damaged" },
		{ bad_status, EBADMSG, "status cannot be" },
		{ bad_features, ESTALE, "features" },
		{ bad_queue, EBADMSG, "queue 1" },
		{ large_queue, EBADMSG, "queue 1" },
		{ ring_elsewhere, EINVAL, "not inside one range" },
		{ other_place, ESTALE, "used index" },
		{ wide_batch, ESTALE, "used index" },
		{ too_many, ESTALE, "available index" },
	};
	struct state_file whole;

	(void)state;
	leave_one(0);
	whole = box.file;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stat st;

		box.file = whole;
		cases[i].spoil();
		write_file(sizeof(box.file));
		if (open_again(0) != -cases[i].code || !strstr(err.msg, cases[i].words))
			fail_msg("case %zu: %d, %s", i, err.code, err.msg);
		assert_null(box.echo->dev.kept);
		hv_vdev_destroy(&box.echo->dev);
		/* It is left for who wants to look into it. */
		assert_int_equal(stat(box.path, &st), 0);
	}
	box.file = whole;
	write_file(sizeof(box.file) - 8);
	assert_int_equal(open_again(0), -EBADMSG);
	hv_vdev_destroy(&box.echo->dev);
	unlink(box.path);
	assert_int_equal(open_again(0), -ENOENT);
	box.id.life = 0;
	write_file(sizeof(box.file));
	hv_vdev_destroy(&box.echo->dev);
	assert_int_equal(open_again(0), -ENOENT);
	hv_vdev_destroy(&box.echo->dev);
	box.echo = vecho_new(QUEUES, 64, false, 0);
	box.rig.dev = &box.echo->dev;
	end();
}

static void a_folder_of_others_is_refused(void **state)
{
	(void)state;
	box.echo = vecho_new(QUEUES, 64, false, 0);
	assert_int_equal(chmod(box.dir, 0777), 0);
	assert_int_equal(hv_state_create(box.dir, &box.id, &box.echo->dev, &err), -EPERM);
	assert_non_null(strstr(err.msg, "writable by nobody else"));
	hv_vdev_destroy(&box.echo->dev);
}

/* ---- the bridge */

static void requests_are_owed_until_the_flag_changes(void **state)
{
	const struct hv_bridge_req req = { .src_cpu = 5, .address = 0xa000070, .size = 4 };
	struct hv_state_bridge *bridge;
	struct hv_bridge_req got;

	(void)state;
	assert_int_equal(hv_state_bridge_open(box.dir, &bridge, &err), 0);
	assert_false(hv_state_bridge_owed(bridge, 5, 0, &got));
	hv_state_bridge_keep(bridge, 5, &req, 41);
	hv_state_bridge_close(bridge);
	assert_int_equal(hv_state_bridge_open(box.dir, &bridge, &err), 0);
	assert_true(hv_state_bridge_owed(bridge, 5, 41, &got));
	assert_memory_equal(&got, &req, sizeof(req));
	assert_false(hv_state_bridge_owed(bridge, 5, 42, &got));
	assert_false(hv_state_bridge_owed(bridge, 4, 41, &got));
	hv_state_bridge_close(bridge);
}

static void queue_request(struct hv_bridge_page *page, unsigned int cpu, uint32_t zone)
{
	page->req[page->req_rear] = (struct hv_bridge_req){
		.src_cpu = cpu, .address = 0xa000070, .size = 4, .src_zone = zone
	};
	page->req_rear++;
}

/* A process died with requests in its hands, in the ring, or between the two. */
static void each_cpu_gets_one_answer(void **state)
{
	static const struct hv_sim_ram ram = { 0x40000000, 0x1000000 };
	const struct hv_sim_opts sim = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 4,
		.root_cpus = 3,
		.ram = &ram,
		.n_ram = 1,
	};
	const struct hv_service_opts opts = { .state_dir = box.dir };
	struct hv_bridge_req req = { .address = 0xa000070, .size = 4, .src_zone = 1 };
	struct hv_state_bridge *bridge;
	struct hv_bridge_page *page;
	struct hv_service *svc;
	struct hv_hyp *hyp;
	char path[128];

	(void)state;
	assert_int_equal(hv_hyp_open_sim(&sim, &hyp, &err), 0);
	assert_int_equal(hv_hyp_bridge(hyp, &page, &err), 0);
	assert_int_equal(hv_state_bridge_open(box.dir, &bridge, &err), 0);
	for (unsigned int cpu = 3; cpu <= 5; cpu++) {
		req.src_cpu = cpu;
		hv_state_bridge_keep(bridge, cpu, &req, cpu == 5 ? 6 : 0);
	}
	hv_state_bridge_close(bridge);
	page->cfg_flags[5] = 7;
	queue_request(page, 3, 1);
	queue_request(page, 6, 1);
	queue_request(page, 7, 2);
	/* Zone 2's device is still to come. */
	snprintf(path, sizeof(path), "%s/2-a000000-200", box.dir);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(hv_service_new(hyp, &opts, &svc, &err), 0);
	hv_service_free(svc);
	assert_int_equal(page->cfg_flags[3], 1);
	assert_int_equal(page->cfg_flags[4], 1);
	assert_int_equal(page->cfg_flags[5], 7);
	assert_int_equal(page->cfg_flags[6], 1);
	assert_int_equal(page->cfg_flags[7], 0);
	/* It is not lost with the service that held it. */
	unlink(path);
	assert_int_equal(hv_service_new(hyp, &opts, &svc, &err), 0);
	hv_service_free(svc);
	assert_int_equal(page->cfg_flags[3], 1);
	assert_int_equal(page->cfg_flags[7], 1);
	hv_hyp_close(hyp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registers_and_chains_are_taken_up, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_left_in_order_is_taken_up, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_left_is_not_begun_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_reset_before_it_goes_on, setup, teardown),
		cmocka_unit_test_setup_teardown(a_device_that_is_being_detached_is_gone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_reset_under_way_is_done, setup, teardown),
		cmocka_unit_test_setup_teardown(a_torn_copy_is_not_used, setup, teardown),
		cmocka_unit_test_setup_teardown(a_broken_device_is_made_anew_by_a_reset, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_folder_of_others_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(requests_are_owed_until_the_flag_changes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_cpu_gets_one_answer, setup, teardown),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
