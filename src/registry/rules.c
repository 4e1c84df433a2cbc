#include "registry/rules.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "registry/result.h"

#include <assert.h>

/* Clocks of several nodes differ, and one is put right by a little now and then. */
#define WRONG_BEYOND_MS (5 * CLOCK_MINUTE_MS)
/* 2024-01-01: a clock that stands before it was never set, and nothing is judged by it. */
#define CLOCK_SET_MS (INT64_C(19723) * CLOCK_DAY_MS)

void rules_init(
	struct rules *rules, struct registry_db *db, const struct registry_settings *settings)
{
	assert(settings->registrations_per_user > 0);
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	*rules = (struct rules){
		.db = db,
		.site = mem_dup(settings->site),
		.registration_ttl_ms = settings->registration_ttl_ms,
		.deleted_user_grace_ms = settings->deleted_user_grace_ms,
		.registrations_per_user = settings->registrations_per_user,
		.started_ms = settings->started_ms,
		.suspended = suspended_users_new(),
		.users = map_new(seed),
		.renewed = map_new(seed),
	};
}

void rules_fini(struct rules *rules)
{
	suspended_users_free(rules->suspended);
	map_free(rules->users);
	map_free(rules->renewed);
	free(rules->site);
}

void rules_begin(struct rules *rules, int64_t now_ms)
{
	if (now_ms < rules->now_ms)
		rules->times_right = false;
	rules->now_ms = now_ms;
	rules->wrong_ms = now_ms < CLOCK_SET_MS ? INT64_MAX : now_ms + WRONG_BEYOND_MS;
}

int rules_put_right(struct rules *rules, struct err *err)
{
	if (rules->wrong_ms == INT64_MAX)
		return 0;
	return rules->db->ops->put_right(
		rules->db, rules->wrong_ms, rules->now_ms - WRONG_BEYOND_MS, err);
}

int64_t rules_time(const struct rules *rules, const struct registry_job *job)
{
	return job->received_ms > rules->wrong_ms ? rules->now_ms : job->received_ms;
}

bool rules_believes(const struct registry_job *job, unsigned reading)
{
	return event_is_believed(job->event, job->event->at, job->event->readings, reading);
}

bool rules_resumes(const struct rules *rules, const struct registry_job *job, unsigned reading)
{
	return suspended_users_resumes(
		       rules->suspended, job->event->at[reading].owner, rules_time(rules, job)) &&
		rules_believes(job, reading);
}

void rules_on_effect(void *ctx, size_t index, enum registry_effect_kind kind,
	const struct registry_key *key, const char *hash)
{
	struct registry_job *const *jobs = ctx;
	result_add_effect(jobs[index], kind, key, hash);
}
