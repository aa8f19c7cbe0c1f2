// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/core/sandbox/sandbox_rig.h"

#include <sys/socket.h>
#include <sys/un.h>

static struct hv_err err;

static bool reads(const char *path, const char *text)
{
	int fd = hv_opener_open(path, O_RDONLY | O_CLOEXEC, 0);
	char got[64] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof(got) - 1);

	if (fd >= 0)
		close(fd);
	return n >= 0 && !strcmp(got, text);
}

static bool refuses(int result)
{
	return result < 0 && (errno == EACCES || errno == EPERM);
}

/* The folder "run" is the service's own. */
static void close_with_opener(const char *socket)
{
	CHECK(!hv_opener_start(socket, NULL, &err));
	CHECK(!mkdir(rig_path("run"), 0700) || errno == EEXIST);
	hv_opener_allow(HV_ALLOW_WRITE | HV_ALLOW_BENEATH, rig_path("run"));
	rig_close_sandbox();
	rig_need(hv_sandbox_state()->landlock,
		 "Landlock, without which files can be opened directly");
	CHECK(hv_sandbox_state()->opener);
}

static void opens_again(void)
{
	int fd;

	rig_write("image", "one");
	rig_write("other", "two");
	rig_write("log", "three");
	fd = hv_opener_open(rig_path("image"), O_RDONLY | O_CLOEXEC, 0);
	CHECK(fd >= 0 && !close(fd));
	fd = hv_opener_open(rig_path("log"), O_WRONLY | O_CLOEXEC, 0);
	CHECK(fd >= 0 && !close(fd));
	close_with_opener(NULL);
	CHECK(refuses(open(rig_path("image"), O_RDONLY)));
	CHECK(reads(rig_path("image"), "one"));
	CHECK(refuses(hv_opener_open(rig_path("image"), O_RDWR, 0)));
	CHECK(refuses(hv_opener_open(rig_path("other"), O_RDONLY, 0)));
	CHECK(refuses(hv_opener_open("/etc/shadow", O_RDONLY, 0)));
	CHECK(refuses(hv_opener_open("/etc/passwd", O_WRONLY, 0)));
	CHECK(!hv_opener_access(rig_path("image"), R_OK));
	fd = hv_opener_open(rig_path("log"), O_WRONLY | O_APPEND, 0);
	CHECK(fd >= 0 && write(fd, "!", 1) == 1);
	/* What is said now comes too late. */
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("other"));
	CHECK(refuses(hv_opener_open(rig_path("other"), O_RDONLY, 0)));
}

static void test_opens_again(void **state)
{
	(void)state;
	rig_run(opens_again);
}

static void names(void)
{
	int fd;

	rig_write("log", "now");
	rig_write("log.x", "x");
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("log"));
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("new"));
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("link"));
	close_with_opener(NULL);
	CHECK(!hv_opener_rename(rig_path("log"), rig_path("log.1")));
	CHECK(!hv_opener_rename(rig_path("log.1"), rig_path("log.2")));
	CHECK(reads(rig_path("log.2"), "now"));
	CHECK(refuses(hv_opener_rename(rig_path("log.2"), rig_path("elsewhere"))));
	CHECK(refuses(hv_opener_rename(rig_path("log.x"), rig_path("log.3"))));
	fd = hv_opener_open(rig_path("log"), O_WRONLY | O_CREAT | O_APPEND, 0640);
	CHECK(fd >= 0 && write(fd, "new", 3) == 3 && !close(fd));
	fd = hv_opener_open(rig_path("new"), O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && !close(fd));
	CHECK(hv_opener_open(rig_path("new"), O_RDWR | O_CREAT | O_EXCL, 0600) < 0);
	CHECK(refuses(hv_opener_open(rig_path("beside"), O_RDWR | O_CREAT, 0600)));
	CHECK(refuses(hv_opener_symlink("/etc/shadow", rig_path("link"))));
	CHECK(!hv_opener_symlink("/dev/pts/7", rig_path("link")));
	CHECK(!hv_opener_unlink(rig_path("link")));
	CHECK(refuses(hv_opener_unlink(rig_path("log.x"))));
}

static void test_names(void **state)
{
	(void)state;
	rig_run(names);
}

/* A name that the service can make lead elsewhere is no way out. */
static void links(void)
{
	rig_write("secret", "secret");
	CHECK(!mkdir(rig_path("run"), 0700));
	rig_write("run/disk", "disk");
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("run/disk"));
	close_with_opener(NULL);
	CHECK(reads(rig_path("run/disk"), "disk"));
	CHECK(!unlink(rig_path("run/disk")));
	CHECK(!symlink(rig_path("secret"), rig_path("run/disk")));
	CHECK(!symlink(rig_dir, rig_path("run/up")));
	CHECK(refuses(hv_opener_open(rig_path("run/disk"), O_RDONLY, 0)));
	CHECK(refuses(hv_opener_open(rig_path("run/disk"), O_WRONLY, 0)));
	CHECK(refuses(hv_opener_open(rig_path("run/up/secret"), O_RDONLY, 0)));
	CHECK(refuses(hv_opener_open(rig_path("run/up/new"), O_WRONLY | O_CREAT, 0600)));
	CHECK(refuses(hv_opener_open(rig_path("run/../secret"), O_RDONLY, 0)));
	CHECK(refuses(hv_opener_rename(rig_path("run/disk"), rig_path("secret"))));
	CHECK(link(rig_path("secret"), rig_path("run/hard")) < 0);
}

static void test_links(void **state)
{
	(void)state;
	rig_run(links);
}

/* The same name leads to another file, made by somebody else: as with a disk that is plugged again.
 */
static void plugged_again(void)
{
	rig_write("first", "1");
	rig_write("second", "2");
	CHECK(!symlink("first", rig_path("by-id")));
	hv_opener_allow(HV_ALLOW_READ, rig_path("by-id"));
	close_with_opener(NULL);
	CHECK(reads(rig_path("by-id"), "1"));
	CHECK(refuses(hv_opener_open(rig_path("second"), O_RDONLY, 0)));
}

static void test_plugged_again(void **state)
{
	(void)state;
	rig_run(plugged_again);
}

static void only_files(void)
{
	CHECK(!mkfifo(rig_path("fifo"), 0600));
	hv_opener_allow(HV_ALLOW_WRITE, rig_path("fifo"));
	hv_opener_allow(HV_ALLOW_WRITE, rig_dir);
	hv_opener_allow(HV_ALLOW_WRITE, "/dev/full");
	close_with_opener(NULL);
	CHECK(refuses(hv_opener_open(rig_path("fifo"), O_RDWR, 0)));
	CHECK(hv_opener_open(rig_dir, O_RDWR, 0) < 0);
	CHECK(refuses(hv_opener_open("/dev/full", O_RDWR, 0)));
}

static void test_only_files(void **state)
{
	(void)state;
	rig_run(only_files);
}

static bool grant(const char *socket, const char *path)
{
	const struct hv_opener_grant grants[] = { { HV_ALLOW_READ, path } };

	return !hv_opener_grant(socket, grants, 1, &err);
}

/*
 * A command is another process than the service: it is started before the sandbox closes, waits,
 * and says how it went.
 */
static void command(void)
{
	int go[2], done[2];
	char ok = 0;

	rig_write("later", "later");
	CHECK(!pipe(go) && !pipe(done));
	CHECK(!mkdir(rig_path("run"), 0700));
	CHECK(!hv_opener_start(rig_path("run/opener"), NULL, &err));
	if (!fork()) {
		/* The end of the service, should that fail, is then seen here. */
		close(go[1]);
		CHECK(read(go[0], &ok, 1) == 1);
		ok = grant(rig_path("run/opener"), rig_path("later"));
		CHECK(write(done[1], &ok, 1) == 1);
		_exit(0);
	}
	close_with_opener(rig_path("run/opener"));
	CHECK(refuses(hv_opener_open(rig_path("later"), O_RDONLY, 0)));
	CHECK(!grant(rig_path("run/opener"), rig_path("later")));
	CHECK(refuses(hv_opener_open(rig_path("later"), O_RDONLY, 0)));
	CHECK(write(go[1], "g", 1) == 1 && read(done[0], &ok, 1) == 1);
	CHECK(ok);
	CHECK(reads(rig_path("later"), "later"));
}

static void test_command(void **state)
{
	(void)state;
	rig_run(command);
}

/* Even without the filter of system calls the service cannot allow itself anything. */
static void allows_itself(void)
{
	CHECK(!mkdir(rig_path("run"), 0700));
	rig_write("later", "later");
	CHECK(!hv_opener_start(rig_path("run/opener"), NULL, &err));
	CHECK(!grant(rig_path("run/opener"), rig_path("later")));
}

static void test_allows_itself(void **state)
{
	(void)state;
	rig_run(allows_itself);
}

/* A service that ends does not take the next one's socket along. */
static void next_one(void)
{
	CHECK(!mkdir(rig_path("run"), 0700));
	CHECK(!hv_opener_start(rig_path("run/opener"), NULL, &err));
	CHECK(!access(rig_path("run/opener"), F_OK));
	hv_opener_unlisten();
	CHECK(access(rig_path("run/opener"), F_OK));
	rig_write("run/opener", "of the next one");
	hv_opener_stop();
	CHECK(reads(rig_path("run/opener"), "of the next one"));
}

static void test_next_one(void **state)
{
	(void)state;
	rig_run(next_one);
}

static int answer(const void *arg, size_t len, bool (*allowed)(unsigned int what, const char *name),
		  void *reply, size_t *reply_len, int *fds, unsigned int *n_fds, struct hv_err *e)
{
	if (!allowed(HV_ALLOW_TAP, arg))
		return hv_err_set(e, EPERM, "no %s", (const char *)arg);
	*reply_len = strcmp(arg, "silent") != 0 && len ? 4 : 0;
	memcpy(reply, "done", *reply_len);
	fds[(*n_fds)++] = open("/proc/self/comm", O_RDONLY);
	return 0;
}

static void calls(void)
{
	char reply[16] = "", comm[32] = "";
	size_t len = sizeof(reply);
	int fds[HV_OPENER_FDS];
	unsigned int n = 0;

	CHECK(hv_opener_call("tap0", 5, reply, &len, fds, &n, &err) == -ENOSYS);
	CHECK(!hv_opener_start(NULL, answer, &err));
	hv_opener_allow(HV_ALLOW_TAP, "tap0");
	hv_opener_allow(HV_ALLOW_TAP, "silent");
	CHECK(!hv_opener_seal(&err));
	CHECK(!hv_opener_call("tap0", 5, reply, &len, fds, &n, &err));
	CHECK(n == 1 && len == 4 && !memcmp(reply, "done", 4));
	CHECK(read(fds[0], comm, sizeof(comm)) > 0 && !strcmp(comm, "hvsh-opener\n"));
	len = sizeof(reply);
	CHECK(hv_opener_call("tap1", 5, reply, &len, fds, &n, &err) == -EPERM);
	CHECK(!strcmp(err.msg, "no tap1"));
	/* For descriptors alone. */
	len = 0;
	CHECK(!hv_opener_call("silent", 7, NULL, &len, fds, &n, &err) && n == 1 && !len);
	CHECK(hv_opener_call("tap0", 5, NULL, &len, fds, &n, &err) == -EPROTO && n == 1);
}

static void test_calls(void **state)
{
	(void)state;
	rig_run(calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_opens_again, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_names, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_links, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_plugged_again, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_only_files, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_command, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_allows_itself, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_next_one, rig_make_dir, rig_remove_dir),
		cmocka_unit_test_setup_teardown(test_calls, rig_make_dir, rig_remove_dir),
	};

	return cmocka_run_group_tests_name("opener", tests, NULL, NULL);
}
