/*
 * nodes - many nodes at once on one registry, judged by an oracle.
 *
 * Threads with a connection each play the nodes: they run batches of random jobs by the registry's
 * own code.  After each epoch all wait.  The oracle then looks for a serial order of the epoch's
 * batches: one after the other on the registry in memory they must bring what they brought on the
 * database, none before one that was over when it began, and leave the same rows.
 */
#ifndef MAILPUSH_TESTS_REGISTRY_NODES_H
#define MAILPUSH_TESTS_REGISTRY_NODES_H

#include "base/random.h"
#include "registry/batch.h"
#include "registry/ops.h"

#define JOBS_MAX 4
#define BOXES_MAX 5
#define KEYS_MAX 4

/* A job with what it borrows. */
struct played {
	struct registry_job job;
	struct mail_event event;
	struct registry_subscription boxes[BOXES_MAX];
	char names[BOXES_MAX][64];
	struct registry_past past;
	struct registry_query query;
	struct registry_key keys[KEYS_MAX];
	struct mailbox was_at;
};

struct batch {
	struct played jobs[JOBS_MAX];
	size_t count;
	struct job_list list;
	int64_t now_ms;
	unsigned node;
	/* Moments, counted by all nodes together: before its first statement, before and after the
	   commit. */
	uint64_t began;
	uint64_t committing;
	uint64_t committed;
	bool writes; /* as the driver was told */
	char *said;  /* what it brought */
};

#define NODES_USERS 12
extern const char *const nodes_users[NODES_USERS];
extern const char *const nodes_site;

/* Random jobs of about that time. */
void jobs_make(struct batch *batch, struct random *random, int64_t now_ms);
/* So that it can be run, again too. */
void batch_list(struct batch *batch);
void batch_free(struct batch *batch);

/* This thread's batch begins anew; it puts these. */
void text_forget_rows(void);
void text_note_rows(const struct registry_row *rows, size_t count);
/* What its jobs brought, and what they put; free it. */
char *text_of_results(const struct batch *batch);
/* For people. */
char *text_of_jobs(const struct batch *batch);
/* All that the site has stored; free it. */
char *text_of_site(struct registry_db *db);

struct oracle_counts {
	uint64_t batches;
	uint64_t steps;	 /* of the search */
	uint64_t astray; /* that only read, and saw a state that the order does not go through */
};

/* places_readers: batches that only read have a place in the order too. */
void oracle_start(const struct registry_settings *settings, bool places_readers);
/* Does an order exist that leads to `state`?  If not, the reason is on standard error. */
bool oracle_judges(struct batch **batches, size_t count, const char *state);
const struct oracle_counts *oracle_counts(void);
void oracle_end(void);

#endif
