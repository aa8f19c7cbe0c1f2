// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sandbox/caps.h"
#include "sandbox/cell.h"
#include "sandbox/sandbox_priv.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the C library takes beside what is asked of it. */
#define SPARE (UINT64_C(8) << 20)

/* Computing, memory, time, and what is open. */
static const char *const allowed[] = {
	"read",
	"write",
	"recvfrom",
	"sendto",
	"recvmsg",
	"sendmsg",
	"recv",
	"send",
	"brk",
	"munmap",
	"mremap",
	"madvise",
	"futex",
	"clock_gettime",
	"clock_gettime64",
	"gettimeofday",
	"time",
	"getrandom",
	"rt_sigreturn",
	"rt_sigprocmask",
	"exit",
	"exit_group",
	"restart_syscall",
};

/* Sanitizers need more than can be listed. */
static const char *const deadly[] = {
	"execve",     "execveat", "fork",   "vfork", "socket",
	"socketpair", "connect",  "ptrace", "bpf",   "mount",
};

/* mmap and mprotect, but nothing that is run. */
static int add_memory(scmp_filter_ctx ctx)
{
	static const char *const names[] = { "mmap", "mmap2", "mprotect" };
	const struct scmp_arg_cmp data = {
		.arg = 2,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = PROT_EXEC,
		.datum_b = 0,
	};
	int rc = 0;

	for (size_t i = 0; i < COUNT(names) && !rc; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number >= 0)
			rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, 1, &data);
	}
	return rc;
}

static int filter(struct hv_err *err)
{
	scmp_filter_ctx ctx;
	int rc;

	if (seccomp_api_get() < 1)
		return hv_err_set(err, EOPNOTSUPP, "this kernel has no seccomp filter");
	ctx = seccomp_init(SANDBOX_SANITIZER ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
	if (!ctx)
		return hv_err_nomem(err);
	if (SANDBOX_SANITIZER) {
		rc = sandbox_filter_add(ctx, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
	} else {
		rc = sandbox_filter_add(ctx, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
		if (!rc)
			rc = add_memory(ctx);
	}
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc ? hv_err_sys(err, EOPNOTSUPP, "loading a seccomp filter") : 0;
}

/* Bytes of address space that are in use. */
static uint64_t in_use(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;

	if (f) {
		if (fscanf(f, "%llu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int bound(int resource, rlim_t value)
{
	const struct rlimit limit = { value, value };

	return setrlimit(resource, &limit) ? -errno : 0;
}

static int bound_all(size_t memory)
{
	static const int none[] = { RLIMIT_NOFILE, RLIMIT_NPROC,   RLIMIT_FSIZE,
				    RLIMIT_CORE,   RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE };
	uint64_t used = in_use();
	int rc = 0;

	/* The shadow of a sanitizer is larger than any limit. */
	if (!SANDBOX_SANITIZER)
		rc = used ? bound(RLIMIT_AS, used + memory + SPARE) : -ENOENT;
	for (size_t i = 0; i < COUNT(none) && !rc; i++)
		if (!SANDBOX_SANITIZER || none[i] != RLIMIT_NOFILE)
			rc = bound(none[i], 0);
	return rc;
}

int hv_cell_confine(int fd, size_t memory, struct hv_err *err)
{
	int rc;

	sandbox_close_but(fd, -1);
	rc = bound_all(memory);
	if (rc < 0)
		return hv_err_sys(err, -rc, "bounding what its process may use");
	rc = hv_caps_keep(0);
	if (!rc && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		rc = -errno;
	if (rc < 0)
		return hv_err_sys(err, -rc, "giving up the rights of its process");
	return filter(err);
}
