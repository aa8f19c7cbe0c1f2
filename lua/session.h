/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HV_LUA_SESSION_H
#define HV_LUA_SESSION_H

#include <lua.h>
#include <stdbool.h>

#include "base/err.h"
#include "guest/guest.h"
#include "hypervisor/sim.h"
#include "lua/task.h"
#include "zone/host.h"
#include "zone/record.h"
#include "zone/serve.h"
#include "zone/zone.h"

#define HV_SESSION_FAULTS 16
#define HV_SESSION_ALLOWED 16

enum hv_color {
	HV_COLOR_AUTO,
	HV_COLOR_ALWAYS,
	HV_COLOR_NEVER,
};

enum hv_mode {
	HV_MODE_RUN,	/* a script does what it says */
	HV_MODE_DEFINE, /* it is only read for its zones */
	HV_MODE_REPL,	/* a person types */
};

/*
 * One run of hvsh: what the command line said, and the machine it works on, opened when first
 * needed. There is one per process, in main; strings belong to the command line. One thread.
 */
struct hv_session {
	bool sim;
	const char *sim_dir; /* NULL = the simulated machine is gone with the process */
	const char *faults[HV_SESSION_FAULTS];
	unsigned int n_faults;
	char *later_faults[HV_SESSION_FAULTS]; /* asked for while running; owned */
	unsigned int n_later_faults;
	const char *board; /* --board: the name after "board."; NULL = the script says */
	int arch;	   /* enum hv_arch, -1 = not said */
	int layout;	   /* enum hv_layout, -1 = not said */
	bool no_serve;	   /* somebody else serves the zones' virtio devices */
	bool no_sandbox;
	const char *allowed[HV_SESSION_ALLOWED]; /* folders the sandboxed service may write to */
	unsigned int n_allowed;
	bool json;
	enum hv_color color;
	enum hv_mode mode;

	/* Private. */
	lua_State *L;		/* the main thread */
	lua_State *made;	/* lua/bind_made.c; NULL until needed */
	bool loading_globals;	/* lua/state.c */
	struct hv_tasks *tasks; /* lua/task.c */
	struct hv_hyp *hyp;
	struct hv_records *records;
	struct hv_host host;
	struct hv_sim_opts
		sim_opts;	    /* hyp was opened as; n_cpus 0 = as kept in sim_dir; ram ours */
	struct hv_serve *serve;	    /* with hyp, where this process may serve */
	struct hv_guests *guests;   /* what runs in the zones of a simulated machine */
	struct hv_control *control; /* the control socket, while zones are served */
	struct hv_source *watch;    /* looks after zones that end by themselves */
	struct hv_events *events;   /* lua/event.c; NULL until somebody listens */
	bool watch_failed;
	bool closed;
	struct hv_cond console_input; /* a console has output, or room for input */
	struct hv_post customs_ended; /* devices have, and their models have not heard of it */
};

enum hv_need {
	HV_NEED_NONE,  /* never touches a hypervisor: what the board says has to do */
	HV_NEED_MAYBE, /* one that cannot be opened is no failure */
	HV_NEED_HYP,
};

#define HV_SESSION_INIT ((struct hv_session){ .arch = -1, .layout = -1 })

/*
 * A fault for the simulated hypervisor hyp, now and for the machine that takes its place once a
 * board is known. -ENOTSUP without --sim; -E2BIG after HV_SESSION_FAULTS of them.
 */
int hv_session_fault(struct hv_session *session, struct hv_hyp *hyp, const char *fault,
		     struct hv_err *err);

/* Closes what was opened; may be called again. */
void hv_session_close(struct hv_session *session);

/* The session of a Lua state, known to all its coroutines. Attach before the first one is made. */
void hv_session_attach(struct hv_session *session, lua_State *L);
struct hv_session *hv_session_of(lua_State *L);

/*
 * The machine to work on, for zones of this board (NULL = not known) and architecture (-1 = any):
 * /dev/hvisor, or under --sim a simulated machine made as the board says, or, without one, with
 * 8 CPUs (0 and 1 zone0's) and 64 GiB of RAM from 0; with --sim=DIR the machine kept there. The
 * first simulated one is announced on standard error. A simulated machine on which no zone runs is
 * made anew when the board is another one.
 *
 * HV_NEED_MAYBE: where no hypervisor can be opened, out->hyp stays NULL, err says why and the
 * result is 0 all the same. Host facts are then zone0's own only if this can be zone0.
 * out is valid until the next call or hv_session_close; board must live as long.
 */
int hv_session_machine(struct hv_session *session, const struct hv_board *board, int arch,
		       enum hv_need need, struct hv_machine *out, struct hv_err *err);

/* Before zones with virtio devices are served: commands may ask, and zones are watched. */
int hv_session_populate(struct hv_session *session, struct hv_err *err);
/*
 * After the first were: on a simulated machine zones get guests that drive their devices. Those
 * that run already begin anew, and look for them once.
 */
int hv_session_run_guests(struct hv_session *session, struct hv_err *err);

/*
 * Models whose devices have ended are told now, and not in the loop's next round: their tasks do
 * not count as work to be done. Not from a script.
 */
void hv_session_settle(struct hv_session *session);

/* The first thing in which two descriptions differ ("RAM", "CPUs", …); NULL when in none. */
const char *hv_board_difference(const struct hv_board *a, const struct hv_board *b);

/* The terminal, as options and environment (NO_COLOR, TERM, COLUMNS) say. */
bool hv_session_color(const struct hv_session *session, int fd);
int hv_session_columns(int fd);

#endif
