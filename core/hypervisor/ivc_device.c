// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/ivc.h"
#include "hypervisor/ivc_priv.h"
#include "sandbox/opener.h"

/* A channel of the kernel module. The table is no memory: each access is one of hvisor's. */
struct device {
	struct hv_ivc ivc;
	volatile uint32_t *table;
};

static struct device *device_of(struct hv_ivc *ivc)
{
	return (struct device *)ivc;
}

static uint32_t table_read(const struct device *dev, unsigned int offset)
{
	return dev->table[offset / sizeof(uint32_t)];
}

/* What was written to memory comes before a write to the device. */
static void memory_before_device(void)
{
#if defined(__riscv)
	__asm__ volatile("fence iorw, iorw" ::: "memory");
#elif !defined(__SANITIZE_THREAD__)
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

static int device_notify(struct hv_ivc *ivc, uint32_t peer, struct hv_err *err)
{
	struct device *dev = device_of(ivc);

	(void)err;
	memory_before_device();
	dev->table[HV_IVC_RING / sizeof(uint32_t)] = peer;
	return 0;
}

/* The module took it as heard when it reported it. */
static bool device_take(struct hv_ivc *ivc)
{
	(void)ivc;
	return true;
}

static void device_close(struct hv_ivc *ivc)
{
	struct device *dev = device_of(ivc);

	hv_ivc_unmap(ivc);
	if (dev->table)
		munmap((void *)dev->table, HV_IVC_TABLE_SIZE);
	if (ivc->fd >= 0)
		close(ivc->fd);
	free(dev);
}

static const struct hv_ivc_ops device_ops = {
	.close = device_close,
	.notify = device_notify,
	.take = device_take,
};

static int open_failed(const char *path, int code, struct hv_err *err)
{
	uint32_t ids[HV_IVC_MAX];

	if (code != ENOENT)
		return hv_err_sys(err, code, "%s", path);
	if (hv_ivc_list_device(ids, HV_IVC_MAX, NULL) > 0)
		return hv_err_set(err, ENOENT, "%s: hvisor gives this zone no such channel", path);
	return hv_err_set(
		err, ENOENT,
		"%s: no such channel; hvisor gives this zone none, or the kernel module ivc is "
		"not loaded",
		path);
}

static int read_table(struct device *dev, const char *path, uint32_t id, struct hv_err *err)
{
	struct hv_ivc_info *info = &dev->ivc.info;
	void *table =
		mmap(NULL, HV_IVC_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dev->ivc.fd, 0);
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);

	if (table == MAP_FAILED)
		return hv_err_sys(err, errno, "%s: mapping its control table", path);
	dev->table = table;
	*info = (struct hv_ivc_info){
		.id = table_read(dev, HV_IVC_ID),
		.peer = table_read(dev, HV_IVC_PEER_ID),
		.max_peers = table_read(dev, HV_IVC_MAX_PEERS),
		.rw_size = table_read(dev, HV_IVC_RW_SEC_SIZE),
		.out_size = table_read(dev, HV_IVC_OUT_SEC_SIZE),
	};
	if (info->id != id)
		return hv_err_set(err, EPROTO, "%s: its control table is that of channel %" PRIu32,
				  path, info->id);
	if (info->peer >= info->max_peers || (info->rw_size | info->out_size) % page ||
	    !hv_ivc_memory_size(info))
		return hv_err_set(err, EPROTO,
				  "%s: its control table makes no sense: peer %" PRIu32
				  " of %" PRIu32 ", sections of 0x%" PRIx32 " and 0x%" PRIx32
				  " bytes",
				  path, info->peer, info->max_peers, info->rw_size, info->out_size);
	return 0;
}

int hv_ivc_open_device(const char *path, uint32_t id, struct hv_ivc **ivc, struct hv_err *err)
{
	struct device *dev = calloc(1, sizeof(*dev));
	int rc;

	if (!dev)
		return hv_err_nomem(err);
	dev->ivc.ops = &device_ops;
	dev->ivc.fd = hv_opener_open(path, O_RDWR | O_CLOEXEC, 0);
	if (dev->ivc.fd < 0)
		rc = open_failed(path, errno, err);
	else
		rc = read_table(dev, path, id, err);
	/* The memory follows the table, whose page it is that counts. */
	if (rc == 0)
		rc = hv_ivc_map(&dev->ivc, dev->ivc.fd, sysconf(_SC_PAGESIZE), err);
	if (rc < 0) {
		device_close(&dev->ivc);
		return rc;
	}
	*ivc = &dev->ivc;
	return 0;
}

static int ascending(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int hv_ivc_list_device(uint32_t *ids, size_t max, struct hv_err *err)
{
	/* A service in its sandbox may not list /dev. */
	DIR *dir = opendir("/dev") ?: opendir("/sys/class/misc");
	const struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return hv_err_sys(err, errno, "/dev");
	while (n < max && (entry = readdir(dir))) {
		unsigned long long id;
		char *end;

		if (strncmp(entry->d_name, "hivc", 4) != 0 || entry->d_name[4] < '0' ||
		    entry->d_name[4] > '9')
			continue;
		id = strtoull(entry->d_name + 4, &end, 10);
		if (!*end && id <= UINT32_MAX)
			ids[n++] = (uint32_t)id;
	}
	closedir(dir);
	qsort(ids, n, sizeof(*ids), ascending);
	return (int)n;
}
