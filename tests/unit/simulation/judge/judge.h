/*
 * judge - knows what must be true, and ends the simulation when it is not.
 *
 * It keeps a registry of its own (model.h), fed with what the real one has committed, and for each
 * mailbox of each registration whether something is still to be told.  It sees the daemon from
 * outside only: events and their acknowledgement, commits, pushes that leave and Apple's answers.
 * What it holds:
 *
 *  - each acknowledged change of a registered mailbox is named by a push that left after it and was
 *    taken, or one of the reasons of enum reason is on record; and what is due leaves in time;
 *  - what is acknowledged is on disk; what mailpush-notify kept counts as acknowledged, and its
 * file goes when what follows from it is on disk;
 *  - one push of a registration is in flight at most, one waits at most;
 *  - two pushes to a registration are min_interval apart, the same one again aside, over a restart
 *    if something waited then;
 *  - a push that is taken ends a hold;
 *  - an apns-id stands for one set of hashes, is on disk before the push leaves, and stays while
 *    that set does not grow, over crashes too;
 *  - no more pushes than max_push_rate, no more than 100 hashes in one, and the plain payload for
 *    those that understand no other;
 *  - nobody is told who may not know, and nothing that did not happen;
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

/* Why a change was not told. */
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

/* Ends the simulation with the text, the time and the seed unless `holds`. */
void judge_rule(bool holds, const char *text);

/* Numbers all that happens. */
uint64_t judge_next(void);
/* The event goes to the daemon now. */
void judge_sent(const struct judge_event *event);
void judge_acked(uint64_t number);
void judge_refused(uint64_t number);
/* The daemon has it from the spool folder now; again, perhaps, after a crash. */
void judge_taken(uint64_t number);
/* Its file in the spool folder is of no more use, says the daemon. */
void judge_done(uint64_t number);

/* The registry has committed a batch, and the daemon does not know yet. */
void judge_registry(const struct job_list *batch, int64_t now_unix_ms);
/* It has, and takes it for failed: it will be done again, and what it did now is told to nobody. */
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
/* Acknowledged changes that are still to be told. */
unsigned judge_owed(void);
uint64_t judge_told(void);
uint64_t judge_pushes(void);
/* Changes that were not told for that, and registrations that ended so. */
uint64_t judge_reasons(enum reason reason);
uint64_t judge_gone(enum reason reason);
const char *judge_reason_name(enum reason reason);

#endif
