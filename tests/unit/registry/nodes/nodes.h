/*
 * nodes - many nodes at once on one registry, judged by an oracle.
 *
 * Threads with a connection each play the nodes: they run batches of random jobs by the registry's
 * own code.  After each epoch all wait.  The oracle then looks for a serial order of the epoch's
 * batches: one after the other on the registry in memory they must bring what they brought on the
 * database, none before one that was over when it began, and leave the same rows.
 *
 * A connection may be cut.  Where the answer to a commit was lost, the batch was run again, and
 * stands in the order once more or not, wherever that may have been; what it brought is not
 * compared.
 *
 * With several urls, which are ways to one database that promises less, the nodes are spread over
 * them, and what holds all the same is looked at.
 */
#ifndef MAILPUSH_TESTS_REGISTRY_NODES_H
#define MAILPUSH_TESTS_REGISTRY_NODES_H

#include "base/random.h"
#include "driver/ops.h"
#include "registry/batch.h"

#define JOBS_MAX 4
#define BOXES_MAX 5
#define KEYS_MAX 4
#define DOUBTS_MAX 8

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

/* What an attempt's rounds of housekeeping counted, in the order in which they asked. */
struct counted {
	struct registry_census censuses[JOBS_MAX];
	size_t census_count;
	uint64_t expired[JOBS_MAX];
	size_t expired_count;
};

/* An attempt whose commit had no answer. */
struct doubt {
	uint64_t began;
	struct counted counted;
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
	struct counted counted; /* by the attempt that was committed */
	struct doubt doubts[DOUBTS_MAX];
	size_t doubt_count;
	bool writes; /* as the driver was told */
	char *said;  /* what it brought */
};

#define NODES_USERS 12
extern const char *const nodes_users[NODES_USERS];
extern const char *const nodes_site;

/* Random jobs of about that time; `guarded`: of the kinds that guards_judge knows. */
void jobs_make(struct batch *batch, struct random *random, int64_t now_ms, bool guarded);
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
/* Until the thread's next such call. */
const char *text_of_key(const struct registry_key *key);
/* All that the site has stored, also if the database is away for a while; free it. */
char *text_of_site(struct registry_db *db);

struct oracle_counts {
	uint64_t steps;	 /* of the search */
	uint64_t astray; /* that only read, and saw a state that the order does not go through */
};

/*
 * by_locks: the driver's transactions are serialisable by locks.  Then batches that only read have
 * a place in the order too; but a round of housekeeping counts without locks
 * (mariadb_transaction.h), so the numbers it had are taken as they were.
 */
void oracle_start(const struct registry_settings *settings, bool by_locks);
/* Does an order exist that leads to `state`?  If not, the reason is on standard error. */
bool oracle_judges(struct batch **batches, size_t count, const char *state);
const struct oracle_counts *oracle_counts(void);
void oracle_end(void);

/*
 * Where there need be no order: the newest list that each phone sent is stored, unless Apple was
 * asked about it later or a mailbox of it went later or at the same moment; and all databases say
 * the same.  Takes the batches over.  If not, the reason is on standard error.
 */
bool guards_judge(
	struct batch **batches, size_t count, struct registry_db *const *dbs, size_t db_count);
void guards_end(void);

#endif
