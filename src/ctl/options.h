/*
 * options - what the command line says beside the command.
 *
 * Which options a command takes is main's table.  All texts are borrowed from the command line.
 */
#ifndef MAILPUSH_CTL_OPTIONS_H
#define MAILPUSH_CTL_OPTIONS_H

#include "console/client.h"

#include <stdbool.h>

/* Those that only some commands take. */
enum {
	TAKES_FULL = 1 << 0,
	TAKES_USER = 1 << 1,
	TAKES_MAILBOX = 1 << 2,
	TAKES_LIMIT = 1 << 3,
	TAKES_FOLLOW = 1 << 4,
	TAKES_ALL = 1 << 5,
	TAKES_ONLINE = 1 << 6,
	TAKES_PASSPHRASE = 1 << 7,
	TAKES_CYRUS_CONF = 1 << 8,
	TAKES_FORGOTTEN = 1 << 9,
	TAKES_PROBLEMS = 1 << 10,
	TAKES_TOPIC = 1 << 11,
	TAKES_STATE = 1 << 12,
	TAKES_YES = 1 << 13,
	TAKES_FROM = 1 << 14,
	TAKES_COLUMNS = 1 << 15,
	TAKES_DRY_RUN = 1 << 16,
	TAKES_CONFIRMED = 1 << 17,
	TAKES_PASSWORD = 1 << 18,
	TAKES_FROM_PASSWORD = 1 << 19,
	TAKES_LAST = 1 << 20,
	TAKES_CONFIG = 1 << 21,
	TAKES_SINCE = 1 << 22,
	TAKES_DOVECOT_CONF = 1 << 23,
};

struct options {
	const char *socket;
	bool is_json;
	unsigned given; /* TAKES_* */
	const char *user;
	const char *mailbox;
	const char *since;
	const char *passphrase_file;
	const char *config;
	const char *cyrus_conf;
	const char *dovecot_conf;
	const char *topic;
	const char *state;
	const char *from;
	const char *columns;
	const char *password_file;
	const char *from_password_file;
	bool is_socket_given;
	bool is_help_wanted;
	bool is_version_wanted;
	long limit;   /* 0: not given */
	char **words; /* the command and its arguments */
	int count;    /* of them */
};

/* A failure is printed. */
enum client_exit options_read(int argc, char **argv, struct options *ret);
/* A line for each of these (TAKES_*), for --help. */
void options_print(unsigned takes);

#endif
