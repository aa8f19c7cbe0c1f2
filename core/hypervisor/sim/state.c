// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "hypervisor/sim/machine.h"

#define SIM_STATE_VERSION 1
#define LOCK_WAIT_MS 3000
#define LOCK_POLL_MS 20

struct state_header {
	char magic[8];
	uint32_t version, size;
	uint64_t checksum;
};
static const char state_magic[8] = "hvshsim";

static_assert(sizeof(struct sim_zone) == 72 + HV_ZONE_CONFIG_MAX, "no implicit padding");
static_assert(sizeof(struct sim_state) == 40 + 4 * 8 + 16 + 8 + HV_SIM_RAM_MAX * 16 +
						  SIM_REASON_MAX + 3 * 8 + HV_OP_COUNT * 8 +
						  HV_MAX_ZONES * (16 + sizeof(struct sim_zone)),
	      "no implicit padding");

/* FNV-1a: against torn and edited files, not against an adversary. */
static uint64_t checksum(const void *bytes, size_t size)
{
	const uint8_t *p = bytes;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
	return sum;
}

void hv_sim_boot_id(char out[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	memset(out, 0, 40);
	if (fd < 0)
		return;
	n = read(fd, out, 36);
	if (n < 0)
		memset(out, 0, 40);
	close(fd);
}

static int open_dir(struct hv_sim *sim, const char *dir, struct hv_err *err)
{
	struct stat st;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return hv_err_sys(err, errno, "making %s for the simulated machine", dir);
	sim->dir = strdup(dir);
	if (!sim->dir)
		return hv_err_nomem(err);
	sim->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sim->dir_fd < 0 || fstat(sim->dir_fd, &st) < 0)
		return hv_err_sys(err, errno, "opening %s of the simulated machine", dir);
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return hv_err_set(err, EPERM,
				  "%s: the simulated machine's folder must belong to the user who "
				  "runs this and be writable by nobody else (chown, chmod 700)",
				  dir);
	return 0;
}

static int holder(int fd)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	return n > 0 ? atoi(text) : 0;
}

static int lock_dir(struct hv_sim *sim, struct hv_err *err)
{
	struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	int pid;

	sim->lock_fd = openat(sim->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (sim->lock_fd < 0)
		return hv_err_sys(err, errno, "opening %s/lock", sim->dir);
	for (int waited = 0; flock(sim->lock_fd, LOCK_EX | LOCK_NB) < 0; waited += LOCK_POLL_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return hv_err_sys(err, errno, "locking %s/lock", sim->dir);
		if (waited >= LOCK_WAIT_MS) {
			pid = holder(sim->lock_fd);
			return hv_err_set(
				err, EBUSY,
				"the simulated machine in %s is in use by another process "
				"(pid %d); if that serves zones, hvsh apply hands it those of a "
				"script; otherwise end it, or use another folder",
				sim->dir, pid);
		}
		nanosleep(&pause, NULL);
	}
	if (ftruncate(sim->lock_fd, 0) < 0 || dprintf(sim->lock_fd, "%d\n", (int)getpid()) < 0)
		return hv_err_sys(err, errno, "writing %s/lock", sim->dir);
	return 0;
}

static bool is_text(const char *text, size_t cap)
{
	return memchr(text, 0, cap) != NULL;
}

static bool is_sound(const struct sim_state *s)
{
	bool sound = s->arch < HV_ARCH_COUNT && s->layout < HV_LAYOUT_COUNT && s->n_cpus >= 1 &&
		     s->n_cpus <= HV_MAX_CPUS && s->max_zones >= 1 &&
		     s->max_zones <= HV_MAX_ZONES && s->n_ram >= 1 && s->n_ram <= HV_SIM_RAM_MAX &&
		     s->n_orders <= HV_MAX_ZONES && is_text(s->boot_id, sizeof(s->boot_id)) &&
		     is_text(s->panic, sizeof(s->panic));

	for (uint32_t i = 0; i < HV_MAX_ZONES && sound; i++)
		sound = !s->zones[i].used ||
			(s->zones[i].cpus != 0 && s->zones[i].config_size <= HV_ZONE_CONFIG_MAX);
	return sound && s->zones[0].used && s->zones[0].id == 0;
}

static int damaged(const struct hv_sim *sim, const char *how, struct hv_err *err)
{
	return hv_err_set(err, EBADMSG,
			  "%s/state: %s; remove %s to start with a new simulated machine", sim->dir,
			  how, sim->dir);
}

static int read_state(struct hv_sim *sim, struct hv_err *err)
{
	struct {
		struct state_header header;
		struct sim_state state;
	} *file = NULL;
	char boot_id[40];
	ssize_t n;
	int fd = openat(sim->dir_fd, "state", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return hv_err_sys(err, errno, "opening %s/state", sim->dir);
	file = calloc(1, sizeof(*file));
	if (!file) {
		rc = hv_err_nomem(err);
		goto out;
	}
	n = read(fd, file, sizeof(*file));
	if (n < 0)
		rc = hv_err_sys(err, errno, "reading %s/state", sim->dir);
	else if ((size_t)n < sizeof(file->header) ||
		 memcmp(file->header.magic, state_magic, sizeof(state_magic)))
		rc = damaged(sim, "this is no state of a simulated machine", err);
	else if (file->header.version != SIM_STATE_VERSION)
		rc = damaged(sim, "it was written by another version of hvsh", err);
	else if ((size_t)n != sizeof(*file) || file->header.size != sizeof(file->state) ||
		 file->header.checksum != checksum(&file->state, sizeof(file->state)) ||
		 !is_sound(&file->state))
		rc = damaged(sim, "it is damaged", err);
	else
		rc = 1;
	if (rc < 0)
		goto out;
	hv_sim_boot_id(boot_id);
	if (strcmp(boot_id, file->state.boot_id)) {
		hv_log_info("%s: the simulated machine was switched off with this computer",
			    sim->dir);
		rc = 0;
		goto out;
	}
	sim->state = file->state;
out:
	free(file);
	close(fd);
	return rc;
}

int hv_sim_state_open(struct hv_sim *sim, const char *dir, struct hv_err *err)
{
	int rc = open_dir(sim, dir, err);

	if (rc == 0)
		rc = lock_dir(sim, err);
	if (rc == 0)
		rc = read_state(sim, err);
	return rc;
}

int hv_sim_state_save(struct hv_sim *sim, struct hv_err *err)
{
	struct state_header header = { .version = SIM_STATE_VERSION, .size = sizeof(sim->state) };
	int fd, rc;

	if (!sim->dir)
		return 0;
	memcpy(header.magic, state_magic, sizeof(state_magic));
	header.checksum = checksum(&sim->state, sizeof(sim->state));
	fd = openat(sim->dir_fd, "state.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return hv_err_sys(err, errno, "writing %s/state.new", sim->dir);
	rc = hv_file_write_all(fd, &header, sizeof(header));
	if (rc == 0)
		rc = hv_file_write_all(fd, &sim->state, sizeof(sim->state));
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(sim->dir_fd, "state.new", sim->dir_fd, "state") < 0)
		rc = -errno;
	if (rc < 0)
		return hv_err_sys(err, -rc, "writing %s/state", sim->dir);
	return 0;
}

void hv_sim_state_close(struct hv_sim *sim)
{
	if (sim->lock_fd >= 0) {
		/* A forked child may still have it open. */
		flock(sim->lock_fd, LOCK_UN);
		close(sim->lock_fd);
	}
	if (sim->dir_fd >= 0)
		close(sim->dir_fd);
	free(sim->dir);
}
