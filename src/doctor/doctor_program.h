/*
 * doctor_program - what program does notifyd of Cyrus run (notify_external), and is it ours?
 *
 * Whatever its file is called, it is asked: with -V, mailpush-notify says who it is.  It is run
 * only if its file is root's (or our own) and nobody else may write to it; without privileges (as
 * nobody, where we are root), without input and environment, for two seconds at most, and of what
 * it prints the first line is read.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_PROGRAM_H
#define MAILPUSH_DOCTOR_DOCTOR_PROGRAM_H

#include "doctor/doctor_cyrus.h"
#include "doctor/doctor_socket.h"
#include "doctor/report.h"

/* Waits.  `program` as imapd.conf has it. */
void doctor_program_examine(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, const struct doctor_person *person);

#endif
