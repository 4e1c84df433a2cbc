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
/* Less than the hour: each node comes hourly, and its timer is late by a little. */
#define ROUND_MS (50 * CLOCK_MINUTE_MS)
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
	const struct registry_round *round, uint64_t registrations, int64_t before_ms,
	struct err *err)
{
	int64_t day = rules_time(rules, job) / CLOCK_DAY_MS;
	uint64_t today = round->tidied_day == day ? round->tidied_count : 0;
	uint64_t allowed = allowed_a_day(registrations);
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

/* A node that comes late, or whose clock differs, has had it; a wrong clock has not. */
static bool is_due(const struct rules *rules, const struct registry_job *job,
	const struct registry_round *last)
{
	return job->is_asked || rules_time(rules, job) - last->seen_ms >= ROUND_MS ||
		last->seen_ms > rules->wrong_ms;
}

/* Is nobody to go for now? */
static int claim(struct rules *rules, struct registry_job *job, const struct registry_round *last,
	bool *ret_is_ours, bool *ret_is_spared, struct err *err)
{
	int64_t now_ms = rules_time(rules, job);
	int64_t moved_ms = last->seen_ms ? now_ms - last->seen_ms : 0;
	int64_t until_ms = last->spared_until_ms;
	bool has_moved = moved_ms > GAP_MS || moved_ms < -GAP_MS;
	if (has_moved)
		until_ms = now_ms + SPARED_MS;
	int failed = rules->db->ops->claim_round(
		rules->db, last->seen_ms, now_ms, until_ms, ret_is_ours, err);
	if (!failed && *ret_is_ours && has_moved)
		job->moved_ms = moved_ms;
	*ret_is_spared = now_ms < until_ms;
	return failed;
}

int tidy_spare_future(struct rules *rules, struct err *err)
{
	struct registry_round last;
	bool is_ours;
	if (rules->wrong_ms == INT64_MAX)
		return 0;
	int failed = rules->db->ops->load_round(rules->db, &last, err);
	if (failed || last.seen_ms - rules->now_ms <= GAP_MS)
		return failed;
	return rules->db->ops->claim_round(
		rules->db, last.seen_ms, last.seen_ms, last.seen_ms + SPARED_MS, &is_ours, err);
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

/* A round that this node has claimed. */
static int do_round(struct rules *rules, struct registry_job *job,
	const struct registry_round *last, bool is_spared, struct err *err)
{
	struct registry_census census;
	int failed = rules_put_right(rules, err);
	if (!failed)
		failed = rules->db->ops->census(rules->db, &census, err);
	if (failed)
		return failed;
	int64_t now_ms = rules_time(rules, job);
	int64_t present = census.newest_renewal_ms < now_ms ? census.newest_renewal_ms : now_ms;
	int64_t expired_before = present - rules->registration_ttl_ms;
	/* With a short life a phone is not to be nudged from the day it was born. */
	int64_t margin = rules->registration_ttl_ms / 6;
	if (margin > NUDGE_BEFORE_MS)
		margin = NUDGE_BEFORE_MS;

	if (!is_spared)
		failed = remove_longest_suspended(rules, job, err);
	if (!failed && !is_spared)
		failed =
			remove_expired(rules, job, last, census.registrations, expired_before, err);
	if (!failed)
		failed = rules->db->ops->claim_nudges(
			rules->db, expired_before + margin, NUDGES_AT_ONCE, on_nudge, job, err);
	return failed
		? failed
		: rules->db->ops->prune_tombstones(rules->db, now_ms - REGISTRY_TOMBSTONE_MS, err);
}

int tidy_run(struct rules *rules, struct registry_job *job, struct err *err)
{
	struct registry_round last;
	bool is_ours = false;
	bool is_spared = false;
	int failed = rules->db->ops->load_round(rules->db, &last, err);
	if (!failed && is_due(rules, job, &last))
		failed = claim(rules, job, &last, &is_ours, &is_spared, err);
	if (!failed && is_ours)
		failed = do_round(rules, job, &last, is_spared, err);
	if (!failed)
		failed = audit_suspended(rules, job, err);
	job->is_done_elsewhere = !is_ours;
	/* Other nodes may have suspended users, or resumed them. */
	rules->suspended_known = false;
	return failed;
}
