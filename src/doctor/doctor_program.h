/*
 * doctor_program - is the program that Cyrus' notifyd runs (notify_external) mailpush-notify?
 *
 * It asks the program itself, whatever its file is called: mailpush-notify -V prints its name.  It
 * runs the program only if its file belongs to root or the caller and nobody else may write to it.
 * The program runs without privileges (as nobody, if the caller is root), without input and
 * environment, for two seconds at most; only the first line of its output counts.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_PROGRAM_H
#define MAILPUSH_DOCTOR_DOCTOR_PROGRAM_H

#include "checkup/person.h"
#include "checkup/report.h"
#include "doctor/doctor_cyrus.h"

/* Waits.  `program` as imapd.conf has it. */
void doctor_program_examine(struct report *findings, const struct doctor_cyrus *cyrus,
	const char *program, const struct person *person);

#endif
