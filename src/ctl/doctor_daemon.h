/*
 * doctor_daemon - is what mailpushd says of itself as it should be?
 *
 * Pure: judges its answers (docs/operations.md).
 */
#ifndef MAILPUSH_CTL_DOCTOR_DAEMON_H
#define MAILPUSH_CTL_DOCTOR_DAEMON_H

#include "ctl/findings.h"
#include "daemon/config.h"
#include "daemon/sources.h"

#include <jansson.h>

void doctor_daemon_judge_status(struct findings *findings, const json_t *status);
/* Does it use what the files say now?  `sources` may be without an imapd.conf. */
void doctor_daemon_judge_files(struct findings *findings, const json_t *status,
	const json_t *in_force, const struct config *config, const struct sources *sources);

#endif
