// SPDX-License-Identifier: GPL-2.0-or-later
#include "lua/options.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static int set_sim(struct hv_session *s, const char *value, struct hv_err *err)
{
	if (value && !*value)
		return hv_err_set(err, EINVAL, "--sim= names no folder");
	s->sim = true;
	if (value)
		s->sim_dir = value;
	return 0;
}

static int set_fault(struct hv_session *s, const char *value, struct hv_err *err)
{
	if (s->n_faults == HV_SESSION_FAULTS)
		return hv_err_set(err, EINVAL, "more than %d times --sim-fault", HV_SESSION_FAULTS);
	s->faults[s->n_faults++] = value;
	return 0;
}

static int set_abi(struct hv_session *s, const char *value, struct hv_err *err)
{
	s->layout = hv_layout_parse(value, err);
	return s->layout < 0 ? hv_err_prefix(err, "--abi: ") : 0;
}

static int set_arch(struct hv_session *s, const char *value, struct hv_err *err)
{
	s->arch = hv_arch_parse(value);
	if (s->arch < 0)
		return hv_err_set(err, EINVAL,
				  "--arch: %s is none of arm64, riscv64, loongarch64, x86_64",
				  value);
	return 0;
}

static int set_board(struct hv_session *s, const char *value, struct hv_err *err)
{
	(void)err;
	s->board = value;
	return 0;
}

static int set_json(struct hv_session *s, const char *value, struct hv_err *err)
{
	(void)value;
	(void)err;
	s->json = true;
	return 0;
}

static int set_no_serve(struct hv_session *s, const char *value, struct hv_err *err)
{
	(void)value;
	(void)err;
	s->no_serve = true;
	return 0;
}

static int set_no_sandbox(struct hv_session *s, const char *value, struct hv_err *err)
{
	(void)value;
	(void)err;
	s->no_sandbox = true;
	return 0;
}

static int set_allow(struct hv_session *s, const char *value, struct hv_err *err)
{
	if (s->n_allowed == HV_SESSION_ALLOWED)
		return hv_err_set(err, EINVAL, "more than %d times --allow", HV_SESSION_ALLOWED);
	if (access(value, F_OK) < 0)
		return hv_err_sys(err, errno, "--allow: %s", value);
	s->allowed[s->n_allowed++] = value;
	return 0;
}

static int set_log(struct hv_session *s, const char *value, struct hv_err *err)
{
	int level = hv_log_level_parse(value);

	(void)s;
	if (level < 0)
		return hv_err_set(err, EINVAL, "--log: %s is none of error, warn, info, debug",
				  value);
	hv_log_set_level((enum hv_log_level)level);
	return 0;
}

static int set_color(struct hv_session *s, const char *value, struct hv_err *err)
{
	static const char *const words[] = { "auto", "always", "never" };

	for (int i = 0; i < 3; i++)
		if (!strcmp(value, words[i])) {
			s->color = (enum hv_color)i;
			return 0;
		}
	return hv_err_set(err, EINVAL, "--color: %s is none of auto, always, never", value);
}

static const struct option {
	const char *name;
	enum {
		VALUE_NONE,
		VALUE_OPTIONAL,
		VALUE_NEEDED
	} value;    /* optional: only as --name=value */
	bool stays; /* the subcommand wants to see it too */
	int (*set)(struct hv_session *s, const char *value, struct hv_err *err);
} options[] = {
	{ "--sim", VALUE_OPTIONAL, false, set_sim },
	{ "--sim-fault", VALUE_NEEDED, false, set_fault },
	{ "--abi", VALUE_NEEDED, false, set_abi },
	{ "--arch", VALUE_NEEDED, false, set_arch },
	{ "--board", VALUE_NEEDED, false, set_board },
	{ "--no-serve", VALUE_NONE, false, set_no_serve },
	{ "--no-sandbox", VALUE_NONE, false, set_no_sandbox },
	{ "--allow", VALUE_NEEDED, false, set_allow },
	{ "--json", VALUE_NONE, true, set_json },
	{ "--log", VALUE_NEEDED, false, set_log },
	{ "--color", VALUE_NEEDED, false, set_color },
};

static const struct option *find_option(const char *word)
{
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strlen(options[i].name) == len && !strncmp(options[i].name, word, len))
			return &options[i];
	return NULL;
}

/* Takes argv[*i], and the value behind it. */
static int take_option(struct hv_command_line *cl, const struct option *option, char **argv, int *i)
{
	const char *value = strchr(argv[*i], '=');

	if (value)
		value++;
	if (value && option->value == VALUE_NONE)
		return hv_err_set(&cl->err, EINVAL, "%s takes no value", option->name);
	if (!value && option->value == VALUE_NEEDED) {
		value = argv[*i + 1];
		if (!value)
			return hv_err_set(&cl->err, EINVAL, "%s needs a value", option->name);
		++*i;
	}
	return option->set(cl->session, value, &cl->err);
}

/* An option of one letter, as lua has them: -e CODE or -eCODE. */
static int take_letter(struct hv_command_line *cl, int *i)
{
	const char *word = cl->argv[*i];
	const char *text = word + 2;

	switch (word[1]) {
	case 'e':
	case 'l':
		if (!*text)
			text = cl->argv[++*i];
		if (!text)
			return hv_err_set(&cl->err, EINVAL, "%s needs %s", word,
					  word[1] == 'e' ? "code to run" : "the name of a module");
		cl->actions[cl->n_actions++] = (struct action){ word[1], text };
		return 0;
	case 'i':
		cl->interactive = true;
		break;
	case 'd':
		cl->detach = true;
		break;
	case 'v':
		cl->version = true;
		break;
	case 'h':
		cl->help = true;
		break;
	default:
		text = "?";
	}
	if (*text)
		return hv_err_set(&cl->err, EINVAL, "there is no option %s", word);
	return 0;
}

int hv_options_take(struct hv_command_line *cl, char **argv, int *i, bool *stays)
{
	const struct option *option = find_option(argv[*i]);
	int rc;

	if (!option)
		return 0;
	*stays = option->stays;
	rc = take_option(cl, option, argv, i);
	return rc < 0 ? rc : 1;
}

int hv_options_read(struct hv_command_line *cl)
{
	int i;

	for (i = 1; i < cl->argc; i++) {
		char *word = cl->argv[i];
		const struct option *option = find_option(word);
		int rc = 0;

		if (word[0] != '-' || !word[1])
			break;
		if (!strcmp(word, "--")) {
			i++;
			break;
		}
		if (option)
			rc = take_option(cl, option, cl->argv, &i);
		else if (!strcmp(word, "--version"))
			cl->version = true;
		else if (!strcmp(word, "--help"))
			cl->help = true;
		else if (word[1] == '-')
			rc = hv_err_set(&cl->err, EINVAL, "there is no option %s", word);
		else
			rc = take_letter(cl, &i);
		if (rc < 0)
			return rc;
	}
	cl->first = i < cl->argc ? i : cl->argc;
	return 0;
}

int hv_options_check(const struct hv_command_line *cl, struct hv_err *err)
{
	if (cl->detach && (cl->interactive || (cl->first == cl->argc && !cl->n_actions)))
		return hv_err_set(err, EINVAL, "-d serves what a script starts: it needs one, and no -i");
	if (cl->detach && cl->session->sim && !cl->session->sim_dir)
		return hv_err_set(err, EINVAL,
				  "-d needs --sim=DIR: a machine without a folder could not be reached");
	if (cl->session->n_faults && !cl->session->sim)
		return hv_err_set(err, EINVAL,
				  "--sim-fault is for the simulated hypervisor: it needs --sim");
	return 0;
}
