/*
 * answer - reads Apple's answer: the status, a header, the JSON of a body or of a GOAWAY.
 *
 * A part that cannot be read leaves its field unchanged: an answer without a body is normal, and
 * the status decides (APNS.md 1.1, last row).  Pure.
 */
#ifndef MAILPUSH_APNS_ANSWER_H
#define MAILPUSH_APNS_ANSWER_H

#include "apns/verdict.h"

#include <stddef.h>

/* Without an answer: no status, no reason. */
void answer_init(struct apns_answer *answer, enum apns_ending ending);

/*
 * A header of the response; only :status (the first that is not of an interim response) and
 * retry-after (RFC 9110 10.2.3: seconds or a date, at most VERDICT_RETRY_AFTER_MAX_MS of seconds)
 * count.  Names in any case of letters.
 */
void answer_read_header(struct apns_answer *answer, const char *name, size_t name_size,
	const char *value, size_t value_size);

/* `{"reason":"...","timestamp":...}` */
void answer_read_body(struct apns_answer *answer, const char *body, size_t size);

#endif
