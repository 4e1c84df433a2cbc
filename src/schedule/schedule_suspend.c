#include "base/mem.h"
#include "schedule/schedule_entry.h"

#include <string.h>

static struct queue_job *tell_suspended(struct schedule *schedule, struct entry *entry,
	bool is_suspended, struct schedule_time time)
{
	entry->is_suspended = is_suspended;
	if (entry->state == WAITING)
		schedule_stand(schedule, entry);
	struct queue_job *job = schedule_new_job(schedule, &entry->key, entry);
	schedule_tell_row(entry, job, QUEUE_PUSH_MOVE, time);
	return job;
}

struct queue_job *schedule_suspend(
	struct schedule *schedule, const struct registry_key *key, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, key);
	if (!entry || !entry->row || entry->is_suspended)
		return NULL;
	return tell_suspended(schedule, entry, true, time);
}

struct queue_job *schedule_resume(
	struct schedule *schedule, const struct registry_key *key, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, key);
	if (!entry || !entry->row || !entry->is_suspended)
		return NULL;
	return tell_suspended(schedule, entry, false, time);
}

static bool lose(struct news *news, const char *hash)
{
	struct queue_news *row = news_find(news, hash);
	if (row)
		news_remove(news, (uint32_t)(row - news_rows(news)));
	return row;
}

struct queue_job *schedule_lose(struct schedule *schedule, const struct registry_key *key,
	const char *hash, struct schedule_time time)
{
	struct entry *entry = schedule_find(schedule, key);
	if (!entry || !entry->row)
		return NULL;
	uint32_t count_before = entry->counted;
	bool is_lost = lose(&entry->news, hash);
	if (entry->flight)
		is_lost |= lose(&entry->flight->carried, hash);
	if (!is_lost)
		return NULL;
	schedule_account(schedule, entry);
	if (!entry->news.count)
		entry->due_ms = INT64_MAX;
	struct queue_job *job = schedule_new_job(schedule, key, entry);
	if (!entry->counted) {
		schedule_delete_row(entry, job);
		if (!entry->flight)
			schedule_enter(schedule, entry, RESTING);
		return job;
	}
	job->parts = QUEUE_NEWS_DROP;
	queue_job_make_room(job, 1);
	memcpy(job->news[job->news_count++].hash, hash, strnlen(hash, MAILBOX_HASH_SIZE - 1));
	bool has_new_id = schedule_replace_apns_id(schedule, entry, count_before, job->seq);
	schedule_tell_row(entry, job, QUEUE_PUSH_MOVE, time);
	schedule_stand_anew(schedule, entry, has_new_id);
	return job;
}

size_t schedule_suspended(const struct schedule *schedule, struct registry_key **ret)
{
	struct registry_key *keys = NULL;
	size_t count = 0;
	size_t position = 0;
	for (struct entry *entry; (entry = map_next(schedule->entries, &position));) {
		if (!entry->is_suspended)
			continue;
		if (!(count & (count - 1)))
			keys = mem_realloc_array(keys, count ? 2 * count : 1, sizeof(*keys));
		keys[count++] = entry->key;
	}
	*ret = keys;
	return count;
}
