// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/size.h"
#include "fdt/fdt.h"

#define ID_NET 1
#define ID_BLK 2
#define ID_CONSOLE 3
#define ID_RNG 4
#define ID_GPU 16

#define INT_CONFIG 2 /* of InterruptStatus */

#define FIRST_SECTORS 8
#define TREE_MAX (16 * HV_MIB)

void program_say(struct program *p, const char *fmt, ...)
{
	char text[1024];
	size_t len;
	va_list ap;
	int rc;

	if (p->dead)
		return;
	va_start(ap, fmt);
	rc = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (rc <= 0)
		return;
	len = (size_t)rc < sizeof(text) ? (size_t)rc : sizeof(text) - 1;
	if (p->to & PROGRAM_SCREEN)
		terminal_print(&p->terminal, text, len);
	if (!(p->to & PROGRAM_CONSOLE) || !p->console.pair.dev)
		return;
	rc = hv_gconsole_write(&p->console, text, len);
	if (rc == -ESHUTDOWN)
		p->dead = rc;
}

/* Whether one of the rings that things arrive in has something, after asking for an interrupt. */
static bool arrived(struct program *p)
{
	bool any = false;

	if (p->console.pair.dev)
		any |= hv_gring_listen(&p->console.pair.dev->rings[0]);
	if (p->net.pair.dev)
		any |= hv_gring_listen(&p->net.pair.dev->rings[0]);
	any |= program_input_arrived(p);
	return any;
}

static void handle(struct program *p, struct hv_gdev *dev)
{
	uint32_t causes = hv_gdev_handle(dev);

	if (dev == p->gpu.dev && causes & INT_CONFIG)
		p->resized = true;
}

static void take(struct program *p, uint32_t irq)
{
	for (unsigned int i = 0; i < p->n_devices; i++)
		if (p->devices[i].irq == irq)
			handle(p, &p->devices[i]);
	program_ivc_interrupt(p, irq);
}

void program_step(struct program *p, uint64_t timeout_ns)
{
	uint32_t irq;
	int rc;

	program_show_text(p);
	if (!arrived(p)) {
		rc = hv_guest_next_irq(p->g, &irq, timeout_ns);
		if (rc < 0)
			p->dead = rc;
		while (rc == 1) {
			take(p, irq);
			rc = hv_guest_next_irq(p->g, &irq, 0);
		}
	}
	program_receive(p);
	program_hear(p);
	if (p->resized) {
		p->resized = false;
		(void)program_draw_card(p);
	}
}

/* The tree as it lies in the zone's memory. */
static struct hv_fdt *open_tree(struct hv_guest *g, struct hv_err *err)
{
	const struct hv_abi_zone *zone = hv_guest_zone(g);
	struct hv_fdt *tree = NULL;
	uint64_t at = 0;
	const uint8_t *bytes = NULL;
	uint64_t size = zone->dtb_size;

	for (uint32_t i = 0; i < zone->n_regions; i++) {
		const struct hv_abi_region *r = &zone->regions[i];

		if (r->type == HV_REGION_RAM && zone->dtb_phys - r->phys < r->size)
			at = r->ipa + (zone->dtb_phys - r->phys);
	}
	/* The header's first words: magic and size, big endian. */
	if (at)
		bytes = hv_guest_at(g, at, 8);
	if (bytes && !size)
		size = (uint64_t)bytes[4] << 24 | (uint64_t)bytes[5] << 16 |
		       (uint64_t)bytes[6] << 8 | bytes[7];
	if (bytes && size <= TREE_MAX)
		bytes = hv_guest_at(g, at, size);
	if (!bytes || !size || size > TREE_MAX) {
		hv_err_set(err, ENOENT, "no device tree in its memory");
		return NULL;
	}
	hv_fdt_open(bytes, (size_t)size, "device tree", &tree, err);
	return tree;
}

static int probe_all(struct program *p, const struct hv_fdt_machine *m)
{
	for (unsigned int i = 0; i < m->n_virtio && p->n_devices < PROGRAM_DEVICES; i++) {
		int rc = hv_gdev_probe(&p->devices[p->n_devices], p->g, 0, m->virtio[i].start,
				       m->virtio[i].irq.number);

		if (rc == 0)
			p->n_devices++;
		else if (rc != -ENXIO)
			return rc;
	}
	return 0;
}

static int find_devices(struct program *p)
{
	struct hv_fdt_machine *m = calloc(1, sizeof(*m));
	struct hv_err err = { 0 };
	struct hv_fdt *tree = m ? open_tree(p->g, &err) : NULL;
	int rc = 0;

	if (tree && hv_fdt_machine(tree, m, NULL, NULL, &err) == 0)
		rc = probe_all(p, m);
	else
		hv_log_info("simulated guest of zone %u: %s", hv_guest_zone(p->g)->id, err.msg);
	hv_fdt_close(tree);
	free(m);
	return rc;
}

static struct hv_gdev *first(struct program *p, uint32_t id)
{
	for (unsigned int i = 0; i < p->n_devices; i++)
		if (p->devices[i].id == id)
			return &p->devices[i];
	return NULL;
}

static void banner(struct program *p)
{
	const struct hv_abi_zone *zone = hv_guest_zone(p->g);
	char cpus[128] = "", size[HV_SIZE_TEXT];
	uint64_t ram = 0;
	size_t len = 0;

	for (unsigned int i = 0; i < p->g->n_cpus && len < sizeof(cpus) - 4; i++)
		len += (size_t)snprintf(cpus + len, sizeof(cpus) - len, "%s%u", i ? "," : "",
					p->g->cpus[i]);
	for (uint32_t i = 0; i < zone->n_regions; i++)
		if (zone->regions[i].type == HV_REGION_RAM)
			ram += zone->regions[i].size;
	program_say(p, "\r\nhvsh guest: zone %s (id %u), CPU %s, %s of RAM\r\n", zone->name,
		    zone->id, cpus, hv_size_format(ram, size));
}

static void say_device(struct program *p, const struct hv_gdev *dev, const char *what, int rc)
{
	program_say(p, "0x%" PRIx64 " irq %u: %s%s%s", dev->at, dev->irq, what, rc < 0 ? ": " : "",
		    rc < 0 ? strerror(-rc) : "");
}

static void start_console(struct program *p)
{
	struct hv_gdev *dev = first(p, ID_CONSOLE);

	if (!dev)
		return;
	if (hv_gconsole_start(&p->console, dev) < 0)
		p->console.pair.dev = NULL;
	banner(p);
	if (p->console.pair.dev) {
		say_device(p, dev, "console", 0);
		program_say(p, "\r\n");
	}
}

static void start_blk(struct program *p, struct hv_gdev *dev)
{
	int rc = hv_gblk_start(&p->blk, dev, 1, 0);
	uint64_t len = FIRST_SECTORS * 512;
	uint32_t sum;

	say_device(p, dev, "disk", rc);
	if (rc < 0) {
		p->blk.dev = NULL;
		program_say(p, "\r\n");
		return;
	}
	if (p->blk.sectors < FIRST_SECTORS)
		len = p->blk.sectors * 512;
	rc = program_sum(p, 0, len, &sum);
	program_say(p, ", %" PRIu64 " sectors%s", p->blk.sectors,
		    p->blk.read_only ? ", read-only" : "");
	if (rc < 0)
		program_say(p, ", reading it: %s\r\n", strerror(-rc));
	else
		program_say(p, ", the first %" PRIu64 " sum to %08x\r\n", len / 512, sum);
}

static void start_net(struct program *p, struct hv_gdev *dev)
{
	char mac[PROGRAM_MAC_TEXT];
	int rc = hv_gnet_start(&p->net, dev);

	say_device(p, dev, "network", rc);
	if (rc < 0)
		p->net.pair.dev = NULL;
	else
		program_say(p, ", %s", program_mac(p->net.mac, mac));
	program_say(p, "\r\n");
}

static void start_rng(struct program *p, struct hv_gdev *dev)
{
	uint8_t bytes[4] = { 0 };
	int rc = hv_grng_start(dev);

	if (rc == 0)
		rc = hv_grng_read(dev, bytes, sizeof(bytes));
	say_device(p, dev, "entropy", rc);
	if (rc == 0) {
		p->rng = dev;
		program_say(p, ", such as %02x%02x%02x%02x", bytes[0], bytes[1], bytes[2],
			    bytes[3]);
	}
	program_say(p, "\r\n");
}

static void start_others(struct program *p)
{
	for (unsigned int i = 0; i < p->n_devices && !p->dead; i++) {
		struct hv_gdev *dev = &p->devices[i];

		if (dev->id == ID_BLK && !p->blk.dev) {
			start_blk(p, dev);
		} else if (dev->id == ID_NET && !p->net.pair.dev) {
			start_net(p, dev);
		} else if (dev->id == ID_RNG && !p->rng) {
			start_rng(p, dev);
		} else if (dev->id == ID_GPU && !p->gpu.dev) {
			program_start_gpu(p, dev);
		} else if (dev->id == PROGRAM_ID_INPUT) {
			program_start_input(p, dev);
		} else if (dev != p->console.pair.dev) {
			say_device(p, dev, "device", 0);
			program_say(p, " of type %u, not used\r\n", dev->id);
		}
	}
}

void hv_guest_program(struct hv_guest *g)
{
	struct program *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return;
	p->g = g;
	p->to = PROGRAM_EVERYBODY;
	terminal_init(&p->terminal);
	rc = find_devices(p);
	if (rc == -ENODEV || rc == -EFAULT) {
		/* As on the real machine: an access that nobody takes is the end of the zone. */
		hv_log_warn(
			"simulated guest of zone %u: it touched a virtio register %s and crashed",
			hv_guest_zone(g)->id,
			rc == -ENODEV ? "before there was a virtio service"
				      : "outside of its virtio regions");
		hv_guest_exit(g, true);
	}
	if (rc == 0) {
		start_console(p);
		start_others(p);
		program_start_ivc(p);
		program_prompt(p);
	}
	while (rc == 0 && !p->dead) {
		program_step(p, UINT64_C(1000000000));
		program_read(p);
	}
	program_end_ivc(p);
	for (unsigned int i = 0; i < p->n_devices; i++)
		hv_gdev_free(&p->devices[i]);
	free(p);
}
