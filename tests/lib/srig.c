// SPDX-License-Identifier: GPL-2.0-or-later
#include "srig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <libfdt.h>

#include "base/now.h"
#include "base/size.h"
#include "base/thread.h"
#include "memmap/gmem.h"

#define TREE_AT UINT64_C(0x200000)
#define TREE_SIZE 8192
#define PINGS_AT UINT64_C(0x400000)
#define PING_MAX UINT64_C(0x4000)

static struct hv_err err;

static void must(int rc)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, err.msg);
}

uint64_t srig_ram(unsigned int zone)
{
	return UINT64_C(0x50000000) + 2 * SRIG_RAM * zone;
}

struct hv_abi_zone srig_zone(unsigned int zone)
{
	struct hv_abi_zone config = {
		.id = zone,
		.cpus = UINT64_C(3) << (SRIG_CPUS_PER_ZONE * zone),
		.n_regions = 2,
		.regions = { { HV_REGION_RAM, srig_ram(zone), srig_ram(zone), SRIG_RAM },
			     { HV_REGION_VIRTIO, SRIG_WINDOWS, SRIG_WINDOWS, SRIG_WINDOWS_SIZE } },
		.entry = srig_ram(zone),
		.kernel_phys = srig_ram(zone),
		.kernel_size = 4096,
		.dtb_phys = srig_ram(zone) + TREE_AT,
		.dtb_size = TREE_SIZE,
		.arm64 = { .gic_version = 3, .gicd_base = 0x8000000, .gicd_size = 0x10000 },
	};

	for (uint32_t i = 0; i < 32; i++)
		config.irqs[config.n_irqs++] = SRIG_IRQ(i);
	snprintf(config.name, sizeof(config.name), "zone%u", zone);
	return config;
}

void srig_add(struct srig *rig, unsigned int zone)
{
	struct hv_vzone_ram ram = { srig_ram(zone), srig_ram(zone), SRIG_RAM };
	struct hv_abi_zone config = srig_zone(zone);

	must(hv_service_add_zone(rig->svc, zone, config.name, config.cpus, &ram, 1,
				 &rig->zones[zone], &err));
}

static void put_cells(void *tree, const char *name, const uint32_t *cells, int n)
{
	fdt32_t big[8];

	for (int i = 0; i < n; i++)
		big[i] = cpu_to_fdt32(cells[i]);
	assert_int_equal(fdt_property(tree, name, big, n * 4), 0);
}

/* A GICv3 and the windows; more the guest does not look at. */
static void load_tree(struct srig *rig, unsigned int zone)
{
	static const uint32_t gic_reg[] = { 0, 0x8000000, 0, 0x10000 };
	uint8_t *tree = malloc(TREE_SIZE);

	assert_non_null(tree);
	must(fdt_create(tree, TREE_SIZE));
	must(fdt_finish_reservemap(tree));
	must(fdt_begin_node(tree, ""));
	must(fdt_property_u32(tree, "#address-cells", 2));
	must(fdt_property_u32(tree, "#size-cells", 2));
	must(fdt_property_u32(tree, "interrupt-parent", 1));
	must(fdt_begin_node(tree, "intc@8000000"));
	must(fdt_property_string(tree, "compatible", "arm,gic-v3"));
	put_cells(tree, "reg", gic_reg, 4);
	must(fdt_property_u32(tree, "#interrupt-cells", 3));
	must(fdt_property_u32(tree, "phandle", 1));
	must(fdt_property(tree, "interrupt-controller", NULL, 0));
	must(fdt_end_node(tree));
	for (unsigned int i = 0; i < SRIG_TREE_SLOTS; i++) {
		const uint32_t reg[] = { 0, (uint32_t)SRIG_SLOT(i), 0, 0x200 };
		const uint32_t irq[] = { 0, SRIG_IRQ(i) - 32, 1 };
		char name[32];

		snprintf(name, sizeof(name), "virtio_mmio@%x", reg[1]);
		must(fdt_begin_node(tree, name));
		must(fdt_property_string(tree, "compatible", "virtio,mmio"));
		put_cells(tree, "reg", reg, 4);
		put_cells(tree, "interrupts", irq, 3);
		must(fdt_end_node(tree));
	}
	must(fdt_end_node(tree));
	must(fdt_finish(tree));
	must(hv_hyp_load_mem(rig->hyp, tree, TREE_SIZE, srig_ram(zone) + TREE_AT, &err));
	free(tree);
}

void srig_run(struct srig *rig, unsigned int zone)
{
	struct hv_abi_zone config = srig_zone(zone);

	load_tree(rig, zone);
	must(hv_hyp_zone_start(rig->hyp, &config, &err));
	/* NULL when its own program has ended already. */
	rig->guest[zone] = hv_guest_get(rig->guests, zone);
}

void srig_start(struct srig *rig, unsigned int zone)
{
	srig_add(rig, zone);
	srig_run(rig, zone);
}

void srig_stop(struct srig *rig, unsigned int zone)
{
	struct hv_zone_info zones[HV_MAX_ZONES];
	int n = hv_hyp_zone_list(rig->hyp, zones, HV_MAX_ZONES, &err);

	/* It may have ended by itself. */
	for (int i = 0; i < n; i++)
		if (zones[i].id == zone)
			must(hv_hyp_zone_stop(rig->hyp, zone, &err));
	hv_guest_put(rig->guest[zone]);
	rig->guest[zone] = NULL;
	if (rig->zones[zone])
		hv_service_remove_zone(rig->svc, rig->zones[zone]);
	rig->zones[zone] = NULL;
}

void srig_open(struct srig *rig, const struct srig_opts *opts)
{
	static const struct hv_sim_ram ram = { UINT64_C(0x40000000), HV_GIB };
	struct hv_sim_opts sim = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 2 * (SRIG_ZONES + 1),
		.root_cpus = 0x3,
		.ram = &ram,
		.n_ram = 1,
	};
	struct hv_guests_opts guests = { .manual = !opts->program };
	struct hv_service_opts service = {
		.spin_ns = opts->spin_ns,
		.event = opts->event,
		.event_arg = opts->event_arg,
	};

	memset(rig, 0, sizeof(*rig));
	memset(&err, 0, sizeof(err));
	/* Tests act as CPUs. */
	hv_thread_short_turns();
	must(hv_hyp_open_sim(&sim, &rig->hyp, &err));
	must(hv_guests_new(rig->hyp, &guests, &rig->guests, &err));
	must(hv_service_new(rig->hyp, &service, &rig->svc, &err));
	must(hv_hyp_bridge(rig->hyp, &rig->page, &err));
	rig->n_zones = opts->n_zones;
	for (unsigned int i = 1; i <= opts->n_zones; i++)
		srig_start(rig, i);
}

void srig_close(struct srig *rig)
{
	for (unsigned int i = 1; i <= SRIG_ZONES; i++)
		srig_stop(rig, i);
	hv_service_free(rig->svc);
	hv_guests_free(rig->guests);
	hv_hyp_close(rig->hyp);
}

static void config_read(struct hv_vdev *dev, unsigned int off, void *to, unsigned int len)
{
	struct srig_echo *echo = dev->state;

	atomic_fetch_add(&echo->config_reads, 1);
	if (echo->on_config_read)
		echo->on_config_read(echo, off);
	memcpy(to, echo->config + off, len);
}

static void config_write(struct hv_vdev *dev, unsigned int off, const void *from, unsigned int len)
{
	struct srig_echo *echo = dev->state;

	memcpy(echo->config + off, from, len);
}

static int echo_start(struct hv_vdev *dev, struct hv_worker *w, struct hv_err *why)
{
	(void)dev;
	(void)w;
	(void)why;
	return 0;
}

static uint32_t copy(const struct hv_chain *chain)
{
	size_t len = chain->out_len < chain->in_len ? chain->out_len : chain->in_len;
	uint8_t *bytes = malloc(len ? len : 1);

	len = hv_iov_read(chain->iov, chain->n_out, 0, bytes, len);
	len = hv_iov_write(chain->iov + chain->n_out, chain->n_in, 0, bytes, len);
	free(bytes);
	return (uint32_t)len;
}

static void complete_kept(struct srig_echo *echo)
{
	unsigned int n = atomic_exchange(&echo->held, 0);

	for (unsigned int i = 0; i < n; i++)
		hv_queue_push(&echo->dev.queues[0].ring, echo->kept[i].head, 0);
	if (n)
		hv_vq_flush(&echo->dev.queues[0]);
}

static int echo_work(struct hv_vdev *dev, struct hv_worker *w)
{
	struct srig_echo *echo = dev->state;
	struct hv_queue *q = &dev->queues[0].ring;
	struct hv_chain chain;
	int done = 0;

	(void)w;
	if (!atomic_load(&echo->hold))
		complete_kept(echo);
	while (done < 64 && hv_queue_pop(q, &chain) == 1) {
		unsigned int n = atomic_load(&echo->held);

		done++;
		if (atomic_load(&echo->hold) && n < 64) {
			echo->kept[n] = chain;
			atomic_store(&echo->held, n + 1);
			continue;
		}
		hv_queue_push(q, chain.head, copy(&chain));
		hv_stat_add(&dev->stats.requests, 1);
	}
	hv_vq_flush(&dev->queues[0]);
	/* Queue 1 gives everything back as it is. */
	while (done < 128 && dev->queues[1].ring.size &&
	       hv_queue_pop(&dev->queues[1].ring, &chain) == 1) {
		hv_queue_push(&dev->queues[1].ring, chain.head, 0);
		done++;
	}
	if (dev->queues[1].ring.size)
		hv_vq_flush(&dev->queues[1]);
	return done;
}

static void echo_stop(struct hv_vdev *dev, struct hv_worker *w)
{
	struct srig_echo *echo = dev->state;

	(void)w;
	pthread_mutex_lock(&echo->lock);
	while (atomic_load(&echo->hold))
		pthread_cond_wait(&echo->go, &echo->lock);
	pthread_mutex_unlock(&echo->lock);
	complete_kept(echo);
}

static const struct hv_vdev_ops echo_ops = {
	.type = "echo",
	.device_id = 42,
	.config_size = 64,
	.config_read = config_read,
	.config_write = config_write,
	.start = echo_start,
	.work = echo_work,
	.stop = echo_stop,
};

struct srig_echo *srig_echo_new(const char *name)
{
	static const uint16_t sizes[] = { 256, 64 };
	struct srig_echo *echo = calloc(1, sizeof(*echo));

	assert_non_null(echo);
	for (uint8_t i = 0; i < sizeof(echo->config); i++)
		echo->config[i] = i;
	pthread_mutex_init(&echo->lock, NULL);
	pthread_cond_init(&echo->go, NULL);
	must(hv_vdev_init(&echo->dev, &echo_ops, name, 2, sizes, NULL, 0, &err));
	echo->dev.state = echo;
	return echo;
}

void srig_echo_let_go(struct srig_echo *echo)
{
	pthread_mutex_lock(&echo->lock);
	atomic_store(&echo->hold, false);
	pthread_cond_broadcast(&echo->go);
	pthread_mutex_unlock(&echo->lock);
	hv_vdev_poke(&echo->dev);
}

void srig_echo_free(struct srig_echo *echo)
{
	hv_vdev_destroy(&echo->dev);
	pthread_cond_destroy(&echo->go);
	pthread_mutex_destroy(&echo->lock);
	free(echo);
}

void srig_attach(struct srig *rig, unsigned int zone, struct srig_echo *echo, unsigned int slot)
{
	must(hv_service_attach(rig->svc, rig->zones[zone], &echo->dev, SRIG_SLOT(slot), 0x200,
			       SRIG_IRQ(slot), &err));
}

void srig_driver(struct srig *rig, unsigned int zone, unsigned int cpu, unsigned int slot,
		 struct hv_gdev *dev)
{
	assert_int_equal(hv_gdev_probe(dev, rig->guest[zone], cpu, SRIG_SLOT(slot), SRIG_IRQ(slot)),
			 0);
	assert_int_equal(dev->id, 42);
	assert_int_equal(hv_gdev_negotiate(dev, HV_GDEV_FEATURES), 0);
	assert_int_equal(dev->features, HV_GDEV_FEATURES);
	assert_int_equal(hv_gdev_add_queue(dev, 256), 0);
	assert_int_equal(hv_gdev_add_queue(dev, 64), 0);
	assert_int_equal(hv_gdev_start(dev), 0);
}

void srig_open_one(struct srig *rig, struct srig_echo *echo, struct hv_gdev *dev)
{
	srig_open(rig, &(struct srig_opts){ .n_zones = 1 });
	srig_attach(rig, 1, echo, 0);
	srig_driver(rig, 1, 0, 0, dev);
}

void srig_send(struct hv_gdev *dev, uint64_t out, uint64_t in, uint32_t len)
{
	struct hv_gbuf o = { out, len }, i = { in, len };

	assert_int_equal(hv_gring_add(&dev->rings[0], &o, 1, &i, 1, (void *)(uintptr_t)in), 0);
	assert_int_equal(hv_gdev_kick(dev, 0), 0);
}

void srig_ping(struct hv_gdev *dev, unsigned int len)
{
	uint64_t slot = (dev->at - SRIG_WINDOWS) / (SRIG_SLOT(1) - SRIG_SLOT(0));
	uint64_t out = srig_ram(hv_guest_zone(dev->g)->id) + PINGS_AT + 2 * PING_MAX * slot;
	uint64_t in = out + PING_MAX;
	uint8_t *o = hv_guest_at(dev->g, out, len), *i = hv_guest_at(dev->g, in, len);
	uint32_t written;
	void *token;

	assert_non_null(o);
	assert_non_null(i);
	for (unsigned int n = 0; n < len; n++)
		o[n] = (uint8_t)(n * 7 + dev->interrupts);
	srig_send(dev, out, in, len);
	assert_int_equal(hv_gdev_wait(dev, 0, SRIG_LONG), 1);
	assert_int_equal(hv_gring_get(&dev->rings[0], &token, &written), 1);
	assert_ptr_equal(token, (void *)(uintptr_t)in);
	assert_int_equal(written, len);
	assert_memory_equal(o, i, len);
}

void srig_await(bool (*cond)(void *arg), void *arg, const char *what)
{
	struct timespec pause = { .tv_nsec = 1000000 };

	for (uint64_t until = hv_now() + SRIG_LONG; hv_now() < until;) {
		if (cond(arg))
			return;
		nanosleep(&pause, NULL);
	}
	fail_msg("%s did not happen", what);
}

uint64_t srig_flag(struct srig *rig, unsigned int cpu)
{
	return __atomic_load_n(&rig->page->cfg_flags[cpu], __ATOMIC_ACQUIRE);
}

void *srig_reset(void *dev)
{
	assert_int_equal(hv_gdev_reset(dev), 0);
	return NULL;
}

bool srig_is_held(void *echo)
{
	return atomic_load(&((struct srig_echo *)echo)->held);
}

bool srig_is_resetting(void *arg)
{
	struct hv_vdev *dev = arg;
	bool resetting;

	pthread_mutex_lock(&dev->lock);
	resetting = dev->resetting;
	pthread_mutex_unlock(&dev->lock);
	return resetting;
}
