// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/size.h"
#include "hypervisor/sim/machine.h"

/* Windows keep their place within the largest page a host may have, so that they can be mapped. */
#define HOST_PAGE_MAX (64 * HV_KIB)

static uint64_t ram_end(const struct hv_sim_ram *ram)
{
	return ram->start + ram->size;
}

int hv_sim_memory_open(struct hv_sim *sim, bool fresh, struct hv_err *err)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < sim->state.n_ram; i++) {
		const struct hv_sim_ram *ram = &sim->state.ram[i];

		sim->mem_at[i] =
			hv_align_up(at, HOST_PAGE_MAX) + (ram->start & (HOST_PAGE_MAX - 1));
		if (__builtin_add_overflow(sim->mem_at[i], ram->size, &at) || at > INT64_MAX / 2)
			return hv_err_set(err, EINVAL, "the simulated machine has too much memory");
	}
	sim->bridge_at = hv_align_up(at, HOST_PAGE_MAX);
	sim->mem_size = sim->bridge_at + HOST_PAGE_MAX;

	if (sim->dir)
		sim->mem_fd = openat(sim->dir_fd, "memory",
				     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	else
		sim->mem_fd = memfd_create("hvsh-sim", MFD_CLOEXEC);
	if (sim->mem_fd < 0)
		return hv_err_sys(err, errno, "opening the memory of the simulated machine");
	if ((fresh && ftruncate(sim->mem_fd, 0) < 0) ||
	    ftruncate(sim->mem_fd, (off_t)sim->mem_size) < 0)
		return hv_err_sys(err, errno,
				  "sizing the memory of the simulated machine (0x%" PRIx64
				  " bytes)",
				  sim->mem_size);
	return 0;
}

static int bus_error(const struct hv_sim *sim, uint64_t phys, uint64_t size, struct hv_err *err)
{
	char text[512] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < sim->state.n_ram && len < sizeof(text) - 64; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s0x%" PRIx64 "-0x%" PRIx64, i ? ", " : "",
					sim->state.ram[i].start, ram_end(&sim->state.ram[i]) - 1);
	return hv_err_set(err, EFAULT,
			  "bus error: not all of 0x%" PRIx64 "-0x%" PRIx64
			  " is memory; this machine has %s",
			  phys, phys + size - 1, text);
}

int hv_sim_locate(const struct hv_sim *sim, uint64_t phys, uint64_t size, uint64_t *at,
		  struct hv_err *err)
{
	for (uint32_t i = 0; i < sim->state.n_ram; i++) {
		const struct hv_sim_ram *ram = &sim->state.ram[i];

		if (phys >= ram->start && phys - ram->start < ram->size &&
		    size <= ram->size - (phys - ram->start)) {
			*at = sim->mem_at[i] + (phys - ram->start);
			return 0;
		}
	}
	return bus_error(sim, phys, size, err);
}

bool hv_sim_in_hypervisor(const struct hv_sim *sim, uint64_t phys, uint64_t size)
{
	const struct hv_sim_ram *own = &sim->state.hypervisor;

	return own->size && size && phys <= ram_end(own) - 1 && own->start <= phys + (size - 1);
}

/*
 * File to file inside the kernel: faster than reading into a mapping (no page faults), one
 * copy, and a file that shrinks meanwhile is a short count.
 */
static int load_file(struct hv_sim *sim, int fd, uint64_t from, size_t size, uint64_t to,
		     struct hv_err *err)
{
	off_t offset = (off_t)from;
	size_t done = 0;

	if (lseek(sim->mem_fd, (off_t)to, SEEK_SET) < 0)
		return hv_err_sys(err, errno, "the memory of the simulated machine");
	while (done < size) {
		ssize_t n = sendfile(sim->mem_fd, fd, &offset, size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EINVAL || errno == ENOSYS) && !done)
			return -EOPNOTSUPP;
		if (n < 0)
			return hv_err_sys(err, errno, "copying the file into simulated memory");
		if (n == 0)
			return hv_load_truncated(err);
		done += (size_t)n;
	}
	return 0;
}

static int load_bytes(struct hv_sim *sim, const uint8_t *bytes, size_t size, uint64_t to,
		      struct hv_err *err)
{
	static const uint8_t zeroes[64 * HV_KIB];

	for (size_t done = 0; done < size;) {
		size_t want = size - done;
		ssize_t n;

		if (!bytes && want > sizeof(zeroes))
			want = sizeof(zeroes);
		n = pwrite(sim->mem_fd, bytes ? bytes + done : zeroes, want, (off_t)(to + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return hv_err_sys(err, errno, "writing to simulated memory");
		done += (size_t)n;
	}
	return 0;
}

int hv_sim_load(struct hv_sim *sim, const struct hv_load_src *src, uint64_t at, size_t size,
		uint64_t phys, struct hv_err *err)
{
	uint64_t to;
	int rc;

	if (sim->state.no_load_image)
		return -EOPNOTSUPP;
	rc = hv_sim_locate(sim, phys, size, &to, err);
	if (rc < 0)
		return rc;
	if (src->fd >= 0)
		return load_file(sim, src->fd, src->offset + at, size, to, err);
	/* A hole is zeroes that take no memory. */
	if (!src->bytes && !fallocate(sim->mem_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      (off_t)to, (off_t)size))
		return 0;
	return load_bytes(sim, src->bytes ? src->bytes + at : NULL, size, to, err);
}
