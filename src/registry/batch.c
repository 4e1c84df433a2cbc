#include "registry/batch.h"

#include "base/clock.h"
#include "base/mem.h"
#include "driver/failure.h"
#include "registry/listing.h"
#include "registry/mailbox_change.h"
#include "registry/news_match.h"
#include "registry/renewal.h"
#include "registry/result.h"
#include "registry/rules.h"
#include "registry/tidy.h"
#include "registry/token_change.h"

#include <errno.h>
#include <string.h>

struct registry_store {
	struct registry_db *db;
	struct rules rules;
};

enum run_kind {
	RUN_PHONES, /* registrations, and news for them */
	RUN_IMPORTS,
	RUN_NEWS_THAT_MOVED,
	RUN_MAILBOXES,
	RUN_TOKENS,
	RUN_LISTING,
	RUN_TIDY
};

static enum run_kind kind_of(const struct registry_job *job)
{
	switch (job->kind) {
	case REGISTRY_REGISTER:
		return RUN_PHONES;
	case REGISTRY_IMPORT:
		return RUN_IMPORTS;
	case REGISTRY_NEWS:
		return job->was_at ? RUN_NEWS_THAT_MOVED : RUN_PHONES;
	case REGISTRY_MAILBOX_DELETE:
	case REGISTRY_MAILBOX_RENAME:
		return RUN_MAILBOXES;
	case REGISTRY_FORGET:
	case REGISTRY_STOP:
		return RUN_TOKENS;
	case REGISTRY_LIST:
	case REGISTRY_LIST_FORGOTTEN:
	case REGISTRY_REMOVE:
	case REGISTRY_REMOVE_USER:
	case REGISTRY_COUNT:
		return RUN_LISTING;
	case REGISTRY_TIDY:
		break;
	}
	return RUN_TIDY;
}

/* Does the news resume a user of whom the run has a registration already? */
static bool resumes_renewed(const struct rules *rules, const struct registry_job *job)
{
	for (unsigned reading = 0; reading < job->event->readings; reading++) {
		const char *owner = job->event->at[reading].owner;
		if (map_get(rules->users, owner, strlen(owner)) &&
			rules_resumes(rules, job, reading))
			return true;
	}
	return false;
}

/* Registrations of one user depend on each other, so a run has each user once. */
static size_t phones_length(
	struct rules *rules, struct registry_job *const *jobs, size_t count, enum run_kind kind)
{
	size_t length = 0;
	for (; length < count && kind_of(jobs[length]) == kind; length++) {
		struct registry_job *job = jobs[length];
		if (job->kind == REGISTRY_NEWS) {
			if (resumes_renewed(rules, job))
				break;
			continue;
		}
		const char *user = job->event->registration.user;
		if (map_get(rules->users, user, strlen(user)))
			break;
		map_add(rules->users, user, strlen(user), job);
	}
	map_clear(rules->users);
	return length;
}

/* What is loaded before the run is written serves all of its jobs, whatever their order. */
static int run_phones(struct rules *rules, struct registry_job *const *jobs, size_t count,
	bool *ret_is_surprised, struct err *err)
{
	struct renewals *renewals = renewals_new(rules, jobs, count);
	struct news_match *news = news_match_new(rules, renewals, jobs, count);
	struct registry_load load = {0};
	renewals_ask(renewals, &load);
	news_match_ask(news, &load);
	int failed = rules->db->ops->load(rules->db, &load, err);
	if (!failed) {
		if (renewals_are_surprised(renewals))
			*ret_is_surprised = true;
		renewals_decide(renewals);
		news_match_finish(news);
		failed = renewals_write(renewals, err);
	}
	if (!failed && news_match_is_surprised(news))
		*ret_is_surprised = true;
	news_match_free(news);
	renewals_free(renewals);
	return failed;
}

/* One job. */
static int run_news_that_moved(struct rules *rules, struct registry_job *const *jobs,
	bool *ret_is_surprised, struct err *err)
{
	int failed = mailbox_change_follow(rules, jobs[0], err);
	return failed ? failed : run_phones(rules, jobs, 1, ret_is_surprised, err);
}

/* Does the jobs at the front that go together; says how many they were. */
static int run_front(struct rules *rules, struct registry_job **jobs, size_t count,
	size_t *ret_length, bool *ret_is_surprised, struct err *err)
{
	enum run_kind kind = kind_of(jobs[0]);
	size_t length = 1;
	if (kind == RUN_PHONES || kind == RUN_IMPORTS)
		length = phones_length(rules, jobs, count, kind);
	else if (kind != RUN_TIDY && kind != RUN_LISTING && kind != RUN_NEWS_THAT_MOVED)
		while (length < count && kind_of(jobs[length]) == kind)
			length++;
	*ret_length = length;
	switch (kind) {
	case RUN_PHONES:
	case RUN_IMPORTS:
		return run_phones(rules, jobs, length, ret_is_surprised, err);
	case RUN_NEWS_THAT_MOVED:
		return run_news_that_moved(rules, jobs, ret_is_surprised, err);
	case RUN_MAILBOXES:
		return mailbox_change_run(rules, jobs, length, err);
	case RUN_TOKENS:
		return token_change_run(rules, jobs, length, err);
	case RUN_LISTING:
		return listing_run(rules, jobs[0], err);
	case RUN_TIDY:
		break;
	}
	return tidy_run(rules, jobs[0], err);
}

static bool writes(const struct rules *rules, struct registry_job *const *jobs, size_t count)
{
	if (!rules->times_right)
		return true;
	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->kind == REGISTRY_LIST || jobs[i]->kind == REGISTRY_LIST_FORGOTTEN ||
			jobs[i]->kind == REGISTRY_COUNT ||
			(jobs[i]->kind == REGISTRY_IMPORT && jobs[i]->is_dry_run))
			continue;
		if (jobs[i]->kind != REGISTRY_NEWS || jobs[i]->was_at)
			return true;
		for (unsigned reading = 0; reading < jobs[i]->event->readings; reading++) {
			if (rules_resumes(rules, jobs[i], reading))
				return true;
		}
	}
	return false;
}

/* News alone are one run, which asks about all with one call. */
static bool reads_once(struct registry_job *const *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->kind != REGISTRY_NEWS)
			return count == 1 &&
				(jobs[i]->kind == REGISTRY_COUNT ||
					jobs[i]->kind == REGISTRY_LIST_FORGOTTEN);
	}
	return true;
}

static enum registry_access access_of(
	const struct rules *rules, struct registry_job *const *jobs, size_t count)
{
	return writes(rules, jobs, count) ? REGISTRY_WRITES
		: reads_once(jobs, count) ? REGISTRY_READS_ONCE
					  : REGISTRY_READS;
}

static void on_suspended(void *ctx, const char *user, int64_t suspended_ms)
{
	suspended_users_add(ctx, user, suspended_ms);
}

/* In a transaction. */
static int load_suspended(struct rules *rules, struct err *err)
{
	suspended_users_clear(rules->suspended);
	int failed = rules->db->ops->find_suspended(rules->db, on_suspended, rules->suspended, err);
	rules->suspended_known = !failed;
	return failed;
}

/* Before a batch that may not write after all. */
static int load_suspended_first(struct rules *rules, struct err *err)
{
	const struct registry_ops *ops = rules->db->ops;
	int failed = ops->begin(rules->db, REGISTRY_READS_ONCE, err);
	if (!failed)
		failed = load_suspended(rules, err);
	if (!failed)
		failed = ops->commit(rules->db, err);
	return failed;
}

/* At the first batch, and when the clock went back or another node's did. */
static int put_right(struct rules *rules, struct err *err)
{
	int failed = tidy_spare_future(rules, err);
	if (!failed)
		failed = rules_put_right(rules, err);
	return failed ? failed : load_suspended(rules, err);
}

static int begin(struct rules *rules, struct registry_job *const *jobs, size_t count,
	enum registry_access *ret_access, struct err *err)
{
	int failed = 0;
	if (rules->times_right && !rules->suspended_known)
		failed = load_suspended_first(rules, err);
	*ret_access = access_of(rules, jobs, count);
	if (!failed)
		failed = rules->db->ops->begin(rules->db, *ret_access, err);
	if (!failed && !rules->times_right)
		failed = put_right(rules, err);
	return failed ? failure_before_jobs(failed) : 0;
}

enum fate { GONE, STOPPED, ALIVE };

static void on_kept_row(void *ctx, size_t index, const struct registry_row *row)
{
	enum fate *fates = ctx;
	fates[index] = row->stopped_reason ? STOPPED : ALIVE;
}

static void spare(struct registry_job *job, const enum fate *fates)
{
	mem_auto bool *is_alive = mem_alloc_zero(job->kept->gone_count, sizeof(*is_alive));
	for (size_t i = 0; i < job->kept->gone_count; i++)
		is_alive[i] =
			fates[i] == ALIVE || (fates[i] == STOPPED && job->kind != REGISTRY_STOP);
	result_spare_kept(job, is_alive);
}

static size_t kept_gone(const struct registry_job *job)
{
	return job->kept ? job->kept->gone_count : 0;
}

/* The commit that failed may have been none, and the phone may have renewed by another node. */
static int spare_living(
	struct rules *rules, struct registry_job *const *jobs, size_t count, struct err *err)
{
	size_t key_count = 0;
	for (size_t i = 0; i < count; i++)
		key_count += kept_gone(jobs[i]);
	if (!key_count)
		return 0;
	mem_auto struct registry_key *keys = mem_alloc_zero(key_count, sizeof(*keys));
	mem_auto enum fate *fates = mem_alloc_zero(key_count, sizeof(*fates));
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < kept_gone(jobs[i]); k++)
			keys[at++] = jobs[i]->kept->gone[k];
	}
	int failed = rules->db->ops->load_keys(rules->db, keys, key_count, on_kept_row, fates, err);
	at = 0;
	for (size_t i = 0; i < count && !failed; i++) {
		size_t of_job = kept_gone(jobs[i]);
		if (of_job)
			spare(jobs[i], fates + at);
		at += of_job;
	}
	return failed;
}

static int attempt(struct rules *rules, struct registry_job **jobs, size_t count,
	enum registry_access *ret_access, bool *ret_is_surprised, struct err *err)
{
	map_clear(rules->renewed);
	int failed = begin(rules, jobs, count, ret_access, err);
	for (size_t done = 0; done < count && !failed;) {
		size_t length;
		failed =
			run_front(rules, jobs + done, count - done, &length, ret_is_surprised, err);
		done += length;
	}
	return failed ? failed : spare_living(rules, jobs, count, err);
}

static void undo(struct rules *rules, struct registry_job **jobs, size_t count)
{
	rules->db->ops->rollback(rules->db);
	rules->suspended_known = false;
	for (size_t i = 0; i < count; i++)
		registry_job_undo(jobs[i]);
}

static int run(struct rules *rules, struct job_list *batch, int64_t now_ms, struct err *err)
{
	rules_begin(rules, now_ms);
	mem_auto struct registry_job **jobs = mem_alloc_zero(batch->count, sizeof(*jobs));
	size_t count = 0;
	for (struct job *job = batch->first; job; job = job->next) {
		jobs[count] = MEM_CONTAINER(job, struct registry_job, job);
		registry_job_undo(jobs[count++]);
	}
	enum registry_access access;
	bool is_surprised = false;
	int failed = attempt(rules, jobs, count, &access, &is_surprised, err);
	if (!failed && is_surprised) {
		undo(rules, jobs, count);
		rules->times_right = false;
		failed = attempt(rules, jobs, count, &access, &is_surprised, err);
	}
	if (!failed) {
		failed = rules->db->ops->commit(rules->db, err);
		if (!failed)
			rules->times_right = true;
		bool may_be_done = failed && access == REGISTRY_WRITES && failure_is_open(failed);
		for (size_t i = 0; i < count && may_be_done; i++) {
			jobs[i]->may_be_done = true;
			result_keep(jobs[i]);
		}
	}
	for (size_t i = 0; i < count && !failed; i++)
		result_add_kept(jobs[i]);
	if (failed)
		undo(rules, jobs, count);
	return failed;
}

struct registry_store *registry_store_of(
	struct registry_db *db, const struct registry_settings *settings)
{
	struct registry_store *store = mem_alloc_zero(1, sizeof(*store));
	store->db = db;
	rules_init(&store->rules, db, settings);
	return store;
}

void registry_store_set_limits(struct registry_store *store, int64_t registration_ttl_ms,
	int64_t deleted_user_grace_ms, unsigned registrations_per_user)
{
	store->rules.registration_ttl_ms = registration_ttl_ms;
	store->rules.deleted_user_grace_ms = deleted_user_grace_ms;
	store->rules.registrations_per_user = registrations_per_user;
}

int registry_store_open(
	const struct registry_settings *settings, struct registry_store **ret, struct err *err)
{
	struct registry_db *db = NULL;
	int failed = settings->ops->open(settings->place, settings, &db, err);
	if (failed)
		return failed;
	*ret = registry_store_of(db, settings);
	return 0;
}

int registry_store_run_at(
	struct registry_store *store, struct job_list *batch, int64_t now_ms, struct err *err)
{
	int failed = run(&store->rules, batch, now_ms, err);
	for (struct job *job = batch->first; job; job = job->next)
		MEM_CONTAINER(job, struct registry_job, job)->status = failed ? -ECANCELED : 0;
	return failed;
}

int registry_store_run(struct registry_store *store, struct job_list *batch, struct err *err)
{
	return registry_store_run_at(store, batch, clock_unix_ms(), err);
}

void registry_store_describe(struct registry_store *store, struct registry_description *ret)
{
	*ret = (struct registry_description){0};
	if (store->db->ops->describe)
		store->db->ops->describe(store->db, ret);
}

void registry_store_close(struct registry_store *store)
{
	if (!store)
		return;
	rules_fini(&store->rules);
	store->db->ops->close(store->db);
	free(store);
}
