// SPDX-License-Identifier: GPL-2.0-or-later
#include "hypervisor/ivc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "hypervisor/ivc_priv.h"

uint64_t hv_ivc_memory_size(const struct hv_ivc_info *info)
{
	return info->rw_size + (uint64_t)info->max_peers * info->out_size;
}

static int make_writable(struct hv_ivc *ivc, uint64_t at, size_t size)
{
	return size && mprotect(ivc->memory + at, size, PROT_READ | PROT_WRITE) < 0 ? -errno : 0;
}

int hv_ivc_map(struct hv_ivc *ivc, int fd, off_t offset, struct hv_err *err)
{
	const struct hv_ivc_info *info = &ivc->info;
	uint64_t size = hv_ivc_memory_size(info);
	void *memory = MAP_FAILED;
	int rc;

	errno = EOVERFLOW;
	if (size <= SIZE_MAX)
		memory = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, offset);
	if (memory == MAP_FAILED)
		return hv_err_sys(err, errno,
				  "IVC %" PRIu32 ": mapping 0x%" PRIx64 " bytes of shared memory",
				  info->id, size);
	ivc->memory = memory;
	ivc->size = (size_t)size;
	/* A write to another's section would be the end of this zone. */
	rc = make_writable(ivc, 0, info->rw_size);
	if (rc == 0)
		rc = make_writable(ivc, info->rw_size + (uint64_t)info->peer * info->out_size,
				   info->out_size);
	if (rc < 0)
		return hv_err_sys(err, -rc, "IVC %" PRIu32 ": making its own sections writable",
				  info->id);
	return 0;
}

void hv_ivc_unmap(struct hv_ivc *ivc)
{
	if (ivc->memory)
		munmap(ivc->memory, ivc->size);
	ivc->memory = NULL;
}

void hv_ivc_close(struct hv_ivc *ivc)
{
	if (ivc)
		ivc->ops->close(ivc);
}

const struct hv_ivc_info *hv_ivc_info(const struct hv_ivc *ivc)
{
	return &ivc->info;
}

static int no_peer(const struct hv_ivc_info *info, uint32_t peer, struct hv_err *err)
{
	return hv_err_set(err, ERANGE,
			  "IVC %" PRIu32 " has peers 0 to %" PRIu32 ", and no peer %" PRIu32,
			  info->id, info->max_peers - 1, peer);
}

/* Where that is in the mapping. */
static int locate(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, uint64_t size,
		  uint64_t *at, struct hv_err *err)
{
	const struct hv_ivc_info *info = &ivc->info;
	bool shared = section == HV_IVC_SHARED;
	uint32_t length = shared ? info->rw_size : info->out_size;
	char name[48] = "the shared section";

	if (!shared && section >= info->max_peers)
		return no_peer(info, section, err);
	if (offset > length || size > length - offset) {
		if (!shared)
			snprintf(name, sizeof(name), "the section of peer %" PRIu32, section);
		return hv_err_set(err, ERANGE,
				  "IVC %" PRIu32 ": %s has %" PRIu32
				  " bytes, and not all of the %" PRIu64 " from %" PRIu64
				  " on are in it",
				  info->id, name, length, size, offset);
	}
	*at = offset + (shared ? 0 : info->rw_size + (uint64_t)section * info->out_size);
	return 0;
}

static int locate_own(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, uint64_t size,
		      uint64_t *at, struct hv_err *err)
{
	int rc = locate(ivc, section, offset, size, at, err);

	if (rc == 0 && section != HV_IVC_SHARED && section != ivc->info.peer)
		rc = hv_err_set(err, EACCES,
				"IVC %" PRIu32 ": only peer %" PRIu32
				" writes its section; here is peer %" PRIu32,
				ivc->info.id, section, ivc->info.peer);
	return rc;
}

int hv_ivc_check(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, uint64_t size,
		 struct hv_err *err)
{
	uint64_t at;

	return locate(ivc, section, offset, size, &at, err);
}

int hv_ivc_read(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, void *bytes,
		size_t size, struct hv_err *err)
{
	uint64_t at;
	int rc = locate(ivc, section, offset, size, &at, err);

	if (rc == 0 && size)
		memcpy(bytes, ivc->memory + at, size);
	return rc;
}

int hv_ivc_write(struct hv_ivc *ivc, uint32_t section, uint64_t offset, const void *bytes,
		 size_t size, struct hv_err *err)
{
	uint64_t at;
	int rc = locate_own(ivc, section, offset, size, &at, err);

	if (rc == 0 && size)
		memcpy(ivc->memory + at, bytes, size);
	return rc;
}

static int check_integer(const struct hv_ivc *ivc, uint64_t offset, unsigned int size,
			 struct hv_err *err)
{
	if (size != 1 && size != 2 && size != 4 && size != 8)
		return hv_err_set(err, EINVAL,
				  "IVC %" PRIu32 ": an integer has 1, 2, 4 or 8 bytes, not %u",
				  ivc->info.id, size);
	if (offset % size)
		return hv_err_set(
			err, EINVAL,
			"IVC %" PRIu32
			": an integer of %u bytes is at a multiple of %u, not at %" PRIu64,
			ivc->info.id, size, size, offset);
	return 0;
}

int hv_ivc_load(const struct hv_ivc *ivc, uint32_t section, uint64_t offset, unsigned int size,
		uint64_t *value, struct hv_err *err)
{
	uint64_t at;
	int rc = check_integer(ivc, offset, size, err);

	if (rc == 0)
		rc = locate(ivc, section, offset, size, &at, err);
	if (rc < 0)
		return rc;
	switch (size) {
	case 1:
		*value = __atomic_load_n(ivc->memory + at, __ATOMIC_ACQUIRE);
		break;
	case 2:
		*value = __atomic_load_n((uint16_t *)(void *)(ivc->memory + at), __ATOMIC_ACQUIRE);
		break;
	case 4:
		*value = __atomic_load_n((uint32_t *)(void *)(ivc->memory + at), __ATOMIC_ACQUIRE);
		break;
	default:
		*value = __atomic_load_n((uint64_t *)(void *)(ivc->memory + at), __ATOMIC_ACQUIRE);
	}
	return 0;
}

int hv_ivc_store(struct hv_ivc *ivc, uint32_t section, uint64_t offset, unsigned int size,
		 uint64_t value, struct hv_err *err)
{
	uint64_t at;
	int rc = check_integer(ivc, offset, size, err);

	if (rc == 0)
		rc = locate_own(ivc, section, offset, size, &at, err);
	if (rc < 0)
		return rc;
	switch (size) {
	case 1:
		__atomic_store_n(ivc->memory + at, (uint8_t)value, __ATOMIC_RELEASE);
		break;
	case 2:
		__atomic_store_n((uint16_t *)(void *)(ivc->memory + at), (uint16_t)value,
				 __ATOMIC_RELEASE);
		break;
	case 4:
		__atomic_store_n((uint32_t *)(void *)(ivc->memory + at), (uint32_t)value,
				 __ATOMIC_RELEASE);
		break;
	default:
		__atomic_store_n((uint64_t *)(void *)(ivc->memory + at), value, __ATOMIC_RELEASE);
	}
	return 0;
}

int hv_ivc_notify(struct hv_ivc *ivc, uint32_t peer, struct hv_err *err)
{
	if (peer >= ivc->info.max_peers)
		return no_peer(&ivc->info, peer, err);
	return ivc->ops->notify(ivc, peer, err);
}

int hv_ivc_fd(const struct hv_ivc *ivc)
{
	return ivc->fd;
}

bool hv_ivc_take(struct hv_ivc *ivc)
{
	return ivc->ops->take(ivc);
}
