// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/sandbox/sandbox_rig.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <linux/netlink.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/thread.h"

static bool refuses(long result)
{
	return result < 0 && (errno == EACCES || errno == EPERM);
}

/* ---- threads */

static _Atomic unsigned int turns;
static _Atomic bool over;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void *in_poll(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		poll(NULL, 0, 1000);
		atomic_fetch_add(&turns, 1);
	}
	return NULL;
}

static void *in_cond(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	while (!atomic_load(&over))
		pthread_cond_wait(&never, &lock);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *nothing(void *arg)
{
	return arg;
}

/* Threads that come while others are stopped. */
static void *starts_others(void *arg)
{
	pthread_t t;

	while (!atomic_load(&over))
		if (!hv_thread_start(&t, nothing, NULL, "short"))
			pthread_join(t, NULL);
	return arg;
}

static long number_after(const char *status, const char *key, int base)
{
	const char *at = strstr(status, key);

	CHECK(at);
	return strtol(at + strlen(key), NULL, base);
}

/* In one piece, for a thread may end meanwhile: false when it has. */
static bool read_status(const char *tid, char *status, size_t size)
{
	char path[300];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, status, size - 1);
	close(fd);
	status[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* How many threads there are; each is as restricted as it should be. */
static unsigned int check_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	char status[8192];
	unsigned int n = 0;

	CHECK(dir);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || !read_status(e->d_name, status, sizeof(status)))
			continue;
		CHECK(number_after(status, "\nNoNewPrivs:", 10) == 1);
		CHECK(number_after(status, "\nCapEff:", 16) == 0);
		CHECK(number_after(status, "\nCapPrm:", 16) == 0);
		CHECK(number_after(status, "\nSeccomp:", 10) == 2);
		n++;
	}
	closedir(dir);
	return n;
}

static void all_threads(void)
{
	pthread_t t[8];
	unsigned int seen;

	for (int i = 0; i < 3; i++)
		CHECK(!hv_thread_start(&t[i], in_poll, NULL, "poll"));
	for (int i = 3; i < 6; i++)
		CHECK(!hv_thread_start(&t[i], in_cond, NULL, "cond"));
	CHECK(!hv_thread_start(&t[6], starts_others, NULL, "starts"));
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->seccomp, "seccomp");
	CHECK(!hv_thread_start(&t[7], in_poll, NULL, "later"));
	CHECK(check_threads() >= 9);
	seen = atomic_load(&turns);
	while (atomic_load(&turns) == seen)
		poll(NULL, 0, 10);
	atomic_store(&over, true);
	pthread_mutex_lock(&lock);
	pthread_cond_broadcast(&never);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 8; i++)
		CHECK(!pthread_join(t[i], NULL));
}

static void test_all_threads(void **state)
{
	(void)state;
	rig_run(all_threads);
}

/* ---- what is refused, and what goes on */

static void process(void)
{
	struct rlimit core;
	char text[128];

	hv_sandbox_describe(text, sizeof(text));
	CHECK(!strcmp(text, "open"));
	rig_close_sandbox();
	CHECK(hv_sandbox_state()->closed && hv_sandbox_state()->capabilities == 0);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(!getrlimit(RLIMIT_CORE, &core) && core.rlim_max == 0);
	hv_sandbox_describe(text, sizeof(text));
	CHECK(!strncmp(text, "capabilities 0", 14));
	/* Once more is no failure. */
	rig_close_sandbox();
}

static void test_process(void **state)
{
	(void)state;
	rig_run(process);
}

static void refused(void)
{
	int fds[2];

	rig_need(RIG_STRICT, "a strict filter, in a build with sanitizers,");
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->seccomp, "seccomp");
	CHECK(refuses(socket(AF_INET, SOCK_STREAM, 0)));
	CHECK(refuses(socket(AF_NETLINK, SOCK_RAW, 0)));
	CHECK(!refuses(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT)));
	CHECK(refuses(socket(AF_PACKET, SOCK_RAW, 0)));
	CHECK(refuses(kill(getppid(), 0)));
	CHECK(refuses(syscall(SYS_setuid, 0)));
	CHECK(refuses(syscall(SYS_personality, 0xffffffff)));
	CHECK(refuses(syscall(SYS_ioctl, 0, UINT64_C(1) << 32 | TIOCSTI, "x")));
	CHECK(ioctl(0, TIOCGWINSZ, NULL) < 0 && errno != EPERM);
	CHECK(refuses(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)));
	/* What goes on. */
	CHECK(!kill(getpid(), 0));
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
	CHECK(write(fds[0], "x", 1) == 1 &&
	      poll(&(struct pollfd){ fds[1], POLLIN, 0 }, 1, -1) == 1);
	CHECK(eventfd(0, EFD_CLOEXEC) >= 0);
	CHECK(!prctl(PR_SET_NAME, "name"));
	CHECK(posix_openpt(O_RDWR | O_NOCTTY) >= 0 || errno == ENOENT);
}

static void test_refused(void **state)
{
	(void)state;
	rig_run(refused);
}

/* A system call nobody thought of does not end the guests' devices; the log has it, once. */
static void says_so_once(void)
{
	int fds[2];
	char text[512];
	ssize_t n;

	rig_need(RIG_STRICT, "a strict filter, in a build with sanitizers,");
	CHECK(!pipe(fds));
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->seccomp, "seccomp");
	CHECK(dup2(fds[1], STDERR_FILENO) == STDERR_FILENO);
	for (int i = 0; i < 3; i++)
		CHECK(refuses(syscall(SYS_personality, 0xffffffff)));
	n = read(fds[0], text, sizeof(text) - 1);
	CHECK(n > 0 && fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
	text[n] = '\0';
	CHECK(strstr(text, "hvsh: error: the sandbox refused system call"));
	CHECK(strchr(text, '\n') == text + n - 1);
	CHECK(read(fds[0], text, sizeof(text)) < 0);
}

static void test_says_so_once(void **state)
{
	(void)state;
	rig_run(says_so_once);
}

static void processes(void)
{
	rig_need(RIG_STRICT, "a strict filter, in a build with sanitizers,");
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->seccomp, "seccomp");
	CHECK(refuses(fork()));
	CHECK(system("exit 0") != 0);
	CHECK(!prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
}

static void test_processes(void **state)
{
	(void)state;
	rig_run(processes);
}

static void files(void)
{
	rig_write("beneath", "text");
	rig_write("log", "text");
	CHECK(!mkdir(rig_path("run"), 0700) && !mkdir(rig_path("scripts"), 0700));
	rig_write("scripts/a.lua", "text");
	hv_opener_allow(HV_ALLOW_WRITE | HV_ALLOW_BENEATH, rig_path("run"));
	hv_opener_allow(HV_ALLOW_READ | HV_ALLOW_BENEATH, rig_path("scripts"));
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->landlock, "Landlock");
	CHECK(open("/etc/shadow", O_RDONLY) < 0);
	CHECK(open("/etc/passwd", O_WRONLY) < 0);
	CHECK(refuses(open(rig_path("new"), O_WRONLY | O_CREAT, 0600)));
	CHECK(refuses(open(rig_path("beneath"), O_RDONLY)));
	CHECK(refuses(open(rig_path("scripts/a.lua"), O_WRONLY)));
	CHECK(refuses(unlink(rig_path("scripts/a.lua"))));
	CHECK(refuses(rename(rig_path("beneath"), rig_path("run/mine"))));
	/* What goes on. */
	CHECK(open(rig_path("scripts/a.lua"), O_RDONLY) >= 0);
	CHECK(open(rig_path("run/new"), O_RDWR | O_CREAT, 0600) >= 0);
	CHECK(!rename(rig_path("run/new"), rig_path("run/newer")));
	CHECK(!unlink(rig_path("run/newer")));
	CHECK(open("/proc/self/stat", O_RDONLY) >= 0);
	CHECK(open("/dev/null", O_RDWR) >= 0);
}

static void test_files(void **state)
{
	(void)state;
	rig_run(files);
}

/* ---- what ends it */

static void closed(void)
{
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->seccomp, "seccomp");
	signal(SIGSYS, SIG_IGN);
}

static void executes(void)
{
	char *const argv[] = { (char *)"true", NULL };

	closed();
	execv("/bin/true", argv);
}

static void traces(void)
{
	rig_need(RIG_STRICT, "a strict filter, in a build with sanitizers,");
	closed();
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void mounts(void)
{
	closed();
	mount("none", "/tmp", "tmpfs", 0, NULL);
}

static void loads_module(void)
{
	closed();
	syscall(SYS_init_module, NULL, 0, "");
}

static void reads_others(void)
{
	closed();
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void test_deadly(void **state)
{
	static void (*const bodies[])(void) = { executes, traces, mounts, loads_module,
						reads_others };

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		int status = rig_status(bodies[i]);

		if (WIFEXITED(status) && WEXITSTATUS(status) == RIG_SKIP)
			continue;
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("body %zu: status %d", i, status);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_threads, rig_make_dir, rig_remove_dir),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_says_so_once),
		cmocka_unit_test(test_processes),
		cmocka_unit_test_setup_teardown(test_files, rig_make_dir, rig_remove_dir),
		cmocka_unit_test(test_deadly),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
