/*
 * judge - checks what must hold, and ends the simulation if it does not.
 *
 * It keeps a registry of its own (model.h), fed with the commits of the real one, and for each
 * mailbox of each registration whether news is pending.  It sees the daemon only from outside:
 * events and their acknowledgement, commits, pushes that leave and Apple's answers.  Its rules:
 *
 *  - each acknowledged change of a registered mailbox is named by a later push that was accepted,
 * or a reason of enum reason is on record; due pushes leave in time;
 *  - acknowledged events are on disk; events that mailpush-notify kept count as acknowledged, and
 * their files go when their effects are on disk;
 *  - one push of a registration is in flight at most, one waits at most;
 *  - two pushes to a registration are min_interval apart, the same one again aside, over a restart
 *    if something waited then;
 *  - an accepted push ends a hold;
 *  - an apns-id belongs to one set of hashes, is on disk before the push leaves, and stays while
 * that set does not grow, also over crashes;
 *  - no more pushes than max_push_rate, no more than 100 hashes in one, and the plain payload for
 *    those that understand no other;
 *  - no push to a user without access, and none about a change that did not happen;
 *  - registrations go and stop only by the rules;
 *  - each push goes out on its registration's topic.
 */
#ifndef MAILPUSH_TESTS_SIMULATION_JUDGE_H
#define MAILPUSH_TESTS_SIMULATION_JUDGE_H

#include "../apple.h"
#include "apns/sender.h"
#include "registry/registry.h"

#include <stdbool.h>
#include <stdint.h>

/* Why a change was not pushed. */
enum reason {
	REASON_FORGOTTEN,  /* Apple's answer: the token is gone */
	REASON_STOPPED,	   /* Apple's answer: another topic's */
	REASON_SUPERSEDED, /* a newer account id of the device */
	REASON_EVICTED,	   /* one too many of the user's */
	REASON_EXPIRED,
	REASON_OVERSLEPT, /* its account was deleted */
	REASON_UNLISTED,  /* the phone does not watch the mailbox any more */
	REASON_DROPPED,	  /* Apple calls the push malformed */
	REASON_GIVEN_UP,  /* trouble of its token for a day */
	REASON_UNSAFE,	  /* not acknowledged, and the daemon died */
	REASONS
};

struct judge_event {
	uint64_t number; /* of all that happens; also names the event in its JSON (`user`) */
	enum { JUDGE_IGNORED, JUDGE_NEWS, JUDGE_REGISTRATION, JUDGE_MAILBOX } what;
	bool is_urgent;	   /* NEWS: told at once */
	bool is_request;   /* somebody waits for OK */
	bool is_kept;	   /* in the spool folder */
	const char *owner; /* NEWS */
	const char *folder;
	const char *trace;	/* text by which it is known in a parked row */
	const char *account_id; /* REGISTRATION */
};

void judge_begin(uint64_t seed);
void judge_end(void);

/* Unless `holds`, ends the simulation with the text, the time and the seed. */
void judge_rule(bool holds, const char *text);

/* Numbers all that happens. */
uint64_t judge_next(void);
/* The event goes to the daemon now. */
void judge_sent(const struct judge_event *event);
void judge_acked(uint64_t number);
void judge_refused(uint64_t number);
/* The daemon has it from the spool folder now; again, perhaps, after a crash. */
void judge_taken(uint64_t number);
/* The daemon no longer needs its file in the spool folder. */
void judge_done(uint64_t number);

/* The registry has committed a batch, and the daemon does not know it. */
void judge_registry(const struct job_list *batch, int64_t now_unix_ms);
/* It has, but reports a failure: the batch will be done again, and nobody learns what it did now.
 */
void judge_unanswered(const struct job_list *batch, int64_t now_unix_ms);
void judge_takeoff(const struct sender_push *push);
void judge_answered(const struct sender_push *push, const struct apns_answer *answer,
	enum apple_meaning meaning);

void judge_died(bool is_crash);
void judge_started(void);
/* Something takes so long: nothing is late for that. */
void judge_excuse(int64_t ms);
/* Now and then: is anything late? */
void judge_look(void);
/* Acknowledged changes that are pending. */
unsigned judge_owed(void);
uint64_t judge_told(void);
uint64_t judge_pushes(void);
/* Changes that were not pushed for that reason, and registrations that ended for it. */
uint64_t judge_reasons(enum reason reason);
uint64_t judge_gone(enum reason reason);
const char *judge_reason_name(enum reason reason);

#endif
