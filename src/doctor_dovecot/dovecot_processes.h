/*
 * dovecot_processes - does the running Dovecot use its configuration as it is now?
 *
 * Dovecot reads it at its start and at each reload, and replaces its process `log` then: by the age
 * of that process, or of the master while it has none, the reading is known.  A client that was
 * connected before keeps its process.
 */
#ifndef MAILPUSH_DOCTOR_DOVECOT_DOVECOT_PROCESSES_H
#define MAILPUSH_DOCTOR_DOVECOT_DOVECOT_PROCESSES_H

#include "checkup/report.h"
#include "platform/processes.h"

#include <stdint.h>

/* Pure.  `dovecot`: its masters and their children.  `file` was changed last, at Unix time
 * `changed_ms`. */
void dovecot_processes_judge(struct report *findings, const struct processes *dovecot,
	const char *file, int64_t changed_ms, int64_t now_ms);

/* `path` of dovecot.conf; the files *.conf and *.ext beside it and in its conf.d count too. */
void dovecot_processes_examine(struct report *findings, const char *path);

#endif
