/*
 * doctor_user - why a user's phone gets no pushes.
 *
 * Pure: judges the daemon's answers (docs/operations.md).
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_USER_H
#define MAILPUSH_DOCTOR_DOCTOR_USER_H

#include "checkup/report.h"

#include <jansson.h>

/* What phones of this user are given when they register now; "": nothing, or it is not known. */
struct doctor_user_topics {
	const char *of_cyrus;
	const char *of_dovecot;
};

/*
 * `devices` and `forgotten` registrations of this user (NULL: unknown); `status` is the daemon's,
 * NULL if it did not answer.
 */
void doctor_user_judge(struct report *findings, const char *user, const json_t *devices,
	const json_t *forgotten, const json_t *status, const struct doctor_user_topics *topics);

/* `entries`: what the trace has of this user, the oldest first; NULL: it is not known. */
void doctor_user_judge_trace(
	struct report *findings, const char *user, const json_t *entries, const json_t *status);

#endif
