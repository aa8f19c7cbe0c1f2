// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "hypervisor/sim/machine.h"

/* Where the machine and what runs in its zones meet. */

void hv_sim_run_begin(struct hv_sim *sim, const struct sim_zone *zone)
{
	struct hv_err why = { 0 };
	struct hv_abi_zone config;
	size_t i = (size_t)(zone - sim->state.zones);

	if (!sim->runner || zone->is_err || *sim->state.panic)
		return;
	if (hv_zone_config_decode((enum hv_layout)sim->state.layout, sim->hyp.arch, zone->config,
				  zone->config_size, &config, &why) < 0) {
		hv_log_warn("simulated hvisor: nothing runs in zone %u: %s", zone->id, why.msg);
		return;
	}
	sim->runs[i] = sim->runner->begin(sim->runner_arg, &config);
}

void hv_sim_run_end(struct hv_sim *sim, const struct sim_zone *zone)
{
	void **run = &sim->runs[zone - sim->state.zones];

	if (*run)
		sim->runner->end(*run);
	*run = NULL;
}

void hv_sim_run_end_all(struct hv_sim *sim)
{
	for (uint32_t i = 1; i < HV_MAX_ZONES; i++)
		hv_sim_run_end(sim, &sim->state.zones[i]);
}

void hv_sim_run_interrupt(struct hv_sim *sim, const struct sim_zone *zone)
{
	void *run = sim->runs[zone - sim->state.zones];

	if (run)
		sim->runner->interrupt(run);
}

void hv_sim_run_reap(struct hv_sim *sim)
{
	if (sim->runner)
		sim->runner->reap(sim->runner_arg);
}

int hv_sim_set_runner(struct hv_hyp *hyp, const struct hv_sim_runner *runner, void *arg,
		      struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);

	if (!hv_hyp_is_sim(hyp))
		return hv_err_set(err, EINVAL, "%s is not simulated", hyp->name);
	pthread_mutex_lock(&sim->lock);
	hv_sim_run_end_all(sim);
	pthread_mutex_unlock(&sim->lock);
	hv_sim_run_reap(sim);
	pthread_mutex_lock(&sim->lock);
	sim->runner = runner;
	sim->runner_arg = arg;
	for (uint32_t i = 1; i < HV_MAX_ZONES; i++)
		if (sim->state.zones[i].used)
			hv_sim_run_begin(sim, &sim->state.zones[i]);
	pthread_mutex_unlock(&sim->lock);
	return 0;
}

/* NULL once the run has ended, also when a zone of the same id runs again. Callers hold the lock.
 */
static struct sim_zone *zone_of_run(struct hv_sim *sim, uint32_t id, const void *run)
{
	struct sim_zone *zone = hv_sim_zone(sim, id);

	return zone && sim->runs[zone - sim->state.zones] == run ? zone : NULL;
}

int hv_sim_run_take_irq(struct hv_hyp *hyp, uint32_t id, const void *run, uint32_t *irq)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	struct sim_zone *zone;
	int rc = -ENOENT;

	pthread_mutex_lock(&sim->lock);
	zone = zone_of_run(sim, id, run);
	if (zone)
		rc = hv_sim_pop_irq(sim, zone, irq) ? 0 : -EAGAIN;
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

int hv_sim_run_exit(struct hv_hyp *hyp, uint32_t id, const void *run, bool crash)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	struct hv_err err = { 0 };
	struct sim_zone *zone;
	int rc = -ENOENT;

	pthread_mutex_lock(&sim->lock);
	zone = zone_of_run(sim, id, run);
	if (zone) {
		hv_sim_die(sim, zone, crash);
		rc = hv_sim_state_save(sim, &err);
	}
	pthread_mutex_unlock(&sim->lock);
	if (rc < 0 && rc != -ENOENT)
		hv_log_error("%s", err.msg);
	return rc;
}

int hv_sim_run_bridge(struct hv_hyp *hyp, struct hv_bridge_page **page, int *wakeup_fd)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	int rc = -ENODEV;

	pthread_mutex_lock(&sim->lock);
	if (sim->bridge) {
		*page = sim->bridge;
		*wakeup_fd = sim->wakeup_fd;
		rc = 0;
	}
	pthread_mutex_unlock(&sim->lock);
	return rc;
}

int hv_sim_run_map(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr,
		   struct hv_err *err)
{
	struct hv_sim *sim = hv_sim_of(hyp);
	uint64_t at;
	int rc = hv_sim_locate(sim, phys, size, &at, err);

	if (rc < 0)
		return rc;
	*addr = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, sim->mem_fd,
		     (off_t)at);
	if (*addr == MAP_FAILED)
		return hv_err_sys(err, errno, "simulated memory");
	return 0;
}
