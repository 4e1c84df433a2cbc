#include "schedule/schedule_entry.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define REAPED_A_CALL 4
#define LIMIT_SLACK_MS 1000 /* times from disk went through another clock */

static const unsigned legal_moves[] = {
	[NEW] = 1u << STORING,
	[STORING] = 1u << WAITING | 1u << RESTING,
	[WAITING] = 1u << STORING | 1u << FLYING | 1u << RESTING,
	[FLYING] = 1u << STORING | 1u << WAITING | 1u << RESTING,
	[RESTING] = 1u << STORING,
};

struct schedule *schedule_new(const struct schedule_settings *settings, const uint8_t seed[16])
{
	struct schedule *schedule = mem_alloc_zero(1, sizeof(*schedule));
	schedule->settings = *settings;
	random_init(&schedule->chance, seed);
	uint64_t map_seed[] = {random_draw(&schedule->chance), random_draw(&schedule->chance)};
	schedule->entries = map_new((const uint8_t *)map_seed);
	TAILQ_INIT(&schedule->storing);
	topic_heaps_init(&schedule->heaps);
	TAILQ_INIT(&schedule->resting);
	rate_init(&schedule->rate, settings->max_push_rate, 0);
	return schedule;
}

static void entry_free(struct entry *entry)
{
	schedule_flight_free(entry->flight);
	push_target_free(entry->target);
	news_fini(&entry->news);
	free(entry);
}

void schedule_set(
	struct schedule *schedule, const struct schedule_settings *settings, int64_t now_ms)
{
	int64_t caution_ms = schedule->settings.caution_ms;
	if (settings->max_push_rate != schedule->settings.max_push_rate)
		rate_init(&schedule->rate, settings->max_push_rate, now_ms);
	schedule->settings = *settings;
	schedule->settings.caution_ms = caution_ms;
}

void schedule_free(struct schedule *schedule)
{
	if (!schedule)
		return;
	size_t position = 0;
	for (struct entry *entry; (entry = map_next(schedule->entries, &position));)
		entry_free(entry);
	map_free(schedule->entries);
	topic_heaps_fini(&schedule->heaps);
	free(schedule);
}

static void stand_in(struct entry *entry, struct heap *heap, int64_t due_ms)
{
	if (entry->heap == heap) {
		if (heap && entry->node.due_ms != due_ms)
			heap_move(heap, &entry->node, due_ms);
		return;
	}
	if (entry->heap)
		heap_remove(entry->heap, &entry->node);
	if (heap)
		heap_add(heap, &entry->node, due_ms);
	entry->heap = heap;
}

void schedule_stand(struct schedule *schedule, struct entry *entry)
{
	if (entry->is_suspended) {
		stand_in(entry, NULL, 0);
		return;
	}
	struct topic_heap *heap = topic_heaps_get(&schedule->heaps, entry->target->topic);
	bool is_first = entry->is_among_urgent || news_has_urgent(&entry->news);
	stand_in(entry, is_first ? &heap->now : &heap->later, entry->due_ms);
}

/* From the end, where it belongs nearly always. */
static void stand_storing(struct schedule *schedule, struct entry *entry)
{
	struct entry *before = TAILQ_LAST(&schedule->storing, entry_list);
	while (before && before->storing_seq > entry->storing_seq)
		before = TAILQ_PREV(before, entry_list, place);
	if (before)
		TAILQ_INSERT_AFTER(&schedule->storing, before, entry, place);
	else
		TAILQ_INSERT_HEAD(&schedule->storing, entry, place);
}

void schedule_enter(struct schedule *schedule, struct entry *entry, enum state to)
{
	assert(legal_moves[entry->state] & (1u << to));
	if (entry->state == STORING)
		TAILQ_REMOVE(&schedule->storing, entry, place);
	else if (entry->state == RESTING)
		TAILQ_REMOVE(&schedule->resting, entry, place);
	if (entry->state != NEW)
		schedule->in_state[entry->state]--;
	schedule->in_state[to]++;
	entry->state = to;
	switch (to) {
	case STORING:
		stand_in(entry, NULL, 0);
		stand_storing(schedule, entry);
		break;
	case WAITING:
		schedule_stand(schedule, entry);
		break;
	case FLYING:
		stand_in(entry, NULL, 0);
		break;
	case RESTING:
		assert(!entry->news.count && !entry->flight);
		push_target_free(mem_steal(entry->target));
		news_fini(&entry->news);
		entry->due_ms = INT64_MAX;
		entry->not_before_ms = NEVER_MS;
		entry->failures = 0;
		entry->is_suspended = false;
		entry->is_doubted = false;
		entry->is_among_urgent = false;
		entry->is_spread = false;
		stand_in(entry, NULL, 0);
		TAILQ_INSERT_TAIL(&schedule->resting, entry, place);
		break;
	case NEW:
		break;
	}
}

void schedule_account(struct schedule *schedule, struct entry *entry)
{
	uint32_t count = entry->news.count;
	if (entry->flight)
		count += entry->flight->carried.count;
	schedule->news = schedule->news + count - entry->counted;
	entry->counted = count;
}

/* Unix; INT64_MAX: it has no news. */
static int64_t oldest_ms(struct entry *entry)
{
	int64_t own_ms = news_first_ms(&entry->news);
	int64_t carried_ms = entry->flight ? news_first_ms(&entry->flight->carried) : INT64_MAX;
	return own_ms < carried_ms ? own_ms : carried_ms;
}

struct entry *schedule_find(const struct schedule *schedule, const struct registry_key *key)
{
	return map_get(schedule->entries, key, sizeof(*key));
}

struct entry *schedule_new_entry(struct schedule *schedule, const struct registry_key *key)
{
	struct entry *entry = mem_alloc_zero(1, sizeof(*entry));
	entry->key = *key;
	entry->state = NEW;
	entry->due_ms = INT64_MAX;
	entry->not_before_ms = NEVER_MS;
	entry->last_push_ms = NEVER_MS;
	entry->left_ms = NEVER_MS;
	news_init(&entry->news);
	map_add(schedule->entries, &entry->key, sizeof(entry->key), entry);
	return entry;
}

/* Between two pushes to any registration. */
static int64_t longest_interval_ms(const struct schedule *schedule)
{
	const struct schedule_settings *settings = &schedule->settings;
	int64_t limited_ms = user_settings_interval_max_ms(settings->users);
	return limited_ms > settings->min_interval_ms ? limited_ms : settings->min_interval_ms;
}

/*
 * Frees some of those that have rested: more than one call can add, so that they never pile up. One
 * that has rested stands behind one that has not for min_interval at most.
 */
void schedule_reap(struct schedule *schedule, int64_t now_ms)
{
	for (int i = 0; i < REAPED_A_CALL; i++) {
		struct entry *entry = TAILQ_FIRST(&schedule->resting);
		if (!entry || entry->left_ms + longest_interval_ms(schedule) > now_ms)
			break;
		TAILQ_REMOVE(&schedule->resting, entry, place);
		map_remove(schedule->entries, &entry->key, sizeof(entry->key));
		schedule->in_state[RESTING]--;
		entry_free(entry);
	}
}

void schedule_new_apns_id(struct schedule *schedule, struct entry *entry)
{
	random_uuid(&schedule->chance, entry->apns_id);
	entry->attempts = 0;
	entry->has_flown = false;
}

/* Of its user's limit; 0: there is none that is longer than min_interval. */
static int64_t limit_ms(const struct schedule *schedule, const struct entry *entry)
{
	const struct schedule_settings *settings = &schedule->settings;
	if (!entry->target)
		return 0;
	int64_t interval_ms = user_settings_interval_ms(settings->users, entry->target->user);
	return interval_ms > settings->min_interval_ms ? interval_ms : 0;
}

static int64_t last_ms(const struct entry *entry)
{
	return entry->has_flown ? entry->last_push_ms : entry->left_ms;
}

/*
 * The due time of the entry's own news, never sooner than it may be pushed to.  A flight that
 * failed may have reached the phone: the same push may be repeated, but another one waits.
 */
int64_t schedule_not_too_soon(
	const struct schedule *schedule, const struct entry *entry, int64_t due_ms)
{
	int64_t interval_ms = limit_ms(schedule, entry);
	int64_t rested_ms =
		last_ms(entry) + (interval_ms ? interval_ms : schedule->settings.min_interval_ms);
	if (due_ms < rested_ms)
		due_ms = rested_ms;
	return due_ms < entry->not_before_ms ? entry->not_before_ms : due_ms;
}

bool schedule_replace_apns_id(
	struct schedule *schedule, struct entry *entry, uint32_t count_before, uint64_t seq)
{
	if (count_before <= SCHEDULE_HASHES_MAX || !entry->has_flown)
		return false;
	schedule_new_apns_id(schedule, entry);
	entry->storing_seq = seq;
	if (entry->news.count)
		entry->due_ms = schedule_not_too_soon(schedule, entry, entry->due_ms);
	return true;
}

void schedule_stand_anew(struct schedule *schedule, struct entry *entry, bool has_new_id)
{
	if (has_new_id && entry->state != FLYING)
		schedule_enter(schedule, entry, STORING);
	else if (entry->state == WAITING)
		schedule_stand(schedule, entry);
}

struct queue_job *schedule_new_job(
	struct schedule *schedule, const struct registry_key *key, const struct entry *entry)
{
	struct queue_job *job = queue_job_new();
	job->key = *key;
	job->row = entry ? entry->row : 0;
	job->seq = ++schedule->seq;
	return job;
}

void schedule_tell_row(
	struct entry *entry, struct queue_job *job, unsigned part, struct schedule_time time)
{
	/* After a crash in the middle of a flight it is to be repeated at once. */
	int64_t due_ms = entry->flight ? time.now_ms : entry->due_ms;
	assert(job->row);
	job->parts |= part;
	job->due_ms =
		entry->is_suspended ? QUEUE_DUE_SUSPENDED : time.unix_ms + (due_ms - time.now_ms);
	job->attempts = entry->attempts;
	job->is_doubted = entry->is_doubted;
	memcpy(job->apns_id, entry->apns_id, sizeof(job->apns_id));
	if (part == QUEUE_PUSH_PUT) {
		job->target = push_target_ref(entry->target);
		int64_t first_ms = oldest_ms(entry);
		job->first_ms = first_ms == INT64_MAX ? time.unix_ms : first_ms;
	}
}

void schedule_delete_row(struct entry *entry, struct queue_job *job)
{
	job->parts |= QUEUE_PUSH_DELETE;
	entry->row = 0;
}

uint64_t schedule_next_seq(struct schedule *schedule)
{
	return ++schedule->seq;
}

void schedule_stored(struct schedule *schedule, uint64_t seq, struct schedule_time time)
{
	if (seq > schedule->stored_seq)
		schedule->stored_seq = seq;
	slow_start_stored(&schedule->caution, schedule->stored_seq, time.now_ms);
	for (struct entry *first; (first = TAILQ_FIRST(&schedule->storing)) &&
		first->storing_seq <= schedule->stored_seq;)
		schedule_enter(schedule, first, WAITING);
	schedule_reap(schedule, time.now_ms);
}

bool schedule_is_limited(const struct schedule *schedule, const struct entry *entry, int64_t now_ms)
{
	int64_t limit = limit_ms(schedule, entry);
	return limit && entry->due_ms > now_ms &&
		entry->due_ms - (last_ms(entry) + limit) < LIMIT_SLACK_MS;
}

int64_t schedule_limited_until_ms(
	const struct schedule *schedule, const struct registry_key *key, struct schedule_time time)
{
	const struct entry *entry = schedule_find(schedule, key);
	bool is_limited = entry && entry->state == WAITING && !entry->is_suspended &&
		schedule_is_limited(schedule, entry, time.now_ms);
	return is_limited ? time.unix_ms + (entry->due_ms - time.now_ms) : 0;
}

const char *schedule_state(
	const struct schedule *schedule, const struct registry_key *key, int64_t now_ms)
{
	static const char *const names[] = {
		[STORING] = "storing",
		[WAITING] = "waiting",
		[FLYING] = "flying",
		[RESTING] = "resting",
	};
	const struct entry *entry = schedule_find(schedule, key);
	if (entry && entry->is_suspended && entry->state != FLYING)
		return "suspended";
	if (entry && entry->state == WAITING && schedule_is_limited(schedule, entry, now_ms))
		return "limited";
	return entry ? names[entry->state] : NULL;
}

size_t schedule_waiting(const struct schedule *schedule, const char *topic)
{
	return topic_heaps_count(&schedule->heaps, topic);
}

void schedule_count(const struct schedule *schedule, struct schedule_counts *ret)
{
	*ret = (struct schedule_counts){
		.storing = schedule->in_state[STORING],
		.waiting = schedule->in_state[WAITING],
		.flying = schedule->in_state[FLYING],
		.resting = schedule->in_state[RESTING],
		.news = schedule->news,
	};
}

uint64_t schedule_pending(const struct schedule *schedule)
{
	return map_count(schedule->entries) - schedule->in_state[RESTING];
}
