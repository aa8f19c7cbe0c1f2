/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MV_ERRNO_H
#define MV_ERRNO_H

/* The numbers that hvisor answers with, Linux's own. */
#define EPERM 1
#define EIO 5
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define ENODEV 19
#define EINVAL 22

#endif
