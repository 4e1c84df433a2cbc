/*
 * apple - Apple's answers, at random.
 *
 * They depend on the weather, on the state of the token, and now and then on nothing: every row of
 * Apple's table occurs.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_APPLE_H
#define MAILPUSH_TESTS_SIMULATION_APPLE_H

#include "apns/verdict.h"

#include <stdbool.h>
#include <stdint.h>

#define APPLE_TOPICS 2

/* What an answer means for the push, as Apple documents it. */
enum apple_meaning {
	APPLE_ACCEPTED,
	APPLE_DROPPED,	 /* the push is malformed: it is never accepted */
	APPLE_THROTTLED, /* too many pushes to that token */
	APPLE_FAILED,	 /* the service or the connection failed: to be retried */
	APPLE_REFUSED,	 /* the credential is refused */
	APPLE_GONE,	 /* the token is gone for good */
	APPLE_BAD,	 /* the token or the host is wrong */
	APPLE_MISROUTED, /* the token is for another topic */
	APPLE_MEANINGS
};

extern const char *const apple_topics[APPLE_TOPICS];

struct flight;

unsigned apple_topic_of(const char *name);
/* How long the answer takes. */
int64_t apple_takes_ms(unsigned topic);
/* What it is; false: there is none. */
bool apple_decide(
	const struct flight *flight, struct apns_answer *ret, enum apple_meaning *ret_meaning);
/* The daemon has received its ending. */
void apple_heard(const struct flight *flight, bool is_proven);
void apple_free(void);

/* Begins a trouble of some token. */
void apple_trouble_token(void);
void apple_forgive_tokens(void);
/* The phone connects: mostly its token is valid again. */
void apple_phone_came(const char *token);

/*
 * Apple said that the token is gone (or, `is_stop`, is another topic's): renewals before this time
 * (Unix) do not count.  0: it did not.
 */
int64_t apple_condemned_before_ms(const char *token, const char *topic, bool is_stop);
uint64_t apple_answers(enum apple_meaning meaning);

#endif
