/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LIB_FAR_SERVICE_H
#define TESTS_LIB_FAR_SERVICE_H

#include "base/size.h"

/*
 * A service in a process of its own, which can be killed. It reaches the machine through the file
 * in which the simulated machine of another process keeps its memory, and serves zone 1 of srig.h:
 * a disk, a console with a log, a source of randomness, and two networks on one switch, in the
 * zone's first windows, and a screen behind them where that is asked for.
 */
#define FAR_RAM UINT64_C(0x40000000)
#define FAR_RAM_SIZE HV_GIB
#define FAR_READY 'r'

enum { FAR_BLK, FAR_CONSOLE, FAR_RNG, FAR_NET0, FAR_NET1, FAR_GPU, FAR_DEVICES };

/*
 * arg: the machine's folder, with the files "disk" and "log"; then descriptors: wake-up, hypercall,
 * and one to which FAR_READY is written when the zone is served, or the message that refuses it;
 * what hv_serve_adopt has to answer; the disk's serial; the disk's policy: "none", "hold" (requests
 * wait for ever) or "deny"; "1" with the screen, "0" without. Ends with SIGTERM.
 * Returns the exit code.
 */
int far_service(char **arg);

#endif
