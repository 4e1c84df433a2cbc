/*
 * payload - the body of a push (APPLE-MAIL.md "The push").
 *
 * `{"aps":{"account-id":"<id>"}}`, and with hashes `"m":["<hash>",...]` after the id.  The account
 * id was validated on arrival ([A-Za-z0-9-]{1,64}) and is asserted here; nothing needs escaping.
 * Pure.
 */
#ifndef MAILPUSH_APNS_PAYLOAD_H
#define MAILPUSH_APNS_PAYLOAD_H

#include "event/mailbox.h"

#include <stddef.h>

#define PAYLOAD_HASHES_MAX 100
#define PAYLOAD_MAX 4096 /* bytes; Apple's limit */

/* Writes at most PAYLOAD_MAX bytes, returns how many.  hash_count 0: the plain payload. */
size_t payload_write(char ret[PAYLOAD_MAX], const char *account_id,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count);

#endif
