/*
 * batch - a batch of jobs on one database, in their order and in one transaction.
 *
 * The batch is cut into runs of one kind, so that the database is asked a few times a run, however
 * many jobs it has.  Registry thread; tests and tools call it without one.
 */
#ifndef MAILPUSH_REGISTRY_BATCH_H
#define MAILPUSH_REGISTRY_BATCH_H

#include "driver/ops.h"
#include "registry/registry_job.h"

struct registry_store;

/* Opens the database (`ops`, `place`) and migrates its schema. */
int registry_store_open(
	const struct registry_settings *settings, struct registry_store **ret, struct err *err);
/* Over a database that was opened already (ops.h), which is taken over. */
struct registry_store *registry_store_of(
	struct registry_db *db, const struct registry_settings *settings);
/*
 * All of the batch or nothing: 0 when it is committed.  On failure nothing was changed, no job has
 * a result, and each has the status -ECANCELED.
 */
/* Instead of those of the settings; between two batches. */
void registry_store_set_limits(struct registry_store *store, int64_t registration_ttl_ms,
	int64_t deleted_user_grace_ms, unsigned registrations_per_user);
int registry_store_run(struct registry_store *store, struct job_list *batch, struct err *err);
/* With the present (Unix) given. */
int registry_store_run_at(
	struct registry_store *store, struct job_list *batch, int64_t now_ms, struct err *err);
void registry_store_describe(struct registry_store *store, struct registry_description *ret);
void registry_store_close(struct registry_store *store);

#endif
