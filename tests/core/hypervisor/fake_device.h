/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_CORE_HYPERVISOR_FAKE_DEVICE_H
#define TESTS_CORE_HYPERVISOR_FAKE_DEVICE_H

#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/ioctl.h"

/*
 * The kernel's side of /dev/hvisor. This program's own open, ioctl and mmap stand before
 * libc's (so one program includes this): one path is a memfd whose offsets are physical addresses
 * (page 0 the bridge), and its ioctls are answered as the module and hvisor would. User memory is
 * read by the real kernel (pwrite), so what is not readable is EFAULT here as well.
 */
#define FAKE_PATH "/dev/hvisor-of-the-test"
#define FAKE_ZONES 4

static struct {
	/* How it is built. */
	int open_errno, mmap_errno, unknown; /* unknown: what a request it lacks is answered with */
	bool no_load_image, no_eventfd, no_version;
	size_t struct_size; /* of the module's config */
	enum hv_layout layout;
	uint64_t version;
	int fail_nr, fail_errno; /* ioctl number that fails, -1 = none */
	bool keeps_zones;	 /* shutdown answers 0 and does nothing */
	int truncate_fd;	 /* cut before the next image is copied */
	off_t truncate_to;
	int unmappable_fd;
	long (*resource)(unsigned long request, void *args); /* NULL = it lends nothing */
	/* What happened. */
	int fd, scratch;
	unsigned int calls[64];
	struct hv_abi_zone zones[FAKE_ZONES];
	unsigned int n_zones;
	int wake_fd;
	pid_t wake_task;
	uint64_t unaligned_loads, largest_load;
} fake;

static long answer(long rc)
{
	if (rc >= 0)
		return rc;
	errno = (int)-rc;
	return -1;
}

/* Forwarded without libc's, which a sanitizer may have replaced. */
int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;
	int fd;

	va_start(ap, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (!strcmp(path, FAKE_PATH)) {
		if (fake.open_errno)
			return (int)answer(-fake.open_errno);
		fake.fd = memfd_create("hvisor", MFD_CLOEXEC);
		return ftruncate(fake.fd, (off_t)(2 * HV_GIB)) ? -1 : fake.fd;
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	if (fd == fake.fd)
		fake.fd = -1; /* it was closed, and its number is another file's now */
	return fd;
}

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (fd >= 0 && fd == fake.fd && fake.mmap_errno) {
		errno = fake.mmap_errno;
		return MAP_FAILED;
	}
	if (fd >= 0 && fd == fake.unmappable_fd) {
		errno = ENODEV;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, addr, size, prot, flags, fd, offset);
}

/* copy_from_user into fd at an offset. */
static long copy_in(int fd, uint64_t at, const void *user, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, (const char *)user + done, size - done, (off_t)(at + done));

		if (n <= 0)
			return -EFAULT;
		done += (size_t)n;
	}
	return 0;
}

static long fake_start(const void *user)
{
	uint8_t bytes[HV_ZONE_CONFIG_MAX];
	struct hv_abi_zone zone;
	long rc = copy_in(fake.scratch, 0, user, fake.struct_size);

	if (rc < 0)
		return rc;
	assert_int_equal(pread(fake.scratch, bytes, fake.struct_size, 0),
			 (ssize_t)fake.struct_size);
	if (fake.struct_size != hv_zone_config_size(fake.layout, hv_arch_native()))
		return -EINVAL;
	if (hv_zone_config_decode(fake.layout, hv_arch_native(), bytes, fake.struct_size, &zone,
				  NULL))
		fail_msg("hvisor would have panicked");
	if (!zone.id)
		return -EINVAL;
	for (unsigned int i = 0; i < fake.n_zones; i++) {
		if (fake.zones[i].id == zone.id)
			return -EINVAL;
		if (fake.zones[i].cpus & zone.cpus)
			return -EBUSY;
	}
	fake.zones[fake.n_zones++] = zone;
	return 0;
}

static long fake_stop(uint32_t id)
{
	for (unsigned int i = 0; i < fake.n_zones; i++) {
		if (fake.zones[i].id != id)
			continue;
		if (!fake.keeps_zones)
			fake.zones[i] = fake.zones[--fake.n_zones];
		return 0;
	}
	return -EINVAL;
}

static long fake_list(const struct hv_ioc_zone_list *list)
{
	struct hv_wire_zone_info *out = (struct hv_wire_zone_info *)(uintptr_t)list->zones;
	uint64_t n = 0;

	memset(out, 0, list->count * sizeof(*out));
	if (list->count)
		memset(out[n++].name, 'r', 32);
	for (unsigned int i = 0; i < fake.n_zones && n < list->count; i++, n++) {
		out[n].zone_id = fake.zones[i].id;
		out[n].cpus = fake.zones[i].cpus;
		memcpy(out[n].name, fake.zones[i].name, sizeof(out[n].name));
	}
	return (long)n;
}

static long fake_load(const struct hv_ioc_load_image *image)
{
	if (fake.no_load_image)
		return -fake.unknown;
	if (fake.calls[8] > 1 && image->load_paddr & 4095)
		fake.unaligned_loads++;
	if (image->size > fake.largest_load)
		fake.largest_load = image->size;
	if (fake.truncate_fd >= 0 && ftruncate(fake.truncate_fd, fake.truncate_to))
		return -EIO;
	return copy_in(fake.fd, image->load_paddr, (void *)(uintptr_t)image->user_buffer,
		       image->size);
}

static long fake_ioctl(unsigned long request, unsigned long arg)
{
	unsigned int nr = _IOC_NR(request);

	fake.calls[nr % 64]++;
	if (fake.fail_nr == (int)nr)
		return -fake.fail_errno;
	switch (request) {
	case HV_IOC_INIT_VIRTIO:
		fake.wake_task = (pid_t)syscall(SYS_gettid);
		return 0;
	case HV_IOC_FINISH_REQ:
		return 0;
	case HV_IOC_ZONE_START:
		return fake_start((void *)arg);
	case HV_IOC_ZONE_SHUTDOWN:
		return fake_stop((uint32_t)arg);
	case HV_IOC_ZONE_LIST:
		return fake_list((void *)arg);
	case HV_IOC_CONFIG_CHECK:
		if (fake.no_version)
			return -fake.unknown;
		*(uint64_t *)arg = fake.version;
		return 0;
	case HV_IOC_SET_EVENTFD:
		if (fake.no_eventfd)
			return -fake.unknown;
		fake.wake_fd = dup((int)arg);
		return 0;
	case HV_IOC_LOAD_IMAGE:
		return fake_load((void *)arg);
	default:
		if (fake.resource && nr >= 32 && nr <= 34)
			return fake.resource(request, (void *)arg);
		return -fake.unknown;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg;
	va_list ap;

	va_start(ap, request);
	arg = va_arg(ap, unsigned long);
	va_end(ap);
	if (fd >= 0 && fd == fake.fd)
		return (int)answer(fake_ioctl(request, arg));
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

/* hvisor raises the wake-up interrupt. */
static inline void fake_wake(void)
{
	uint64_t one = 1;

	if (fake.wake_fd >= 0)
		assert_int_equal(write(fake.wake_fd, &one, sizeof(one)), sizeof(one));
	else if (fake.wake_task)
		syscall(SYS_tgkill, getpid(), fake.wake_task, 10);
}

#endif
