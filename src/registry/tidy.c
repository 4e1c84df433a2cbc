#include "registry/tidy.h"

#include "base/clock.h"
#include "base/mem.h"
#include "registry/result.h"

#define NUDGE_BEFORE_MS (5 * CLOCK_DAY_MS)
/*
 * It comes hourly.  When the clock has moved further since the last time, it was set, or we were
 * away and phones could not renew: all of them may look expired, and get a nudge and the time to
 * follow it first.
 */
#define GAP_MS (2 * CLOCK_DAY_MS)
#define SPARED_MS NUDGE_BEFORE_MS
#define NUDGES_AT_ONCE 1000
/* Events wait behind this, and tidying comes again. */
#define REMOVED_AT_ONCE 1000

static uint64_t allowed_a_day(uint64_t registrations)
{
	uint64_t share = registrations / 20;
	return share > 10 ? share : 10;
}

static void on_key(void *ctx, size_t index, const struct registry_key *key)
{
	(void)index;
	result_add_gone(ctx, key);
}

/* What stands in `gone` from `first` on. */
static int remove_gone(struct rules *rules, const struct registry_job *job, size_t first,
	enum registry_why why, struct err *err)
{
	if (job->gone_count == first)
		return 0;
	const struct registry_end end = {.why = why, .at_ms = rules_time(rules, job)};
	return rules->db->ops->remove(
		rules->db, job->gone + first, job->gone_count - first, &end, err);
}

static int remove_longest_suspended(struct rules *rules, struct registry_job *job, struct err *err)
{
	size_t first = job->gone_count;
	int failed = rules->db->ops->find_longest_suspended(rules->db,
		rules_time(rules, job) - rules->deleted_user_grace_ms, REMOVED_AT_ONCE, on_key, job,
		err);
	return failed ? failed : remove_gone(rules, job, first, REGISTRY_WHY_DELETED, err);
}

static int remove_expired(struct rules *rules, struct registry_job *job,
	const struct registry_census *census, int64_t before_ms, struct err *err)
{
	int64_t day = rules_time(rules, job) / CLOCK_DAY_MS;
	uint64_t today = census->tidied_day == day ? census->tidied_count : 0;
	uint64_t allowed = allowed_a_day(census->registrations);
	allowed = allowed > today ? allowed - today : 0;
	size_t limit = allowed < REMOVED_AT_ONCE ? (size_t)allowed : REMOVED_AT_ONCE;

	size_t first = job->gone_count;
	uint64_t expired = 0;
	int failed = rules->db->ops->find_expired(
		rules->db, before_ms, limit, on_key, job, &expired, err);
	if (!failed)
		failed = remove_gone(rules, job, first, REGISTRY_WHY_EXPIRED, err);
	if (!failed && job->gone_count > first)
		failed = rules->db->ops->put_tidied(
			rules->db, day, today + job->gone_count - first, err);
	job->kept_back = expired > allowed ? expired - allowed : 0;
	return failed;
}

static void on_nudge(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	struct registry_job *job = ctx;
	if (index == job->match_count)
		result_add_match(job, row, 1)->is_own = true;
	result_add_hash(job, hash);
}

static int nudge(struct rules *rules, struct registry_job *job, int64_t before_ms, struct err *err)
{
	int failed = rules->db->ops->find_nudges(
		rules->db, before_ms, NUDGES_AT_ONCE, on_nudge, job, err);
	if (failed)
		return failed;
	mem_auto struct registry_key *keys = mem_alloc_zero(job->match_count, sizeof(*keys));
	for (size_t i = 0; i < job->match_count; i++)
		keys[i] = job->matches[i].target->key;
	return rules->db->ops->mark_nudged(rules->db, keys, job->match_count, err);
}

/* Is nobody to go for now? */
static int see(struct rules *rules, struct registry_job *job, const struct registry_census *census,
	bool *ret_is_spared, struct err *err)
{
	int64_t now_ms = rules_time(rules, job);
	int64_t moved_ms = census->seen_ms ? now_ms - census->seen_ms : 0;
	int64_t until_ms = census->spared_until_ms;
	if (moved_ms > GAP_MS || moved_ms < -GAP_MS) {
		until_ms = now_ms + SPARED_MS;
		job->moved_ms = moved_ms;
	}
	*ret_is_spared = now_ms < until_ms;
	return rules->db->ops->put_seen(rules->db, now_ms, until_ms, err);
}

struct audit {
	struct registry_job *job;
	bool *is_there; /* by index of the job's keys */
};

static void on_suspended(void *ctx, size_t index, const struct registry_row *row)
{
	struct audit *audit = ctx;
	audit->is_there[index] = true;
	if (!row->suspended_ms)
		result_add_effect(audit->job, REGISTRY_EFFECT_RESUMED, &row->key, NULL);
}

/* Of those that are suspended for all that the queue knows: who is active, or gone? */
static int audit_suspended(struct rules *rules, struct registry_job *job, struct err *err)
{
	mem_auto bool *is_there = mem_alloc_zero(job->key_count, sizeof(*is_there));
	struct audit audit = {job, is_there};
	int failed = rules->db->ops->load_keys(
		rules->db, job->keys, job->key_count, on_suspended, &audit, err);
	for (size_t i = 0; i < job->key_count && !failed; i++) {
		if (!is_there[i])
			result_add_effect(job, REGISTRY_EFFECT_ABSENT, &job->keys[i], NULL);
	}
	return failed;
}

int tidy_run(struct rules *rules, struct registry_job *job, struct err *err)
{
	struct registry_census census;
	int failed = rules->db->ops->census(rules->db, &census, err);
	if (failed)
		return failed;
	int64_t now_ms = rules_time(rules, job);
	int64_t present = census.newest_renewal_ms < now_ms ? census.newest_renewal_ms : now_ms;
	int64_t expired_before = present - rules->registration_ttl_ms;
	/* With a short life a phone is not to be nudged from the day it was born. */
	int64_t margin = rules->registration_ttl_ms / 6;
	if (margin > NUDGE_BEFORE_MS)
		margin = NUDGE_BEFORE_MS;

	bool is_spared = false;
	failed = see(rules, job, &census, &is_spared, err);
	if (!failed && !is_spared)
		failed = remove_longest_suspended(rules, job, err);
	if (!failed && !is_spared)
		failed = remove_expired(rules, job, &census, expired_before, err);
	if (!failed)
		failed = nudge(rules, job, expired_before + margin, err);
	if (!failed)
		failed = rules->db->ops->prune_traces(rules->db, now_ms - REGISTRY_TRACE_MS, err);
	if (!failed)
		failed = audit_suspended(rules, job, err);
	/* Other nodes may have suspended users, or resumed them. */
	rules->suspended_known = false;
	return failed;
}
