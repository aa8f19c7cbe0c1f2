/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_BIND_H
#define HV_LUA_BIND_H

#include <lauxlib.h>
#include <stdbool.h>

#include "base/buf.h"
#include "lua/session.h"
#include "zone/zone.h"

/*
 * The C module "hvsh.core", for our own Lua (lua/prelude/) only. One file per noun; each adds its
 * functions to the module's table. Failures of an operation are nil, "ENOENT: message", "ENOENT";
 * wrong arguments are errors. Userdata is made first, empty, and closed by __gc or __close; no
 * memory, file or lock is held by the C stack alone across a call that can raise.
 */
int luaopen_hvsh_core(lua_State *L);

void hv_bind_check(lua_State *L);   /* check, encode, decode */
void hv_bind_plan(lua_State *L);    /* plan */
void hv_bind_zone(lua_State *L);    /* resolve */
void hv_bind_memmap(lua_State *L);  /* memmap */
void hv_bind_fdt(lua_State *L);	    /* device trees */
void hv_bind_clock(lua_State *L);   /* clocks of the root zone */
void hv_bind_hv(lua_State *L);	    /* list, stop, info, fault */
void hv_bind_virtio(lua_State *L);  /* devices of the zones served here, and what they can do */
void hv_bind_console(lua_State *L); /* console_open */
void hv_bind_ivc(lua_State *L);	    /* channels to other zones */
void hv_bind_input(lua_State *L);   /* input_send, input_codes */
/*
 * The device served here whose serial number is argument 1; of this type, where type is not NULL.
 * NULL with err (-ENODEV, -ENOTSUP) when there is none.
 */
struct hv_served *hv_bind_device(lua_State *L, const char *type, struct hv_err *err);
/* What an input device says of itself, into the table on top. */
void hv_bind_push_input(lua_State *L, struct hv_vdev *dev);
void hv_bind_custom(lua_State *L); /* devices whose model is a script */
/* What such a device says of itself, into the table on top. */
void hv_bind_push_custom(lua_State *L, struct hv_vdev *dev);
/* Something has happened to it: its model is told, and may end it. In the loop; raises nothing. */
struct hv_served;
void hv_bind_custom_event(lua_State *L, struct hv_served *dev);
/* Some have ended: so do the tasks of their models. Where any device may end; raises nothing. */
void hv_bind_custom_ended(lua_State *L);
void hv_bind_gpu(lua_State *L); /* screenshots, screens */
/* What a graphics card shows, into the table on top. */
void hv_bind_push_gpu(lua_State *L, struct hv_vdev *dev);
void hv_bind_run(lua_State *L);	   /* log, sizes, the terminal, options, mode */
void hv_bind_embed(lua_State *L);  /* embedded */
void hv_bind_policy(lua_State *L); /* policies over devices' requests */
/* Their threads and processes end; requests that wait for them wait on. Before the devices close.
 */
void hv_bind_policy_end(void);
void hv_bind_made_listen(lua_State *L); /* made_listen */
/*
 * A device was made, and is in no zone yet: what its definition says is done. -EINVAL, -ENOTSUP: it
 * cannot be, as the message says. Raises nothing; in whatever coroutine.
 */
struct hv_spec_device;
int hv_bind_made(struct hv_session *session, struct hv_served *dev,
		 const struct hv_spec_device *spec, struct hv_err *err);
void hv_bind_event(lua_State *L);  /* events_listen */
void hv_bind_signal(lua_State *L); /* signal_listen */
void hv_bind_screen(lua_State *L); /* the whole terminal */
void hv_bind_task(lua_State *L);   /* tasks, durations */
void hv_bind_shell(lua_State *L);  /* what prompts need: statements, failures, files, notices */

/* Pushes the three results of a failure; returns 3. */
int hv_bind_fail(lua_State *L, const struct hv_err *err);

/* Makes the metatable of a userdata type: methods, gc as __gc and __close, hidden from Lua. */
void hv_bind_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* Pushes a text buffer that Lua frees. */
struct hv_buf *hv_bind_buf(lua_State *L);
/* Replaces the buffer on top by its text; -ENOMEM when it had failed. */
int hv_bind_buf_text(lua_State *L, struct hv_err *err);

/* A zone set with its findings, as userdata. */
struct hv_bind_set {
	struct hv_zone_set *set;
	struct hv_findings findings;
	bool has_findings;
};

/*
 * Pushes a set made of the specs in the list at index idx (0 = none). NULL on failure,
 * nothing pushed. Zones for different boards are a failure.
 */
struct hv_bind_set *hv_bind_set_new(lua_State *L, int idx, struct hv_err *err);
struct hv_bind_set *hv_bind_set_check(lua_State *L, int idx);

/*
 * The machine for the zones of a set (--board counts where they name none); a hypervisor that may
 * be missing is a note among the findings. May raise.
 */
int hv_bind_machine(lua_State *L, struct hv_bind_set *set, enum hv_need need,
		    struct hv_machine *machine, struct hv_err *err);

/* Opens the machine and checks; the findings are in the set. Negative: it could not be checked. */
int hv_bind_set_run_check(lua_State *L, struct hv_bind_set *set, enum hv_need need,
			  struct hv_machine *machine, struct hv_err *err);

/* Pushes the findings as a list of tables. */
void hv_bind_push_findings(lua_State *L, const struct hv_findings *findings);

/* -EINVAL "N errors; the first: …", for those who need a set without errors. */
int hv_bind_refuse(const struct hv_findings *findings, struct hv_err *err);

/* t[key] = value for the table on top; NULL sets nothing. */
void hv_bind_field(lua_State *L, const char *key, const char *value);
void hv_bind_field_int(lua_State *L, const char *key, lua_Integer value);
/* file, line and field of an origin into the table on top. */
void hv_bind_origin(lua_State *L, const struct hv_origin *origin);
/* A list of the CPU numbers of a mask. */
void hv_bind_push_cpus(lua_State *L, uint64_t cpus);

#endif
