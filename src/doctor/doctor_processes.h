/*
 * doctor_processes - does the Cyrus that runs go by the imapd.conf that is there?
 *
 * A process of Cyrus reads imapd.conf, and what that includes, at its start alone.  Looked at are
 * the master that was started with this imapd.conf and all that it has started: its services, which
 * emit the events.  The start of a process is told by its age, by a clock that nobody sets, so that
 * it does not matter whether the clock was set since.  When the file was changed is told by the
 * clock of then: if that lies in the future, the clock was set back, and nothing can be told.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_PROCESSES_H
#define MAILPUSH_DOCTOR_DOCTOR_PROCESSES_H

#include "config/config.h"
#include "config/input_files.h"
#include "doctor/report.h"
#include "platform/processes.h"

#include <stdint.h>
#include <sys/types.h>

/* What the processes have read, and when that was changed. */
struct doctor_reading {
	const char *file;   /* the one that was changed last */
	int64_t changed_ms; /* Unix time, as the next one */
	int64_t topic_ms;   /* of the file that sets aps_topic, or could */
	int64_t now_ms;
};

/* Pure.  `cyrus`: the master and its services. */
void doctor_processes_judge(
	struct report *report, const struct processes *cyrus, const struct doctor_reading *reading);

/* `user`: as whom Cyrus runs. */
void doctor_processes_examine(struct report *report, const struct config *config,
	const struct input_files *files, uid_t user);

#endif
