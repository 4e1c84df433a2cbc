#include "base/mem.h"
#include "schedule/schedule_entry.h"

#include <assert.h>
#include <string.h>

#define LOADED_DUE_MIN_MS (-24 * 60 * 60 * 1000) /* of due times from disk, ago */
#define SHUFFLED_MS 1000			 /* all of it was due that long ago at most */

/* The Unix time of before now in this run's monotonic time. */
static int64_t past_ms(int64_t unix_ms, struct schedule_time time)
{
	if (unix_ms <= 0)
		return NEVER_MS;
	return unix_ms > time.unix_ms ? time.now_ms : time.now_ms - (time.unix_ms - unix_ms);
}

static int64_t loaded_delay_ms(
	const struct schedule_settings *settings, int64_t due_unix_ms, int64_t now_unix_ms)
{
	int64_t most_ms = 2 * settings->deferred_delay_ms;
	if (most_ms < SCHEDULE_RETRY_MAX_MS)
		most_ms = SCHEDULE_RETRY_MAX_MS;
	if (most_ms < settings->min_interval_ms)
		most_ms = settings->min_interval_ms;
	if (due_unix_ms > now_unix_ms + most_ms)
		return 0;
	if (due_unix_ms < now_unix_ms + LOADED_DUE_MIN_MS)
		return LOADED_DUE_MIN_MS;
	int64_t delay_ms = due_unix_ms - now_unix_ms;
	return delay_ms < SCHEDULE_LOADED_DUE_MAX_MS ? delay_ms : SCHEDULE_LOADED_DUE_MAX_MS;
}

void schedule_load_push(struct schedule *schedule, int64_t row, struct push_target *target,
	const uint8_t apns_id[QUEUE_APNS_ID_SIZE], int64_t due_unix_ms, unsigned attempts,
	bool is_doubted, int64_t last_push_unix_ms, struct schedule_time time)
{
	assert(!schedule_find(schedule, &target->key));
	struct entry *entry = schedule_new_entry(schedule, &target->key);
	entry->target = target;
	entry->row = row;
	if (row > schedule->last_row)
		schedule->last_row = row;
	/* It may have, just before the end: the apns_id stands for what is there now. */
	entry->has_flown = true;
	entry->attempts = attempts;
	entry->failures = attempts;
	entry->failing_since_ms = time.now_ms;
	entry->is_doubted = is_doubted;
	entry->last_push_ms = past_ms(last_push_unix_ms, time);
	entry->left_ms = entry->last_push_ms;
	memcpy(entry->apns_id, apns_id, sizeof(entry->apns_id));

	entry->due_ms = schedule_not_too_soon(schedule, entry,
		time.now_ms + loaded_delay_ms(&schedule->settings, due_unix_ms, time.unix_ms));
	entry->is_suspended = due_unix_ms == QUEUE_DUE_SUSPENDED;
	if (attempts && !entry->is_suspended)
		entry->not_before_ms = entry->due_ms;
	schedule_enter(schedule, entry, STORING);
}

void schedule_load_news(
	struct schedule *schedule, const struct registry_key *key, const struct queue_news *news)
{
	if (news->seq > schedule->seq)
		schedule->seq = news->seq;
	struct entry *entry = schedule_find(schedule, key);
	if (!entry)
		return;
	bool is_new;
	news_put(&entry->news, news, &is_new);
	if (news->first_ms > entry->event_unix_ms)
		entry->event_unix_ms = news->first_ms;
	schedule_account(schedule, entry);
}

static bool is_due(const struct entry *entry, int64_t now_ms)
{
	return entry->news.count && entry->due_ms <= now_ms && !entry->is_suspended;
}

/*
 * Urgent pushes that are due leave in another order at each start: one that ends the daemon, or
 * that Apple does not answer, is not always the first.  Some deferred ones leave among them, as all
 * of them would come after such a one at each start.
 */
static void shuffle(struct schedule *schedule, int64_t now_ms)
{
	int64_t urgent = 0;
	int64_t deferred = 0;
	struct entry *entry;
	TAILQ_FOREACH(entry, &schedule->storing, place) {
		if (is_due(entry, now_ms))
			*(news_has_urgent(&entry->news) ? &urgent : &deferred) += 1;
	}
	TAILQ_FOREACH(entry, &schedule->storing, place) {
		if (!urgent || !is_due(entry, now_ms))
			continue;
		if (!news_has_urgent(&entry->news)) {
			if (random_upto(&schedule->chance, deferred - 1) >= SCHEDULE_AMONG_URGENT)
				continue;
			entry->is_among_urgent = entry->is_spread = true;
		}
		entry->due_ms = now_ms - random_upto(&schedule->chance, SHUFFLED_MS);
	}
	topic_heaps_begin_at(&schedule->heaps, random_draw(&schedule->chance));
}

void schedule_loaded(
	struct schedule *schedule, struct job_list *ret_jobs, struct schedule_time time)
{
	struct job_list jobs;
	job_list_init(&jobs);
	shuffle(schedule, time.now_ms);
	for (struct entry *entry; (entry = TAILQ_FIRST(&schedule->storing));) {
		if (entry->news.count) {
			schedule_enter(schedule, entry, WAITING);
			continue;
		}
		struct queue_job *job = queue_job_new();
		job->key = entry->key;
		job->row = entry->row;
		schedule_delete_row(entry, job);
		job_list_append(&jobs, &job->job);
		schedule_enter(schedule, entry, RESTING);
	}
	schedule->stored_seq = schedule->seq;
	for (struct job *job = jobs.first; job; job = job->next)
		MEM_CONTAINER(job, struct queue_job, job)->seq = ++schedule->seq;
	job_list_move(ret_jobs, &jobs);
	if (schedule->in_state[WAITING] && schedule->settings.caution_ms)
		slow_start_begin(&schedule->caution, time.now_ms + schedule->settings.caution_ms);
}
