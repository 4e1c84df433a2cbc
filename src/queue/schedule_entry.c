#include "queue/schedule_inner.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define REAPED_A_CALL 4

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

/*
 * Frees some of those that have rested: more than one call can add, so that they never pile up. One
 * that has rested stands behind one that has not for min_interval at most.
 */
void schedule_reap(struct schedule *schedule, int64_t now_ms)
{
	for (int i = 0; i < REAPED_A_CALL; i++) {
		struct entry *entry = TAILQ_FIRST(&schedule->resting);
		if (!entry || entry->left_ms + schedule->settings.min_interval_ms > now_ms)
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
 * The due time of the entry's own news, never sooner than it may be pushed to.  A flight that
 * failed may have reached the phone: the same push may be repeated, but another one waits.
 */
int64_t schedule_not_too_soon(
	const struct schedule *schedule, const struct entry *entry, int64_t due_ms)
{
	int64_t last_ms = entry->has_flown ? entry->last_push_ms : entry->left_ms;
	int64_t rested_ms = last_ms + schedule->settings.min_interval_ms;
	if (due_ms < rested_ms)
		due_ms = rested_ms;
	return due_ms < entry->not_before_ms ? entry->not_before_ms : due_ms;
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

	if (has_new_id && entry->state != FLYING)
		schedule_enter(schedule, entry, STORING);
	else if (entry->state == WAITING)
		schedule_stand(schedule, entry);
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
	queue_job_make_room(job, entry->counted);
	const char(*listed)[MAILBOX_HASH_SIZE] = (const char(*)[MAILBOX_HASH_SIZE])sorted;
	keep_listed(&entry->news, listed, hash_count, job);
	if (entry->flight)
		keep_listed(&entry->flight->carried, listed, hash_count, job);
	schedule_account(schedule, entry);
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
	if (entry->state == WAITING)
		schedule_stand(schedule, entry);
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

const char *schedule_state(const struct schedule *schedule, const struct registry_key *key)
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
