// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "far_box.h"
#include "self.h"
#include "srig.h"
#include "virtio/state_priv.h"

static void must(struct far_box *box, int rc)
{
	if (rc < 0)
		fail_msg("%d: %s", rc, box->err.msg);
}

void *far_box_trouble(struct far_box *box, const char *fmt, ...)
{
	va_list ap;

	if (!atomic_exchange(&box->in_trouble, true)) {
		va_start(ap, fmt);
		vsnprintf(box->trouble, sizeof(box->trouble), fmt, ap);
		va_end(ap);
	}
	return NULL;
}

void far_box_check(struct far_box *box)
{
	if (atomic_load(&box->in_trouble))
		fail_msg("%s", box->trouble);
}

void far_box_await(struct far_box *box, const _Atomic uint64_t *counter, uint64_t wanted,
		   const char *what)
{
	uint64_t until = hv_now() + SRIG_LONG;

	while (!atomic_load(&box->in_trouble) && atomic_load(counter) < wanted) {
		if (hv_now() > until)
			fail_msg("%s do not get on: %llu of %llu", what,
				 (unsigned long long)atomic_load(counter),
				 (unsigned long long)wanted);
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	far_box_check(box);
}

/* The hypercall of the service, made here. */
static void *run_hypervisor(void *arg)
{
	struct far_box *box = arg;
	struct pollfd fd = { .fd = box->call, .events = POLLIN };
	struct hv_err why;
	uint64_t n;

	while (!atomic_load(&box->quit)) {
		if (poll(&fd, 1, 100) > 0 && read(box->call, &n, sizeof(n)) == sizeof(n) &&
		    hv_hyp_inject(box->hyp, &why) < 0)
			far_box_trouble(box, "inject: %s", why.msg);
	}
	return NULL;
}

static void make_file(struct far_box *box, const char *name, size_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", box->dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

char *far_box_read(struct far_box *box, const char *name, size_t *size)
{
	char path[128], *bytes;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", box->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*size = (size_t)st.st_size;
	bytes = malloc(*size + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *size), *size);
	bytes[*size] = '\0';
	close(fd);
	return bytes;
}

void far_box_write(struct far_box *box, const char *name, off_t at, const void *bytes, size_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", box->dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, at), size);
	close(fd);
}

const char *far_box_kept(unsigned int device, char name[64])
{
	snprintf(name, 64, "devices/1-%llx-200", (unsigned long long)SRIG_SLOT(device));
	return name;
}

unsigned int far_box_in_flight(struct far_box *box, unsigned int device, unsigned int queue)
{
	struct state_file *kept;
	unsigned int n = 0;
	char name[64];
	size_t size;

	kept = (struct state_file *)(void *)far_box_read(box, far_box_kept(device, name), &size);
	assert_int_equal(size, sizeof(*kept));
	for (unsigned int i = 0; i < HV_QUEUE_MAX; i++)
		n += kept->queues[queue].taken[i] != 0;
	free(kept);
	return n;
}

void far_box_start(struct far_box *box, int adopted, char text[512])
{
	char wakeup[16], call[16], ready[16], wanted[16], said[512] = "";
	const char *serial = box->serial, *policy = box->policy;
	int pipes[2];
	ssize_t n;

	assert_int_equal(pipe(pipes), 0);
	snprintf(wakeup, sizeof(wakeup), "%d", box->wakeup);
	snprintf(call, sizeof(call), "%d", box->call);
	snprintf(ready, sizeof(ready), "%d", pipes[1]);
	snprintf(wanted, sizeof(wanted), "%d", adopted);
	box->service = fork();
	assert_true(box->service >= 0);
	if (!box->service) {
		fcntl(box->wakeup, F_SETFD, 0);
		exec_self((const char *const[]){ "far", "--serve", box->dir, wakeup, call, ready,
						 wanted, serial, policy, box->screen ? "1" : "0",
						 NULL });
		_exit(127);
	}
	close(pipes[1]);
	n = read(pipes[0], said, sizeof(said) - 1);
	close(pipes[0]);
	assert_true(n >= 1);
	if (adopted >= 0)
		assert_int_equal(said[0], FAR_READY);
	else
		strcpy(text, said);
}

void far_box_end(struct far_box *box, int signal)
{
	int status;

	if (signal)
		kill(box->service, signal);
	assert_int_equal(waitpid(box->service, &status, 0), box->service);
	box->service = 0;
	if (signal == SIGKILL)
		assert_true(WIFSIGNALED(status));
	else
		assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

bool far_box_serves(int argc, char **argv, int *code)
{
	if (argc != 10 || strcmp(argv[1], "--serve") != 0)
		return false;
	*code = far_service(argv + 2);
	return true;
}

void far_box_open(struct far_box *box, size_t disk)
{
	static const struct hv_sim_ram ram = { FAR_RAM, FAR_RAM_SIZE };
	struct hv_abi_zone zone = srig_zone(1);
	struct hv_sim_opts sim = {
		.arch = HV_ARCH_ARM64,
		.layout = HV_LAYOUT_6,
		.n_cpus = 4,
		.root_cpus = 0x3,
		.ram = &ram,
		.n_ram = 1,
		.state_dir = box->dir,
	};
	struct hv_guests_opts guests = { .manual = true };
	struct hv_bridge_page *page;

	box->serial = "one";
	box->policy = "none";
	snprintf(box->dir, sizeof(box->dir), "/tmp/hvsh-adopt-XXXXXX");
	assert_non_null(mkdtemp(box->dir));
	make_file(box, "disk", disk);
	make_file(box, "log", 0);
	must(box, hv_hyp_open_sim(&sim, &box->hyp, &box->err));
	must(box, hv_guests_new(box->hyp, &guests, &box->guests, &box->err));
	must(box, hv_hyp_bridge(box->hyp, &page, &box->err));
	must(box, hv_hyp_wakeup_fd(box->hyp, &box->wakeup, &box->err));
	box->call = eventfd(0, EFD_NONBLOCK);
	assert_true(box->call >= 0);
	must(box, hv_hyp_zone_start(box->hyp, &zone, &box->err));
	box->guest = hv_guest_get(box->guests, 1);
	assert_non_null(box->guest);
	assert_int_equal(pthread_create(&box->hypervisor, NULL, run_hypervisor, box), 0);
}

void far_box_close(struct far_box *box, void (*join)(void))
{
	char command[128];

	if (box->service) {
		kill(box->service, SIGKILL);
		waitpid(box->service, NULL, 0);
	}
	hv_hyp_zone_stop(box->hyp, 1, &box->err);
	if (join)
		join();
	atomic_store(&box->quit, true);
	pthread_join(box->hypervisor, NULL);
	hv_guest_put(box->guest);
	hv_guests_free(box->guests);
	hv_hyp_close(box->hyp);
	close(box->call);
	snprintf(command, sizeof(command), "rm -r %s", box->dir);
	assert_int_equal(system(command), 0);
}
