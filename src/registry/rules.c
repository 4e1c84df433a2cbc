#include "registry/rules.h"

#include "base/clock.h"
#include "base/mem.h"
#include "event/acl.h"
#include "registry/listing.h"
#include "registry/renewal.h"
#include "registry/result.h"
#include "registry/tidy.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

/* Clocks of several nodes differ, and one is put right by a little now and then. */
#define WRONG_BEYOND_MS (5 * CLOCK_MINUTE_MS)
/* 2024-01-01: a clock that stands before it was never set, and nothing is judged by it. */
#define CLOCK_SET_MS (INT64_C(19723) * CLOCK_DAY_MS)

/* One mailbox that news came for. */
struct query {
	struct registry_job *job;
	unsigned reading;
};

struct news {
	const struct rules *rules;
	struct query *queries;
	bool has_overslept;
};

void rules_init(
	struct rules *rules, struct registry_db *db, const struct registry_settings *settings)
{
	assert(settings->registrations_per_user > 0);
	uint8_t seed[16];
	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		abort();
	*rules = (struct rules){
		.db = db,
		.site = mem_dup(settings->site),
		.registration_ttl_ms = settings->registration_ttl_ms,
		.deleted_user_grace_ms = settings->deleted_user_grace_ms,
		.registrations_per_user = settings->registrations_per_user,
		.sleepers = suspended_users_new(),
		.users = map_new(seed),
		.renewed = map_new(seed),
	};
}

void rules_fini(struct rules *rules)
{
	suspended_users_free(rules->sleepers);
	map_free(rules->users);
	map_free(rules->renewed);
	free(rules->site);
}

int64_t rules_time(const struct rules *rules, const struct registry_job *job)
{
	return job->received_ms > rules->wrong_ms ? rules->now_ms : job->received_ms;
}

static bool is_believed(const struct registry_job *job, unsigned reading)
{
	return event_is_believed(job->event, job->event->at, job->event->readings, reading);
}

static bool wakes(const struct rules *rules, const struct registry_job *job, unsigned reading)
{
	return suspended_users_wakes(rules->sleepers, job->event->at[reading].owner,
		       rules_time(rules, job), rules->wrong_ms) &&
		is_believed(job, reading);
}

static void on_match(void *ctx, size_t index, const struct registry_row *row, const char *hash)
{
	struct news *news = ctx;
	struct registry_job *job = news->queries[index].job;
	unsigned reading = news->queries[index].reading;
	bool is_own = strcmp(row->user, job->event->at[reading].owner) == 0;
	if (row->sleeping_ms > 0) {
		if (is_own && is_believed(job, reading) &&
			(row->sleeping_ms <= rules_time(news->rules, job) ||
				row->sleeping_ms > news->rules->wrong_ms))
			news->has_overslept = true;
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

/* `ctx`: the jobs, by index. */
static void on_effect(void *ctx, size_t index, enum registry_effect_kind kind,
	const struct registry_key *key, const char *hash)
{
	struct registry_job *const *jobs = ctx;
	result_add_effect(jobs[index], kind, key, hash);
}

static int wake_owners(
	struct rules *rules, const struct query *queries, size_t count, struct err *err)
{
	mem_auto struct registry_wake *woken = NULL;
	mem_auto struct registry_job **woken_by = NULL;
	size_t woken_count = 0;
	for (size_t i = 0; i < count; i++) {
		struct registry_job *job = queries[i].job;
		if (!wakes(rules, job, queries[i].reading))
			continue;
		woken = mem_realloc_array(woken, woken_count + 1, sizeof(*woken));
		woken_by =
			mem_realloc_array(woken_by, woken_count + 1, sizeof(struct registry_job *));
		woken_by[woken_count] = job;
		woken[woken_count++] = (struct registry_wake){
			.user = job->event->at[queries[i].reading].owner,
			.upto_ms = rules_time(rules, job),
			.wrong_ms = rules->wrong_ms,
		};
	}
	if (woken_count == 0)
		return 0;
	int failed = rules->db->ops->wake(rules->db, woken, woken_count, on_effect, woken_by, err);
	for (size_t i = 0; i < woken_count && !failed; i++)
		suspended_users_remove(rules->sleepers, woken[i].user);
	return failed;
}

static int run_news(struct rules *rules, struct registry_job *const *jobs, size_t count,
	bool *ret_overslept, struct err *err)
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
	int failed = wake_owners(rules, queries, asked, err);
	struct news news = {.rules = rules, .queries = queries};
	if (!failed)
		failed = rules->db->ops->match(rules->db, mailboxes, asked, on_match, &news, err);
	if (!failed && news.has_overslept)
		*ret_overslept = true;
	return failed;
}

/* Where `from` went: within its owner if the new name can be read so, as nearly all renames do. */
static const struct mailbox *new_place(const struct mail_event *event, const struct mailbox *from)
{
	for (unsigned i = 0; i < event->readings; i++) {
		if (strcmp(event->at[i].owner, from->owner) == 0)
			return &event->at[i];
	}
	return event->readings ? &event->at[0] : NULL;
}

static size_t add_delete(const struct rules *rules, const struct registry_job *job,
	struct registry_mailbox_change *ret)
{
	size_t count = 0;
	for (unsigned i = 0; i < job->event->readings; i++) {
		const struct mailbox *mailbox = &job->event->at[i];
		if (!is_believed(job, i))
			continue;
		ret[count++] = (struct registry_mailbox_change){
			.kind = mailbox_is_inbox(mailbox) ? REGISTRY_OWNER_GONE
							  : REGISTRY_FOLDER_GONE,
			.at_ms = rules_time(rules, job),
			.wrong_ms = rules->wrong_ms,
			.owner = mailbox->owner,
			.folder = mailbox->folder,
		};
	}
	return count;
}

static size_t add_rename(const struct rules *rules, const struct registry_job *job,
	struct registry_mailbox_change *ret)
{
	assert(job->separator);
	size_t count = 0;
	for (unsigned i = 0; i < job->event->from_readings; i++) {
		const struct mailbox *from = &job->event->from[i];
		const struct mailbox *to = new_place(job->event, from);
		if (!to ||
			!event_is_believed(
				job->event, job->event->from, job->event->from_readings, i))
			continue;
		/* Whoever renames the own INBOX to a folder still has an INBOX. */
		if (mailbox_is_inbox(from) && strcmp(from->owner, to->owner) == 0)
			continue;
		ret[count++] = (struct registry_mailbox_change){
			.kind = mailbox_is_inbox(from) ? REGISTRY_OWNER_GONE
						       : REGISTRY_FOLDER_MOVED,
			.at_ms = rules_time(rules, job),
			.wrong_ms = rules->wrong_ms,
			.owner = from->owner,
			.folder = from->folder,
			.new_owner = to->owner,
			.new_folder = to->folder,
			.separator = job->separator,
		};
	}
	return count;
}

static int run_mailboxes(
	struct rules *rules, struct registry_job *const *jobs, size_t count, struct err *err)
{
	mem_auto struct registry_mailbox_change *changes =
		mem_alloc_zero(MAILBOX_READINGS * count, sizeof(*changes));
	mem_auto struct registry_job **changed_by =
		mem_alloc_zero(MAILBOX_READINGS * count, sizeof(struct registry_job *));
	size_t change_count = 0;
	for (size_t i = 0; i < count; i++) {
		size_t first = change_count;
		change_count += jobs[i]->kind == REGISTRY_MAILBOX_DELETE
			? add_delete(rules, jobs[i], changes + change_count)
			: add_rename(rules, jobs[i], changes + change_count);
		for (size_t j = first; j < change_count; j++)
			changed_by[j] = jobs[i];
	}
	int failed = rules->db->ops->change_mailboxes(
		rules->db, changes, change_count, on_effect, changed_by, err);
	for (size_t i = 0; i < change_count && !failed; i++) {
		if (changes[i].kind == REGISTRY_OWNER_GONE)
			suspended_users_add(rules->sleepers, changes[i].owner, changes[i].at_ms);
	}
	return failed;
}

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

static int run_tokens(
	struct rules *rules, struct registry_job **jobs, size_t count, struct err *err)
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

enum run_kind { RUN_NEWS, RUN_RENEWALS, RUN_MAILBOXES, RUN_TOKENS, RUN_LISTING, RUN_TIDY };

static enum run_kind kind_of(const struct registry_job *job)
{
	switch (job->kind) {
	case REGISTRY_REGISTER:
		return RUN_RENEWALS;
	case REGISTRY_NEWS:
		return RUN_NEWS;
	case REGISTRY_MAILBOX_DELETE:
	case REGISTRY_MAILBOX_RENAME:
		return RUN_MAILBOXES;
	case REGISTRY_FORGET:
	case REGISTRY_STOP:
		return RUN_TOKENS;
	case REGISTRY_LIST:
	case REGISTRY_LIST_FORGOTTEN:
	case REGISTRY_REMOVE:
	case REGISTRY_COUNT:
		return RUN_LISTING;
	case REGISTRY_TIDY:
		break;
	}
	return RUN_TIDY;
}

/* Renewals of one user depend on each other, so a run has each user once. */
static size_t renewals_length(struct rules *rules, struct registry_job *const *jobs, size_t count)
{
	size_t length = 0;
	while (length < count && kind_of(jobs[length]) == RUN_RENEWALS) {
		const char *user = jobs[length]->event->registration.user;
		if (map_get(rules->users, user, strlen(user)))
			break;
		map_add(rules->users, user, strlen(user), jobs[length]);
		length++;
	}
	map_clear(rules->users);
	return length;
}

/* Does the jobs at the front that go together; says how many they were. */
static int run_front(struct rules *rules, struct registry_job **jobs, size_t count,
	size_t *ret_length, bool *ret_overslept, struct err *err)
{
	enum run_kind kind = kind_of(jobs[0]);
	size_t length = 1;
	if (kind == RUN_RENEWALS)
		length = renewals_length(rules, jobs, count);
	else if (kind != RUN_TIDY && kind != RUN_LISTING)
		while (length < count && kind_of(jobs[length]) == kind)
			length++;
	*ret_length = length;
	switch (kind) {
	case RUN_NEWS:
		return run_news(rules, jobs, length, ret_overslept, err);
	case RUN_RENEWALS:
		return renewal_run(rules, jobs, length, err);
	case RUN_MAILBOXES:
		return run_mailboxes(rules, jobs, length, err);
	case RUN_TOKENS:
		return run_tokens(rules, jobs, length, err);
	case RUN_LISTING:
		return listing_run(rules, jobs[0], err);
	case RUN_TIDY:
		break;
	}
	return tidy_run(rules, jobs[0], err);
}

static bool needs_write(const struct rules *rules, struct registry_job *const *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->kind == REGISTRY_LIST || jobs[i]->kind == REGISTRY_LIST_FORGOTTEN ||
			jobs[i]->kind == REGISTRY_COUNT)
			continue;
		if (jobs[i]->kind != REGISTRY_NEWS)
			return true;
		for (unsigned reading = 0; reading < jobs[i]->event->readings; reading++) {
			if (wakes(rules, jobs[i], reading))
				return true;
		}
	}
	return false;
}

static void on_sleeper(void *ctx, const char *user, int64_t sleeping_ms)
{
	suspended_users_add(ctx, user, sleeping_ms);
}

static int load_sleepers(struct rules *rules, struct err *err)
{
	const struct registry_ops *ops = rules->db->ops;
	suspended_users_clear(rules->sleepers);
	int failed = ops->begin(rules->db, false, err);
	if (!failed)
		failed = ops->find_sleepers(rules->db, on_sleeper, rules->sleepers, err);
	if (!failed)
		failed = ops->commit(rules->db, err);
	if (failed)
		ops->rollback(rules->db);
	rules->sleepers_known = !failed;
	return failed;
}

static int attempt(struct rules *rules, struct registry_job **jobs, size_t count,
	bool *ret_overslept, struct err *err)
{
	int failed = 0;
	map_clear(rules->renewed);
	if (!rules->sleepers_known)
		failed = load_sleepers(rules, err);
	if (!failed)
		failed = rules->db->ops->begin(rules->db, needs_write(rules, jobs, count), err);
	for (size_t done = 0; done < count && !failed;) {
		size_t length;
		failed = run_front(rules, jobs + done, count - done, &length, ret_overslept, err);
		done += length;
	}
	return failed;
}

static void undo(struct rules *rules, struct registry_job **jobs, size_t count)
{
	rules->db->ops->rollback(rules->db);
	rules->sleepers_known = false;
	for (size_t i = 0; i < count; i++)
		result_clear(jobs[i]);
}

int rules_run(struct rules *rules, struct job_list *batch, int64_t now_ms, struct err *err)
{
	rules->now_ms = now_ms;
	rules->wrong_ms = now_ms < CLOCK_SET_MS ? INT64_MAX : now_ms + WRONG_BEYOND_MS;
	mem_auto struct registry_job **jobs = mem_alloc_zero(batch->count, sizeof(*jobs));
	size_t count = 0;
	for (struct job *job = batch->first; job; job = job->next) {
		jobs[count] = MEM_CONTAINER(job, struct registry_job, job);
		result_clear(jobs[count++]);
	}
	bool overslept = false;
	int failed = attempt(rules, jobs, count, &overslept, err);
	if (!failed && overslept) {
		/* Another node has put somebody to sleep whom this batch wakes: once more, knowing
		   that. */
		undo(rules, jobs, count);
		failed = attempt(rules, jobs, count, &overslept, err);
	}
	if (!failed) {
		failed = rules->db->ops->commit(rules->db, err);
		for (size_t i = 0; i < count && failed; i++)
			jobs[i]->may_be_done = true;
	}
	if (failed)
		undo(rules, jobs, count);
	return failed;
}
