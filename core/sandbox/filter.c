// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "sandbox/sandbox_priv.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What the service, Lua and the C library do in the whole life that follows. */
static const char *const allowed[] = {
	/* descriptors */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"preadv",
	"pwritev",
	"preadv2",
	"pwritev2",
	"close",
	"close_range",
	"lseek",
	"_llseek",
	"dup",
	"dup2",
	"dup3",
	"fcntl",
	"fcntl64",
	"flock",
	"fsync",
	"fdatasync",
	"sync_file_range",
	"fallocate",
	"ftruncate",
	"ftruncate64",
	"pipe",
	"pipe2",
	"copy_file_range",
	"sendfile",
	/* files */
	"open",
	"openat",
	"openat2",
	"creat",
	"stat",
	"lstat",
	"fstat",
	"stat64",
	"lstat64",
	"fstat64",
	"newfstatat",
	"fstatat64",
	"statx",
	"statfs",
	"fstatfs",
	"statfs64",
	"fstatfs64",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents64",
	"getcwd",
	"rename",
	"renameat",
	"renameat2",
	"unlink",
	"unlinkat",
	"symlink",
	"symlinkat",
	"mkdir",
	"mkdirat",
	"rmdir",
	"truncate",
	"fchmod",
	"umask",
	"utimensat",
	"inotify_init1",
	"inotify_add_watch",
	"inotify_rm_watch",
	/* waiting */
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"signalfd4",
	"nanosleep",
	"clock_nanosleep",
	"futex",
	"futex_waitv",
	"restart_syscall",
	/* memory */
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"brk",
	"mincore",
	"msync",
	"memfd_create",
	"membarrier",
	"riscv_flush_icache",
	/* time, the process, threads */
	"clock_gettime",
	"clock_getres",
	"gettimeofday",
	"time",
	"times",
	"getrandom",
	"getpid",
	"gettid",
	"getppid",
	"getpgrp",
	"getpgid",
	"getsid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"uname",
	"sysinfo",
	"getrusage",
	"getrlimit",
	"prlimit64",
	"getcpu",
	"sched_yield",
	"sched_getaffinity",
	"sched_getattr",
	"sched_setattr",
	"sched_getparam",
	"sched_getscheduler",
	"set_robust_list",
	"get_robust_list",
	"set_tid_address",
	"rseq",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigpending",
	"rt_sigtimedwait",
	"rt_sigsuspend",
	"sigaltstack",
	"wait4",
	"waitid",
	"exit",
	"exit_group",
	"capget",
	/* sockets */
	"sendto",
	"recvfrom",
	"sendmsg",
	"recvmsg",
	"sendmmsg",
	"recvmmsg",
	"shutdown",
	"bind",
	"listen",
	"accept",
	"accept4",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"socketpair",
	/* disks */
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
};

/* What only somebody tries who has taken the process over. */
static const char *const deadly[] = {
	"execve",
	"execveat",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"process_madvise",
	"pidfd_getfd",
	"kcmp",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"init_module",
	"finit_module",
	"delete_module",
	"create_module",
	"kexec_load",
	"kexec_file_load",
	"bpf",
	"setns",
	"unshare",
	"reboot",
	"swapon",
	"swapoff",
	"perf_event_open",
	"add_key",
	"request_key",
	"keyctl",
	"userfaultfd",
	"iopl",
	"ioperm",
	"acct",
	"quotactl",
	"quotactl_fd",
	"settimeofday",
	"clock_settime",
	"clock_adjtime",
	"adjtimex",
	"sethostname",
	"setdomainname",
	"open_by_handle_at",
	"fanotify_init",
	"mknod",
	"mknodat",
	"vhangup",
	"syslog",
	"modify_ldt",
	"uselib",
	"nfsservctl",
};

/* The C library and sanitizers ask whether these are there, and have another way. */
static const char *const unknown[] = { "clone3", "statmount", "listmount", "map_shadow_stack" };

/*
 * A new process: the C library asks for it with all signals blocked, and SIGSYS would then end this
 * one. connect: nobody is called from here on, and a socket that may be left over is asked whether
 * somebody answers.
 */
static const char *const quiet[] = { "fork", "vfork", "connect" };

int sandbox_filter_add(void *ctx, uint32_t action, const char *const *names, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		/* Negative: not on this architecture, or younger than the library. */
		if (number >= 0)
			rc = seccomp_rule_add(ctx, action, number, 0);
	}
	return rc;
}

/* The system call when its argument number `arg`, of which only the bits of mask count, is value.
 */
static int add_one(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned int arg,
		   uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp cmp = {
		.arg = arg,
		.op = SCMP_CMP_MASKED_EQ,
		.datum_a = mask,
		.datum_b = value,
	};
	int number = seccomp_syscall_resolve_name(name);

	return number < 0 ? 0 : seccomp_rule_add_array(ctx, action, number, 1, &cmp);
}

/*
 * All of them but TIOCSTI, which types at the terminal the service was started from. The kernel
 * looks at 32 bits: a request is another one when one of those differs.
 */
static int add_ioctl(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (unsigned int i = 0; i < 32 && !rc; i++)
		rc = add_one(ctx, SCMP_ACT_ALLOW, "ioctl", 1, UINT64_C(1) << i,
			     ~(uint64_t)TIOCSTI & UINT64_C(1) << i);
	return rc;
}

/* Screens hear of cables by them; no other netlink, which would change networks. */
static int add_uevents(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp cmp[] = {
		{ .arg = 0,
		  .op = SCMP_CMP_MASKED_EQ,
		  .datum_a = UINT32_MAX,
		  .datum_b = AF_NETLINK },
		{ .arg = 2,
		  .op = SCMP_CMP_MASKED_EQ,
		  .datum_a = UINT32_MAX,
		  .datum_b = NETLINK_KOBJECT_UEVENT },
	};
	int number = seccomp_syscall_resolve_name("socket");

	return number < 0 ? 0
			  : seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, number, COUNT(cmp), cmp);
}

/* Those that are fine with some arguments. */
static int add_particular(scmp_filter_ctx ctx)
{
	static const uint32_t prctls[] = { PR_SET_NAME,	    PR_GET_NAME,	 PR_GET_DUMPABLE,
					   PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP,
					   0x53564d41 /* PR_SET_VMA: names for memory */ };
	const uint64_t self = (uint64_t)getpid(), whole = UINT32_MAX;
	int rc = add_ioctl(ctx);

	if (!rc)
		rc = add_one(ctx, SCMP_ACT_ALLOW, "clone", 0, CLONE_THREAD, CLONE_THREAD);
	if (!rc)
		rc = add_one(ctx, SCMP_ACT_ERRNO(EPERM), "clone", 0, CLONE_THREAD, 0);
	/* Signals to itself: threads, abort. */
	if (!rc)
		rc = add_one(ctx, SCMP_ACT_ALLOW, "tgkill", 0, whole, self);
	if (!rc)
		rc = add_one(ctx, SCMP_ACT_ALLOW, "kill", 0, whole, self);
	if (!rc)
		rc = add_one(ctx, SCMP_ACT_ALLOW, "socket", 0, whole, AF_UNIX);
	if (!rc)
		rc = add_uevents(ctx);
	for (size_t i = 0; i < COUNT(prctls) && !rc; i++)
		rc = add_one(ctx, SCMP_ACT_ALLOW, "prctl", 0, whole, prctls[i]);
	return rc;
}

static int add_allowed(scmp_filter_ctx ctx)
{
	int rc = sandbox_filter_add(ctx, SCMP_ACT_ALLOW, allowed, COUNT(allowed));

	if (!rc)
		rc = sandbox_filter_add(ctx, SCMP_ACT_ERRNO(ENOSYS), unknown, COUNT(unknown));
	if (!rc)
		rc = sandbox_filter_add(ctx, SCMP_ACT_ERRNO(EPERM), quiet, COUNT(quiet));
	return rc ? rc : add_particular(ctx);
}

int sandbox_filter(struct hv_err *err)
{
	scmp_filter_ctx ctx;
	int rc;

	/* The library's own question: is the system call there at all? */
	if (seccomp_api_get() < 2)
		return hv_err_set(err, EOPNOTSUPP,
				  "this kernel has no seccomp filter for all threads");
	/* A sanitizer needs more, by and by; what nobody may do is refused there as well. */
	ctx = seccomp_init(SANDBOX_SANITIZER ? SCMP_ACT_ALLOW : SCMP_ACT_TRAP);
	if (!ctx)
		return hv_err_nomem(err);
	rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A search instead of 150 comparisons; libraries before 2.5 have none. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < COUNT(deadly) && !rc; i++)
		if (!SANDBOX_SANITIZER || strcmp(deadly[i], "ptrace") != 0)
			rc = sandbox_filter_add(ctx, SCMP_ACT_KILL_PROCESS, &deadly[i], 1);
	if (!rc && !SANDBOX_SANITIZER)
		rc = add_allowed(ctx);
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc ? hv_err_sys(err, -rc, "loading a seccomp filter") : 0;
}

/* ---- what is not on the list */

/* Each once: a bit for every number that Linux has, and some. */
static _Atomic uint64_t reported[16];

static size_t put_number(char *out, unsigned int number)
{
	char digits[12];
	size_t n = 0, len;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	len = n;
	while (n)
		*out++ = digits[--n];
	return len;
}

void sandbox_refused(const void *info, void *context)
{
	static const char before[] = "hvsh: error: the sandbox refused system call ";
	static const char after[] = ", which this hvsh should not need (--no-sandbox lifts that)\n";
	unsigned int number = (unsigned int)((const siginfo_t *)info)->si_syscall;
	ucontext_t *uc = context;
	char line[192];
	size_t n = sizeof(before) - 1;

	if (number < 1024 &&
	    !(atomic_fetch_or(&reported[number / 64], UINT64_C(1) << number % 64) >> number % 64 &
	      1)) {
		memcpy(line, before, n);
		n += put_number(line + n, number);
		memcpy(line + n, after, sizeof(after) - 1);
		n += sizeof(after) - 1;
		(void)!write(STDERR_FILENO, line, n);
	}
	/* The call's result. */
#if defined(__x86_64__)
	uc->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	uc->uc_mcontext.regs[0] = (uint64_t)-EPERM;
#elif defined(__riscv)
	uc->uc_mcontext.__gregs[10] = (unsigned long)-EPERM;
#elif defined(__loongarch__)
	uc->uc_mcontext.__gregs[4] = (unsigned long)-EPERM;
#else
#error "where does this architecture have the result of a system call?"
#endif
}
