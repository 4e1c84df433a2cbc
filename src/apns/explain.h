/*
 * explain - the meaning of Apple's answer, in words for an administrator.
 *
 * Pure.  verdict.h says what follows from an answer.
 */
#ifndef MAILPUSH_APNS_EXPLAIN_H
#define MAILPUSH_APNS_EXPLAIN_H

#include "apns/verdict.h"

/* What to look at when Apple accepted a push. */
#define EXPLAIN_SILENT_PHONE                                                                  \
	"if the phone stays silent: a Focus, Low Power Mode, no network, the account set to " \
	"Fetch, or notifications off for the account"

/* Never NULL; one sentence or two, without a full stop at the end. */
const char *explain_answer(enum apns_ending ending, int status, const char *reason);

#endif
