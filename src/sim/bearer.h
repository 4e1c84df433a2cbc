/*
 * bearer - provider tokens, as Apple checks them: a JWT in `authorization: bearer`, signed with one
 * of the keys that `apns-sim --init` or `--add-key` made.
 *
 * Its header must name ES256 and a key whose public half is in the folder as AuthKey_ID.pub, its
 * claims must name the team BEARER_TEAM_ID and the time of its creation, and the signature must
 * verify; otherwise the answer is InvalidProviderToken.  For a token older than `lifetime_ms` it is
 * ExpiredProviderToken, and for a connection that changes tokens more often than `update_least_ms`
 * TooManyProviderTokenUpdates.
 *
 * Reads files, no clock.  Loop thread.
 */
#ifndef MAILPUSH_SIM_BEARER_H
#define MAILPUSH_SIM_BEARER_H

#include "sim/service.h"

#include <stdbool.h>
#include <stdint.h>

#define BEARER_KEY_ID "SIMKEY0001" /* that of --init */
#define BEARER_TEAM_ID "SIMTEAM001"
#define BEARER_ID_SIZE 10
#define BEARER_TOKEN_MAX 2048

/* The tokens that a connection has used. */
struct bearer {
	char token[BEARER_TOKEN_MAX + 1]; /* the last valid one; "": none */
	int64_t issued_unix_s;		  /* of that */
	int64_t since_unix_ms;		  /* when it was seen first */
};

struct bearer_rules {
	const char *dir;
	int64_t lifetime_ms;
	int64_t update_least_ms;
};

/* Fills in the verdict on the request's token. */
void bearer_check(struct bearer *bearer, const struct bearer_rules *rules, struct request *request,
	int64_t now_unix_ms);

/* [A-Z0-9]{10} */
bool bearer_is_id(const char *id);

#endif
