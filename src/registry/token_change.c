#include "registry/token_change.h"

#include "base/mem.h"
#include "registry/result.h"

#include <string.h>

static void on_gone(void *ctx, size_t index, const struct registry_key *key)
{
	struct registry_job *const *jobs = ctx;
	result_add_gone(jobs[index], key);
}

/* Has the verdict taken the registration that it came for? */
static bool is_settled(const struct registry_job *job)
{
	bool is_settled = !job->target;
	for (size_t i = 0; i < job->gone_count && !is_settled; i++)
		is_settled = !memcmp(&job->gone[i], &job->target->key, sizeof(job->gone[i]));
	return is_settled;
}

struct sought {
	struct registry_job *job;
	bool is_there;
};

static void on_user_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct sought *sought = ctx;
	if (!memcmp(&row->key, &sought[index].job->target->key, sizeof(row->key)))
		sought[index].is_there = true;
}

/* Those that were not taken: renewed since, or gone long ago? */
static int find_missing(
	struct rules *rules, struct registry_job **jobs, size_t count, struct err *err)
{
	mem_auto struct sought *sought = mem_alloc_zero(count, sizeof(*sought));
	mem_auto const char **users = mem_alloc_zero(count, sizeof(*users));
	size_t asked = 0;
	for (size_t i = 0; i < count; i++) {
		if (is_settled(jobs[i]))
			continue;
		sought[asked].job = jobs[i];
		users[asked++] = jobs[i]->target->user;
	}
	if (asked == 0)
		return 0;
	int failed = rules->db->ops->load_users(rules->db, users, asked, on_user_row, sought, err);
	for (size_t i = 0; i < asked && !failed; i++) {
		if (!sought[i].is_there)
			result_add_gone(sought[i].job, &sought[i].job->target->key);
	}
	return failed;
}

int token_change_run(struct rules *rules, struct registry_job **jobs, size_t count, struct err *err)
{
	mem_auto struct registry_token_change *changes = mem_alloc_zero(count, sizeof(*changes));
	for (size_t i = 0; i < count; i++)
		changes[i] = (struct registry_token_change){
			.token = jobs[i]->token,
			.topic = jobs[i]->topic,
			.before_ms = jobs[i]->before_ms,
			.stop_reason = jobs[i]->kind == REGISTRY_STOP ? jobs[i]->reason : NULL,
			.end = {.why = REGISTRY_WHY_APPLE,
				.at_ms = rules_time(rules, jobs[i]),
				.status = jobs[i]->answer_status,
				.reason = jobs[i]->reason},
		};
	int failed = rules->db->ops->change_tokens(rules->db, changes, count, on_gone, jobs, err);
	return failed ? failed : find_missing(rules, jobs, count, err);
}
