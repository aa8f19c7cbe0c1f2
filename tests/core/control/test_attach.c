// SPDX-License-Identifier: GPL-2.0-or-later
#include "control_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include "console_rig.h"
#include "control/console_channel.h"
#include "lua/attach.h"
#include "self.h"

/* The terminal's end runs in a program of its own, on a pty: this one, with a word as argument. */
static struct crig rig;
static struct service service;

static void on_request(struct hv_control_conn *conn, uint32_t id, const char *json, size_t len,
		       void *arg)
{
	struct hv_console_channel_opts opts = { .back = 20, .ended = "zone rig ended" };
	struct hv_err err = { 0 };
	char *text = strndup(json, len), reply[300];
	int rc;

	(void)arg;
	opts.readonly = strstr(text, "\"readonly\":true");
	opts.force = strstr(text, "\"force\":true");
	rc = hv_console_channel_open(conn, &rig.dev, 0, &opts, &err);
	if (!strstr(text, "{\"request\":\"console\",\"name\":\"rig/hvc0\",\"back\":4096,"))
		snprintf(reply, sizeof(reply), "{\"error\":\"there is no such console\"}");
	else
		snprintf(reply, sizeof(reply), "{\"channel\":%d}", rc);
	free(text);
	hv_control_reply(conn, id, reply, strlen(reply), NULL);
}

static const struct hv_control_ops ops = { .request = on_request };

/* ---- in the program */

static void *echo_guest(void *arg)
{
	char bytes[64];

	for (;;) {
		uint32_t n = crig_receive(&rig, 0, bytes, sizeof(bytes));

		crig_send(&rig, 1, bytes, n);
	}
	return arg;
}

static int program(const char *how, const char *path)
{
	struct hv_attach_opts opts = {
		.back = 4096,
		.escape = HV_ATTACH_ESCAPE,
		.quiet = strstr(how, "patient") ? UINT64_C(3600000000000) : 300000000,
		.readonly = strstr(how, "readonly"),
		.force = strstr(how, "force"),
	};
	struct hv_control_client *client = NULL;
	struct hv_err err = { 0 };
	struct hv_loop *loop;
	pthread_t guest;
	int rc;

	if (strstr(how, "local")) {
		crig_init(&rig, NULL, 0);
		crig_start(&rig, 1, 16, 0);
		crig_puts(&rig, "local guest\r\n");
		if (pthread_create(&guest, NULL, echo_guest, NULL) || hv_loop_new(&loop, NULL))
			return 9;
		rc = hv_attach_local(&rig.dev, 0, loop, &opts, &err);
	} else {
		rc = hv_control_connect(path, &client, &err);
		if (!rc)
			rc = hv_attach_remote(client,
					      strstr(how, "wrong") ? "rig/hvc9" : "rig/hvc0", &opts,
					      &err);
		hv_control_disconnect(client);
	}
	if (rc < 0)
		fprintf(stderr, "hvsh: %s\n", err.msg);
	fflush(stderr);
	if (rc > 0)
		raise(rc);
	_exit(rc < 0 ? 1 : rc);
}

/* ---- a terminal with the program on it */

struct terminal {
	int master, slave;
	pid_t pid;
	size_t n;
	char seen[65536];
};

static void start(struct terminal *t, const char *how, int in, int out)
{
	memset(t, 0, sizeof(*t));
	assert_int_equal(openpty(&t->master, &t->slave, NULL, NULL, NULL), 0);
	fcntl(t->master, F_SETFD, FD_CLOEXEC);
	fcntl(t->slave, F_SETFD, FD_CLOEXEC);
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (t->pid)
		return;
	setsid();
	ioctl(t->slave, TIOCSCTTY, 0);
	dup2(in >= 0 ? in : t->slave, 0);
	dup2(out >= 0 ? out : t->slave, 1);
	dup2(t->slave, 2);
	exec_self((const char *const[]){ "attach", how, service.path, NULL });
	_exit(9);
}

/* Reads until the text is there; what it and all before was is forgotten. */
static void sees(struct terminal *t, const char *text)
{
	char *at;

	while (!(at = strstr(t->seen, text))) {
		struct pollfd fd = { .fd = t->master, .events = POLLIN };
		ssize_t n;

		if (poll(&fd, 1, 60000) != 1)
			fail_msg("'%s' is not seen in '%s'", text, t->seen);
		n = read(t->master, t->seen + t->n, sizeof(t->seen) - 1 - t->n);
		if (n <= 0)
			fail_msg("'%s' is not seen before the end of '%s'", text, t->seen);
		t->n += (size_t)n;
		t->seen[t->n] = '\0';
	}
	at += strlen(text);
	t->n -= (size_t)(at - t->seen);
	memmove(t->seen, at, t->n + 1);
}

static void types(struct terminal *t, const char *bytes, size_t len)
{
	assert_int_equal(write(t->master, bytes, len), len);
}

static bool is_raw(const struct terminal *t)
{
	struct termios now;

	assert_int_equal(tcgetattr(t->slave, &now), 0);
	return !(now.c_lflag & (ICANON | ECHO)) && !(now.c_oflag & OPOST);
}

static void becomes_raw(const struct terminal *t)
{
	for (int i = 0; i < 6000 && !is_raw(t); i++)
		usleep(10000);
	assert_true(is_raw(t));
}

static int ends(struct terminal *t)
{
	int status;

	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_false(is_raw(t));
	close(t->master);
	close(t->slave);
	return status;
}

static void guest_gets(const char *want)
{
	char got[64] = "";
	size_t n = 0;

	while (n < strlen(want))
		n += crig_receive(&rig, 0, got + n, (uint32_t)(sizeof(got) - 1 - n));
	assert_string_equal(got, want);
}

static int begin(void **state)
{
	(void)state;
	crig_init(&rig, NULL, 0);
	crig_start(&rig, 1, 16, 0);
	service_prepare(&service, &ops);
	service_run(&service);
	return 0;
}

static int end(void **state)
{
	(void)state;
	service_halt(&service);
	service_free(&service);
	crig_free(&rig);
	return 0;
}

static void test_terminal(void **state)
{
	struct winsize size = { .ws_col = 123, .ws_row = 45 };
	struct hv_console_info info = { 0 };
	struct terminal t;

	(void)state;
	crig_puts(&rig, "what was before it");
	start(&t, "plain", -1, -1);
	sees(&t, "hvsh: rig/hvc0: attached (Ctrl-] ends)\r\n");
	sees(&t, "what was before it");
	becomes_raw(&t);
	crig_puts(&rig, "\x1b[1mlogin\x1b[m: ");
	sees(&t, "\x1b[1mlogin\x1b[m: ");
	types(&t, "root\r", 5);
	guest_gets("root\r");
	types(&t, "\x03\x1a\x1c", 3);
	guest_gets("\x03\x1a\x1c");
	types(&t,
	      "a\x1d\x1d"
	      "b",
	      4);
	guest_gets("a\x1d"
		   "b");
	assert_int_equal(ioctl(t.master, TIOCSWINSZ, &size), 0);
	for (int i = 0; i < 6000 && info.cols != 123; i++) {
		usleep(10000);
		hv_console_port_info(&rig.dev, 0, &info);
	}
	assert_int_equal(info.cols, 123);
	assert_int_equal(info.rows, 45);
	types(&t, "\x1d", 1);
	sees(&t, "\r\nhvsh: rig/hvc0: detached\r\n");
	assert_int_equal(ends(&t), 0);
}

static void test_signals(void **state)
{
	static const int signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	struct terminal t;
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		start(&t, "plain", -1, -1);
		sees(&t, "attached");
		becomes_raw(&t);
		kill(t.pid, signals[i]);
		sees(&t, "detached");
		status = ends(&t);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
	}
	start(&t, "plain", -1, -1);
	sees(&t, "attached");
	becomes_raw(&t);
	kill(t.pid, SIGTSTP);
	assert_int_equal(waitpid(t.pid, &status, WUNTRACED), t.pid);
	assert_true(WIFSTOPPED(status));
	assert_false(is_raw(&t));
	kill(t.pid, SIGCONT);
	becomes_raw(&t);
	types(&t, "x", 1);
	guest_gets("x");
	/* A crash leaves a usable terminal, too. */
	kill(t.pid, SIGSEGV);
	assert_int_not_equal(ends(&t), 0);
}

static void test_readonly(void **state)
{
	struct terminal a, b, c;
	char want[160];

	(void)state;
	start(&a, "plain", -1, -1);
	sees(&a, "attached");
	becomes_raw(&a);
	types(&a, "1", 1);
	guest_gets("1");
	start(&b, "plain", -1, -1);
	snprintf(want, sizeof(want),
		 "hvsh: rig/hvc0: read-only: hvsh console (pid %d) has the keyboard; hvsh console "
		 "--force rig/hvc0 takes it\r\n",
		 (int)a.pid);
	sees(&b, want);
	types(&b, "x", 1);
	sees(&b, "\a");
	start(&c, "readonly", -1, -1);
	sees(&c, "attached, read-only (Ctrl-] ends)\r\n");
	crig_puts(&rig, "for all");
	sees(&a, "for all");
	sees(&b, "for all");
	sees(&c, "for all");
	/* It types nothing, so Ctrl-C is for it. */
	becomes_raw(&c);
	types(&c, "\x03", 1);
	assert_true(WIFSIGNALED(ends(&c)));
	types(&a, "\x1d.", 2);
	assert_int_equal(ends(&a), 0);
	sees(&b, "the keyboard is yours\r\n");
	types(&b, "y", 1);
	guest_gets("y");
	start(&a, "force", -1, -1);
	sees(&a, "attached");
	becomes_raw(&a);
	types(&a, "z", 1);
	guest_gets("z");
	crig_puts(&rig, "echo");
	sees(&b, "read-only: hvsh console (pid ");
	types(&a, "\x1d.", 2);
	types(&b, "\x1d.", 2);
	assert_int_equal(ends(&a), 0);
	assert_int_equal(ends(&b), 0);
}

static void test_ends(void **state)
{
	struct terminal t;
	int status;

	(void)state;
	start(&t, "wrong", -1, -1);
	sees(&t, "hvsh: there is no such console\r\n");
	assert_int_equal(WEXITSTATUS(ends(&t)), 1);

	start(&t, "plain", -1, -1);
	sees(&t, "attached");
	becomes_raw(&t);
	service_halt(&service);
	crig_puts(&rig, "oops");
	crig_free(&rig);
	service_run(&service);
	sees(&t, "oops\r\nhvsh: rig/hvc0: zone rig ended\r\n");
	assert_int_equal(ends(&t), 0);

	service_halt(&service);
	crig_init(&rig, NULL, 0);
	service_run(&service);
	start(&t, "plain", -1, -1);
	sees(&t, "attached");
	becomes_raw(&t);
	service_halt(&service);
	service_free(&service);
	sees(&t, "ended the connection: the test is over\r\n");
	status = ends(&t);
	assert_int_equal(WEXITSTATUS(status), 1);
	crig_free(&rig);
}

static size_t contents(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	assert_true(n >= 0);
	to[n] = '\0';
	return (size_t)n;
}

/* A pipe gives up to this text. */
static bool raw_piped(int fd, const char *text)
{
	char got[256] = "";
	size_t n = 0;

	while (!strstr(got, text)) {
		ssize_t more = read(fd, got + n, sizeof(got) - 1 - n);

		if (more <= 0)
			return false;
		n += (size_t)more;
	}
	return true;
}

/* Without a terminal: every byte as it is, both ways, and an end. */
static void test_pipe(void **state)
{
	char path[] = "/tmp/hvsh-attach-XXXXXX", got[256];
	struct terminal t;
	int in[2], status, out = mkstemp(path);

	(void)state;
	unlink(path);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	start(&t, "patient", in[0], out);
	sees(&t, "hvsh: rig/hvc0: attached\r\n");
	assert_int_equal(write(in[1],
			       "\x1d\x1d\x03"
			       "bytes\n",
			       9),
			 9);
	close(in[1]);
	guest_gets("\x1d\x1d\x03"
		   "bytes\n");
	/* What is said after the end of the input is still shown. */
	crig_puts(&rig, "answer\r\n");
	for (int i = 0; i < 6000 && contents(out, got, sizeof(got)) < strlen("answer\r\n"); i++)
		usleep(10000);
	assert_string_equal(got, "answer\r\n");
	kill(t.pid, SIGTERM);
	sees(&t, "detached");
	assert_true(WIFSIGNALED(ends(&t)));
	close(in[0]);

	/* A file as input. */
	assert_int_equal(ftruncate(out, 0), 0);
	assert_int_equal(pwrite(out, "from a file", 11, 0), 11);
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	in[0] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	start(&t, "plain", out, in[0]);
	guest_gets("from a file");
	assert_int_equal(ends(&t), 0);
	close(in[0]);

	/* A reader that goes away ends it; input that is read from nobody does not. */
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	start(&t, "readonly", open("/dev/null", O_RDONLY | O_CLOEXEC), in[1]);
	sees(&t, "attached");
	crig_puts(&rig, "seen");
	assert_true(raw_piped(in[0], "seen"));
	close(in[0]);
	close(in[1]);
	crig_puts(&rig, "not seen");
	status = ends(&t);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGPIPE);
	close(out);
}

static void test_local(void **state)
{
	struct terminal t;

	(void)state;
	start(&t, "local", -1, -1);
	sees(&t, "hvsh: rig/hvc0: attached (Ctrl-] ends)\r\n");
	sees(&t, "local guest\r\n");
	becomes_raw(&t);
	types(&t, "back\x1d\x1d", 6);
	sees(&t, "back\x1d");
	types(&t, "\x1d", 1);
	sees(&t, "\r\nhvsh: rig/hvc0: detached\r\n");
	assert_int_equal(ends(&t), 0);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_terminal, begin, end),
		cmocka_unit_test_setup_teardown(test_signals, begin, end),
		cmocka_unit_test_setup_teardown(test_readonly, begin, end),
		cmocka_unit_test_setup(test_ends, begin),
		cmocka_unit_test_setup_teardown(test_pipe, begin, end),
		cmocka_unit_test(test_local),
	};

	if (argc > 2)
		return program(argv[1], argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
