/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_FILE_H
#define HV_BASE_FILE_H

#include <stddef.h>

/* All of it, however many calls that takes. 0 or -errno. */
int hv_file_write_all(int fd, const void *bytes, size_t size);

/* Makes the folder path is in, 0755, if it is missing. What fails is said by the open that follows. */
void hv_file_make_parent(const char *path);

#endif
