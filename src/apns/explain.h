/*
 * explain - the meaning of Apple's answer, in words for an administrator.
 *
 * Pure.  verdict.h says what follows from an answer.
 */
#ifndef MAILPUSH_APNS_EXPLAIN_H
#define MAILPUSH_APNS_EXPLAIN_H

#include "apns/verdict.h"

/* Never NULL; one sentence or two, without a full stop at the end. */
const char *explain_answer(enum apns_ending ending, int status, const char *reason);

#endif
