/*
 * doctor - examines a whole site: the files of Cyrus, Dovecot and mailpushd, the sockets, the
 * daemon, Apple, a user.
 *
 * It reads everything, and a module for each part judges it.  It changes nothing.  If the daemon
 * does not answer, it judges only the files.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_H
#define MAILPUSH_DOCTOR_DOCTOR_H

#include "console/client.h"

#include <stdbool.h>

struct doctor_request {
	const char *config;	  /* NULL: the daemon's, or the usual one */
	const char *cyrus_conf;	  /* NULL: beside imapd.conf */
	const char *dovecot_conf; /* NULL: the usual one */
	const char *user;	  /* NULL: none in particular */
	bool is_socket_given;
	bool is_json;
	bool only_problems; /* only counts what is good */
};

/*
 * Prints its findings, the user's part first.  CLIENT_FAILED: a check fails; CLIENT_NOT_ALLOWED:
 * none fails, but this user may not read mailpush.conf or ask the daemon.
 */
enum client_exit doctor_run(const struct doctor_request *request);

#endif
