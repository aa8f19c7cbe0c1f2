/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_MEMMAP_LEGEND_H
#define HV_MEMMAP_LEGEND_H

#include "base/buf.h"
#include "memmap/picture.h"

/* The words below and on the picture, the same in the terminal and in the SVG. */

/* "ram 768M, io ~15.4M (3), virtio (2)" */
void hv_legend_owner(const struct hv_picture_owner *owner, struct hv_buf *out);

/* What is free: "1.2G of 2G RAM, the largest hole 1G at 0x80000000". */
void hv_legend_free(const struct hv_picture *picture, struct hv_buf *out);

/* "overlap 16M linux1/linux2", "overlap 4K within linux1" */
void hv_legend_conflict(const struct hv_picture_conflict *conflict, struct hv_buf *out);

/* "16M at 0x7f000000: linux1 ram (boot.lua:12: ram) and linux2 ram (boot.lua:30: ram)" */
void hv_legend_conflict_long(const struct hv_picture_conflict *conflict, struct hv_buf *out);

/* "2.5G free" in RAM, "16M empty" elsewhere. */
void hv_legend_gap(const struct hv_picture_row *row, struct hv_buf *out);

#endif
