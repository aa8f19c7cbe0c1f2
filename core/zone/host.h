/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_HOST_H
#define HV_ZONE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct hv_board;

/*
 * What zone0 itself says of the machine: its RAM (/proc/iomem, "System RAM"),
 * its reserved memory (/proc/device-tree/reserved-memory, and iomem's "Reserved"), its CPUs
 * (/sys/devices/system/cpu). Read anew for every check; hot-plugged memory counts.
 */
struct hv_host_range {
	uint64_t start, size;
	char name[64]; /* "System RAM", "reserved", the reserved-memory node's name (cut when longer) */
	bool no_map;   /* a no-map node, or iomem's "reserved" outside System RAM */
};

struct hv_host {
	size_t n_ram;
	struct hv_host_range *ram; /* by start */
	size_t n_reserved;
	struct hv_host_range *reserved; /* by start; what tree and iomem both name is there twice */
	/*
	 * Physical CPUs that zone0 runs on, 0 = not known: hart ids or MPIDR affinity from the tree's
	 * cpu nodes, Linux' own numbers where there is no tree.
	 */
	uint64_t cpus;
	bool addresses_known; /* false when iomem shows zeroes (no CAP_SYS_ADMIN) or is missing */
};

/*
 * root is "/" (or a folder with fixtures in the same places). What is missing is not known; what
 * is there and is not what a kernel writes is -EINVAL, with the file and line. A
 * reserved-memory node that makes no sense is logged and left out. On failure *host is empty.
 */
int hv_host_read(const char *root, struct hv_host *host, struct hv_err *err);
/*
 * The simulated machine's zone0: the board's share. A NULL board gives an empty host,
 * addresses_known false.
 */
int hv_host_from_board(const struct hv_board *board, struct hv_host *host, struct hv_err *err);
void hv_host_free(struct hv_host *host);

#endif
