/*
 * doctor - examines a whole site: Cyrus' files and ours, the sockets, the daemon, Apple, a user.
 *
 *   doctor.c            what is read, and in which order it is judged
 *   doctor_cyrus.c      imapd.conf, cyrus.conf and what Cyrus says of itself (doctor_imap.c)
 *   doctor_tls.c        can a phone connect with TLS?
 *   doctor_processes.c  has Cyrus read imapd.conf since that was changed?
 *   doctor_socket.c     the way of an event from Cyrus to us
 *   doctor_program.c    the program that notifyd of Cyrus runs
 *   doctor_daemon.c     what mailpushd says of itself
 *   doctor_apple.c      credentials, topic, the way to Apple
 *   doctor_files.c      what the daemon's user may read and write, if we are root
 *   doctor_machine.c    clock and disks
 *   doctor_user.c       one user's phones
 *   doctor_print.c      what was found, on a line each
 *   report.c            levels, reasons and remedies
 *
 * It changes nothing.  Without the daemon it says what the files tell.
 */
#ifndef MAILPUSH_CTL_DOCTOR_H
#define MAILPUSH_CTL_DOCTOR_H

#include "ctl/client.h"

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
 * Prints what it finds, of the user first.  CLIENT_FAILED: something fails; CLIENT_NOT_ALLOWED:
 * nothing does, but this user may not read mailpush.conf or ask the daemon.
 */
enum client_exit doctor_run(const struct doctor_request *request);

#endif
