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
 *  - two pushes to a registration are min_interval apart, except when the same one is sent again,
 * over a restart if something waited then;
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
	REASON_SUPERSEDED, /* the device has a newer account id */
	REASON_EVICTED,	   /* the user has too many */
	REASON_EXPIRED,
	REASON_SUSPENDED, /* its account was deleted */
	REASON_UNLISTED,  /* the phone no longer subscribes to the mailbox */
	REASON_DROPPED,	  /* Apple calls the push malformed */
	REASON_GIVEN_UP,  /* its token was in trouble for a day */
	REASON_UNSAFE,	  /* it was not acknowledged, and the daemon died */
	REASONS
};

struct judge_event {
	uint64_t number; /* of all that happens; also names the event in its JSON (`user`) */
	enum { JUDGE_IGNORED, JUDGE_NEWS, JUDGE_REGISTRATION, JUDGE_MAILBOX } what;
	bool is_urgent;	   /* NEWS: pushed at once */
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
/* The event is given to the daemon. */
void judge_sent(const struct judge_event *event);
void judge_acked(uint64_t number);
void judge_refused(uint64_t number);
/* The daemon has taken it from the spool folder; after a crash perhaps again. */
void judge_taken(uint64_t number);
/* The daemon no longer needs its file in the spool folder. */
void judge_done(uint64_t number);

/* By the daemon that started then. */
void judge_registry_opened(int64_t started_unix_ms);
/* The registry has committed a batch; the daemon does not know yet. */
void judge_registry(const struct job_list *batch, int64_t now_unix_ms);
/* The same, but the registry reports a failure: the batch is done again, and its result is lost. */
void judge_unanswered(const struct job_list *batch, int64_t now_unix_ms);
/* The registry has refused it: what it brought is owed again when the daemon starts anew. */
void judge_set_aside(const struct registry_job *job);
void judge_takeoff(const struct sender_push *push);
void judge_answered(const struct sender_push *push, const struct apns_answer *answer,
	enum apple_meaning meaning);

void judge_died(bool is_crash);
void judge_started(void);
/* Something takes `ms`: pushes may be late by that. */
void judge_excuse(int64_t ms);
/* Checks that nothing is late. */
void judge_look(void);
/* Acknowledged changes that are pending. */
unsigned judge_owed(void);
uint64_t judge_accepted(void);
uint64_t judge_pushes(void);
/* Changes that were not pushed for that reason, and registrations that ended for it. */
uint64_t judge_reasons(enum reason reason);
uint64_t judge_gone(enum reason reason);
const char *judge_reason_name(enum reason reason);

#endif
