/*
 * doctor - examines a whole site: the files of Cyrus and mailpushd, the sockets, the daemon, Apple,
 * a user.
 *
 * It reads what there is and has each part judged by its own module.  It changes nothing.  While
 * the daemon does not answer, it judges the files alone.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_H
#define MAILPUSH_DOCTOR_DOCTOR_H

#include "console/client.h"

#include <stdbool.h>

struct doctor_request {
	const char *config;	/* NULL: the daemon's, or the usual one */
	const char *cyrus_conf; /* NULL: beside imapd.conf */
	const char *user;	/* NULL: none in particular */
	bool is_socket_given;
	bool is_json;
	bool only_problems; /* what is good is only counted */
};

/*
 * Prints what it finds, the user's part first.  CLIENT_FAILED: something fails; CLIENT_NOT_ALLOWED:
 * nothing does, but this user may not read mailpush.conf or ask the daemon.
 */
enum client_exit doctor_run(const struct doctor_request *request);

#endif
