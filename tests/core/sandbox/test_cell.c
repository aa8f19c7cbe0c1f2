// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/sandbox/sandbox_rig.h"

#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "sandbox/cell.h"

/* The cell's program is this one, started anew: it answers each packet with its own, as long as it
 * may. What it is to do instead stands in TZ, the only variable it has. */
static int echo(int fd)
{
	char bytes[64];
	ssize_t n;

	if (hv_cell_confine(fd, (size_t)1 << 20, NULL) < 0)
		return 1;
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		if (!memcmp(bytes, "hang", 4))
			for (;;)
				;
		(void)!send(fd, bytes, (size_t)n, MSG_NOSIGNAL);
	}
	return 5;
}

static void talk(const struct hv_cell *cell)
{
	char back[8];

	CHECK(send(cell->fd, "word", 4, MSG_NOSIGNAL) == 4);
	CHECK(recv(cell->fd, back, sizeof(back), 0) == 4 && !memcmp(back, "word", 4));
}

static void open_cell(struct hv_cell *cell)
{
	struct hv_err err = { 0 };
	int rc = hv_cell_open(cell, &err);

	rig_need(!getenv("HVSH_EMULATOR"), "a program executed anew");
	if (rc < 0)
		fprintf(stderr, "# %s\n", err.msg);
	CHECK(!rc);
	CHECK(cell->inmate > 0);
}

static void until_gone(pid_t pid)
{
	/* Where nobody reaps it, a zombie is as good as gone: it has no process any more. */
	for (int i = 0; i < 6000; i++) {
		char path[64], text[64] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		f = fopen(path, "re");
		if (!f || !fgets(text, sizeof(text), f) || strstr(text, ") Z")) {
			if (f)
				fclose(f);
			return;
		}
		fclose(f);
		poll(NULL, 0, 10);
	}
	CHECK(!"the process goes on");
}

static void life(void)
{
	struct hv_cell cell;
	pid_t inmate;

	for (int i = 0; i < 3; i++) {
		open_cell(&cell);
		talk(&cell);
		inmate = cell.inmate;
		if (i == 1)
			CHECK(send(cell.fd, "hang", 4, 0) == 4);
		hv_cell_close(&cell);
		CHECK(kill(inmate, 0) < 0 && errno == ESRCH);
		CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	}
}

static void test_life(void **state)
{
	(void)state;
	rig_run(life);
}

static void says_how(void)
{
	struct hv_cell cell;
	int status;

	open_cell(&cell);
	CHECK(!kill(cell.inmate, SIGKILL));
	CHECK(hv_cell_ended(&cell, &status) && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	hv_cell_close(&cell);
	open_cell(&cell);
	shutdown(cell.fd, SHUT_WR);
	CHECK(hv_cell_ended(&cell, &status) && WIFEXITED(status) && WEXITSTATUS(status) == 5);
	hv_cell_close(&cell);
	open_cell(&cell);
	CHECK(!hv_cell_ended(&cell, &status));
	/* Without its keeper nothing is left of it, either. */
	CHECK(!kill(cell.keeper, SIGKILL));
	until_gone(cell.inmate);
	hv_cell_close(&cell);
}

static void test_says_how(void **state)
{
	(void)state;
	rig_run(says_how);
}

/* Runs body, which may execute something or not come back, in a process; its status. */
static int status_of(void (*body)(void))
{
	if (getenv("HVSH_EMULATOR"))
		skip();
	return rig_status(body);
}

static pid_t *orphan_pid; /* shared with the process that leaves it behind */

static void leave_orphan(void)
{
	struct hv_cell cell;

	open_cell(&cell);
	CHECK(send(cell.fd, "hang", 4, 0) == 4);
	*orphan_pid = cell.inmate;
	raise(SIGKILL);
}

/* Who holds the leash is killed: so is what it held. */
static void test_orphan(void **state)
{
	(void)state;
	orphan_pid = mmap(NULL, sizeof(*orphan_pid), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(orphan_pid, MAP_FAILED);
	assert_true(WIFSIGNALED(status_of(leave_orphan)) && *orphan_pid > 0);
	until_gone(*orphan_pid);
	munmap(orphan_pid, sizeof(*orphan_pid));
}

/* Whatever the service has open, also above the limit of now. */
static void inherits_nothing(void)
{
	struct pollfd end = { .events = POLLIN };
	struct hv_cell cell;
	struct rlimit limit;
	int fds[2], high;

	CHECK(!getrlimit(RLIMIT_NOFILE, &limit));
	high = limit.rlim_max < 65536 ? (int)limit.rlim_max - 1 : 65535;
	CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ limit.rlim_max, limit.rlim_max }));
	CHECK(!pipe2(fds, O_CLOEXEC));
	CHECK(dup2(fds[1], 100) == 100 && dup2(fds[1], high) == high);
	CHECK(!setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 256, limit.rlim_max }));
	open_cell(&cell);
	close(100);
	close(high);
	close(fds[1]);
	end.fd = fds[0];
	CHECK(poll(&end, 1, 0) == 1 && end.revents & POLLHUP);
	hv_cell_close(&cell);
}

static void test_inherits_nothing(void **state)
{
	(void)state;
	rig_run(inherits_nothing);
}

/* ---- cells that do not come to be */

static void fails(const char *how, int code, const char *text)
{
	struct hv_cell cell;
	struct hv_err err;

	rig_need(!getenv("HVSH_EMULATOR"), "a program executed anew");
	setenv("TZ", how, 1);
	CHECK(hv_cell_open(&cell, &err) == -code);
	if (!strstr(err.msg, text))
		fprintf(stderr, "# %s\n", err.msg);
	CHECK(strstr(err.msg, text));
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void ends_early(void)
{
	fails("exit", EIO, "has ended at once by itself, with status 7");
	fails("kill", EIO, "was killed at once by signal 9 (Killed)");
}

static void test_ends_early(void **state)
{
	(void)state;
	rig_run(ends_early);
}

static void is_silent(void)
{
	fails("stop", ETIMEDOUT, "was not ready within 20 s");
}

static void test_silent(void **state)
{
	(void)state;
	rig_run(is_silent);
}

/* ---- by the opener */

static int serve(const void *arg, size_t len, bool (*allowed)(unsigned int what, const char *name),
		 void *reply, size_t *reply_len, int *fds, unsigned int *n_fds, struct hv_err *err)
{
	(void)allowed;
	if (!hv_cell_is_call(arg, len))
		return hv_err_set(err, ENOSYS, "no such call");
	return hv_cell_serve(reply, reply_len, fds, n_fds, err);
}

/* The only child of this process. */
static long child_of(long pid)
{
	char path[64];
	FILE *f;
	long child = 0;

	snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", pid, pid);
	f = fopen(path, "re");
	rig_need(f, "a kernel that lists children");
	if (fscanf(f, "%ld", &child) != 1)
		child = 0;
	fclose(f);
	return child;
}

static void by_opener(void)
{
	struct hv_cell cells[70] = { 0 };
	long opener;
	pid_t inmate;
	struct hv_err err;
	int n = 0;

	CHECK(!hv_opener_start(NULL, serve, &err));
	opener = child_of(getpid());
	rig_close_sandbox();
	for (int i = 0; i < 2; i++) {
		open_cell(&cells[0]);
		CHECK(!cells[0].keeper);
		talk(&cells[0]);
		inmate = cells[0].inmate;
		CHECK(send(cells[0].fd, "hang", 4, 0) == 4);
		hv_cell_close(&cells[0]);
		until_gone(inmate);
		for (int wait = 0; wait < 6000 && child_of(opener); wait++)
			poll(NULL, 0, 10);
		CHECK(!child_of(opener));
	}
	/* Who has taken the service over gets no more of them than it may. */
	if (!RIG_STRICT)
		return;
	while (n < 70 && hv_cell_open(&cells[n], &err) == 0)
		n++;
	CHECK(n == 64 && err.code == EAGAIN && strstr(err.msg, "64 processes"));
	while (n)
		hv_cell_close(&cells[--n]);
	for (int wait = 0; wait < 6000 && child_of(opener); wait++)
		poll(NULL, 0, 10);
	open_cell(&cells[0]);
	hv_cell_close(&cells[0]);
	hv_opener_stop();
}

static void test_by_opener(void **state)
{
	(void)state;
	rig_run(by_opener);
}

/* How, the opener alone knows. */
static void ends_early_by_opener(void)
{
	struct hv_cell cell;
	struct hv_err err;

	setenv("TZ", "exit", 1);
	CHECK(!hv_opener_start(NULL, serve, &err));
	rig_close_sandbox();
	rig_need(!getenv("HVSH_EMULATOR"), "a program executed anew");
	CHECK(hv_cell_open(&cell, &err) == -EIO);
	CHECK(!strcmp(err.msg, "a process for it was started and has ended at once"));
	hv_opener_stop();
}

static void test_ends_early_by_opener(void **state)
{
	(void)state;
	rig_run(ends_early_by_opener);
}

/* Without an opener there is none, and that is said. */
static void closed(void)
{
	struct hv_cell cell;
	struct hv_err err;

	rig_need(RIG_STRICT, "a strict filter, in a build with sanitizers,");
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->seccomp, "seccomp");
	CHECK(hv_cell_open(&cell, &err) < 0);
	CHECK(strstr(err.msg, "starting a process for it"));
}

static void test_closed(void **state)
{
	(void)state;
	rig_run(closed);
}

static void start_by_hand(void)
{
	char *const argv[] = { (char *)HV_CELL_NAME, NULL };

	unsetenv("TZ");
	for (int fd = 2; fd < 5; fd++)
		close(fd);
	execv("/proc/self/exe", argv);
	_exit(9);
}

/* By hand it is nothing. */
static void test_by_hand(void **state)
{
	int status = status_of(start_by_hand);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 2);
}

static int cell_main(void)
{
	const char *how = getenv("TZ") ?: "";

	if (!strcmp(how, "exit"))
		return 7;
	if (!strcmp(how, "kill"))
		raise(SIGKILL);
	if (!strcmp(how, "stop"))
		raise(SIGSTOP);
	return hv_cell_main(echo);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	   cmocka_unit_test(test_says_how),
		cmocka_unit_test(test_orphan),	   cmocka_unit_test(test_inherits_nothing),
		cmocka_unit_test(test_ends_early), cmocka_unit_test(test_silent),
		cmocka_unit_test(test_by_opener),  cmocka_unit_test(test_ends_early_by_opener),
		cmocka_unit_test(test_closed),	   cmocka_unit_test(test_by_hand),
	};

	if (argc == 1 && !strcmp(argv[0], HV_CELL_NAME))
		return cell_main();
	return cmocka_run_group_tests_name("cell", tests, NULL, NULL);
}
