/*
 * sending - the daemon's own sender, seen from outside: its input and output.
 *
 * The whole stage runs unchanged, on wires (wire.h).  The judge learns of each push that the sender
 * takes and of each answer, which must be Apple's.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_SENDING_H
#define MAILPUSH_TESTS_SIMULATION_SENDING_H

#include "apns/sender.h"
#include "apple.h"

#include <stdbool.h>
#include <stdint.h>

struct pipeline;

/* A push that the sender has. */
struct flight {
	struct flight *next;
	struct sender_push *push;
	int64_t sent_unix_ms;
	unsigned topic;
	bool has_come;	  /* the server has all of it */
	bool is_answered; /* Apple's answer is on its way */
	enum apple_meaning meaning;
	struct apns_answer said;
};

void sending_start(const struct pipeline *pipeline);
/* In order; `stopped` is called when all pushes are answered, or after `within_ms`. */
void sending_stop(int64_t within_ms, void (*stopped)(void));
/* At once: pushes in flight are lost.  Also after sending_stop. */
void sending_end(void);

/* The weather determines the credentials. */
void sending_weather_changed(unsigned topic);
/* A credential is replaced. */
void sending_renew_credential(unsigned topic);

/* The push of this stream of this connection; NULL: it was given up. */
struct flight *sending_find(const void *near_end, int32_t stream_id);
/* Walks the pushes in flight. */
struct flight *sending_next(const struct flight *flight);

/* Something prevents the topic's pushes, or did a moment ago. */
void sending_note_trouble(unsigned topic);
/* Apple refuses its credential. */
void sending_note_refusal(unsigned topic);
void sending_turn(void);
/* Since when pushes on the topic must have been going out, monotonic; INT64_MAX: they need not. */
int64_t sending_open_since_ms(const char *topic);
/* How often there was no room for a push. */
uint64_t sending_not_taken(void);
/* For people. */
void sending_describe(void);
void sending_free(void);

#endif
