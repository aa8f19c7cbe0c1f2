/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_ZONE_RECORD_CODEC_H
#define HV_ZONE_RECORD_CODEC_H

#include <stddef.h>

#include "zone/record.h"

/*
 * A record as bytes: little endian, field by field, so that it depends neither on a
 * wire layout nor on a compiler. magic, version, length, fields, CRC32 of all before it.
 */
#define HV_RECORD_BYTES_MAX 32768

/* -EINVAL when a count, a type or a text is out of bounds. */
int hv_record_encode(const struct hv_record *record, void *buf, size_t cap, size_t *size,
		     struct hv_err *err);
/* -EINVAL with what is wrong; *record is then not to be used. */
int hv_record_decode(const void *buf, size_t size, struct hv_record *record, struct hv_err *err);

#endif
