/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_RECORD_H
#define HV_ZONE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/zone_config.h"
#include "base/err.h"

/*
 * What we remember of each zone we started, because hvisor can only be asked
 * for id, CPUs and name: the configuration and which files were loaded
 * where. Kept in a folder (/run/hvsh/zones, 0700), one file per zone, written
 * whole and renamed into place, versioned and checksummed; or only in memory. A damaged or
 * foreign-version file is reported once and treated as missing.
 */
struct hv_record_image {
	char what[64];  /* "kernel", "dtb", "initrd", "module ramdisk" */
	char path[256]; /* absolute; cut at the front with "…" when longer */
	uint64_t phys, size;
	uint64_t dev, ino, file_size;
	int64_t mtime_ns;
	uint64_t digest; /* of bytes written instead of a file's (patched tree, command line) */
};
#define HV_RECORD_IMAGES 16

struct hv_record {
	enum hv_arch arch;
	struct hv_abi_zone config;
	uint64_t life; /* hv_serve_life: which start of the zone this is; 0 = not known */
	uint64_t boot_id[2]; /* of the running system: a record from before a reboot is stale */
	size_t n_images;
	struct hv_record_image images[HV_RECORD_IMAGES];
};

struct hv_records;

/*
 * dir NULL = in memory. The folder is made (0700) at the first write, a missing parent as well;
 * one that is a symlink, owned by another user or writable by others is -EPERM, here and at each
 * call. One thread.
 */
int hv_records_open(const char *dir, struct hv_records **records, struct hv_err *err);
void hv_records_close(struct hv_records *records);

/*
 * Replaces what is there. boot_id is filled in here; -EINVAL when the record cannot be a zone's
 * (id 0, counts over their arrays).
 */
int hv_records_put(struct hv_records *records, const struct hv_record *record, struct hv_err *err);
/*
 * -ENOENT when there is none (or it is damaged or stale). Another error says that it could not be
 * looked at: -EPERM (see hv_records_open), or -EMFILE and the like, which pass.
 */
int hv_records_get(struct hv_records *records, uint32_t id, struct hv_record *record,
		   struct hv_err *err);
/* Removing what is not there is fine. */
int hv_records_drop(struct hv_records *records, uint32_t id, struct hv_err *err);

#endif
