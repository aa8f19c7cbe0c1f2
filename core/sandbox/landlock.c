// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/opener.h"
#include "sandbox/sandbox_priv.h"

/* The same on every architecture; headers older than 5.13 have neither these nor the structs. */
#define NR_CREATE_RULESET 444
#define NR_ADD_RULE 445
#define NR_RESTRICT_SELF 446

#define CREATE_RULESET_VERSION 1u
#define RULE_PATH_BENEATH 1

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

#define FS_EXECUTE (1u << 0)
#define FS_WRITE_FILE (1u << 1)
#define FS_READ_FILE (1u << 2)
#define FS_READ_DIR (1u << 3)
#define FS_REMOVE_DIR (1u << 4)
#define FS_REMOVE_FILE (1u << 5)
#define FS_MAKE_DIR (1u << 7)
#define FS_MAKE_REG (1u << 8)
#define FS_MAKE_SOCK (1u << 9)
#define FS_MAKE_SYM (1u << 12)
#define FS_VERSION_1 ((1u << 13) - 1)
#define FS_REFER (1u << 13)
#define FS_TRUNCATE (1u << 14)
#define FS_IOCTL_DEV (1u << 15)

#define NET_TCP (3u)

#define DRM_MAJOR 226 /* of graphics cards: in the kernel's list of devices */

/* What says something about a folder, and not of a file. */
#define FS_FILE (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define READ (FS_READ_FILE | FS_READ_DIR)
#define USE (READ | FS_WRITE_FILE | FS_IOCTL_DEV)
#define WRITE                                                                                      \
	(READ | FS_WRITE_FILE | FS_TRUNCATE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR |       \
	 FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_SYM)

/* What any program reads, what the kernel tells, and the devices that terminals are made of. */
static const struct {
	const char *path;
	uint64_t access;
} everybodys[] = {
	{ "/usr", READ },	    { "/lib", READ },
	{ "/lib64", READ },	    { "/proc", READ },
	{ "/sys", READ },	    { "/etc/hvsh", READ },
	{ "/etc/localtime", READ }, { "/etc/ld.so.cache", READ },
	{ "/etc/terminfo", READ },  { "/dev/null", USE },
	{ "/dev/zero", USE },	    { "/dev/urandom", READ },
	{ "/dev/random", READ },    { "/dev/ptmx", USE },
	{ "/dev/pts", USE },
};

struct ruleset {
	int fd;
	uint64_t handled;
};

static int add(const struct ruleset *rules, const char *path, uint64_t access)
{
	struct path_beneath rule = { .access = access & rules->handled };
	struct stat st;
	int rc;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	/* What is not there need not be allowed. */
	if (rule.fd < 0)
		return 0;
	if (!fstat(rule.fd, &st) && !S_ISDIR(st.st_mode))
		rule.access &= FS_FILE;
	rc = rule.access && syscall(NR_ADD_RULE, rules->fd, RULE_PATH_BENEATH, &rule, 0) ? -errno
											 : 0;
	close(rule.fd);
	return rc;
}

static bool is_card(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISCHR(st.st_mode) && major(st.st_rdev) == DRM_MAJOR;
}

/*
 * Single files are the opener's: a rule would stay with this file when another takes its name. But
 * the kernel lets only the process that has opened a graphics card give the display away and take
 * it back.
 */
static int add_allowed(unsigned int what, const char *path, void *arg)
{
	if (what & HV_ALLOW_BENEATH)
		return add(arg, path, what & HV_ALLOW_WRITE ? WRITE : READ);
	return what & HV_ALLOW_WRITE && is_card(path) ? add(arg, path, USE) : 0;
}

static uint64_t handled_by(int abi)
{
	uint64_t fs = FS_VERSION_1;

	if (abi >= 2)
		fs |= FS_REFER;
	if (abi >= 3)
		fs |= FS_TRUNCATE;
	if (abi >= 5)
		fs |= FS_IOCTL_DEV;
	return fs;
}

int sandbox_ruleset(int *abi, struct hv_err *err)
{
	struct ruleset_attr attr = { 0 };
	struct ruleset rules;
	/* Kernels take a struct that is longer than theirs when the rest is 0. */
	int rc;

	*abi = (int)syscall(NR_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);
	if (*abi < 1) {
		*abi = 0;
		return hv_err_set(err, EOPNOTSUPP, "this kernel has no Landlock");
	}
	attr.fs = rules.handled = handled_by(*abi);
	attr.net = *abi >= 4 ? NET_TCP : 0;
	rules.fd = (int)syscall(NR_CREATE_RULESET, &attr, sizeof(attr), 0);
	if (rules.fd < 0)
		return hv_err_sys(err, errno, "making a Landlock ruleset");
	rc = hv_opener_each(add_allowed, &rules);
	for (size_t i = 0; i < sizeof(everybodys) / sizeof(everybodys[0]) && !rc; i++)
		rc = add(&rules, everybodys[i].path, everybodys[i].access);
	if (rc) {
		close(rules.fd);
		return hv_err_sys(err, -rc, "filling a Landlock ruleset");
	}
	return rules.fd;
}

int sandbox_restrict(int ruleset)
{
	return syscall(NR_RESTRICT_SELF, ruleset, 0) ? -errno : 0;
}
