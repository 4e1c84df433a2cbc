/*
 * people - users, their mailboxes and phones, and the events of Cyrus about them, as JSON.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_PEOPLE_H
#define MAILPUSH_TESTS_SIMULATION_PEOPLE_H

#include <stdbool.h>
#include <stdint.h>

void people_begin(void);
/* Nothing more happens. */
void people_clear(void);

/* Did the mailbox of that id have this name before another? */
bool people_renamed(const char *id, const char *owner, const char *folder);
/* How often the answer was yes. */
uint64_t people_found_by_id(void);

/* The phone got a push: it looks, and mostly logs in. */
void people_got_push(const char *token);
const char *people_some_token(void);
uint64_t people_events(void);

#endif
