/*
 * doctor_socket - can Cyrus' user reach the socket, and does mailpushd listen there?
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_SOCKET_H
#define MAILPUSH_DOCTOR_DOCTOR_SOCKET_H

#include "config/config.h"
#include "doctor/doctor_cyrus.h"

#include <sys/stat.h>

#define DOCTOR_GROUPS_MAX 64
#define DOCTOR_QUEUE_WANTED 512

struct doctor_person {
	const char *name;
	uid_t uid;
	gid_t gids[DOCTOR_GROUPS_MAX]; /* the first is the primary one */
	int gid_count;
};

/* False: this system has no such user. */
bool doctor_socket_find_person(const char *name, struct doctor_person *ret);
/* By owner, group and mode alone; `rights` of r = 4, w = 2 and x = 1. */
bool doctor_socket_may(
	const struct doctor_person *person, const struct stat *status, unsigned rights);

/* Examines everything between Cyrus, which runs as `person`, and the daemon. */
void doctor_socket_examine(struct report *findings, const struct config *config,
	enum doctor_way way, const struct doctor_person *person);

/* net.unix.max_dgram_qlen */
void doctor_socket_judge_queue(struct report *findings, long length);

#endif
