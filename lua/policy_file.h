/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_POLICY_FILE_H
#define HV_LUA_POLICY_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* The text of a policy's file, HV_POLICY_TEXT_MAX bytes at most: by the opener, where it must be.
 */
int hv_policy_file_read(const char *path, struct hv_buf *text, struct hv_err *err);

#endif
