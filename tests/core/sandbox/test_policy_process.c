// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/policy/policy_rig.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lua/policy_process.h"
#include "lua/policy_wire.h"
#include "sandbox/cell.h"

/*
 * The process of a policy is this program, started anew. One whose file begins with '!' has been
 * taken over: it does what stands there instead of asking Lua.
 */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRICT false
#else
#define STRICT true
#endif

/* ---- in the process */

static char bytes[HV_POLICY_WIRE_MAX];
static pid_t result;

static void say(int fd, enum hv_policy_verb verb, uint64_t ticket, uint64_t word, const char *text,
		size_t len)
{
	struct hv_policy_record r = { .verb = verb, .number = { ticket, word } };

	if (verb == HV_POLICY_ANSWER && len)
		r.number[4] = 1;
	r.text[0].bytes = text;
	r.text[0].len = len;
	(void)hv_policy_wire_send(fd, &r, 0, NULL);
}

static void try_open(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_ANSWER, ticket, open("/etc/passwd", O_RDONLY) >= 0, NULL, 0);
}

static void try_socket(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_ANSWER, ticket, socket(AF_UNIX, SOCK_STREAM, 0) >= 0, NULL, 0);
}

static void try_fork(int fd, uint64_t ticket)
{
	result = fork();
	say(fd, HV_POLICY_ANSWER, ticket, result >= 0, NULL, 0);
}

static void try_exec(int fd, uint64_t ticket)
{
	char *const argv[] = { (char *)"true", NULL };

	execv("/bin/true", argv);
	say(fd, HV_POLICY_ANSWER, ticket, 1, NULL, 0);
}

static void try_kill(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_ANSWER, ticket, !kill(getppid(), SIGCONT), NULL, 0);
}

static void try_code(int fd, uint64_t ticket)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	say(fd, HV_POLICY_ANSWER, ticket, at != MAP_FAILED, NULL, 0);
}

static void try_limits(int fd, uint64_t ticket)
{
	const struct rlimit more = { RLIM_INFINITY, RLIM_INFINITY };

	say(fd, HV_POLICY_ANSWER, ticket, !setrlimit(RLIMIT_AS, &more), NULL, 0);
}

static void try_io_uring(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_ANSWER, ticket, syscall(SYS_io_uring_setup, 1, bytes) >= 0, NULL, 0);
}

/* Beyond the limit there is no memory, and that is all. */
static void take_memory(int fd, uint64_t ticket)
{
	bool got = malloc((size_t)256 << 20) != NULL;

	say(fd, HV_POLICY_ANSWER, ticket, got ? HV_ANSWER_DENY : HV_ANSWER_ALLOW, NULL, 0);
}

static void descriptors(int fd, uint64_t ticket)
{
	ssize_t n = 0;

	/* read is one of the few it may call: of all descriptors but its own it says EBADF. */
	for (int other = 0; other < 64 && n < 0x100; other++)
		if (other != fd && (read(other, bytes, 0) == 0 || errno != EBADF))
			n++;
	say(fd, HV_POLICY_ANSWER, ticket, n ? HV_ANSWER_DENY : HV_ANSWER_ALLOW, NULL, 0);
}

static void hang(int fd, uint64_t ticket)
{
	(void)fd;
	(void)ticket;
	for (;;)
		;
}

static void garbage(int fd, uint64_t ticket)
{
	(void)ticket;
	(void)!send(fd, "garbage", 7, 0);
	hang(fd, ticket);
}

static void huge(int fd, uint64_t ticket)
{
	static char much[HV_POLICY_WIRE_MAX + 100] = { 'H', 'P', 1, HV_POLICY_ANSWER };

	(void)!send(fd, much, sizeof(much), 0);
	hang(fd, ticket);
}

static void flood(int fd, uint64_t ticket)
{
	(void)ticket;
	for (;;)
		say(fd, HV_POLICY_PRINT, 0, 0, "line", 4);
}

static void answer_flood(int fd, uint64_t ticket)
{
	for (;;)
		say(fd, HV_POLICY_ANSWER, ticket, HV_ANSWER_ALLOW, NULL, 0);
}

static void other_ticket(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_ANSWER, ticket + 1, HV_ANSWER_ALLOW, NULL, 0);
}

static void other_word(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_ANSWER, ticket, HV_ANSWER_GONE, NULL, 0);
}

static void disk_data(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_ANSWER, ticket, HV_ANSWER_ALLOW, "data", 4);
}

static void other_verb(int fd, uint64_t ticket)
{
	say(fd, HV_POLICY_READY, ticket, 0, NULL, 0);
}

static void ends(int fd, uint64_t ticket)
{
	(void)fd;
	(void)ticket;
	_exit(3);
}

static const struct trick {
	const char *name;
	void (*fn)(int fd, uint64_t ticket);
	const char *says; /* NULL: it is allowed, and does no harm */
	bool strict;	  /* of the filter without holes for sanitizers */
} tricks[] = {
	{ "!open", try_open, "no right to", true },
	{ "!socket", try_socket, "no right to", false },
	{ "!fork", try_fork, "no right to", true },
	{ "!exec", try_exec, "no right to", false },
	{ "!kill", try_kill, "no right to", true },
	{ "!code", try_code, "no right to", true },
	{ "!limits", try_limits, "no right to", true },
	{ "!io_uring", try_io_uring, "no right to", true },
	{ "!memory", take_memory, NULL, true },
	{ "!descriptors", descriptors, NULL, true },
	{ "!hang", hang, "it has not answered in", false },
	{ "!garbage", garbage, "7 bytes that are no record", false },
	{ "!huge", huge, "no record", false },
	{ "!flood", flood, "more lines than it may", false },
	{ "!ticket", other_ticket, "an answer to what it was not asked", false },
	{ "!word", other_word, "neither allow nor deny", false },
	{ "!data", disk_data, "data in place of a disk's", false },
	{ "!verb", other_verb, "something else than an answer", false },
	{ "!ends", ends, "has ended by itself, with status 3", false },
};

/* The same start as a policy's; then what the trick is. */
static int taken_over(int fd)
{
	struct hv_policy_record r;
	char name[32];

	if (hv_policy_wire_receive(fd, bytes, 0, &r, NULL) < 0)
		return 1;
	snprintf(name, sizeof(name), "%.*s", (int)r.text[2].len, r.text[2].bytes);
	if (hv_cell_confine(fd, r.number[1], NULL) < 0)
		return 2;
	say(fd, HV_POLICY_READY, 0, 0, NULL, 0);
	if (!strcmp(name, "!unasked"))
		say(fd, HV_POLICY_ANSWER, 77, HV_ANSWER_ALLOW, NULL, 0);
	while (!hv_policy_wire_receive(fd, bytes, 0, &r, NULL)) {
		if (!strcmp(name, "!answers"))
			answer_flood(fd, r.number[0]);
		for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
			if (!strcmp(tricks[i].name, name))
				tricks[i].fn(fd, r.number[0]);
	}
	return 0;
}

/* Which of the two it is: LOAD is looked at, and stays. */
static int in_cell(int fd)
{
	struct hv_policy_record r;
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_PEEK);

	if (n < 0 || hv_policy_wire_read(bytes, (size_t)n, &r, NULL) < 0 ||
	    r.verb != HV_POLICY_LOAD)
		return 9;
	return r.text[2].len && r.text[2].bytes[0] == '!' ? taken_over(fd)
							  : hv_policy_child_run(fd);
}

/* ---- the service */

static struct hv_policy_stop stop = { .fd = -1 };

static int n_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static struct hv_policy_engine *start(const char *text)
{
	const struct hv_policy_source source = rig_source(text);
	struct hv_policy_engine *engine;
	struct hv_err err;

	/* User emulation executes no program anew, and filters no system calls. */
	if (getenv("HVSH_EMULATOR"))
		skip();
	if (hv_policy_process_engine(&source, &stop, &engine, &err) < 0)
		fail_msg("%s", err.msg);
	return engine;
}

static void no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_decides(void **state)
{
	const struct hv_question q = rig_question();
	int before = n_open();
	struct hv_policy_engine *e =
		start("print 'loaded' return function(r) print(r.op) if r.sector == 1 and "
		      "('x'):match 'x' then return 'deny', 'unsupp' end end");
	struct hv_answer a;
	struct hv_buf why = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(e->ops->decide(e, &q, &a, &why), 0);
		assert_int_equal(a.word, HV_ANSWER_DENY);
		assert_int_equal(a.status, 2);
	}
	rig_has(rig_printed, "loaded\nwrite\nwrite\n");
	e->ops->free(e);
	hv_buf_free(&why);
	no_child();
	assert_int_equal(n_open(), before);
}

/* Errors in Lua are told, and the next decision is made. */
static void test_errors(void **state)
{
	const struct hv_question q = rig_question();
	const struct hv_policy_source bad = rig_source("return 1 +");
	struct hv_policy_engine *e =
		start("local n = 0 return function(r) n = n + 1 if n == 1 then error 'no' elseif n "
		      "== 2 then "
		      "while true do end elseif n == 3 then local t = {} while true do t[#t + 1] = "
		      "{} end "
		      "elseif n == 4 then for i = 1, 1000 do print(i) end end end");
	static const char *const says[] = { "night.lua:1: no", "processor time", "1M of memory" };
	struct hv_answer a;
	struct hv_err err;

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct hv_buf why = { 0 };

		assert_int_equal(e->ops->decide(e, &q, &a, &why), i < 3 ? -EINVAL : 0);
		if (i < 3)
			rig_has(why.data, says[i]);
		hv_buf_free(&why);
	}
	e->ops->free(e);
	assert_int_equal(hv_policy_process_engine(&bad, &stop, &e, &err), -EINVAL);
	rig_has(err.msg, "night.lua:1:");
	no_child();
}

/* In C no hook is called: it is killed. */
static void test_pattern_bomb(void **state)
{
	const struct hv_question q = rig_question();
	struct hv_policy_engine *e =
		start("return function(r) return (('a'):rep(100000)):match '.-.-.-.-.-.-b' end");
	struct hv_answer a;
	struct hv_buf why = { 0 };

	(void)state;
	assert_int_equal(e->ops->decide(e, &q, &a, &why), -ETIMEDOUT);
	rig_has(why.data, "it has not answered in 2100 ms");
	hv_buf_free(&why);
	e->ops->free(e);
	no_child();
}

static void test_tricks(void **state)
{
	const struct hv_question q = rig_question();
	int before = n_open();

	(void)state;
	for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
		struct hv_policy_engine *e;
		struct hv_answer a;
		struct hv_buf why = { 0 };
		int rc;

		if (tricks[i].strict && !STRICT)
			continue;
		e = start(tricks[i].name);
		rc = e->ops->decide(e, &q, &a, &why);
		if (tricks[i].says && (!rc || rc == -EINVAL))
			fail_msg("%s went through", tricks[i].name);
		if (tricks[i].says)
			rig_has(why.data, tricks[i].says);
		else if (rc || a.word != HV_ANSWER_ALLOW)
			fail_msg("%s was not bounded", tricks[i].name);
		hv_buf_free(&why);
		e->ops->free(e);
	}
	no_child();
	assert_int_equal(n_open(), before);
}

/* What it says while nobody asks ends it: an answer kept in store would meet the next question. */
static void test_unasked(void **state)
{
	static const char *const names[] = { "!unasked", "!answers" };
	const struct hv_question q = rig_question();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct hv_policy_engine *e = start(names[i]);
		struct hv_buf why = { 0 };
		struct hv_answer a;

		if (i)
			assert_int_equal(e->ops->decide(e, &q, &a, &why), 0);
		assert_int_equal(
			poll(&(struct pollfd){ .fd = e->ops->fd(e), .events = POLLIN }, 1, 60000),
			1);
		assert_int_equal(e->ops->idle(e, &why), -EPROTO);
		rig_has(why.data, "something without being asked");
		hv_buf_free(&why);
		e->ops->free(e);
	}
	no_child();
}

/* Told to stop while it computes: at once. */
static void test_stop(void **state)
{
	const struct hv_question q = rig_question();
	struct hv_policy_engine *e = start("!hang");
	struct hv_answer a;
	struct hv_buf why = { 0 };

	(void)state;
	assert_int_equal(eventfd_write(stop.fd, 1), 0);
	assert_int_equal(e->ops->decide(e, &q, &a, &why), -ECANCELED);
	eventfd_read(stop.fd, &(eventfd_t){ 0 });
	e->ops->free(e);
	hv_buf_free(&why);
	no_child();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decides),	     cmocka_unit_test(test_errors),
		cmocka_unit_test(test_pattern_bomb), cmocka_unit_test(test_tricks),
		cmocka_unit_test(test_unasked),	     cmocka_unit_test(test_stop),
	};

	if (argc == 1 && !strcmp(argv[0], HV_CELL_NAME))
		return hv_cell_main(in_cell);
	stop.fd = eventfd(0, EFD_CLOEXEC);
	return cmocka_run_group_tests_name("policy_process", tests, NULL, NULL);
}
