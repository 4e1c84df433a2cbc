/*
 * question - a question to mailpushd, or a registration, that Dovecot's loop waits for.
 *
 * Unlike news it may take QUESTION_WAIT_MS: only who asked waits, and a phone that is told too
 * early that it is not registered does not ask again for a day.  It is never kept.
 */
#ifndef MAILPUSH_DOVECOT_QUESTION_H
#define MAILPUSH_DOVECOT_QUESTION_H

#include "dovecot/api.h"
#include "dovecot/delivery.h"

#define QUESTION_WAIT_MS 10000

struct question;

/* `topic` is the answer; NULL: there is none, and the text says why.  The question is gone by then.
 */
typedef void question_answered_fn(void *ctx, const char *topic, const struct err *err);

/* Answered from the loop, never at once.  `way` must live as long. */
struct question *question_ask(const struct delivery *way, const void *json, size_t size,
	question_answered_fn *answered, void *ctx);
/* Whoever asked wants no answer any more.  NULL is fine. */
void question_cancel(struct question **question);

#endif
