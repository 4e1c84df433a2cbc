/*
 * rules - what all that the registry does has in common: its settings, the present, and whom a
 * batch has suspended, resumed or renewed.
 *
 * What each kind of job means stands in renewal.h, news_match.h, mailbox_change.h, token_change.h,
 * tidy.h and listing.h, the same for all databases; batch.h brings them in order.
 *
 * Registry thread only.  Reads no clock: the present is given with each batch.  registry.h tells
 * what becomes of times that lie in its future.
 */
#ifndef MAILPUSH_REGISTRY_RULES_H
#define MAILPUSH_REGISTRY_RULES_H

#include "base/map.h"
#include "driver/ops.h"
#include "registry/registry_job.h"
#include "registry/suspended_users.h"

struct rules {
	struct registry_db *db; /* borrowed */
	char *site;
	int64_t registration_ttl_ms;
	int64_t deleted_user_grace_ms;
	unsigned registrations_per_user;
	int64_t started_ms; /* Unix */
	struct suspended_users *suspended;
	bool suspended_known; /* as they stand in the database */
	bool times_right;     /* no stored time is later than wrong_ms, as far as is known */
	struct map *users;    /* of a run, those that register; empty outside */
	struct map *renewed;  /* keys of the registrations that this batch has renewed */
	int64_t now_ms;	      /* Unix; of the batch */
	int64_t wrong_ms;     /* a time later than this is from a wrong clock */
};

void rules_init(
	struct rules *rules, struct registry_db *db, const struct registry_settings *settings);
void rules_fini(struct rules *rules);

/* A batch begins, at `now_ms` (Unix).  When the clock went back, times are to be put right. */
void rules_begin(struct rules *rules, int64_t now_ms);
/* What a wrong clock has stored loses against all that comes from now on.  In a transaction. */
int rules_put_right(struct rules *rules, struct err *err);

/* When the job came; one that says it came from the future, or as good as, comes now. */
int64_t rules_time(const struct rules *rules, const struct registry_job *job);

/* Is this reading of the event's mailbox the one that is meant, as far as can be said? */
bool rules_believes(const struct registry_job *job, unsigned reading);
/* Does the event resume the owner of this reading, who is suspended? */
bool rules_resumes(const struct rules *rules, const struct registry_job *job, unsigned reading);
/* A registry_effect_fn; `ctx`: the jobs, by index. */
void rules_on_effect(void *ctx, size_t index, enum registry_effect_kind kind,
	const struct registry_key *key, const char *hash);

#endif
