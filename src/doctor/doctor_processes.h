/*
 * doctor_processes - does the running Cyrus use imapd.conf as it is now?
 *
 * A process of Cyrus reads imapd.conf and the files that it includes only at its start.  It
 * examines the master that was started with this imapd.conf and its services, which emit the
 * events.  The age of a process comes from a clock that nobody sets.  The time of the file's last
 * change comes from the system clock: a time in the future shows that the clock was set back, and
 * then the result is unknown.
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_PROCESSES_H
#define MAILPUSH_DOCTOR_DOCTOR_PROCESSES_H

#include "checkup/report.h"
#include "config/config.h"
#include "config/input_files.h"
#include "platform/processes.h"

#include <stdint.h>
#include <sys/types.h>

/* The files that the processes read, and when they changed. */
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
