/*
 * jwt - a provider token as Apple wants it: a JSON Web Token signed with ES256 (RFC 7515, 7518).
 *
 * {"alg":"ES256","kid":KEY}.{"iss":TEAM,"iat":SECONDS}.signature, each in base64url.  The ids are
 * [A-Z0-9] and need no escape.  It is as good as a password for an hour: never logged, and wiped
 * after use.
 *
 * Reads no clock.
 */
#ifndef MAILPUSH_CREDENTIAL_JWT_H
#define MAILPUSH_CREDENTIAL_JWT_H

#include "base/err.h"

#include <openssl/evp.h>
#include <stdint.h>

#define JWT_SIZE 384 /* with its NUL */

/* `key`: EC P-256. */
int jwt_make(EVP_PKEY *key, const char *key_id, const char *team_id, int64_t issued_unix_s,
	char ret[JWT_SIZE], struct err *err);

#endif
