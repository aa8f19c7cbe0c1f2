// SPDX-License-Identifier: GPL-2.0-or-later
#include "virtio/service.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "virtio/bridge.h"
#include "virtio/irq.h"
#include "virtio/state.h"

/* The registers before the configuration space (4.2.2). */
#define WINDOW_MIN 0x100

struct mapping {
	void *addr;
	uint64_t size;
};

struct hv_vzone {
	struct hv_service *svc;
	uint32_t id;
	char *name;
	uint64_t cpus;
	struct hv_gmem mem;
	unsigned int n_maps;
	struct mapping maps[HV_GMEM_MAX];
	struct hv_vbus bus;
	struct hv_irq_zone irqs;
	struct hv_vdev *devices[HV_BRIDGE_DEVICES];
	unsigned int n_devices;
	struct hv_vzone *next;
};

struct hv_service {
	struct hv_hyp *hyp;
	struct hv_bridge_page *page;
	struct hv_irqs irqs;
	struct hv_bridge *bridge;
	struct hv_state_bridge *kept;
	hv_vdev_event_fn *event;
	void *event_arg;
	char *lock_path;
	int lock_fd;
	struct hv_vzone *zones;
	unsigned int n_devices;
};

static int lock_holder(int fd)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? atoi(text) : 0;
}

static int take_lock(struct hv_service *svc, const char *path, struct hv_err *err)
{
	int pid;

	svc->lock_path = strdup(path);
	if (!svc->lock_path)
		return hv_err_nomem(err);
	hv_file_make_parent(path);
	svc->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (svc->lock_fd < 0)
		return hv_err_sys(err, errno, "opening %s, the lock of the virtio service", path);
	if (flock(svc->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return hv_err_sys(err, errno, "locking %s", path);
		pid = lock_holder(svc->lock_fd);
		if (!pid)
			return hv_err_set(err, EBUSY,
					  "another process serves this machine's zones already (it "
					  "holds %s); "
					  "there can be one",
					  path);
		return hv_err_set(
			err, EBUSY,
			"process %d serves this machine's zones already (it holds %s); there "
			"can be one",
			pid, path);
	}
	if (ftruncate(svc->lock_fd, 0) < 0 || dprintf(svc->lock_fd, "%d\n", (int)getpid()) < 0)
		return hv_err_sys(err, errno, "writing %s", path);
	return 0;
}

static void give_lock_back(struct hv_service *svc)
{
	if (svc->lock_fd >= 0) {
		/* Said by hand: a forked child may still have it open. The file stays, or two could
		 * hold "it". */
		flock(svc->lock_fd, LOCK_UN);
		close(svc->lock_fd);
	}
	free(svc->lock_path);
}

struct held {
	struct hv_bridge_window windows[HV_BRIDGE_HELD], left_out;
	unsigned int n, n_left_out;
};

static void hold(void *arg, uint32_t zone, uint64_t at, uint64_t size)
{
	struct held *held = arg;
	const struct hv_bridge_window window = {
		.zone = zone,
		.at = at,
		.size = size,
		.held = true,
	};

	if (held->n < HV_BRIDGE_HELD)
		held->windows[held->n++] = window;
	else if (!held->n_left_out++)
		held->left_out = window;
}

static void say_left_out(const char *dir, const struct held *held)
{
	if (held->n_left_out)
		hv_log_warn("%s has the state of %u devices, and %d are waited for: zone %" PRIu32
			    " is answered 0 at its window 0x%" PRIx64
			    " until that device is served again%s",
			    dir, held->n + held->n_left_out, HV_BRIDGE_HELD, held->left_out.zone,
			    held->left_out.at, held->n_left_out > 1 ? ", as are others" : "");
}

static int start_bridge(struct hv_service *svc, const struct hv_service_opts *opts,
			struct hv_err *err)
{
	struct held held = { .n = 0 };
	struct hv_bridge_opts bridge = { .spin_ns = opts->spin_ns, .held = held.windows };
	int rc = 0;

	if (opts->state_dir) {
		rc = hv_state_bridge_open(opts->state_dir, &svc->kept, err);
		if (rc < 0)
			return rc;
		hv_state_each(opts->state_dir, hold, &held);
		say_left_out(opts->state_dir, &held);
	}
	bridge.kept = svc->kept;
	bridge.n_held = held.n;
	return hv_bridge_start(svc->hyp, &svc->irqs, &bridge, &svc->bridge, err);
}

int hv_service_new(struct hv_hyp *hyp, const struct hv_service_opts *opts, struct hv_service **out,
		   struct hv_err *err)
{
	struct hv_service *svc = calloc(1, sizeof(*svc));
	int rc = 0;

	if (!svc)
		return hv_err_nomem(err);
	svc->hyp = hyp;
	svc->event = opts->event;
	svc->event_arg = opts->event_arg;
	svc->lock_fd = -1;
	if (opts->lock_path)
		rc = take_lock(svc, opts->lock_path, err);
	if (rc == 0)
		rc = hv_hyp_bridge(hyp, &svc->page, err);
	if (rc < 0)
		goto fail;
	hv_irqs_init(&svc->irqs, hyp, svc->page);
	rc = start_bridge(svc, opts, err);
	if (rc < 0) {
		hv_irqs_destroy(&svc->irqs);
		hv_state_bridge_close(svc->kept);
		goto fail;
	}
	*out = svc;
	return 0;
fail:
	give_lock_back(svc);
	free(svc);
	return rc;
}

void hv_service_free(struct hv_service *svc)
{
	if (!svc)
		return;
	while (svc->zones)
		hv_service_remove_zone(svc, svc->zones);
	hv_bridge_stop(svc->bridge);
	hv_irqs_destroy(&svc->irqs);
	hv_state_bridge_close(svc->kept);
	give_lock_back(svc);
	free(svc);
}

static void unplug(struct hv_vzone *zone, unsigned int place)
{
	struct hv_service *svc = zone->svc;

	hv_irq_unplug(&svc->irqs, &zone->irqs, zone->devices[place]);
	zone->devices[place] = zone->devices[--zone->n_devices];
	svc->n_devices--;
}

void hv_service_leave(struct hv_service *svc)
{
	for (struct hv_vzone *zone = svc->zones; zone; zone = zone->next)
		for (unsigned int i = zone->n_devices; i-- > 0;)
			if (!zone->devices[i]->kept)
				hv_service_detach(svc, zone->devices[i]);
	hv_bridge_leave(svc->bridge);
	for (struct hv_vzone *zone = svc->zones; zone; zone = zone->next)
		while (zone->n_devices) {
			hv_vdev_leave(zone->devices[zone->n_devices - 1]);
			unplug(zone, zone->n_devices - 1);
		}
}

void hv_service_forget(struct hv_service *svc, uint32_t zone)
{
	hv_bridge_unhold(svc->bridge, zone);
}

static void bus_interrupt(const struct hv_vbus *bus, uint32_t irq)
{
	struct hv_vzone *zone = bus->arg;

	hv_irq_raise(&zone->svc->irqs, &zone->irqs, irq);
}

static void bus_release(const struct hv_vbus *bus, unsigned int cpu)
{
	struct hv_vzone *zone = bus->arg;

	/* In this order: once it runs, the CPU may begin the next wait. */
	hv_irq_hold(&zone->svc->irqs, &zone->irqs, cpu, false);
	hv_bridge_release(zone->svc->bridge, cpu);
}

static int check_zone(const struct hv_service *svc, uint32_t id, const char *name, uint64_t cpus,
		      struct hv_err *err)
{
	if (!id)
		return hv_err_set(err, EINVAL,
				  "%s: zone 0 is the root zone, which has no virtio devices", name);
	if (cpus >> HV_BRIDGE_CPUS)
		return hv_err_set(err, EINVAL,
				  "%s: CPUs 0x%" PRIx64 "; a zone has some of CPU 0 to %d", name,
				  cpus, HV_BRIDGE_CPUS - 1);
	for (const struct hv_vzone *z = svc->zones; z; z = z->next) {
		if (z->id == id)
			return hv_err_set(err, EEXIST, "%s: zone %u is %s, which is served already",
					  name, id, z->name);
		if (z->cpus & cpus)
			return hv_err_set(err, EBUSY, "%s: CPU %d belongs to %s", name,
					  __builtin_ctzll(z->cpus & cpus), z->name);
	}
	return 0;
}

static int map_ram(struct hv_vzone *zone, const struct hv_vzone_ram *ram, struct hv_err *err)
{
	struct mapping *m = &zone->maps[zone->n_maps];
	int rc;

	if (zone->n_maps == HV_GMEM_MAX)
		return hv_err_set(err, ENOSPC, "%s: more than %d RAM regions", zone->name,
				  HV_GMEM_MAX);
	rc = hv_hyp_map(zone->svc->hyp, ram->phys, ram->size, &m->addr, err);
	if (rc < 0)
		return hv_err_prefix(err, "%s: RAM at 0x%" PRIx64 ": ", zone->name, ram->ipa);
	m->size = ram->size;
	zone->n_maps++;
	rc = hv_gmem_add(&zone->mem, ram->ipa, ram->size, m->addr, err);
	return rc < 0 ? hv_err_prefix(err, "%s: ", zone->name) : 0;
}

static void free_zone(struct hv_vzone *zone)
{
	for (unsigned int i = 0; i < zone->n_maps; i++)
		hv_hyp_unmap(zone->svc->hyp, zone->maps[i].addr, zone->maps[i].size);
	free(zone->name);
	free(zone);
}

int hv_service_add_zone(struct hv_service *svc, uint32_t id, const char *name, uint64_t cpus,
			const struct hv_vzone_ram *ram, unsigned int n_ram, struct hv_vzone **out,
			struct hv_err *err)
{
	struct hv_vzone *zone;
	int rc = check_zone(svc, id, name, cpus, err);

	if (rc < 0)
		return rc;
	zone = calloc(1, sizeof(*zone));
	if (!zone)
		return hv_err_nomem(err);
	zone->svc = svc;
	zone->id = zone->irqs.id = id;
	zone->cpus = cpus;
	zone->name = strdup(name);
	rc = zone->name ? 0 : hv_err_nomem(err);
	for (unsigned int i = 0; i < n_ram && rc == 0; i++)
		rc = map_ram(zone, &ram[i], err);
	if (rc < 0) {
		free_zone(zone);
		return rc;
	}
	zone->bus = (struct hv_vbus){
		.mem = &zone->mem,
		.zone = zone->name,
		.interrupt = bus_interrupt,
		.release = bus_release,
		.arg = zone,
	};
	hv_irq_add_zone(&svc->irqs, &zone->irqs);
	zone->next = svc->zones;
	svc->zones = zone;
	*out = zone;
	return 0;
}

/* Its devices are gone. */
static void end_zone(struct hv_service *svc, struct hv_vzone *zone)
{
	hv_bridge_forget(svc->bridge, zone->id);
	hv_irq_remove_zone(&svc->irqs, &zone->irqs);
	for (struct hv_vzone **at = &svc->zones; *at; at = &(*at)->next) {
		if (*at != zone)
			continue;
		*at = zone->next;
		break;
	}
	free_zone(zone);
}

void hv_service_remove_zone(struct hv_service *svc, struct hv_vzone *zone)
{
	while (zone->n_devices)
		hv_service_detach(svc, zone->devices[zone->n_devices - 1]);
	end_zone(svc, zone);
}

const struct hv_gmem *hv_vzone_mem(const struct hv_vzone *zone)
{
	return &zone->mem;
}

uint32_t hv_vzone_id(const struct hv_vzone *zone)
{
	return zone->id;
}

const char *hv_vzone_name(const struct hv_vzone *zone)
{
	return zone->name;
}

/* Where it is attached: its zone, and its place there. */
static struct hv_vzone *zone_of(const struct hv_service *svc, const struct hv_vdev *dev,
				unsigned int *place)
{
	for (struct hv_vzone *zone = svc->zones; zone; zone = zone->next)
		for (*place = 0; *place < zone->n_devices; ++*place)
			if (zone->devices[*place] == dev)
				return zone;
	return NULL;
}

static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a - b < b_size || b - a < a_size;
}

static int check_window(const struct hv_vzone *zone, const struct hv_vdev *dev, uint64_t at,
			uint64_t size, struct hv_err *err)
{
	uint64_t end;

	if (size < WINDOW_MIN || at % 4 || __builtin_add_overflow(at, size - 1, &end))
		return hv_err_set(err, EINVAL,
				  "%s: a register window of 0x%" PRIx64 " bytes at 0x%" PRIx64
				  "; it must have at least 0x%x, start at a multiple of 4 and not "
				  "wrap around",
				  dev->name, size, at, WINDOW_MIN);
	for (unsigned int i = 0; i < zone->mem.n; i++) {
		const struct hv_gmem_range *r = &zone->mem.range[i];

		if (overlap(at, size, r->ipa, r->size))
			return hv_err_set(
				err, EINVAL,
				"%s: its register window (0x%" PRIx64 ") lies in the zone's RAM "
				"(0x%" PRIx64 "-0x%" PRIx64 "), where an access does not trap",
				dev->name, at, r->ipa, r->ipa + (r->size - 1));
	}
	return 0;
}

static int check_device(const struct hv_service *svc, const struct hv_vzone *zone,
			const struct hv_vdev *dev, uint64_t at, uint64_t size, uint32_t irq,
			struct hv_err *err)
{
	unsigned int place;
	const struct hv_vzone *home = zone_of(svc, dev, &place);
	int rc;

	if (home)
		return hv_err_set(err, EBUSY, "%s: it is attached already, to zone %s", dev->name,
				  home->name);
	rc = check_window(zone, dev, at, size, err);
	if (rc < 0)
		return rc;
	if (svc->n_devices == HV_BRIDGE_DEVICES)
		return hv_err_set(
			err, ENOSPC,
			"%s: hvisor has room for %d virtio devices on one machine, all zones "
			"together",
			dev->name, HV_BRIDGE_DEVICES);
	for (unsigned int i = 0; i < zone->n_devices; i++) {
		const struct hv_vdev *other = zone->devices[i];

		if (overlap(at, size, other->at, other->size))
			return hv_err_set(err, EBUSY,
					  "%s: its register window (0x%" PRIx64
					  ") overlaps that of %s "
					  "(0x%" PRIx64 ")",
					  dev->name, at, other->name, other->at);
		if (irq == other->irq)
			return hv_err_set(err, EBUSY, "%s: interrupt %u is that of %s", dev->name,
					  irq, other->name);
	}
	return 0;
}

/* Nobody need read them; hvisor once did. */
static void publish_windows(struct hv_service *svc)
{
	unsigned int n = 0;

	for (const struct hv_vzone *zone = svc->zones; zone; zone = zone->next)
		for (unsigned int i = 0; i < zone->n_devices; i++)
			__atomic_store_n(&svc->page->mmio_addrs[n++], zone->devices[i]->at,
					 __ATOMIC_RELAXED);
	while (n < HV_BRIDGE_DEVICES)
		__atomic_store_n(&svc->page->mmio_addrs[n++], 0, __ATOMIC_RELAXED);
	__atomic_store_n(&svc->page->mmio_avail, 1, __ATOMIC_RELEASE);
}

int hv_service_attach(struct hv_service *svc, struct hv_vzone *zone, struct hv_vdev *dev,
		      uint64_t at, uint64_t size, uint32_t irq, struct hv_err *err)
{
	struct hv_bridge_window window = {
		.zone = zone->id,
		.at = at,
		.size = size,
		.dev = dev,
		.irqs = &zone->irqs,
	};
	int rc = check_device(svc, zone, dev, at, size, irq, err);

	if (rc < 0)
		return rc;
	dev->event = svc->event;
	dev->event_arg = svc->event_arg;
	hv_irq_plug(&svc->irqs, &zone->irqs, dev, irq);
	rc = hv_vdev_attach(dev, &zone->bus, at, size, irq, err);
	if (rc < 0) {
		hv_irq_unplug(&svc->irqs, &zone->irqs, dev);
		return rc;
	}
	zone->devices[zone->n_devices++] = dev;
	svc->n_devices++;
	publish_windows(svc);
	hv_bridge_plug(svc->bridge, &window);
	return 0;
}

void hv_service_detach(struct hv_service *svc, struct hv_vdev *dev)
{
	unsigned int place;
	struct hv_vzone *zone = zone_of(svc, dev, &place);

	if (!zone)
		return;
	hv_bridge_vacate(svc->bridge, dev);
	hv_vdev_detach(dev);
	unplug(zone, place);
	publish_windows(svc);
}

void hv_service_leave_zone(struct hv_service *svc, struct hv_vzone *zone)
{
	while (zone->n_devices) {
		struct hv_vdev *dev = zone->devices[zone->n_devices - 1];
		const struct hv_bridge_window window = {
			.zone = zone->id,
			.at = dev->at,
			.size = dev->size,
			.held = true,
		};

		if (!dev->kept) {
			hv_service_detach(svc, dev);
			continue;
		}
		if (!hv_bridge_plug(svc->bridge, &window))
			hv_log_warn("%s: %d devices are waited for already: zone %" PRIu32
				    " is answered 0 at its window 0x%" PRIx64
				    " until it is served again",
				    dev->name, HV_BRIDGE_HELD, zone->id, dev->at);
		hv_vdev_leave(dev);
		unplug(zone, zone->n_devices - 1);
	}
	publish_windows(svc);
	end_zone(svc, zone);
}

void hv_service_stats(struct hv_service *svc, struct hv_service_stats *out)
{
	*out = (struct hv_service_stats){ 0 };
	hv_bridge_stats(svc->bridge, out);
	out->injections = atomic_load(&svc->irqs.injections);
}
