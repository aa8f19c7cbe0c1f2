/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_BASE_NOTIFY_H
#define HV_BASE_NOTIFY_H

#include <stdint.h>

#include "base/err.h"

/*
 * What a service says to who started it, by sd_notify(3)'s protocol: a datagram of lines such as
 * "READY=1" to the socket that NOTIFY_SOCKET names. Without the variable nobody listens, and these
 * do nothing. Any thread; no other library is needed.
 */
int hv_notify(const char *lines, struct hv_err *err);

/*
 * How often to say "WATCHDOG=1", ns: half of what WATCHDOG_USEC allows; 0 = nobody waits for it
 * (the variable is missing or makes no sense, or WATCHDOG_PID is another process).
 */
uint64_t hv_notify_watchdog(void);

#endif
