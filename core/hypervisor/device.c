// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/size.h"
#include "hypervisor/ops.h"

/* What modules without SET_EVENTFD send to the task that initialised the bridge. */
#define WAKEUP_SIGNAL 10
static_assert(SIGUSR1 == WAKEUP_SIGNAL, "the signal of the kernel module");

/* Older loongarch64 modules: clears what is injected, without arguments. */
#define OLD_CLEAR_IRQ _IO(1, 6)

struct device {
	struct hv_hyp hyp;
	char *path;
	int fd;
	bool has_load_image;   /* seen to work */
	bool lacks_load_image; /* seen to be missing */
	atomic_bool lacks_clear_irq;
	struct hv_bridge_page *bridge;
	size_t bridge_size;
	int wakeup_fd;
	bool handles_signal;
	struct sigaction old_action;
};

/* A signal handler has no argument of its own. One bridge per machine, so one of these. */
static atomic_int signal_wakeup_fd = -1;

static struct device *device_of(struct hv_hyp *hyp)
{
	return (struct device *)hyp;
}

static int call(struct device *dev, unsigned long request, unsigned long arg)
{
	int rc = ioctl(dev->fd, request, arg);

	return rc < 0 ? -errno : rc;
}

/* Modules answer a request they do not know with one or the other. */
static bool is_unknown(int rc)
{
	return rc == -ENOTTY || rc == -EINVAL;
}

static int device_version(struct hv_hyp *hyp, uint64_t *version, struct hv_err *err)
{
	uint64_t answer = 0;
	int rc = call(device_of(hyp), HV_IOC_CONFIG_CHECK, (unsigned long)&answer);

	if (is_unknown(rc))
		return hv_err_set(
			err, -rc,
			"this kernel module is too old to be asked (%s); --abi says which "
			"layout this hvisor has",
			hv_err_name(-rc));
	if (rc < 0)
		return rc;
	*version = answer;
	return 0;
}

/*
 * The request carries no size: the module copies its own struct. The bytes end where
 * readable memory ends, so that a module with a larger struct fails with EFAULT
 * instead of handing hvisor our bytes and a length that is not theirs.
 */
static int device_start(struct hv_hyp *hyp, const void *config, size_t size, struct hv_err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t span = (size_t)hv_align_up(size, page);
	uint8_t *area =
		mmap(NULL, span + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *bytes;
	int rc;

	if (area == MAP_FAILED)
		return hv_err_nomem(err);
	if (mprotect(area + span, page, PROT_NONE) < 0) {
		rc = hv_err_nomem(err);
		goto out;
	}
	bytes = area + span - size;
	memcpy(bytes, config, size);
	rc = call(device_of(hyp), HV_IOC_ZONE_START, (unsigned long)bytes);
	if (rc == -EFAULT)
		rc = hv_err_set(err, EINVAL, "the kernel module's own struct is larger");
	else if (rc > 0)
		rc = 0;
out:
	munmap(area, span + page);
	return rc;
}

static int device_stop(struct hv_hyp *hyp, uint32_t id, struct hv_err *err)
{
	int rc = call(device_of(hyp), HV_IOC_ZONE_SHUTDOWN, id);

	(void)err;
	return rc < 0 ? rc : 0;
}

static int device_list(struct hv_hyp *hyp, struct hv_wire_zone_info *zones, size_t max,
		       struct hv_err *err)
{
	struct hv_ioc_zone_list list = { .count = max, .zones = (uintptr_t)zones };

	(void)err;
	return call(device_of(hyp), HV_IOC_ZONE_LIST, (unsigned long)&list);
}

/*
 * The ioctl copies from a mapping of the file: one copy, and a page that is gone by then
 * is EFAULT in the kernel and no signal here. What a file loses within its last page reads as
 * zeroes, so its size is looked at again afterwards.
 */
static int device_load(struct hv_hyp *hyp, const struct hv_load_src *src, uint64_t at, size_t size,
		       uint64_t phys, struct hv_err *err)
{
	struct device *dev = device_of(hyp);
	struct hv_ioc_load_image image = { .size = size, .load_paddr = phys };
	uint64_t offset = src->fd < 0 ? 0 : src->offset + at;
	size_t skip = (size_t)(offset & ((uint64_t)sysconf(_SC_PAGESIZE) - 1));
	void *map = NULL;
	int rc;

	if (dev->lacks_load_image)
		return -EOPNOTSUPP;
	if (src->fd >= 0)
		map = mmap(NULL, size + skip, PROT_READ, MAP_SHARED | MAP_POPULATE, src->fd,
			   (off_t)(offset - skip));
	else if (!src->bytes)
		map = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -EOPNOTSUPP; /* a file that cannot be mapped can still be read */
	image.user_buffer = map ? (uintptr_t)map + skip : (uintptr_t)(src->bytes + at);
	rc = call(dev, HV_IOC_LOAD_IMAGE, (unsigned long)&image);
	if (map)
		munmap(map, size + skip);
	if (is_unknown(rc) && !dev->has_load_image) {
		dev->lacks_load_image = true;
		return -EOPNOTSUPP;
	}
	if (src->fd >= 0 && (rc >= 0 || rc == -EFAULT)) {
		struct hv_load_src again = *src;
		int short_rc;

		again.offset += at;
		short_rc = hv_load_check(&again, size, err);
		if (short_rc < 0)
			return short_rc;
	}
	if (rc < 0)
		return rc;
	dev->has_load_image = true;
	return 0;
}

static int device_map(struct hv_hyp *hyp, uint64_t phys, uint64_t size, void **addr,
		      struct hv_err *err)
{
	struct device *dev = device_of(hyp);

	if (phys == 0)
		return hv_err_set(err, EINVAL,
				  "page 0 of %s is the virtio bridge; physical page 0 cannot be "
				  "reached",
				  dev->path);
	*addr = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd, (off_t)phys);
	if (*addr == MAP_FAILED)
		return hv_err_sys(err, errno, "the kernel module refuses to map it");
	return 0;
}

/*
 * A zone's first instructions run with its MMU off, past the caches. On arm64 the bytes must
 * get to memory itself (point of coherency), further than __builtin___clear_cache takes them.
 */
static void device_publish(void *addr, uint64_t size)
{
	char *start = addr;

#if defined(__aarch64__)
	uint64_t ctr;
	size_t line;

	__asm__ volatile("mrs %0, ctr_el0" : "=r"(ctr));
	line = (size_t)4 << ((ctr >> 16) & 15);
	for (char *p = start - ((uintptr_t)start & (line - 1)); p < start + size; p += line)
		__asm__ volatile("dc cvac, %0" : : "r"(p) : "memory");
	__asm__ volatile("dsb sy" : : : "memory");
#endif
	__builtin___clear_cache(start, start + size);
}

static void on_wakeup_signal(int signal)
{
	int saved = errno;
	int fd = atomic_load(&signal_wakeup_fd);
	uint64_t one = 1;
	ssize_t n;

	(void)signal;
	if (fd >= 0) {
		n = write(fd, &one, sizeof(one));
		(void)n; /* full means readable already */
	}
	errno = saved;
}

/*
 * Before the bridge is initialised: a module that sends the signal may do so at once,
 * and the default is to end the process.
 */
static int take_signal(struct device *dev, struct hv_err *err)
{
	struct sigaction action = { .sa_handler = on_wakeup_signal, .sa_flags = SA_RESTART };
	sigset_t set;

	if (atomic_load(&signal_wakeup_fd) >= 0)
		return hv_err_set(err, EBUSY, "this process has the bridge open already");
	atomic_store(&signal_wakeup_fd, dev->wakeup_fd);
	if (sigaction(WAKEUP_SIGNAL, &action, &dev->old_action) < 0) {
		atomic_store(&signal_wakeup_fd, -1);
		return hv_err_sys(err, errno, "handling signal 10");
	}
	dev->handles_signal = true;
	sigemptyset(&set);
	sigaddset(&set, WAKEUP_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

/* still_sent: the module goes on sending, so the default action must not come back. */
static void release_signal(struct device *dev, bool still_sent)
{
	if (!dev->handles_signal)
		return;
	if (still_sent && dev->old_action.sa_handler == SIG_DFL)
		dev->old_action.sa_handler = SIG_IGN;
	sigaction(WAKEUP_SIGNAL, &dev->old_action, NULL);
	atomic_store(&signal_wakeup_fd, -1);
	dev->handles_signal = false;
}

static int init_bridge(struct device *dev, struct hv_err *err)
{
	bool initialised = false;
	void *page;
	int rc;

	dev->wakeup_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (dev->wakeup_fd < 0)
		return hv_err_sys(err, errno, "making an eventfd");
	rc = take_signal(dev, err);
	if (rc < 0)
		goto fail;
	rc = call(dev, HV_IOC_INIT_VIRTIO, 0);
	if (rc < 0)
		goto fail;
	initialised = true;
	rc = call(dev, HV_IOC_SET_EVENTFD, (unsigned long)dev->wakeup_fd);
	if (rc >= 0) {
		release_signal(dev, false);
	} else if (is_unknown(rc)) {
		hv_log_info("%s: an older kernel module, it wakes by signal 10", dev->path);
	} else {
		hv_err_sys(err, -rc, "giving the kernel module an eventfd");
		goto fail;
	}
	dev->bridge_size = (size_t)sysconf(_SC_PAGESIZE);
	page = mmap(NULL, dev->bridge_size, PROT_READ | PROT_WRITE, MAP_SHARED, dev->fd, 0);
	if (page == MAP_FAILED) {
		rc = hv_err_sys(err, errno, "mapping the bridge page");
		goto fail;
	}
	dev->bridge = page;
	return 0;
fail:
	release_signal(dev, initialised);
	close(dev->wakeup_fd);
	dev->wakeup_fd = -1;
	return rc;
}

static int device_bridge(struct hv_hyp *hyp, struct hv_bridge_page **page, struct hv_err *err)
{
	struct device *dev = device_of(hyp);
	int rc;

	if (!dev->bridge) {
		rc = init_bridge(dev, err);
		if (rc < 0)
			return rc;
	}
	*page = dev->bridge;
	return 0;
}

static int device_wakeup_fd(struct hv_hyp *hyp, int *fd, struct hv_err *err)
{
	struct hv_bridge_page *page;
	int rc = device_bridge(hyp, &page, err);

	if (rc < 0)
		return rc;
	*fd = device_of(hyp)->wakeup_fd;
	return 0;
}

static int device_inject(struct hv_hyp *hyp, struct hv_err *err)
{
	int rc = call(device_of(hyp), HV_IOC_FINISH_REQ, 0);

	(void)err;
	return rc < 0 ? rc : 0;
}

static int device_clear_irq(struct hv_hyp *hyp, uint32_t zone, uint32_t irq, struct hv_err *err)
{
	struct device *dev = device_of(hyp);
	struct hv_ioc_clear_irq line = { .zone_id = zone, .irq_id = irq };
	int rc = -ENOTTY;

	(void)err;
	if (hyp->arch != HV_ARCH_LOONGARCH64)
		return 0;
	if (!dev->lacks_clear_irq)
		rc = call(dev, HV_IOC_CLEAR_IRQ, (unsigned long)&line);
	if (is_unknown(rc)) {
		dev->lacks_clear_irq = true;
		rc = call(dev, OLD_CLEAR_IRQ, 0);
	}
	return rc < 0 ? rc : 0;
}

static int device_resource(struct hv_hyp *hyp, unsigned long request, void *args,
			   struct hv_err *err)
{
	int rc = call(device_of(hyp), request, (unsigned long)args);

	(void)err;
	return rc < 0 ? rc : 0;
}

static void device_close(struct hv_hyp *hyp)
{
	struct device *dev = device_of(hyp);

	if (dev->bridge)
		munmap(dev->bridge, dev->bridge_size);
	release_signal(dev, true);
	if (dev->wakeup_fd >= 0)
		close(dev->wakeup_fd);
	if (dev->fd >= 0)
		close(dev->fd);
	free(dev->path);
	free(dev);
}

static const struct hv_hyp_ops device_ops = {
	.close = device_close,
	.version = device_version,
	.start = device_start,
	.stop = device_stop,
	.list = device_list,
	.load = device_load,
	.map = device_map,
	.publish = device_publish,
	.bridge = device_bridge,
	.wakeup_fd = device_wakeup_fd,
	.inject = device_inject,
	.clear_irq = device_clear_irq,
	.resource = device_resource,
};

static int cannot_open(const char *path, int code, struct hv_err *err)
{
	switch (code) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return hv_err_set(err, code,
				  "no %s: the hvisor kernel module is not loaded (modprobe hvisor, "
				  "or insmod hvisor.ko), or this Linux does not run under hvisor; "
				  "--sim works without",
				  path);
	case EACCES:
	case EPERM:
		return hv_err_set(err, code,
				  "%s: permission denied; hvisor is managed by root (try sudo)",
				  path);
	default:
		return hv_err_sys(err, code, "%s", path);
	}
}

/* Every module that was ever hvisor's has the zone list, and it changes nothing. */
static int probe(struct device *dev, struct hv_err *err)
{
	struct hv_wire_zone_info zones[HV_MAX_ZONES];
	struct hv_err detail = { 0 };
	int rc = device_list(&dev->hyp, zones, HV_MAX_ZONES, &detail);

	if (is_unknown(rc))
		return hv_err_set(err, -rc,
				  "%s is not hvisor's device: it does not know the zone list (%s)",
				  dev->path, hv_err_name(-rc));
	if (rc < 0)
		return hv_err_set(err, -rc,
				  "%s opens, but hvisor does not answer the zone list: %s",
				  dev->path, hv_err_name(-rc));
	return 0;
}

int hv_hyp_open_device(const char *path, struct hv_hyp **hyp, struct hv_err *err)
{
	struct device *dev = calloc(1, sizeof(*dev));
	int rc;

	if (!dev)
		return hv_err_nomem(err);
	dev->fd = -1;
	dev->wakeup_fd = -1;
	dev->path = strdup(path ? path : HV_DEVICE_PATH);
	if (!dev->path) {
		rc = hv_err_nomem(err);
		goto fail;
	}
	dev->hyp.ops = &device_ops;
	dev->hyp.name = dev->path;
	dev->hyp.speaker = "hvisor";
	dev->hyp.arch = hv_arch_native();
	dev->fd = open(dev->path, O_RDWR | O_CLOEXEC);
	if (dev->fd < 0) {
		rc = cannot_open(dev->path, errno, err);
		goto fail;
	}
	rc = probe(dev, err);
	if (rc < 0)
		goto fail;
	*hyp = &dev->hyp;
	return 0;
fail:
	device_close(&dev->hyp);
	return rc;
}
