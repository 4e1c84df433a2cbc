/*
 * What others change of the entries: news comes, a registration is renewed, stopped or gone.
 */
#include "base/mem.h"
#include "schedule/schedule_entry.h"

#include <assert.h>
#include <string.h>

static bool is_same_target(const struct push_target *a, const struct push_target *b)
{
	return !strcmp(a->topic, b->topic) && !strcmp(a->token, b->token) &&
		!strcmp(a->account_id, b->account_id) && !strcmp(a->user, b->user) &&
		a->aps_version == b->aps_version && a->confirmed == b->confirmed &&
		a->inbox_only == b->inbox_only;
}

/* Returns whether the store must know of it. */
static bool take_target(struct entry *entry, struct push_target *target)
{
	struct push_target *old = entry->target;
	if (target == old) {
		push_target_free(target);
		return false;
	}
	bool is_same = old && is_same_target(old, target);
	entry->target = target;
	if (entry->flight && entry->flight->push.target == old)
		entry->flight->old_target = old;
	else
		push_target_free(old);
	return !is_same;
}

/*
 * Puts the news in, and into the job as the rows should be on disk.  Returns whether the set of
 * hashes that the next push carries is another than that of the apns_id.
 */
static bool put_news(struct schedule *schedule, struct entry *entry, struct queue_job *job,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, enum queue_urgency urgency,
	int64_t unix_ms)
{
	struct flight *flight = entry->flight;
	bool grew = false;
	job->parts |= QUEUE_NEWS_PUT;
	queue_job_make_room(job, hash_count);
	job->news_count = hash_count;
	for (unsigned i = 0; i < hash_count; i++) {
		/* Each row its own seq, so that a flight can end between any two. */
		struct queue_news row = {
			.first_ms = unix_ms,
			.urgent_ms = urgency == QUEUE_URGENT ? unix_ms : 0,
			.seq = i ? ++schedule->seq : job->seq,
		};
		memcpy(row.hash, hashes[i], strnlen(hashes[i], MAILBOX_HASH_SIZE - 1));
		bool is_new;
		job->news[i] = *news_put(&entry->news, &row, &is_new);
		/* A crash may find the flight without a verdict: then both must be pushed. */
		struct queue_news *carried = flight ? news_find(&flight->carried, row.hash) : NULL;
		if (carried)
			news_merge(&job->news[i], carried);
		grew |= is_new && !carried;
	}
	job->seq = schedule->seq;
	/* Of more than fit, the newer seq changes which go first. */
	uint32_t count = entry->news.count + (flight ? flight->carried.count : 0);
	return grew || count > SCHEDULE_HASHES_MAX;
}

struct queue_job *schedule_add(struct schedule *schedule, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, enum queue_urgency urgency,
	struct schedule_time time)
{
	assert(hash_count);
	schedule_reap(schedule, time.now_ms);
	struct entry *entry = schedule_find(schedule, &target->key);
	if (!entry)
		entry = schedule_new_entry(schedule, &target->key);
	bool has_new_target = take_target(entry, target);
	bool is_new = !entry->row;
	if (is_new)
		entry->row = ++schedule->last_row;
	struct queue_job *job = schedule_new_job(schedule, &entry->key, entry);
	bool had_news = entry->news.count;
	bool was_suspended = entry->is_suspended;
	entry->is_suspended = false;
	bool grew = put_news(schedule, entry, job, hashes, hash_count, urgency, time.unix_ms);
	entry->event_unix_ms = time.unix_ms;
	schedule_account(schedule, entry);

	bool has_new_id = is_new || (grew && entry->has_flown);
	if (has_new_id) {
		schedule_new_apns_id(schedule, entry);
		entry->storing_seq = job->seq;
		entry->due_ms = schedule_not_too_soon(schedule, entry, entry->due_ms);
	}
	int64_t due_ms = INT64_MAX;
	if (urgency == QUEUE_URGENT)
		due_ms = time.now_ms;
	else if (!had_news)
		due_ms = time.now_ms + schedule->settings.deferred_delay_ms +
			random_upto(&schedule->chance, schedule->settings.deferred_delay_ms);
	due_ms = schedule_not_too_soon(schedule, entry, due_ms);
	bool is_sooner = due_ms < entry->due_ms;
	if (is_sooner)
		entry->due_ms = due_ms;

	if (is_new || has_new_target)
		schedule_tell_row(entry, job, QUEUE_PUSH_PUT, time);
	else if (has_new_id || was_suspended || (is_sooner && !entry->flight))
		schedule_tell_row(entry, job, QUEUE_PUSH_MOVE, time);

	schedule_stand_anew(schedule, entry, has_new_id);
	job->plan = (struct queue_plan){.is_due = entry->due_ms <= time.now_ms,
		.is_merged = had_news,
		.is_behind = entry->flight != NULL,
		.is_limited = schedule_is_limited(schedule, entry, time.now_ms),
		.due_ms = time.unix_ms + (entry->due_ms - time.now_ms)};
	return job;
}

static int compare_hashes(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void keep_listed(struct news *news, const char (*sorted)[MAILBOX_HASH_SIZE], size_t count,
	struct queue_job *job)
{
	for (uint32_t i = news->count; i-- > 0;) {
		struct queue_news *row = &news_rows(news)[i];
		if (bsearch(row->hash, sorted, count, MAILBOX_HASH_SIZE, compare_hashes))
			continue;
		job->parts |= QUEUE_NEWS_DROP;
		job->news[job->news_count++] = *row;
		news_remove(news, i);
	}
}

static void end_doubt(struct schedule *schedule, struct entry *entry, int64_t now_ms)
{
	entry->is_doubted = false;
	entry->not_before_ms = NEVER_MS;
	entry->due_ms = schedule_not_too_soon(schedule, entry, now_ms);
}

struct queue_job *schedule_renew(struct schedule *schedule, struct push_target *target,
	const char (*hashes)[MAILBOX_HASH_SIZE], unsigned hash_count, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, &target->key);
	if (!entry || !entry->row) {
		push_target_free(target);
		return NULL;
	}
	take_target(entry, target);
	entry->is_suspended = false;
	mem_auto char(*sorted)[MAILBOX_HASH_SIZE] =
		mem_realloc_array(NULL, hash_count, MAILBOX_HASH_SIZE);
	if (hash_count)
		memcpy(sorted, hashes, (size_t)hash_count * MAILBOX_HASH_SIZE);
	qsort(sorted, hash_count, MAILBOX_HASH_SIZE, compare_hashes);

	struct queue_job *job = schedule_new_job(schedule, &entry->key, entry);
	uint32_t count_before = entry->counted;
	queue_job_make_room(job, entry->counted);
	const char(*listed)[MAILBOX_HASH_SIZE] = (const char(*)[MAILBOX_HASH_SIZE])sorted;
	keep_listed(&entry->news, listed, hash_count, job);
	if (entry->flight)
		keep_listed(&entry->flight->carried, listed, hash_count, job);
	schedule_account(schedule, entry);
	bool has_new_id = job->news_count && entry->counted &&
		schedule_replace_apns_id(schedule, entry, count_before, job->seq);
	if (!entry->news.count)
		entry->due_ms = INT64_MAX;
	else if (entry->is_doubted)
		end_doubt(schedule, entry, time.now_ms);
	if (entry->flight)
		entry->flight->push.is_renewed = true;

	if (!entry->counted) {
		job->parts &= ~(unsigned)QUEUE_NEWS_DROP;
		schedule_delete_row(entry, job);
		if (!entry->flight)
			schedule_enter(schedule, entry, RESTING);
		return job;
	}
	schedule_tell_row(entry, job, QUEUE_PUSH_PUT, time);
	schedule_stand_anew(schedule, entry, has_new_id);
	return job;
}

/* Its news is discarded; an entry that is not flying rests. */
static void give_up_news(struct schedule *schedule, struct entry *entry, struct queue_job *job)
{
	if (entry->row)
		schedule_delete_row(entry, job);
	news_fini(&entry->news);
	entry->due_ms = INT64_MAX;
	if (entry->flight)
		news_fini(&entry->flight->carried);
	else
		schedule_enter(schedule, entry, RESTING);
	schedule_account(schedule, entry);
}

struct queue_job *schedule_drop(struct schedule *schedule, const struct registry_key *key)
{
	struct entry *entry = schedule_find(schedule, key);
	struct queue_job *job = schedule_new_job(schedule, key, entry);
	job->parts = QUEUE_PHONE_DELETE;
	if (!entry || entry->state == RESTING)
		return job;
	if (entry->flight)
		entry->flight->is_orphan = true;
	give_up_news(schedule, entry, job);
	return job;
}

struct queue_job *schedule_stop(struct schedule *schedule, const struct registry_key *key)
{
	struct entry *entry = schedule_find(schedule, key);
	if (!entry || !entry->row)
		return NULL;
	struct queue_job *job = schedule_new_job(schedule, key, entry);
	give_up_news(schedule, entry, job);
	return job;
}

struct queue_job *schedule_hurry(
	struct schedule *schedule, const struct registry_key *key, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, key);
	if (!entry || entry->is_suspended || (entry->state != STORING && entry->state != WAITING))
		return NULL;
	entry->due_ms = time.now_ms;
	entry->not_before_ms = NEVER_MS;
	if (entry->state == WAITING)
		schedule_stand(schedule, entry);
	struct queue_job *job = schedule_new_job(schedule, key, entry);
	schedule_tell_row(entry, job, QUEUE_PUSH_MOVE, time);
	return job;
}
