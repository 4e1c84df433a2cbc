/*
 * doctor_daemon - is the daemon's own status as it should be?
 *
 * Pure: judges its answers (docs/operations.md).
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_DAEMON_H
#define MAILPUSH_DOCTOR_DOCTOR_DAEMON_H

#include "checkup/report.h"
#include "config/config.h"
#include "config/input_files.h"

#include <jansson.h>

void doctor_daemon_judge_status(struct report *findings, const json_t *status);
/* Does it use the files as they are now?  `sources` may be without an imapd.conf. */
void doctor_daemon_judge_files(struct report *findings, const json_t *status,
	const json_t *in_force, const struct config *config, const struct input_files *sources);

#endif
