/*
 * apple - stands in for the sender and for Apple behind it, by a script of chance.
 *
 * What sender.h promises is kept: room is asked for, every push is answered once, a hold lets a
 * probe through after some minutes.  What Apple answers follows from the weather, from the state of
 * the token, and now and then from nothing at all: each row of Apple's table comes.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_APPLE_H
#define MAILPUSH_TESTS_SIMULATION_APPLE_H

#include "apns/sender.h"

#include <stdbool.h>
#include <stdint.h>

#define APPLE_TOPICS 2

/* What an answer means for the push, as Apple documents it. */
enum apple_meaning {
	APPLE_TOLD,
	APPLE_DROPPED,	 /* our push is malformed: it is never taken */
	APPLE_THROTTLED, /* too many for that token */
	APPLE_FAILED,	 /* the service, or the connection: again */
	APPLE_REFUSED,	 /* the credential */
	APPLE_GONE,	 /* the token, for good */
	APPLE_BAD,	 /* the token, or the host */
	APPLE_MISROUTED, /* the token is another topic's */
	APPLE_MEANINGS
};

extern const char *const apple_topics[APPLE_TOPICS];

struct core;

struct sender *apple_start(struct core *core, const struct sender_callbacks *callbacks);
/* What is in flight is lost. */
void apple_end(void);
void apple_turn(void);
void apple_free(void);

void apple_weather_changed(unsigned topic);
/* Some token is in trouble from now on. */
void apple_trouble_token(void);
void apple_forgive_tokens(void);
/* The phone shows itself: mostly its token is good again. */
void apple_phone_came(const char *token);

/* Since when pushes on the topic have been possible, monotonic; INT64_MAX: they are not. */
int64_t apple_open_since_ms(const char *topic);
/*
 * Apple said that the token is gone (or, `is_stop`, is another topic's): renewals before this time
 * (Unix) do not count.  0: it did not.
 */
int64_t apple_condemned_before_ms(const char *token, const char *topic, bool is_stop);
/* When its credential was last not there, monotonic; INT64_MIN: never. */
int64_t apple_missing_ms(const char *topic);
uint64_t apple_answers(enum apple_meaning meaning);

#endif
