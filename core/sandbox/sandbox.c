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

int hv_sandbox_close(struct hv_err *err)
{
	const struct rlimit none = { 0, 0 };
	int ruleset, abi, rc;

	if (state.closed)
		return 0;
	/* The list that the seal gives away says what the ruleset allows. */
	ruleset = sandbox_ruleset(&abi, err);
	rc = ruleset < 0 ? lacks(ruleset, err) : 0;
	if (!rc && hv_opener_started())
		rc = hv_opener_seal(err);
	if (rc)
		goto out;
	state.opener = hv_opener_sealed();
	setrlimit(RLIMIT_CORE, &none);
	if (!SANDBOX_SANITIZER)
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	rc = sandbox_everywhere(restrict_thread, &ruleset, err);
	if (rc)
		goto out;
	state.landlock = ruleset < 0 ? 0 : abi;
	rc = sandbox_filter(err);
	state.seccomp = !rc;
	rc = rc ? lacks(rc, err) : 0;
out:
	if (ruleset >= 0)
		close(ruleset);
	state.capabilities = (unsigned int)__builtin_popcountll(hv_caps_have());
	state.closed = true;
	return rc;
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
