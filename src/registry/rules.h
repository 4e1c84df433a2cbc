/*
 * rules - what each job means for the registry, the same for all databases.
 *
 * Walks a batch in order and cuts it into runs of one kind, so that the database is asked a few
 * times a run, however many jobs it has.  Renewals (renewal.h) and housekeeping (expiry.h) have
 * files of their own; news, deletes, renames and Apple's verdicts stand here.
 *
 * Registry thread only.  Reads no clock: the present is given with each batch.  What a stored time
 * from the future of it means is told in registry.h.
 */
#ifndef MAILPUSH_REGISTRY_RULES_H
#define MAILPUSH_REGISTRY_RULES_H

#include "base/map.h"
#include "registry/ops.h"
#include "registry/suspended_users.h"

struct rules {
	struct registry_db *db; /* borrowed */
	char *site;
	int64_t registration_ttl_ms;
	int64_t deleted_user_grace_ms;
	unsigned registrations_per_user;
	struct suspended_users *sleepers;
	bool sleepers_known; /* as they stand in the database */
	struct map *users;   /* of a run of renewals; empty outside */
	struct map *renewed; /* keys of the registrations that this batch has renewed */
	int64_t now_ms;	     /* Unix; of the batch */
	int64_t wrong_ms;    /* a stored time later than this is from a wrong clock */
};

void rules_init(
	struct rules *rules, struct registry_db *db, const struct registry_settings *settings);
void rules_fini(struct rules *rules);

/*
 * The whole batch in one transaction, at `now_ms` (Unix).  Returns 0 when it is committed; on
 * failure nothing was changed and no job has a result.
 */
int rules_run(struct rules *rules, struct job_list *batch, int64_t now_ms, struct err *err);

/* When the job came; one that says it came from the future, or as good as, comes now. */
int64_t rules_time(const struct rules *rules, const struct registry_job *job);

#endif
