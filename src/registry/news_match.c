#include "registry/news_match.h"

#include "base/mem.h"
#include "registry/result.h"

#include <assert.h>
#include <string.h>

/* One mailbox that news came for. */
struct query {
	struct registry_job *job;
	unsigned reading;
};

struct news {
	const struct rules *rules;
	struct query *queries;
	bool is_surprised;
};

static void on_match(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	struct news *news = ctx;
	struct registry_job *job = news->queries[index].job;
	unsigned reading = news->queries[index].reading;
	bool is_own = strcmp(row->user, job->event->at[reading].owner) == 0;
	if (row->suspended_ms > 0) {
		if (is_own && rules_believes(job, reading) &&
			(row->suspended_ms <= rules_time(news->rules, job) ||
				row->suspended_ms > news->rules->wrong_ms))
			news->is_surprised = true;
		return;
	}
	struct registry_match *match = result_last_match(job);
	if (!match || match->reading != reading ||
		memcmp(&match->target->key, &row->key, sizeof(row->key)) != 0) {
		match = result_add_match(job, row, 1);
		match->reading = reading;
		match->is_own = is_own;
	}
	result_add_hash(job, hash);
}

static int resume_owners(
	struct rules *rules, const struct query *queries, size_t count, struct err *err)
{
	mem_auto struct registry_resume *resumed = NULL;
	mem_auto struct registry_job **resumed_by = NULL;
	size_t resumed_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct registry_job *job = queries[i].job;
		if (!rules_resumes(rules, job, queries[i].reading))
			continue;
		resumed = mem_realloc_array(resumed, resumed_count + 1, sizeof(*resumed));
		resumed_by = mem_realloc_array(
			resumed_by, resumed_count + 1, sizeof(struct registry_job *));
		resumed_by[resumed_count] = job;
		resumed[resumed_count++] = (struct registry_resume){
			.user = job->event->at[queries[i].reading].owner,
			.upto_ms = rules_time(rules, job),
		};
	}
	if (resumed_count == 0)
		return 0;
	int failed = rules->db->ops->resume(
		rules->db, resumed, resumed_count, rules_on_effect, resumed_by, err);
	for (size_t i = 0; i < resumed_count && !failed; i++)
		suspended_users_remove(rules->suspended, resumed[i].user);
	return failed;
}

int news_match_run(struct rules *rules, struct registry_job *const *jobs, size_t count,
	bool *ret_is_surprised, struct err *err)
{
	mem_auto struct query *queries = mem_alloc_zero(MAILBOX_READINGS * count, sizeof(*queries));
	mem_auto const struct mailbox **mailboxes =
		mem_alloc_zero(MAILBOX_READINGS * count, sizeof(*mailboxes));
	size_t asked = 0;
	for (size_t i = 0; i < count; i++) {
		assert(jobs[i]->event->readings <= MAILBOX_READINGS);
		for (unsigned reading = 0; reading < jobs[i]->event->readings; reading++) {
			queries[asked] = (struct query){.job = jobs[i], .reading = reading};
			mailboxes[asked++] = &jobs[i]->event->at[reading];
		}
	}
	int failed = resume_owners(rules, queries, asked, err);
	struct news news = {.rules = rules, .queries = queries};
	if (!failed)
		failed = rules->db->ops->match(rules->db, mailboxes, asked, on_match, &news, err);
	if (!failed && news.is_surprised)
		*ret_is_surprised = true;
	return failed;
}
