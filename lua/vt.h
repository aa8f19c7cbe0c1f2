/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_VT_H
#define HV_LUA_VT_H

#include "loop/loop.h"
#include "lua/session.h"

/*
 * A service that was started on a virtual terminal (VT) gives its displays to whoever has the next
 * one when the VT is switched, and takes them back with its own: the kernel waits with the switch
 * until they are given. What a script has given away stays away. main thread.
 */
struct hv_vt;

/*
 * NULL: there is nothing to watch, since the controlling terminal is no VT or no zone has a display
 * of this machine now; or it cannot be watched, which is logged.
 */
struct hv_vt *hv_vt_watch(struct hv_session *session, struct hv_loop *loop);
/* From then on the kernel switches alone. NULL is fine. */
void hv_vt_unwatch(struct hv_vt *vt);

#endif
