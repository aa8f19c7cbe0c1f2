// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/hypervisor/sample.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct hv_err err;
static char dir[64];

static int new_dir(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	strcpy(dir, "/tmp/hvsh-sim-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "state", "state.new", "memory", "lock" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

static int open_machine(struct hv_sim_opts *opts, struct hv_hyp **hyp)
{
	opts->state_dir = dir;
	return hv_hyp_open_sim(opts, hyp, &err);
}

static struct hv_hyp *machine(void)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_5A);
	struct hv_hyp *hyp = NULL;

	want(open_machine(&opts, &hyp), 0, &err);
	return hyp;
}

static int start(struct hv_hyp *hyp, uint32_t id, uint64_t cpus)
{
	struct hv_abi_zone zone = sample_zone(id, cpus);

	return hv_hyp_zone_start(hyp, &zone, &err);
}

static int count(struct hv_hyp *hyp)
{
	struct hv_zone_info zones[HV_MAX_ZONES];

	return hv_hyp_zone_list(hyp, zones, HV_MAX_ZONES, &err);
}

static void test_two_opens(void **state)
{
	struct hv_hyp *hyp;
	char text[6] = "";
	struct stat st;

	(void)state;
	rmdir(dir);
	hyp = machine();
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	want(start(hyp, 1, 0x4), 0, &err);
	want(hv_hyp_load_mem(hyp, "hello", 5, SAMPLE_LOAD + 77, &err), 0, &err);
	want(hv_sim_fault(hyp, "busy-cpu:3", &err), 0, &err);
	want(hv_sim_fault(hyp, "errno:load:ENOSYS", &err), 0, &err);
	hv_hyp_close(hyp);

	hyp = machine();
	want(count(hyp), 2, &err);
	want(hv_sim_read(hyp, SAMPLE_LOAD + 77, text, 5, &err), 0, &err);
	assert_string_equal(text, "hello");
	want_error(start(hyp, 2, 0x8), EBUSY, &err, "CPU 3 is on");
	want_error(start(hyp, 2, 0x4), EBUSY, &err, "CPU 2 belongs to zone 1");
	want(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), -ENOSYS, &err);
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	hv_hyp_close(hyp);

	hyp = machine();
	want(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), 0, &err);
	want(count(hyp), 1, &err);
	hv_hyp_close(hyp);
}

/* Runs f in another process; it returns what that process returned. */
static int elsewhere(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(f());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int child_starts(void)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_5A);
	struct hv_hyp *hyp = NULL;

	if (open_machine(&opts, &hyp) < 0 || start(hyp, 1, 0x4) < 0 ||
	    hv_sim_fault(hyp, "die:1:0", &err) < 0)
		return 1;
	/* Ends without closing, as a process does that is killed. */
	return start(hyp, 2, 0x8) < 0;
}

static void test_two_processes(void **state)
{
	struct hv_zone_info zones[4];
	struct hv_hyp *hyp;

	(void)state;
	assert_int_equal(elsewhere(child_starts), 0);
	hyp = machine();
	want(hv_hyp_zone_list(hyp, zones, 4, &err), 2, &err);
	assert_int_equal(zones[1].id, 2);
	hv_hyp_close(hyp);
}

static int child_finds_it_locked(void)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_5A);
	struct hv_hyp *hyp = NULL;
	char pid[32];

	if (open_machine(&opts, &hyp) != -EBUSY)
		return 1;
	snprintf(pid, sizeof(pid), "(pid %d)", (int)getppid());
	return !strstr(err.msg, pid);
}

static void test_locked(void **state)
{
	struct hv_hyp *hyp = machine();

	(void)state;
	assert_int_equal(elsewhere(child_finds_it_locked), 0);
	hv_hyp_close(hyp);
}

/* The second process gets it when the first lets go in time. */
static void test_waits(void **state)
{
	struct hv_hyp *hyp = machine();
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	hv_hyp_close(hyp);
	pid = fork();
	if (pid == 0) {
		hyp = machine();
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(100000);
		hv_hyp_close(hyp);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	hyp = machine();
	hv_hyp_close(hyp);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
}

static void test_other_hardware(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_5A);
	struct hv_hyp *hyp = machine();
	char byte = 1;

	(void)state;
	want(start(hyp, 1, 0x4), 0, &err);
	want(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_LOAD, &err), 0, &err);
	hv_hyp_close(hyp);
	opts.n_cpus = 8;
	want_error(open_machine(&opts, &hyp), EBUSY, &err, "the CPUs differs");
	opts = sample_opts(HV_LAYOUT_6);
	want_error(open_machine(&opts, &hyp), EBUSY, &err, "layout differs");
	/* As it is kept, whatever that is. */
	opts = (struct hv_sim_opts){ 0 };
	want(open_machine(&opts, &hyp), 0, &err);
	want(count(hyp), 2, &err);
	want(hv_hyp_zone_stop(hyp, 1, &err), 0, &err);
	hv_hyp_close(hyp);
	/* Nothing runs any more: a new machine takes its place, with clean memory. */
	opts = sample_opts(HV_LAYOUT_6);
	opts.n_cpus = 8;
	want(open_machine(&opts, &hyp), 0, &err);
	want(start(hyp, 1, 0x80), 0, &err);
	want(hv_sim_read(hyp, SAMPLE_LOAD, &byte, 1, &err), 0, &err);
	assert_int_equal(byte, 0);
	hv_hyp_close(hyp);
}

static void test_none_kept(void **state)
{
	struct hv_sim_opts opts = { 0 };
	struct hv_hyp *hyp;

	(void)state;
	want_error(open_machine(&opts, &hyp), ENOENT, &err, "no simulated machine");
}

static void test_panic_stays(void **state)
{
	struct hv_hyp *hyp = machine();

	(void)state;
	want_error(hv_hyp_load_mem(hyp, "x", 1, SAMPLE_HV, &err), EIO, &err, "would panic");
	hv_hyp_close(hyp);
	hyp = machine();
	want_error(count(hyp), EIO, &err, "to switch it off and on, remove /tmp/hvsh-sim-");
	hv_hyp_close(hyp);
}

static void edit_state(off_t at, const char *bytes, size_t n)
{
	int fd = open(in_dir("state"), O_RDWR);

	assert_true(fd >= 0);
	if (bytes)
		assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
	else
		assert_int_equal(ftruncate(fd, at), 0);
	close(fd);
}

static void test_damaged(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_5A);
	struct hv_hyp *hyp = machine();
	struct stat st;

	(void)state;
	hv_hyp_close(hyp);
	assert_int_equal(stat(in_dir("state"), &st), 0);
	edit_state(st.st_size / 2, "\x55", 1);
	want_error(open_machine(&opts, &hyp), EBADMSG, &err, "damaged; remove /tmp/hvsh-sim-");
	edit_state(8, "\x63", 1);
	want_error(open_machine(&opts, &hyp), EBADMSG, &err, "another version");
	edit_state(0, "X", 1);
	want_error(open_machine(&opts, &hyp), EBADMSG, &err, "no state of");
	edit_state(0, "h", 1);
	edit_state(8, "\x01", 1);
	edit_state(st.st_size - 1, NULL, 0);
	want_error(open_machine(&opts, &hyp), EBADMSG, &err, "damaged");
	edit_state(0, NULL, 0);
	want_error(open_machine(&opts, &hyp), EBADMSG, &err, "no state of");
}

static void test_unsafe_dir(void **state)
{
	struct hv_sim_opts opts = sample_opts(HV_LAYOUT_5A);
	struct hv_hyp *hyp;

	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	want_error(open_machine(&opts, &hyp), EPERM, &err, "writable by nobody else");
	opts.state_dir = "/proc/none/sim";
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), ENOENT, &err, "making /proc/none/sim");
	/* A link planted there is not followed. */
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(symlink("/dev/null", in_dir("memory")), 0);
	opts.state_dir = dir;
	want_error(hv_hyp_open_sim(&opts, &hyp, &err), ELOOP, &err, "memory");
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, new_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		IN_DIR(test_two_opens),	  IN_DIR(test_two_processes),  IN_DIR(test_locked),
		IN_DIR(test_waits),	  IN_DIR(test_other_hardware), IN_DIR(test_none_kept),
		IN_DIR(test_panic_stays), IN_DIR(test_damaged),	       IN_DIR(test_unsafe_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
