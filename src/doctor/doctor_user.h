/*
 * doctor_user - why a user's phone gets no pushes.
 *
 * Pure: judges the daemon's answers (docs/operations.md).
 */
#ifndef MAILPUSH_DOCTOR_DOCTOR_USER_H
#define MAILPUSH_DOCTOR_DOCTOR_USER_H

#include "doctor/report.h"

#include <jansson.h>

/*
 * `devices` and `forgotten` registrations of this user (NULL: unknown); `status` is the daemon's,
 * NULL if it did not answer.
 */
void doctor_user_judge(struct report *findings, const char *user, const json_t *devices,
	const json_t *forgotten, const json_t *status);

#endif
