// SPDX-License-Identifier: GPL-2.0-or-later
#include "far_service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypervisor/ops.h"
#include "loop/loop.h"
#include "srig.h"
#include "virtio/policy.h"
#include "zone/serve.h"
#include "zone/zone.h"

#define PAGE_MAX                                                                                   \
	(64 * HV_KIB) /* where the simulated machine keeps the bridge page: behind its RAM */
#define FAR_LIFE UINT64_C(0x1234567)

struct far {
	struct hv_hyp hyp;
	int memory, wakeup, call;
};

static int far_map(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr,
		   struct hv_err *err)
{
	*addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ((struct far *)hyp)->memory,
		     (off_t)(phys - FAR_RAM));
	return *addr == MAP_FAILED ? hv_err_sys(err, errno, "mapping the machine's memory") : 0;
}

static int far_bridge(struct hv_hyp *hyp, struct hv_bridge_page **page, struct hv_err *err)
{
	static void *at;
	int rc = at ? 0 : far_map(hyp, FAR_RAM + FAR_RAM_SIZE, PAGE_MAX, &at, err);

	*page = at;
	return rc;
}

static int far_wakeup_fd(struct hv_hyp *hyp, int *fd, struct hv_err *err)
{
	(void)err;
	*fd = ((struct far *)hyp)->wakeup;
	return 0;
}

static int far_inject(struct hv_hyp *hyp, struct hv_err *err)
{
	uint64_t one = 1;

	(void)err;
	return write(((struct far *)hyp)->call, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

/* Its zone never ends. */
static int far_list(struct hv_hyp *hyp, struct hv_wire_zone_info *zones, size_t max,
		    struct hv_err *err)
{
	(void)hyp;
	(void)max;
	(void)err;
	zones[0] = (struct hv_wire_zone_info){ .zone_id = 1 };
	return 1;
}

static void far_close(struct hv_hyp *hyp)
{
	(void)hyp;
}

static const struct hv_hyp_ops far_ops = {
	.close = far_close,
	.map = far_map,
	.bridge = far_bridge,
	.wakeup_fd = far_wakeup_fd,
	.inject = far_inject,
	.list = far_list,
};

static bool ended;

static void on_term(struct hv_source *src, const struct signalfd_siginfo *info, void *arg)
{
	(void)src;
	(void)info;
	(void)arg;
	ended = true;
}

static int give_up(const char *what, const struct hv_err *err)
{
	fprintf(stderr, "%s: %s\n", what, err->msg);
	return 3;
}

/* arg: its word. Nobody sits at the desk. */
static int set_policy(struct hv_served *dev, const struct hv_spec_device *spec, void *arg,
		      struct hv_err *err)
{
	bool hold = !strcmp(arg, "hold");
	const struct hv_policy_opts opts = {
		.desk = { .depth = 64 },
		.ops = UINT32_MAX,
		.overload = hold ? HV_POLICY_STALL : HV_POLICY_DENY,
	};
	struct hv_policy *policy;
	int rc;

	if (!strcmp(arg, "none") || strcmp(spec->type, "blk") != 0)
		return 0;
	rc = hv_policy_new(&opts, &policy, err);
	if (rc)
		return rc;
	if (!hold)
		hv_policy_close(policy);
	hv_vdev_set_policy(&dev->dev, policy);
	hv_policy_put(policy);
	return 0;
}

int far_service(char **arg)
{
	char image[128], log[128], state[128], memory[128];
	struct hv_spec_option options[] = {
		{ .type = HV_OPT_STRING, .key = "image", .string = image },
		{ .type = HV_OPT_STRING, .key = "serial", .string = arg[5] },
		{ .type = HV_OPT_STRING, .key = "log", .string = log },
		{ .type = HV_OPT_STRING, .key = "switch", .string = "lan" },
	};
	const struct hv_spec_device specs[FAR_DEVICES] = {
		[FAR_BLK] = { .type = "blk", .name = "root", .n_options = 2, .options = options },
		[FAR_CONSOLE] = { .type = "console",
				  .name = "hvc0",
				  .n_options = 1,
				  .options = options + 2 },
		[FAR_RNG] = { .type = "rng", .name = "rng0" },
		[FAR_NET0] = { .type = "net",
			       .name = "eth0",
			       .n_options = 1,
			       .options = options + 3 },
		[FAR_NET1] = { .type = "net",
			       .name = "eth1",
			       .n_options = 1,
			       .options = options + 3 },
		[FAR_GPU] = { .type = "gpu", .name = "panel" },
	};
	const size_t n_slots = atoi(arg[7]) ? FAR_DEVICES : FAR_GPU;
	struct far far = {
		.hyp = { .ops = &far_ops, .name = "far", .speaker = "far", .arch = HV_ARCH_ARM64 },
		.wakeup = atoi(arg[1]),
		.call = atoi(arg[2]),
	};
	struct hv_vzone_ram ram = { srig_ram(1), srig_ram(1), SRIG_RAM };
	struct hv_device_slot slots[FAR_DEVICES];
	struct hv_serve_zone zone = {
		.id = 1,
		.name = "linux1",
		.cpus = srig_zone(1).cpus,
		.n_ram = 1,
		.ram = &ram,
		.n_slots = n_slots,
		.slots = slots,
	};
	struct hv_serve_opts opts = { .state_dir = state, .made = set_policy, .event_arg = arg[6] };
	struct hv_source *term;
	struct hv_serve *serve;
	struct hv_err err = { 0 };
	int wanted = atoi(arg[4]), rc;

	snprintf(image, sizeof(image), "%s/disk", arg[0]);
	snprintf(log, sizeof(log), "%s/log", arg[0]);
	snprintf(state, sizeof(state), "%s/devices", arg[0]);
	snprintf(memory, sizeof(memory), "%s/memory", arg[0]);
	far.memory = open(memory, O_RDWR | O_CLOEXEC);
	for (unsigned int i = 0; i < n_slots; i++)
		slots[i] = (struct hv_device_slot){
			.spec = &specs[i], .at = SRIG_SLOT(i), .size = 0x200, .irq = SRIG_IRQ(i)
		};
	if (hv_loop_new(&opts.loop, &err) ||
	    hv_loop_add_signal(opts.loop, SIGTERM, on_term, NULL, &term, &err) ||
	    hv_serve_new(&far.hyp, &opts, &serve, &err) || hv_serve_open(serve, &zone, &err))
		return give_up("opening", &err);
	rc = hv_serve_adopt(serve, 1, FAR_LIFE, &err);
	if (rc != wanted) {
		fprintf(stderr, "adopting: %d (%s), not %d\n", rc, rc < 0 ? err.msg : "", wanted);
		return 4;
	}
	if (write(atoi(arg[3]), rc < 0 ? err.msg : "r", rc < 0 ? strlen(err.msg) : 1) < 1)
		return 5;
	while (!ended && rc >= 0)
		hv_loop_run_once(opts.loop, -1, &err);
	hv_source_remove(term);
	hv_serve_free(serve);
	hv_loop_free(opts.loop);
	close(far.memory);
	return 0;
}
