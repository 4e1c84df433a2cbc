#include "transfer/registry_copy.h"

#include "base/backoff.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/random.h"
#include "driver/failure.h"
#include "transfer/copy_page.h"

#include <string.h>
#include <time.h>

/* Some ten seconds, beside what each attempt waits for a server. */
#define ATTEMPTS 12
#define PAUSE_MIN_MS 10
#define PAUSE_MAX_MS 2000
#define TOMBSTONES_PAGE 256

struct tombstone {
	struct registry_key key;
	int64_t id;
	int64_t renewed_ms; /* not later than its end: that would be from a wrong clock */
	bool is_back;
	bool is_there; /* the other registry has that registration, and no newer one */
	struct registry_end end;
	char *reason;
};

struct copy {
	const struct registry_copy_settings *settings;
	struct registry_copy_counts *counts;
	struct copy_page page;
	char *user; /* behind which the next page begins */
	struct registry_key key;
	struct map *forgotten; /* of the other registry: the tombstones, by key */
	struct tombstone tombstones[TOMBSTONES_PAGE];
	size_t tombstone_count;
	int64_t tombstone_id; /* behind which the next page of tombstones begins */
};

typedef int step_fn(struct copy *copy, struct err *err);

/* The step is a transaction, or several that may be done again. */
static int do_step(struct copy *copy, struct registry_db *db, step_fn *step, struct err *err)
{
	for (unsigned failures = 0;; failures++) {
		int failed = step(copy, err);
		if (!failed)
			return 0;
		db->ops->rollback(db);
		enum failure failure = failure_of(failed);
		if (failure == FAILURE_BAD_JOB || failure == FAILURE_FATAL || failures == ATTEMPTS)
			return failed;
		int64_t pause_ms = backoff_ms(PAUSE_MIN_MS, PAUSE_MAX_MS, failures);
		const struct timespec pause = {
			.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000};
		nanosleep(&pause, NULL);
	}
}

static void clear_tombstones(struct copy *copy)
{
	while (copy->tombstone_count)
		free(copy->tombstones[--copy->tombstone_count].reason);
}

static void on_tombstone(void *ctx, const struct registry_tombstone *tombstone)
{
	struct copy *copy = ctx;
	if (copy->tombstone_count == TOMBSTONES_PAGE)
		return;
	struct tombstone *kept = &copy->tombstones[copy->tombstone_count++];
	*kept = (struct tombstone){
		.key = tombstone->key,
		.id = tombstone->id,
		.renewed_ms = tombstone->renewed_ms < tombstone->at_ms ? tombstone->renewed_ms
								       : tombstone->at_ms,
		.is_back = tombstone->is_back,
		.end = {.why = tombstone->why,
			.at_ms = tombstone->at_ms,
			.status = tombstone->status},
		.reason = *tombstone->reason ? mem_dup(tombstone->reason) : NULL,
	};
	kept->end.reason = kept->reason;
}

static int read_tombstones(struct copy *copy, struct registry_db *db, struct err *err)
{
	clear_tombstones(copy);
	int failed = db->ops->begin(db, REGISTRY_READS, err);
	if (!failed)
		failed = db->ops->list_tombstones(
			db, NULL, copy->tombstone_id, TOMBSTONES_PAGE, on_tombstone, copy, err);
	return failed ? failed : db->ops->commit(db, err);
}

static int read_tombstones_there(struct copy *copy, struct err *err)
{
	return read_tombstones(copy, copy->settings->to, err);
}

static int read_tombstones_here(struct copy *copy, struct err *err)
{
	return read_tombstones(copy, copy->settings->from, err);
}

/* Their number is bounded: REGISTRY_TOMBSTONES_MAX. */
static int load_forgotten(struct copy *copy, struct err *err)
{
	copy->tombstone_id = 0;
	for (;;) {
		int failed = do_step(copy, copy->settings->to, read_tombstones_there, err);
		if (failed || !copy->tombstone_count)
			return failed;
		for (size_t i = 0; i < copy->tombstone_count; i++) {
			const struct tombstone *read = &copy->tombstones[i];
			copy->tombstone_id = read->id;
			if (read->is_back ||
				map_get(copy->forgotten, &read->key, sizeof(read->key)))
				continue;
			struct tombstone *kept = mem_alloc_zero(1, sizeof(*kept));
			kept->key = read->key;
			kept->renewed_ms = read->renewed_ms;
			map_add(copy->forgotten, &kept->key, sizeof(kept->key), kept);
		}
	}
}

static void free_forgotten(struct copy *copy)
{
	size_t position = 0;
	for (void *tombstone; (tombstone = map_next(copy->forgotten, &position));)
		free(tombstone);
	map_free(copy->forgotten);
}

static int read_page(struct copy *copy, struct err *err)
{
	return copy_page_read(&copy->page, copy->settings->from, copy->user, &copy->key, err);
}

static bool is_taken(const struct copy *copy, const struct copy_page_row *row)
{
	return row->state == COPY_PAGE_NEW || row->state == COPY_PAGE_OLDER ||
		(row->state == COPY_PAGE_DIFFERENT && copy->settings->is_last);
}

static int put(struct copy *copy, struct err *err)
{
	struct registry_row rows[COPY_PAGE_ROWS];
	struct registry_list lists[COPY_PAGE_ROWS];
	struct registry_db *to = copy->settings->to;
	size_t count = 0;
	for (size_t i = 0; i < copy->page.count; i++) {
		const struct copy_page_row *row = &copy->page.rows[i];
		if (!is_taken(copy, row))
			continue;
		rows[count] = row->row;
		lists[count++] = (struct registry_list){.key = row->row.key,
			.subscriptions = row->subscriptions,
			.count = row->subscription_count};
	}
	int failed = count ? to->ops->put(to, rows, count, err) : 0;
	return failed || !count ? failed : to->ops->put_lists(to, lists, count, err);
}

static int write_page(struct copy *copy, struct err *err)
{
	const struct registry_copy_settings *settings = copy->settings;
	struct registry_db *to = settings->to;
	int failed =
		to->ops->begin(to, settings->is_dry_run ? REGISTRY_READS : REGISTRY_WRITES, err);
	if (!failed)
		failed = copy_page_compare(&copy->page, to, settings->is_last, err);
	for (size_t i = 0; i < copy->page.count && !failed; i++) {
		struct copy_page_row *row = &copy->page.rows[i];
		const struct tombstone *tombstone =
			map_get(copy->forgotten, &row->row.key, sizeof(row->row.key));
		if (row->state == COPY_PAGE_NEW && tombstone &&
			tombstone->renewed_ms >= row->row.renewed_ms)
			row->state = COPY_PAGE_FORGOTTEN;
	}
	if (!failed && !settings->is_dry_run)
		failed = put(copy, err);
	return failed ? failed : to->ops->commit(to, err);
}

static void count_page(struct copy *copy)
{
	struct registry_copy_counts *counts = copy->counts;
	counts->read += copy->page.count;
	for (size_t i = 0; i < copy->page.count; i++) {
		const struct copy_page_row *row = &copy->page.rows[i];
		if (row->state == COPY_PAGE_NEW)
			counts->new_ones++;
		else if (row->state == COPY_PAGE_FORGOTTEN)
			counts->forgotten++;
		else if (row->state == COPY_PAGE_OLDER)
			counts->renewed++;
		else if (is_taken(copy, row))
			counts->changed++;
		else
			counts->known++;
	}
	copy->settings->progress(copy->settings->ctx, counts);
}

static int copy_registrations(struct copy *copy, struct err *err)
{
	for (;;) {
		int failed = do_step(copy, copy->settings->from, read_page, err);
		if (failed || !copy->page.count)
			return failed;
		failed = do_step(copy, copy->settings->to, write_page, err);
		if (failed)
			return failed;
		count_page(copy);
		const struct registry_row *last = &copy->page.rows[copy->page.count - 1].row;
		free(copy->user);
		copy->user = mem_dup(last->user);
		copy->key = last->key;
	}
}

static void on_still_there(void *ctx, size_t index, const struct registry_row *there)
{
	struct copy *copy = ctx;
	struct tombstone *tombstone = &copy->tombstones[index];
	tombstone->is_there = !tombstone->is_back && there->renewed_ms <= tombstone->renewed_ms;
}

static int remove_forgotten(struct copy *copy, struct err *err)
{
	const struct registry_copy_settings *settings = copy->settings;
	struct registry_db *to = settings->to;
	struct registry_key keys[TOMBSTONES_PAGE];
	for (size_t i = 0; i < copy->tombstone_count; i++) {
		keys[i] = copy->tombstones[i].key;
		copy->tombstones[i].is_there = false;
	}
	int failed =
		to->ops->begin(to, settings->is_dry_run ? REGISTRY_READS : REGISTRY_WRITES, err);
	if (!failed)
		failed = to->ops->load_keys(
			to, keys, copy->tombstone_count, on_still_there, copy, err);
	/* The oldest comes last, and leaves the oldest tombstone there too. */
	for (size_t i = copy->tombstone_count; i-- > 0 && !failed && !settings->is_dry_run;) {
		const struct tombstone *tombstone = &copy->tombstones[i];
		if (tombstone->is_there)
			failed = to->ops->remove(to, &tombstone->key, 1, &tombstone->end, err);
	}
	return failed ? failed : to->ops->commit(to, err);
}

static int forget(struct copy *copy, struct err *err)
{
	copy->tombstone_id = 0;
	for (;;) {
		int failed = do_step(copy, copy->settings->from, read_tombstones_here, err);
		if (failed || !copy->tombstone_count)
			return failed;
		failed = do_step(copy, copy->settings->to, remove_forgotten, err);
		if (failed)
			return failed;
		for (size_t i = 0; i < copy->tombstone_count; i++) {
			copy->counts->removed += copy->tombstones[i].is_there;
			copy->tombstone_id = copy->tombstones[i].id;
		}
	}
}

/* What only the other registry has: of other nodes, or removed here without a tombstone. */
static int count_others(struct copy *copy, struct err *err)
{
	struct registry_db *to = copy->settings->to;
	struct registry_totals totals = {0};
	int failed = to->ops->begin(to, REGISTRY_READS, err);
	if (!failed)
		failed = to->ops->count(to, &totals, err);
	if (!failed)
		failed = to->ops->commit(to, err);
	uint64_t copied = copy->counts->read - copy->counts->forgotten;
	if (copy->settings->is_dry_run)
		copied += copy->counts->removed - copy->counts->new_ones;
	if (!failed)
		copy->counts->others =
			totals.registrations > copied ? totals.registrations - copied : 0;
	return failed;
}

int registry_copy_run(const struct registry_copy_settings *settings,
	struct registry_copy_counts *ret, struct err *err)
{
	struct copy *copy = mem_alloc_zero(1, sizeof(*copy));
	uint8_t seed[RANDOM_SEED_SIZE];
	random_seed(seed);
	*ret = (struct registry_copy_counts){0};
	copy->settings = settings;
	copy->counts = ret;
	copy->user = mem_dup("");
	copy->forgotten = map_new(seed);
	int failed = load_forgotten(copy, err);
	if (!failed)
		failed = copy_registrations(copy, err);
	if (!failed && settings->is_last)
		failed = forget(copy, err);
	if (!failed && settings->is_last)
		failed = do_step(copy, settings->to, count_others, err);
	copy_page_clear(&copy->page);
	clear_tombstones(copy);
	free_forgotten(copy);
	free(copy->user);
	free(copy);
	return failed;
}
