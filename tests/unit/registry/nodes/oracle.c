#include "nodes.h"

#include "../memory.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 200000

/* The state before the epoch, that of the order so far, and that before the last attempt. */
static const char base[] = "base";
static const char trial[] = "trial";
static const char saved[] = "saved";

static struct registry_settings settings;
static struct oracle_counts counts;
/* Readers see a state that the order goes through.  Else they see one state, but nobody waits for
   them. */
static bool is_by_locks;
/* What the batch counts, if not what is there; from these on. */
static struct counted replayed;
static size_t census_at;
static size_t expired_at;

/*
 * A node may not know yet that another has suspended a user.  It finds out when it matches one of
 * the user's registrations; news that matches none of them does not resume the user then.
 */
static unsigned unknown; /* users whose suspension is not known at first, by bits */
static unsigned asked;	 /* how often, in this batch */
static registry_suspended_fn *told_on;
static void *told_ctx;

static void on_suspended(void *ctx, const char *user, int64_t suspended_ms)
{
	(void)ctx;
	for (size_t i = 0; i < NODES_USERS && asked == 1; i++) {
		if ((unknown & 1u << i) && strcmp(nodes_users[i], user) == 0)
			return;
	}
	told_on(told_ctx, user, suspended_ms);
}

static int find_suspended(
	struct registry_db *db, registry_suspended_fn *on, void *ctx, struct err *err)
{
	asked++;
	told_on = on;
	told_ctx = ctx;
	return memory_ops.find_suspended(db, on_suspended, NULL, err);
}

static int put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err)
{
	text_note_rows(rows, count);
	return memory_ops.put(db, rows, count, err);
}

static int census(struct registry_db *db, struct registry_census *ret, struct err *err)
{
	int failed = memory_ops.census(db, ret, err);
	if (census_at < replayed.census_count)
		*ret = replayed.censuses[census_at++];
	return failed;
}

static int find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err)
{
	int failed = memory_ops.find_expired(db, before_ms, limit, on_key, ctx, ret_total, err);
	if (expired_at < replayed.expired_count)
		*ret_total = replayed.expired[expired_at++];
	return failed;
}

static int begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	text_forget_rows();
	return memory_ops.begin(db, access, err);
}

static struct registry_ops ops;

static struct registry_db *open_place(const char *place)
{
	struct registry_db *db = NULL;
	struct err err = {"no text"};
	if (memory_ops.open(place, &settings, &db, &err))
		abort();
	db->ops = &ops;
	return db;
}

/* On the trial's place; what it brings then is said by its jobs. */
static char *run(struct batch *batch, const struct counted *counted, unsigned unknown_users)
{
	unknown = unknown_users;
	asked = 0;
	replayed = is_by_locks ? *counted : (struct counted){0};
	census_at = 0;
	expired_at = 0;
	struct err err = {"no text"};
	struct registry_store *store = registry_store_of(open_place(trial), &settings);
	batch_list(batch);
	if (registry_store_run_at(store, &batch->list, batch->now_ms, &err)) {
		fprintf(stderr, "in memory: %s\n", err.text);
		exit(1);
	}
	char *said = text_of_results(batch);
	registry_store_close(store);
	for (size_t i = 0; i < batch->count; i++)
		registry_job_fini(&batch->jobs[i].job);
	return said;
}

/* Whose suspension may make a difference. */
static unsigned users_with_news(const struct batch *batch)
{
	unsigned users = 0;
	for (size_t i = 0; i < batch->count; i++) {
		const struct played *played = &batch->jobs[i];
		for (size_t user = 0; played->job.kind == REGISTRY_NEWS && user < NODES_USERS;
			user++) {
			if (strcmp(nodes_users[user], played->event.at[0].owner) == 0)
				users |= 1u << user;
		}
	}
	return users;
}

/* Does it bring here what it brought?  If not the trial is as before. */
static bool fits(struct batch *batch)
{
	memory_copy(trial, saved, nodes_site);
	unsigned users = users_with_news(batch);
	for (unsigned unknown_users = 0;; unknown_users = (unknown_users - users) & users) {
		mem_auto char *said = run(batch, &batch->counted, unknown_users);
		if (strcmp(said, batch->said) == 0)
			return true;
		memory_copy(saved, trial, nodes_site);
		if (unknown_users == users)
			return false;
	}
}

/* ---- the search ---- */

/* A batch as it was done, or as it may have been done before. */
struct doing {
	struct batch *batch;
	const struct counted *counted;
	bool is_doubt;
	bool writes;
	uint64_t began;
	uint64_t committed;
};

struct search {
	struct doing *doings; /* in the order in which their commits began, those in doubt last */
	size_t count;
	const char *state;    /* to come to */
	bool *is_placed;      /* by index of the batches */
	struct doing **order; /* those placed */
	size_t placed;
	struct doing **longest; /* the longest order that there was, for people */
	size_t longest_count;
	size_t steps;
	struct map *dead; /* what was placed, and the state then, from where no way leads on */
};

static void level_name(char name[32], size_t level)
{
	snprintf(name, 32, "level %zu", level);
}

static void keep_level(size_t level)
{
	char name[32];
	level_name(name, level);
	memory_copy(trial, name, nodes_site);
}

static void return_to_level(size_t level)
{
	char name[32];
	level_name(name, level);
	memory_copy(name, trial, nodes_site);
}

static char *state_of_trial(void)
{
	struct registry_db *db = open_place(trial);
	char *state = text_of_site(db);
	memory_ops.close(db);
	return state;
}

static bool must_be_placed(const struct search *search, size_t at)
{
	const struct doing *doing = &search->doings[at];
	return !search->is_placed[at] && !doing->is_doubt && (doing->writes || is_by_locks);
}

/* What was over when it began comes first; of readers only those that must have a place. */
static bool has_its_turn(const struct search *search, size_t at)
{
	for (size_t i = 0; i < search->count; i++) {
		if (i != at && must_be_placed(search, i) &&
			search->doings[i].committed <= search->doings[at].began)
			return false;
	}
	return true;
}

static void put_at_end(struct search *search, size_t at)
{
	search->is_placed[at] = true;
	search->order[search->placed++] = &search->doings[at];
	if (search->placed <= search->longest_count)
		return;
	memcpy(search->longest, search->order, search->placed * sizeof(struct doing *));
	search->longest_count = search->placed;
}

static void take_off(struct search *search, size_t placed)
{
	while (search->placed > placed)
		search->is_placed[search->order[--search->placed] - search->doings] = false;
}

/* They change nothing, so they may as well stand here as later. */
static void place_readers(struct search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct doing *doing = &search->doings[i];
		if (!doing->writes && !search->is_placed[i] && has_its_turn(search, i) &&
			(doing->batch->doubt_count > 0 || fits(doing->batch)))
			put_at_end(search, i);
	}
}

static bool has_some_left(const struct search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		if (must_be_placed(search, i))
			return true;
	}
	return false;
}

/* Was it here before?  Now it was. */
static bool is_known_place(struct search *search, const char *state)
{
	uint64_t key[2] = {map_hash((const uint8_t[16]){1}, state, strlen(state)),
		map_hash((const uint8_t[16]){2}, search->is_placed, search->count)};
	if (map_get(search->dead, key, sizeof(key)))
		return true;
	map_add(search->dead, key, sizeof(key), search);
	return false;
}

static bool go_on(struct search *search);

/* As `fits` has it, and all behind it. */
static bool place(struct search *search, size_t at, size_t level, bool fits_here)
{
	search->steps++;
	if (!fits_here)
		return false;
	put_at_end(search, at);
	if (go_on(search))
		return true;
	take_off(search, level);
	return false;
}

/* What a batch of which an attempt is in doubt knew is in doubt too. */
static bool place_doubtful(struct search *search, size_t at, size_t level)
{
	const struct doing *doing = &search->doings[at];
	struct batch *batch = doing->batch;
	unsigned users = users_with_news(batch);
	for (unsigned unknown_users = 0;; unknown_users = (unknown_users - users) & users) {
		return_to_level(level);
		free(run(batch, doing->counted, unknown_users));
		if (place(search, at, level, true))
			return true;
		if (unknown_users == users)
			return false;
	}
}

static bool place_next(struct search *search, size_t at, size_t level)
{
	struct batch *batch = search->doings[at].batch;
	if (batch->doubt_count > 0)
		return place_doubtful(search, at, level);
	return_to_level(level);
	return place(search, at, level, fits(batch));
}

/* The trial stands as after the order so far. */
static bool go_on(struct search *search)
{
	mem_auto char *state = state_of_trial();
	size_t placed = search->placed;
	place_readers(search);
	if (!has_some_left(search) && strcmp(state, search->state) == 0)
		return true;
	if (search->steps >= STEPS_MAX || is_known_place(search, state))
		return false;
	size_t level = search->placed;
	keep_level(level);
	for (size_t i = 0; i < search->count; i++) {
		if (!search->is_placed[i] && search->doings[i].writes && has_its_turn(search, i) &&
			place_next(search, i, level))
			return true;
	}
	take_off(search, placed);
	return false;
}

static int compare(const void *a, const void *b)
{
	const struct batch *left = *(struct batch *const *)a;
	const struct batch *right = *(struct batch *const *)b;
	return (left->committing > right->committing) - (left->committing < right->committing);
}

static void show(const char *title, const struct batch *batch)
{
	mem_auto char *jobs = text_of_jobs(batch);
	fprintf(stderr,
		"%s: node %u began %llu committing %llu committed %llu writes %d now %lld\n"
		"%s  brought\n%s",
		title, batch->node, (unsigned long long)batch->began,
		(unsigned long long)batch->committing, (unsigned long long)batch->committed,
		batch->writes, (long long)batch->now_ms, jobs, batch->said);
}

static void show_failure(const struct search *search)
{
	memory_copy(base, trial, nodes_site);
	for (size_t i = 0; i < search->longest_count; i++) {
		const struct doing *doing = search->longest[i];
		show(doing->is_doubt ? "in order, in doubt" : "in order", doing->batch);
		if (doing->batch->doubt_count > 0)
			free(run(doing->batch, doing->counted, 0));
		else if (!fits(doing->batch))
			abort();
	}
	for (size_t i = 0; i < search->count; i++) {
		struct doing *doing = &search->doings[i];
		bool is_placed = false;
		for (size_t j = 0; j < search->longest_count; j++)
			is_placed = is_placed || search->longest[j] == doing;
		if (is_placed)
			continue;
		show(doing->is_doubt ? "in doubt" : "not in order", doing->batch);
		memory_copy(trial, saved, nodes_site);
		mem_auto char *said = run(doing->batch, doing->counted, 0);
		fprintf(stderr, "  would bring\n%s", said);
		memory_copy(saved, trial, nodes_site);
	}
	mem_auto char *own = state_of_trial();
	fprintf(stderr, "---- stored\n%s---- after that order\n%s---- %zu steps\n", search->state,
		own, search->steps);
}

/* Returns how many there are. */
static size_t list_doings(struct batch **batches, size_t count, struct doing **ret)
{
	struct doing *doings = mem_alloc_zero(count * (1 + DOUBTS_MAX), sizeof(*doings));
	size_t length = 0;
	for (; length < count; length++)
		doings[length] = (struct doing){
			.batch = batches[length],
			.counted = &batches[length]->counted,
			.writes = batches[length]->writes,
			.began = batches[length]->began,
			.committed = batches[length]->committed,
		};
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < batches[i]->doubt_count; j++)
			doings[length++] = (struct doing){
				.batch = batches[i],
				.counted = &batches[i]->doubts[j].counted,
				.is_doubt = true,
				.writes = true,
				.began = batches[i]->doubts[j].began,
			};
	}
	*ret = doings;
	return length;
}

bool oracle_judges(struct batch **batches, size_t count, const char *state)
{
	qsort(batches, count, sizeof(struct batch *), compare);
	mem_auto struct doing *doings = NULL;
	size_t length = list_doings(batches, count, &doings);
	mem_auto bool *is_placed = mem_alloc_zero(length, sizeof(bool));
	mem_auto struct doing **order = mem_alloc_zero(length, sizeof(struct doing *));
	mem_auto struct doing **longest = mem_alloc_zero(length, sizeof(struct doing *));
	struct search search = {
		.doings = doings,
		.count = length,
		.state = state,
		.is_placed = is_placed,
		.order = order,
		.longest = longest,
		.dead = map_new((const uint8_t[16]){0}),
	};
	memory_copy(base, trial, nodes_site);
	bool is_well = go_on(&search);
	map_free(search.dead);
	counts.steps += search.steps;
	for (size_t i = 0; i < length && is_well; i++)
		counts.astray += !is_placed[i] && !doings[i].is_doubt;
	if (is_well)
		memory_copy(trial, base, nodes_site);
	else
		show_failure(&search);
	return is_well;
}

void oracle_start(const struct registry_settings *of_nodes, bool by_locks)
{
	is_by_locks = by_locks;
	settings = *of_nodes;
	ops = memory_ops;
	ops.find_suspended = find_suspended;
	ops.begin = begin;
	ops.put = put;
	ops.census = census;
	ops.find_expired = find_expired;
	memory_ops.close(open_place(base));
}

const struct oracle_counts *oracle_counts(void)
{
	return &counts;
}

void oracle_end(void)
{
	memory_forget();
}
