// SPDX-License-Identifier: GPL-2.0-or-later
#include "hypervisor/sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/size.h"
#include "hypervisor/sim/machine.h"

static int sim_version(struct hv_hyp *hyp, uint64_t *version, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_VERSION, err);
	if (rc == 0)
		*version = sim->state.version;
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

static int sim_start(struct hv_hyp *hyp, const void *config, size_t size, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_START, err);
	if (rc == 0)
		rc = hv_sim_start(sim, config, size, err);
	pthread_mutex_unlock(&sim->lock);
	hv_sim_run_reap(sim);
	return rc;
}

static int sim_stop(struct hv_hyp *hyp, uint32_t id, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	unsigned int delay_ms = 0;
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_STOP, err);
	if (rc == 0)
		rc = hv_sim_stop(sim, id, &delay_ms, err);
	pthread_mutex_unlock(&sim->lock);
	hv_sim_run_reap(sim);
	if (delay_ms) {
		struct timespec delay = { delay_ms / 1000, (long)(delay_ms % 1000) * 1000000 };

		nanosleep(&delay, NULL);
	}
	return rc;
}

static int sim_list(struct hv_hyp *hyp, struct hv_wire_zone_info *zones, size_t max,
		    struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	size_t n = 0;
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_LIST, err);
	for (uint32_t i = 0; rc == 0 && i < HV_MAX_ZONES && n < max; i++) {
		const struct sim_zone *zone = &sim->state.zones[i];

		if (!zone->used)
			continue;
		zones[n] = (struct hv_wire_zone_info){
			.zone_id = zone->id,
			.cpus = zone->cpus,
			.is_err = zone->is_err != 0,
		};
		memcpy(zones[n].name, zone->name, sizeof(zones[n].name));
		n++;
	}
	pthread_mutex_unlock(&sim->lock);
	hv_sim_run_reap(sim);
	return rc < 0 ? rc : (int)n;
}

static int sim_load_begin(struct hv_hyp *hyp, uint64_t phys, uint64_t size, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	uint64_t at;
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_LOAD, err);
	if (rc == 0 && hv_sim_in_hypervisor(sim, phys, size))
		rc = hv_sim_panic(sim, err,
				  "the root zone wrote to hypervisor memory (0x%" PRIx64
				  "-0x%" PRIx64 ")",
				  sim->state.hypervisor.start,
				  sim->state.hypervisor.start + (sim->state.hypervisor.size - 1));
	if (rc == 0)
		rc = hv_sim_locate(sim, phys, size, &at, err);
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

/* Without the lock: zones go on while an image is copied. */
static int sim_load(struct hv_hyp *hyp, const struct hv_load_src *src, uint64_t at, size_t size,
		    uint64_t phys, struct hv_err *err)
{
	return hv_sim_load(hv_sim_of(hyp), src, at, size, phys, err);
}

static int sim_map(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr,
		   struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	uint64_t at;
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_MAP, err);
	if (rc == 0 && hv_sim_in_hypervisor(sim, phys, size))
		rc = hv_err_set(err, EFAULT,
				"0x%" PRIx64
				" is hypervisor memory; touching it would panic the root zone",
				phys);
	if (rc == 0)
		rc = hv_sim_locate(sim, phys, size, &at, err);
	pthread_mutex_unlock(&sim->lock);
	if (rc < 0)
		return rc;
	*addr = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, sim->mem_fd,
		     (off_t)at);
	if (*addr == MAP_FAILED)
		return hv_err_sys(err, errno, "simulated memory");
	return 0;
}

/* Callers hold the lock. */
static int init_bridge(struct hv_sim *sim, struct hv_err *err)
{
	static const struct hv_bridge_page empty;
	void *page;

	if (sim->bridge)
		return 0;
	/* Written, not stored through the mapping: on a full disk that is an errno and no SIGBUS.
	 */
	if (pwrite(sim->mem_fd, &empty, sizeof(empty), (off_t)sim->bridge_at) < 0)
		return hv_err_sys(err, errno, "clearing the bridge page");
	sim->wakeup_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (sim->wakeup_fd < 0)
		return hv_err_sys(err, errno, "making an eventfd");
	page = mmap(NULL, sizeof(*sim->bridge), PROT_READ | PROT_WRITE, MAP_SHARED, sim->mem_fd,
		    (off_t)sim->bridge_at);
	if (page == MAP_FAILED) {
		int code = errno;

		close(sim->wakeup_fd);
		sim->wakeup_fd = -1;
		return hv_err_sys(err, code, "mapping the bridge page");
	}
	sim->bridge = page;
	return 0;
}

static int sim_bridge(struct hv_hyp *hyp, struct hv_bridge_page **page, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_BRIDGE, err);
	if (rc == 0)
		rc = init_bridge(sim, err);
	if (rc == 0)
		*page = sim->bridge;
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

static int sim_wakeup_fd(struct hv_hyp *hyp, int *fd, struct hv_err *err)
{
	struct hv_bridge_page *page;
	int rc = sim_bridge(hyp, &page, err);

	if (rc == 0)
		*fd = hv_sim_of(hyp)->wakeup_fd;
	return rc;
}

static int sim_inject(struct hv_hyp *hyp, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc;

	pthread_mutex_lock(&sim->lock);
	rc = hv_sim_enter(sim, HV_OP_INJECT, err);
	if (rc == 0)
		rc = hv_sim_drain(sim, err);
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

static void sim_close(struct hv_hyp *hyp)
{
	struct hv_sim *sim = hv_sim_of(hyp);

	pthread_mutex_lock(&sim->lock);
	hv_sim_run_end_all(sim);
	pthread_mutex_unlock(&sim->lock);
	hv_sim_run_reap(sim);
	if (sim->bridge)
		munmap(sim->bridge, sizeof(*sim->bridge));
	if (sim->wakeup_fd >= 0)
		close(sim->wakeup_fd);
	if (sim->mem_fd >= 0)
		close(sim->mem_fd);
	hv_sim_state_close(sim);
	hv_sim_clocks_close(sim);
	hv_sim_ivc_close(sim);
	pthread_mutex_destroy(&sim->lock);
	free(sim);
}

static const struct hv_hyp_ops sim_ops = {
	.close = sim_close,
	.version = sim_version,
	.start = sim_start,
	.stop = sim_stop,
	.list = sim_list,
	.load_begin = sim_load_begin,
	.load = sim_load,
	.map = sim_map,
	.bridge = sim_bridge,
	.wakeup_fd = sim_wakeup_fd,
	.inject = sim_inject,
	.resource = hv_sim_resource,
};

bool hv_hyp_is_sim(const struct hv_hyp *hyp)
{
	return hyp->ops == &sim_ops;
}

int hv_sim_read(struct hv_hyp *hyp, uint64_t phys, void *bytes, uint64_t size, struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	uint64_t at;
	int rc;

	if (!hv_hyp_is_sim(hyp))
		return hv_err_set(err, EINVAL, "%s is not simulated", hyp->name);
	if (!size)
		return 0;
	rc = hv_sim_locate(sim, phys, size, &at, err);
	if (rc < 0)
		return rc;
	for (uint64_t done = 0; done < size;) {
		ssize_t n = pread(sim->mem_fd, (uint8_t *)bytes + done, (size_t)(size - done),
				  (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return hv_err_sys(err, n < 0 ? errno : EIO, "reading simulated memory");
		done += (uint64_t)n;
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct hv_sim_ram *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static int set_ram(struct sim_state *s, const struct hv_sim_opts *opts, struct hv_err *err)
{
	struct hv_sim_ram sorted[HV_SIM_RAM_MAX];

	if (!opts->n_ram || opts->n_ram > HV_SIM_RAM_MAX)
		return hv_err_set(err, EINVAL,
				  "a simulated machine has 1 to %d RAM windows, not %zu",
				  HV_SIM_RAM_MAX, opts->n_ram);
	memcpy(sorted, opts->ram, opts->n_ram * sizeof(sorted[0]));
	qsort(sorted, opts->n_ram, sizeof(sorted[0]), by_start);
	for (size_t i = 0; i < opts->n_ram; i++) {
		const struct hv_sim_ram *ram = &sorted[i];
		struct hv_sim_ram *last = s->n_ram ? &s->ram[s->n_ram - 1] : NULL;
		uint64_t end;

		if (!ram->size || __builtin_add_overflow(ram->start, ram->size, &end) ||
		    end > INT64_MAX || !hv_is_aligned(ram->start | ram->size, HV_PAGE_SIZE))
			return hv_err_set(err, EINVAL,
					  "RAM window 0x%" PRIx64 " of 0x%" PRIx64
					  " bytes is empty, wraps around or is not 4 KiB aligned",
					  ram->start, ram->size);
		if (last && last->start + last->size > ram->start)
			return hv_err_set(err, EINVAL,
					  "RAM windows 0x%" PRIx64 " and 0x%" PRIx64 " overlap",
					  last->start, ram->start);
		if (last && last->start + last->size == ram->start)
			last->size += ram->size;
		else
			s->ram[s->n_ram++] = *ram;
	}
	return 0;
}

/* What the machine is when it has just been switched on: zone0 runs, nothing else. */
static int power_on(struct sim_state *s, const struct hv_sim_opts *opts, struct hv_err *err)
{
	uint64_t all, end;

	memset(s, 0, sizeof(*s));
	if (opts->n_cpus < 1 || opts->n_cpus > HV_MAX_CPUS)
		return hv_err_set(err, EINVAL, "a simulated machine has 1 to %d CPUs, not %u",
				  HV_MAX_CPUS, opts->n_cpus);
	all = (UINT64_C(1) << opts->n_cpus) - 1;
	if (!opts->root_cpus || opts->root_cpus & ~all)
		return hv_err_set(err, EINVAL,
				  "the root zone's CPUs (mask 0x%" PRIx64
				  ") must be some of the machine's %u",
				  opts->root_cpus, opts->n_cpus);
	if ((unsigned int)opts->arch >= HV_ARCH_COUNT ||
	    (unsigned int)opts->layout >= HV_LAYOUT_COUNT)
		return hv_err_set(err, EINVAL, "no such architecture or layout");
	if (!hv_zone_config_size(opts->layout, opts->arch))
		return hv_err_set(err, EINVAL, "layout %s does not exist on %s",
				  hv_layout_name(opts->layout), hv_arch_name(opts->arch));
	if (opts->max_zones > HV_MAX_ZONES)
		return hv_err_set(err, EINVAL, "no hvisor has more than %d zones, not %u",
				  HV_MAX_ZONES, opts->max_zones);
	if (__builtin_add_overflow(opts->hypervisor.start, opts->hypervisor.size, &end))
		return hv_err_set(err, EINVAL, "the hypervisor's memory wraps around");
	hv_sim_boot_id(s->boot_id);
	s->arch = opts->arch;
	s->layout = opts->layout;
	s->version = opts->version ? opts->version : hv_layout_version(opts->layout);
	s->n_cpus = opts->n_cpus;
	s->max_zones = opts->max_zones ? opts->max_zones : HV_MAX_ZONES;
	s->root_cpus = opts->root_cpus;
	s->hypervisor = opts->hypervisor;
	s->zones[0].used = 1;
	s->zones[0].cpus = opts->root_cpus;
	memcpy(s->zones[0].name, "root-linux", sizeof("root-linux"));
	return set_ram(s, opts, err);
}

/* The first thing in which two machines differ, or NULL. */
static const char *difference(const struct sim_state *a, const struct sim_state *b)
{
	if (a->arch != b->arch)
		return "the architecture";
	if (a->layout != b->layout || a->version != b->version)
		return "the hypervisor's config layout";
	if (a->n_cpus != b->n_cpus || a->root_cpus != b->root_cpus)
		return "the CPUs";
	if (a->max_zones != b->max_zones)
		return "the number of zones the hypervisor is built for";
	if (memcmp(&a->hypervisor, &b->hypervisor, sizeof(a->hypervisor)))
		return "the hypervisor's memory";
	if (a->n_ram != b->n_ram || memcmp(a->ram, b->ram, sizeof(a->ram)))
		return "the RAM";
	return NULL;
}

static int running_zones(const struct sim_state *s)
{
	int n = 0;

	for (int i = 1; i < HV_MAX_ZONES; i++)
		n += s->zones[i].used != 0;
	return n;
}

/* Decides between the machine that is kept in the folder and the one asked for. 1 = a new one. */
static int choose_machine(struct hv_sim *sim, const struct hv_sim_opts *opts, bool kept,
			  struct hv_err *err)
{
	struct sim_state *fresh = NULL;
	const char *differs;
	int rc = 0;

	if (!opts->n_cpus && kept)
		return 0;
	if (!opts->n_cpus && opts->state_dir)
		return hv_err_set(err, ENOENT, "%s has no simulated machine", opts->state_dir);
	fresh = malloc(sizeof(*fresh));
	if (!fresh)
		return hv_err_nomem(err);
	rc = power_on(fresh, opts, err);
	if (rc < 0)
		goto out;
	differs = kept ? difference(&sim->state, fresh) : NULL;
	if (kept && !differs)
		goto out;
	if (kept && !*sim->state.panic && running_zones(&sim->state)) {
		rc = hv_err_set(
			err, EBUSY,
			"the simulated machine in %s runs %d zones and is not the one asked "
			"for: %s differs; stop them first, or use another folder",
			sim->dir, running_zones(&sim->state), differs);
		goto out;
	}
	sim->state = *fresh;
	rc = 1;
out:
	free(fresh);
	return rc;
}

int hv_hyp_open_sim(const struct hv_sim_opts *opts, struct hv_hyp **hyp, struct hv_err *err)
{
	struct hv_sim *sim = calloc(1, sizeof(*sim));
	int rc = 0;

	if (!sim)
		return hv_err_nomem(err);
	pthread_mutex_init(&sim->lock, NULL);
	sim->dir_fd = sim->lock_fd = sim->mem_fd = sim->wakeup_fd = -1;
	sim->hyp.ops = &sim_ops;
	sim->hyp.name = "simulated";
	sim->hyp.speaker = "the simulated hvisor";
	if (opts->state_dir)
		rc = hv_sim_state_open(sim, opts->state_dir, err);
	if (rc >= 0)
		rc = choose_machine(sim, opts, rc == 1, err);
	if (rc < 0)
		goto fail;
	sim->hyp.arch = (enum hv_arch)sim->state.arch;
	rc = hv_sim_memory_open(sim, rc == 1, err);
	if (rc == 0)
		rc = hv_sim_clocks_open(sim, err);
	if (rc == 0)
		rc = hv_sim_ivc_open(sim, err);
	if (rc == 0)
		rc = hv_sim_state_save(sim, err);
	if (rc < 0)
		goto fail;
	*hyp = &sim->hyp;
	return 0;
fail:
	sim_close(&sim->hyp);
	return rc;
}
