#include "registry/news_match.h"

#include "base/mem.h"
#include "registry/result.h"

#include <assert.h>
#include <string.h>

/* One mailbox that news came for. */
struct query {
	struct registry_job *job;
	size_t position; /* among the jobs of the run */
	unsigned reading;
};

/* A subscription of a registration that a job of the run may have changed before. */
struct doubtful {
	size_t query;
	const struct renewal *renewal;
	struct registry_key key;
	char hash[MAILBOX_HASH_SIZE];
};

struct news_match {
	struct rules *rules;
	const struct renewals *renewals;
	struct query *queries;
	const struct mailbox **mailboxes; /* of each query */
	size_t count;
	struct registry_resume *resumes;
	struct registry_job **resumed_by; /* of each resume */
	size_t resume_count;
	struct doubtful *doubtful;
	size_t doubtful_count;
	bool is_surprised;
};

static void add_resume(struct news_match *news, struct registry_job *job, const char *user)
{
	news->resumes =
		mem_realloc_array(news->resumes, news->resume_count + 1, sizeof(*news->resumes));
	news->resumed_by = mem_realloc_array(
		news->resumed_by, news->resume_count + 1, sizeof(struct registry_job *));
	news->resumed_by[news->resume_count] = job;
	news->resumes[news->resume_count++] = (struct registry_resume){
		.user = user,
		.upto_ms = rules_time(news->rules, job),
	};
}

static void add_query(
	struct news_match *news, struct registry_job *job, size_t position, unsigned reading)
{
	const struct mailbox *mailbox = &job->event->at[reading];
	news->queries[news->count] =
		(struct query){.job = job, .position = position, .reading = reading};
	news->mailboxes[news->count++] = mailbox;
	if (rules_resumes(news->rules, job, reading))
		add_resume(news, job, mailbox->owner);
}

struct news_match *news_match_new(struct rules *rules, const struct renewals *renewals,
	struct registry_job *const *jobs, size_t count)
{
	struct news_match *news = mem_alloc_zero(1, sizeof(*news));
	news->rules = rules;
	news->renewals = renewals;
	news->queries = mem_alloc_zero(MAILBOX_READINGS * count, sizeof(*news->queries));
	news->mailboxes = mem_alloc_zero(MAILBOX_READINGS * count, sizeof(*news->mailboxes));
	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->kind != REGISTRY_NEWS)
			continue;
		assert(jobs[i]->event->readings <= MAILBOX_READINGS);
		for (unsigned reading = 0; reading < jobs[i]->event->readings; reading++)
			add_query(news, jobs[i], i, reading);
	}
	return news;
}

void news_match_free(struct news_match *news)
{
	free(news->queries);
	free(news->mailboxes);
	free(news->resumes);
	free(news->resumed_by);
	free(news->doubtful);
	free(news);
}

static void take(struct news_match *news, const struct query *query, const struct registry_row *row,
	const char *hash)
{
	struct registry_job *job = query->job;
	bool is_own = strcmp(row->user, job->event->at[query->reading].owner) == 0;
	if (row->suspended_ms > 0) {
		if (is_own && rules_believes(job, query->reading) &&
			(row->suspended_ms <= rules_time(news->rules, job) ||
				row->suspended_ms > news->rules->wrong_ms))
			news->is_surprised = true;
		return;
	}
	struct registry_match *match = result_last_match(job);
	if (!match || match->reading != query->reading ||
		memcmp(&match->target->key, &row->key, sizeof(row->key)) != 0) {
		match = result_add_match(job, row, 1);
		match->reading = query->reading;
		match->is_own = is_own;
	}
	result_add_hash(job, hash);
}

static void on_match(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	struct news_match *news = ctx;
	const struct query *query = &news->queries[index];
	const struct renewal *renewal = renewals_before(news->renewals, row->user, query->position);
	if (!renewal) {
		take(news, query, row, hash);
		return;
	}
	news->doubtful = mem_realloc_array(
		news->doubtful, news->doubtful_count + 1, sizeof(*news->doubtful));
	struct doubtful *doubtful = &news->doubtful[news->doubtful_count++];
	*doubtful = (struct doubtful){.query = index, .renewal = renewal, .key = row->key};
	memcpy(doubtful->hash, hash, strnlen(hash, MAILBOX_HASH_SIZE - 1));
}

static void on_renewed_match(
	void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	struct news_match *news = ctx;
	take(news, &news->queries[index], row, hash);
}

void news_match_ask(struct news_match *news, struct registry_load *load)
{
	load->resumes = news->resumes;
	load->resume_count = news->resume_count;
	load->on_effect = rules_on_effect;
	load->resumes_ctx = news->resumed_by;
	load->mailboxes = news->mailboxes;
	load->mailbox_count = news->count;
	load->on_match = on_match;
	load->mailboxes_ctx = news;
}

void news_match_finish(struct news_match *news)
{
	for (size_t i = 0; i < news->resume_count; i++)
		suspended_users_remove(news->rules->suspended, news->resumes[i].user);
	for (size_t i = 0; i < news->doubtful_count; i++) {
		const struct doubtful *doubtful = &news->doubtful[i];
		const struct registry_row *row = renewal_other(doubtful->renewal, &doubtful->key);
		if (row)
			take(news, &news->queries[doubtful->query], row, doubtful->hash);
	}
	for (size_t i = 0; i < news->count; i++)
		renewals_match(news->renewals, news->mailboxes[i], news->queries[i].position,
			on_renewed_match, news, i);
}

bool news_match_is_surprised(const struct news_match *news)
{
	return news->is_surprised;
}
