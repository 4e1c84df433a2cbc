/*
 * reach - can a mail server's user come to a socket, and does mailpushd listen there?
 */
#ifndef MAILPUSH_CHECKUP_REACH_H
#define MAILPUSH_CHECKUP_REACH_H

#include "checkup/person.h"
#include "checkup/report.h"

/*
 * Judges each folder on the way to `path`, of which the last one need not exist; false: one cannot
 * be entered.  `who` as in "Cyrus runs as user cyrus".
 */
bool reach_folders(
	struct report *findings, const char *path, const char *who, const struct person *person);
/*
 * Judges what is at `path`: a socket of this kind (SOCK_STREAM, SOCK_DGRAM) where a program
 * listens.  True: it is a socket, of which `ret` says who may write to it.
 */
bool reach_socket(struct report *findings, const char *path, int kind, struct stat *ret);

#endif
