#include "ctl/options.h"

#include "base/mem.h"
#include "ctl/usage.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/mailpush/control"

/* The value of one that only some commands take is its TAKES_*, a bit; of others a letter, which is
 * none. */
static const struct option longs[] = {
	{"all", no_argument, NULL, TAKES_ALL},
	{"columns", required_argument, NULL, TAKES_COLUMNS},
	{"config", required_argument, NULL, TAKES_CONFIG},
	{"confirmed", no_argument, NULL, TAKES_CONFIRMED},
	{"cyrus-conf", required_argument, NULL, TAKES_CYRUS_CONF},
	{"dovecot-conf", required_argument, NULL, TAKES_DOVECOT_CONF},
	{"dry-run", no_argument, NULL, TAKES_DRY_RUN},
	{"follow", no_argument, NULL, TAKES_FOLLOW},
	{"forgotten", no_argument, NULL, TAKES_FORGOTTEN},
	{"from", required_argument, NULL, TAKES_FROM},
	{"from-password-file", required_argument, NULL, TAKES_FROM_PASSWORD},
	{"full", no_argument, NULL, TAKES_FULL},
	{"help", no_argument, NULL, 'h'},
	{"json", no_argument, NULL, 'j'},
	{"last", no_argument, NULL, TAKES_LAST},
	{"limit", required_argument, NULL, TAKES_LIMIT},
	{"mailbox", required_argument, NULL, TAKES_MAILBOX},
	{"online", no_argument, NULL, TAKES_ONLINE},
	{"passphrase-file", required_argument, NULL, TAKES_PASSPHRASE},
	{"password-file", required_argument, NULL, TAKES_PASSWORD},
	{"problems", no_argument, NULL, TAKES_PROBLEMS},
	{"since", required_argument, NULL, TAKES_SINCE},
	{"socket", required_argument, NULL, 's'},
	{"state", required_argument, NULL, TAKES_STATE},
	{"topic", required_argument, NULL, TAKES_TOPIC},
	{"user", required_argument, NULL, TAKES_USER},
	{"version", no_argument, NULL, 'V'},
	{"yes", no_argument, NULL, TAKES_YES},
	{NULL, 0, NULL, 0},
};

/* Where the argument of an option goes; NULL: it has none, or it is a number. */
static const char **text_of(struct options *options, int option)
{
	switch (option) {
	case TAKES_COLUMNS:
		return &options->columns;
	case TAKES_CONFIG:
		return &options->config;
	case TAKES_CYRUS_CONF:
		return &options->cyrus_conf;
	case TAKES_DOVECOT_CONF:
		return &options->dovecot_conf;
	case TAKES_FROM:
		return &options->from;
	case TAKES_FROM_PASSWORD:
		return &options->from_password_file;
	case TAKES_MAILBOX:
		return &options->mailbox;
	case TAKES_PASSPHRASE:
		return &options->passphrase_file;
	case TAKES_PASSWORD:
		return &options->password_file;
	case TAKES_SINCE:
		return &options->since;
	case TAKES_STATE:
		return &options->state;
	case TAKES_TOPIC:
		return &options->topic;
	case TAKES_USER:
		return &options->user;
	default:
		return NULL;
	}
}

void options_print(unsigned takes)
{
	for (const struct option *option = longs; option->name; option++) {
		const char *argument = NULL;
		const char *text = usage_option(option->name, &argument);
		if (!text || !((unsigned)option->val & takes))
			continue;
		mem_auto char *words = mem_printf(
			"--%s%s%s", option->name, argument ? " " : "", argument ? argument : "");
		printf("  %-26s %s\n", words, text);
	}
}

static bool parse_limit(const char *text, long *ret)
{
	char *end;
	*ret = strtol(text, &end, 10);
	return end != text && !*end && *ret > 0;
}

enum client_exit options_read(int argc, char **argv, struct options *ret)
{
	*ret = (struct options){.socket = DEFAULT_SOCKET};
	int option;
	while ((option = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		const char **text = text_of(ret, option);
		switch (option) {
		case 'h':
			ret->is_help_wanted = true;
			break;
		case 'j':
			ret->is_json = true;
			break;
		case 's':
			ret->socket = optarg;
			ret->is_socket_given = true;
			break;
		case 'V':
			ret->is_version_wanted = true;
			return CLIENT_FINE;
		case '?':
			return CLIENT_USAGE;
		default:
			ret->given |= (unsigned)option;
			if (text)
				*text = optarg;
			if (option == TAKES_LIMIT && !parse_limit(optarg, &ret->limit))
				return usage_fail("--limit '%s' is not a number above 0", optarg);
		}
	}
	ret->words = argv + optind;
	ret->count = argc - optind;
	return CLIENT_FINE;
}
