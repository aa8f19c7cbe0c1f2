// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/size.h"
#include "lua/bind.h"
#include "lua/task.h"
#include "lua/control.h"
#include "lua/event.h"
#include "lua/interrupt.h"
#include "lua/sandbox.h"
#include "lua/serve.h"
#include "sandbox/opener.h"

#define RECORDS_DIR "/run/hvsh/zones"
#define BRIDGE_LOCK "/run/hvsh/bridge.lock"
#define STATE_DIR "/run/hvsh/devices"

/* Without a board nobody knows the machine: large enough for any script, and easy to state. */
#define DEFAULT_CPUS 8
#define DEFAULT_ROOT_CPUS 0x3
#define DEFAULT_RAM (64 * HV_GIB)

/* Every coroutine starts with a copy of the main thread's extra space. */
static struct hv_session **slot(lua_State *L)
{
	return lua_getextraspace(L);
}

void hv_session_attach(struct hv_session *session, lua_State *L)
{
	*slot(L) = session;
	session->L = L;
}

struct hv_session *hv_session_of(lua_State *L)
{
	return *slot(L);
}

/* ---- boards */

static bool ranges_differ(const struct hv_board_range *a, unsigned int n_a,
			  const struct hv_board_range *b, unsigned int n_b)
{
	if (n_a != n_b)
		return true;
	for (unsigned int i = 0; i < n_a; i++)
		if (a[i].start != b[i].start || a[i].size != b[i].size)
			return true;
	return false;
}

static bool slots_differ(const struct hv_board *a, const struct hv_board *b)
{
	if (a->n_slots != b->n_slots)
		return true;
	for (unsigned int i = 0; i < a->n_slots; i++) {
		const struct hv_board_slots *s = &a->slots[i], *t = &b->slots[i];

		if (s->at != t->at || s->size != t->size || s->stride != t->stride ||
		    s->first_irq != t->first_irq || s->count != t->count)
			return true;
	}
	return false;
}

static bool gics_differ(const struct hv_abi_arm64 *a, const struct hv_abi_arm64 *b)
{
	return a->gic_version != b->gic_version || a->gicd_base != b->gicd_base ||
	       a->gicd_size != b->gicd_size || a->gicc_base != b->gicc_base ||
	       a->gicc_size != b->gicc_size || a->gicc_offset != b->gicc_offset ||
	       a->gich_base != b->gich_base || a->gich_size != b->gich_size ||
	       a->gicv_base != b->gicv_base || a->gicv_size != b->gicv_size ||
	       a->gicr_base != b->gicr_base || a->gicr_size != b->gicr_size ||
	       a->gits_base != b->gits_base || a->gits_size != b->gits_size;
}

static bool plics_differ(const struct hv_abi_riscv64 *a, const struct hv_abi_riscv64 *b)
{
	return a->plic_base != b->plic_base || a->plic_size != b->plic_size ||
	       a->aplic_base != b->aplic_base || a->aplic_size != b->aplic_size;
}

const char *hv_board_difference(const struct hv_board *a, const struct hv_board *b)
{
	if (a == b)
		return NULL;
	if (a->name && b->name && strcmp(a->name, b->name) != 0)
		return "name";
	if (a->arch != b->arch)
		return "architecture";
	if (a->n_cpus != b->n_cpus || a->root_cpus != b->root_cpus)
		return "CPUs";
	if (ranges_differ(a->ram, a->n_ram, b->ram, b->n_ram))
		return "RAM";
	if (ranges_differ(&a->hypervisor, 1, &b->hypervisor, 1))
		return "hypervisor memory";
	if (ranges_differ(a->root_ram, a->n_root_ram, b->root_ram, b->n_root_ram))
		return "zone0's RAM";
	if (slots_differ(a, b))
		return "virtio slots";
	if (a->has_gic != b->has_gic || (a->has_gic && gics_differ(&a->gic, &b->gic)) ||
	    plics_differ(&a->plic, &b->plic) || a->ioapic_base != b->ioapic_base ||
	    a->ioapic_size != b->ioapic_size)
		return "interrupt controller";
	if (a->wakeup_irq != b->wakeup_irq)
		return "wake-up interrupt";
	if (a->max_zones != b->max_zones)
		return "number of zones";
	return NULL;
}

/* ---- the machine */

static void close_hyp(struct hv_session *s)
{
	hv_serve_unwatch(s);
	hv_events_forget(s);
	hv_control_stop(s);
	/* The guests first: as long as they run, their CPUs want answers. */
	hv_guests_free(s->guests);
	s->guests = NULL;
	hv_serve_free(s->serve);
	s->serve = NULL;
	hv_hyp_close(s->hyp);
	s->hyp = NULL;
	hv_records_close(s->records);
	s->records = NULL;
	free((void *)s->sim_opts.ram);
	s->sim_opts = (struct hv_sim_opts){ 0 };
}

int hv_session_fault(struct hv_session *s, struct hv_hyp *hyp, const char *fault,
		     struct hv_err *err)
{
	char *copy;
	int rc;

	if (!s->sim)
		return hv_err_set(err, ENOTSUP,
				  "faults exist only on the simulated hypervisor (--sim)");
	if (s->n_later_faults == HV_SESSION_FAULTS)
		return hv_err_set(err, E2BIG, "more than %d faults", HV_SESSION_FAULTS);
	rc = hv_sim_fault(hyp, fault, err);
	if (rc < 0)
		return rc;
	copy = strdup(fault);
	if (!copy)
		return hv_err_nomem(err);
	s->later_faults[s->n_later_faults++] = copy;
	return 0;
}

void hv_session_close(struct hv_session *s)
{
	hv_bind_policy_end();
	/* What runs in the loop goes first; a __close handler then finds the machine gone. */
	s->closed = true;
	hv_opener_unlisten();
	close_hyp(s);
	hv_events_free(s);
	hv_sandbox_end();
	hv_tasks_free(s->tasks);
	s->tasks = NULL;
	while (s->n_later_faults)
		free(s->later_faults[--s->n_later_faults]);
	hv_host_free(&s->host);
	s->host = (struct hv_host){ 0 };
}

static int open_records(struct hv_session *s, struct hv_err *err)
{
	char dir[4096];

	if (!s->sim)
		return hv_records_open(RECORDS_DIR, &s->records, err);
	if (!s->sim_dir)
		return hv_records_open(NULL, &s->records, err);
	if ((size_t)snprintf(dir, sizeof(dir), "%s/zones", s->sim_dir) >= sizeof(dir))
		return hv_err_set(err, ENAMETOOLONG, "--sim=%s: the path is too long", s->sim_dir);
	return hv_records_open(dir, &s->records, err);
}

/* What the simulated machine for this board is; opts->ram is allocated. */
static int sim_options(const struct hv_session *s, const struct hv_board *board, int arch,
		       struct hv_sim_opts *opts, struct hv_err *err)
{
	size_t n = board && board->n_ram ? board->n_ram : 1;
	struct hv_sim_ram *ram = calloc(n, sizeof(*ram));

	if (!ram)
		return hv_err_nomem(err);
	ram[0] = (struct hv_sim_ram){ 0, DEFAULT_RAM };
	for (size_t i = 0; board && i < board->n_ram; i++)
		ram[i] = (struct hv_sim_ram){ board->ram[i].start, board->ram[i].size };
	*opts = (struct hv_sim_opts){
		.arch = arch >= 0 ? (enum hv_arch)arch : hv_arch_native(),
		.layout = s->layout >= 0 ? (enum hv_layout)s->layout : HV_LAYOUT_6,
		.n_cpus = board && board->n_cpus ? board->n_cpus : DEFAULT_CPUS,
		.root_cpus = board && board->root_cpus ? board->root_cpus : DEFAULT_ROOT_CPUS,
		.ram = ram,
		.n_ram = n,
		.state_dir = s->sim_dir,
	};
	if (board) {
		opts->max_zones = board->max_zones;
		opts->hypervisor =
			(struct hv_sim_ram){ board->hypervisor.start, board->hypervisor.size };
	}
	return 0;
}

static bool same_machine(const struct hv_sim_opts *a, const struct hv_sim_opts *b)
{
	return a->arch == b->arch && a->n_cpus == b->n_cpus && a->root_cpus == b->root_cpus &&
	       a->max_zones == b->max_zones && a->n_ram == b->n_ram &&
	       !memcmp(a->ram, b->ram, a->n_ram * sizeof(*a->ram)) &&
	       a->hypervisor.start == b->hypervisor.start &&
	       a->hypervisor.size == b->hypervisor.size;
}

static int inject_faults(struct hv_session *s, struct hv_err *err)
{
	for (unsigned int i = 0; i < s->n_faults; i++)
		if (hv_sim_fault(s->hyp, s->faults[i], err) < 0)
			return hv_err_prefix(err, "--sim-fault=%s: ", s->faults[i]);
	for (unsigned int i = 0; i < s->n_later_faults; i++)
		if (hv_sim_fault(s->hyp, s->later_faults[i], err) < 0)
			return -err->code;
	return 0;
}

/* The machine kept in the folder, when nobody says what it should be. -ENOENT when there is none.
 */
static int open_kept(struct hv_session *s, struct hv_err *err)
{
	struct hv_sim_opts opts = { .state_dir = s->sim_dir };
	uint64_t version;
	int rc = hv_hyp_open_sim(&opts, &s->hyp, err);

	if (rc < 0 || s->layout < 0)
		return rc;
	rc = hv_hyp_version(s->hyp, &version, err);
	if (rc >= 0 && version != hv_layout_version((enum hv_layout)s->layout))
		rc = hv_err_set(err, EINVAL,
				"--abi %s, but the simulated machine in %s has version %" PRIu64,
				hv_layout_name((enum hv_layout)s->layout), s->sim_dir, version);
	return rc;
}

static int open_sim(struct hv_session *s, struct hv_sim_opts *opts, const struct hv_board *board,
		    struct hv_err *err)
{
	static bool announced;
	int rc = -ENOENT;

	if (!announced)
		fprintf(stderr,
			"hvsh: simulated hypervisor (--sim): nothing on this machine is changed\n");
	announced = true;
	if (s->sim_dir && !board && s->arch < 0)
		rc = open_kept(s, err);
	if (rc == -ENOENT) {
		rc = hv_hyp_open_sim(opts, &s->hyp, err);
		if (rc >= 0) {
			s->sim_opts = *opts;
			opts->ram = NULL;
		}
	}
	if (rc >= 0)
		rc = inject_faults(s, err);
	if (rc < 0)
		close_hyp(s);
	return rc;
}

/* A board's machine takes the place of one that was opened before any board was known. */
static int sim_machine(struct hv_session *s, const struct hv_board *board, int arch,
		       struct hv_err *err)
{
	struct hv_sim_opts opts;
	int rc;

	if (s->hyp && !board && (arch < 0 || arch == (int)hv_hyp_arch(s->hyp)))
		return 0;
	rc = sim_options(s, board, arch, &opts, err);
	if (rc < 0)
		return rc;
	if (s->hyp && !same_machine(&opts, &s->sim_opts)) {
		struct hv_zone_info zones[HV_MAX_ZONES];

		/* With a folder the machine outlives closing, and its keeper says whether it may
		 * change; the devices that are served here would not. */
		if (!(s->serve && hv_serve_count(s->serve)) &&
		    (s->sim_dir || hv_hyp_zone_list(s->hyp, zones, HV_MAX_ZONES, NULL) == 1))
			close_hyp(s);
		else
			rc = hv_err_set(
				err, EBUSY,
				"zones run on the simulated machine, so it cannot become %s%s now",
				board ? "board " : "another one", board ? board->name : "");
	}
	if (!s->hyp && rc >= 0)
		rc = open_sim(s, &opts, board, err);
	free((void *)opts.ram);
	return rc < 0 ? rc : 0;
}

static int open_device(struct hv_session *s, struct hv_err *err)
{
	int rc = hv_hyp_open_device(NULL, &s->hyp, err);

	if (rc < 0)
		return rc;
	if (s->layout >= 0)
		rc = hv_hyp_set_layout(s->hyp, (enum hv_layout)s->layout, err);
	if (rc < 0)
		close_hyp(s);
	return rc;
}

static void on_event(struct hv_served *dev, enum hv_vdev_event event, const char *message,
		     void *arg)
{
	struct hv_session *s = arg;

	if (event == HV_EV_INPUT)
		hv_cond_wake(&s->console_input);
	else
		hv_events_device(s, dev, event, message);
	/* A __close handler of its model may end the device. */
	if (!s->closed && !strcmp(dev->type, "custom"))
		hv_bind_custom_event(s->L, dev);
}

static void on_customs_ended(struct hv_loop *loop, struct hv_post *post)
{
	struct hv_session *s = post->arg;

	(void)loop;
	hv_bind_custom_ended(s->L);
}

static void on_ended(const struct hv_served *dev, void *arg)
{
	struct hv_session *s = arg;
	struct hv_err err;

	/* Who waits for a console looks once more, and finds its end. */
	hv_cond_wake(&s->console_input);
	/* The loop is there since the devices are. */
	if (!s->closed && !strcmp(dev->type, "custom"))
		hv_loop_defer(hv_session_loop(s, &err), &s->customs_ended);
}

void hv_session_settle(struct hv_session *s)
{
	struct hv_err err;

	if (!atomic_load(&s->customs_ended.queued))
		return;
	hv_loop_unpost(hv_session_loop(s, &err), &s->customs_ended);
	hv_bind_custom_ended(s->L);
}

static int on_made(struct hv_served *dev, const struct hv_spec_device *spec, void *arg,
		   struct hv_err *err)
{
	return hv_bind_made(arg, dev, spec, err);
}

static int open_serve(struct hv_session *s, struct hv_err *err)
{
	struct hv_serve_opts opts = {
		.lock_path = s->sim ? NULL : BRIDGE_LOCK,
		.loop = hv_session_loop(s, err),
		.event = on_event,
		.ended = on_ended,
		.made = on_made,
		.event_arg = s,
		.harmless = s->sim,
		/* A simulated guest ends with its service. */
		.state_dir = s->sim ? NULL : STATE_DIR,
	};

	/* It may wait to be called for an earlier machine's devices: the loop's fields stay. */
	s->customs_ended.fn = on_customs_ended;
	s->customs_ended.arg = s;
	return opts.loop ? hv_serve_new(s->hyp, &opts, &s->serve, err) : -err->code;
}

int hv_session_populate(struct hv_session *s, struct hv_err *err)
{
	int rc;

	hv_interrupt_also_ends();
	rc = hv_control_start(s, err);
	if (rc < 0)
		return rc;
	hv_sandbox_prepare(s);
	return hv_serve_watch(s, err);
}

int hv_session_run_guests(struct hv_session *s, struct hv_err *err)
{
	const struct hv_guests_opts opts = { 0 };

	if (!s->sim || s->guests)
		return 0;
	return hv_guests_new(s->hyp, &opts, &s->guests, err);
}

int hv_session_machine(struct hv_session *s, const struct hv_board *board, int arch,
		       enum hv_need need, struct hv_machine *out, struct hv_err *err)
{
	struct hv_hyp *hyp;
	bool zone0;
	int rc = 0;

	if (s->closed)
		return hv_err_set(err, ESHUTDOWN, "hvsh is ending");
	if (s->arch >= 0 && board && (int)board->arch != s->arch)
		return hv_err_set(err, EINVAL, "--arch %s, but board %s is %s",
				  hv_arch_name((enum hv_arch)s->arch), board->name,
				  hv_arch_name(board->arch));
	if (board)
		arch = (int)board->arch;
	else if (s->arch >= 0)
		arch = s->arch;

	if (need != HV_NEED_NONE && s->sim)
		rc = sim_machine(s, board, arch, err);
	else if (need != HV_NEED_NONE && !s->hyp)
		rc = open_device(s, err);
	if (rc < 0 && (s->sim || need != HV_NEED_MAYBE))
		return rc;
	hyp = need == HV_NEED_NONE ? NULL : s->hyp;
	/* What this kernel says of its memory is of use where it can be zone0, if only we were
	 * root. */
	zone0 = !s->sim && (hyp || rc == -EACCES || rc == -EPERM);
	if (hyp && !s->records) {
		rc = open_records(s, err);
		if (rc < 0)
			return rc;
	}

	if (hyp && !s->serve && !s->no_serve) {
		rc = open_serve(s, err);
		if (rc < 0)
			return rc;
	}

	hv_host_free(&s->host);
	s->host = (struct hv_host){ 0 };
	rc = zone0 ? hv_host_read("/", &s->host, err) : hv_host_from_board(board, &s->host, err);
	if (rc < 0)
		return rc;
	*out = (struct hv_machine){
		.hyp = hyp,
		.host = &s->host,
		.records = hyp ? s->records : NULL,
		.board = board,
		.serve = hyp && !s->no_serve ? s->serve : NULL,
	};
	return 0;
}

/* ---- the terminal */

bool hv_session_color(const struct hv_session *session, int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (session->color != HV_COLOR_AUTO)
		return session->color == HV_COLOR_ALWAYS;
	return isatty(fd) && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}

int hv_session_columns(int fd)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int n = columns ? atoi(columns) : 0;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return n > 0 && n < 10000 ? n : 80;
}
