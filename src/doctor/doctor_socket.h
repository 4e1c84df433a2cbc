/*
 * doctor_socket - can Cyrus' user reach the socket, and does mailpushd listen there?
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_SOCKET_H
#define MAILPUSH_DOCTOR_DOCTOR_SOCKET_H

#include "checkup/person.h"
#include "config/config.h"
#include "doctor/doctor_cyrus.h"

#define DOCTOR_QUEUE_WANTED 512

/* Examines everything between Cyrus, which runs as `person`, and the daemon. */
void doctor_socket_examine(struct report *findings, const struct config *config,
	enum doctor_way way, const struct person *person);

/* net.unix.max_dgram_qlen */
void doctor_socket_judge_queue(struct report *findings, long length);

#endif
