/*
 * failures - the last few pushes that Apple did not accept and connections that failed, for the
 * status page.
 *
 * A failure that differs only in its time counts as a repetition, so that an outage does not push
 * out all others.  Their number is fixed, and the size of each bounded.
 *
 * Pure.  Loop thread only.
 */
#ifndef MAILPUSH_STATS_FAILURES_H
#define MAILPUSH_STATS_FAILURES_H

#include "apns/verdict.h"

#include <stdbool.h>
#include <stdint.h>

#define FAILURES_MAX 20

struct failure {
	int64_t unix_ms; /* the last time */
	uint64_t times;
	/* A push; `text` is NULL. */
	enum apns_ending ending;
	int status;
	char reason[VERDICT_REASON_MAX];
	char *user; /* NULL: none, or users are not named */
	/* A connection. */
	char *credential;
	char *text;
};

struct failures;

/* Without `with_names` no user is remembered. */
struct failures *failures_new(bool with_names);
/* Without names those that are remembered are forgotten. */
void failures_set_names(struct failures *failures, bool with_names);
void failures_free(struct failures *failures);

/* `user` is NULL for a failure that concerns no user. */
void failures_add_push(struct failures *failures, const struct apns_answer *answer,
	const char *user, int64_t unix_ms);
void failures_add_connection(
	struct failures *failures, const char *credential, const char *text, int64_t unix_ms);

/* The newest is 0; NULL: no more. */
const struct failure *failures_at(const struct failures *failures, unsigned i);

#endif
