// SPDX-License-Identifier: GPL-2.0-or-later
#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/caps.h"
#include "sandbox/opener.h"
#include "sandbox/sandbox_priv.h"

static struct hv_sandbox state;

/* In every thread, from a signal handler. arg: the Landlock ruleset, or -1. */
static int restrict_thread(void *arg)
{
	int ruleset = *(const int *)arg, rc = 0;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	if (ruleset >= 0)
		rc = sandbox_restrict(ruleset);
	return rc ? rc : hv_caps_keep(0);
}

/* What the kernel lacks is no failure, but nobody shall believe to have it. */
static int lacks(int rc, const struct hv_err *why)
{
	if (rc != -EOPNOTSUPP)
		return rc;
	hv_log_info("the sandbox does without: %s", why->msg);
	return 0;
}

/* The first failure is the one that is told; what comes after it is done all the same. */
static void note(int *first, int rc, struct hv_err *err, const struct hv_err *why)
{
	if (rc >= 0 || *first)
		return;
	*first = hv_err_set(err, -rc, "%s", why->msg);
}

int hv_sandbox_close(struct hv_err *err)
{
	const struct rlimit none = { 0, 0 };
	struct hv_err why = { 0 };
	int ruleset, abi, rc, first = 0;

	if (state.closed)
		return 0;
	/* The list that the seal gives away says what the ruleset allows. */
	ruleset = sandbox_ruleset(&abi, &why);
	note(&first, ruleset < 0 ? lacks(ruleset, &why) : 0, err, &why);
	note(&first, hv_opener_started() ? hv_opener_seal(&why) : 0, err, &why);
	state.opener = hv_opener_sealed();
	setrlimit(RLIMIT_CORE, &none);
	if (!SANDBOX_SANITIZER)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rc = sandbox_everywhere(restrict_thread, &ruleset, &why);
	note(&first, rc, err, &why);
	state.landlock = rc || ruleset < 0 ? 0 : abi;
	rc = sandbox_filter(&why);
	state.seccomp = !rc;
	note(&first, rc ? lacks(rc, &why) : 0, err, &why);
	if (ruleset >= 0)
		close(ruleset);
	state.capabilities = (unsigned int)__builtin_popcountll(hv_caps_have());
	state.closed = true;
	return first;
}

const struct hv_sandbox *hv_sandbox_state(void)
{
	return &state;
}

void hv_sandbox_describe(char *out, size_t size)
{
	int n;

	if (!state.closed) {
		snprintf(out, size, "open");
		return;
	}
	n = snprintf(out, size, "capabilities %u%s", state.capabilities,
		     state.seccomp ? ", seccomp" : "");
	if (state.landlock && (size_t)n < size)
		n += snprintf(out + n, size - (size_t)n, ", landlock %d", state.landlock);
	if (state.opener && (size_t)n < size)
		snprintf(out + n, size - (size_t)n, ", opener");
}
