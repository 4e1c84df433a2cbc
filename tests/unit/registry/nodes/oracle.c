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
static bool readers_too;

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
static char *run(struct batch *batch, unsigned unknown_users)
{
	unknown = unknown_users;
	asked = 0;
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
		mem_auto char *said = run(batch, unknown_users);
		if (strcmp(said, batch->said) == 0)
			return true;
		memory_copy(saved, trial, nodes_site);
		if (unknown_users == users)
			return false;
	}
}

/* ---- the search ---- */

struct search {
	struct batch **batches; /* in the order in which their commits began */
	size_t count;
	const char *state;    /* to come to */
	bool *is_placed;      /* by index of the batches */
	struct batch **order; /* those placed */
	size_t placed;
	struct batch **longest; /* the longest order that there was, for people */
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

/* What was over when it began comes first; of readers only those that must have a place. */
static bool has_its_turn(const struct search *search, size_t at)
{
	for (size_t i = 0; i < search->count; i++) {
		const struct batch *other = search->batches[i];
		if (i != at && !search->is_placed[i] && (other->writes || readers_too) &&
			other->committed <= search->batches[at]->began)
			return false;
	}
	return true;
}

static void put_at_end(struct search *search, size_t at)
{
	search->is_placed[at] = true;
	search->order[search->placed++] = search->batches[at];
	if (search->placed <= search->longest_count)
		return;
	memcpy(search->longest, search->order, search->placed * sizeof(struct batch *));
	search->longest_count = search->placed;
}

static void take_off(struct search *search, size_t placed)
{
	while (search->placed > placed) {
		const struct batch *last = search->order[--search->placed];
		for (size_t i = 0; i < search->count; i++) {
			if (search->batches[i] == last)
				search->is_placed[i] = false;
		}
	}
}

/* They change nothing, so they may as well stand here as later. */
static void place_readers(struct search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		if (!search->batches[i]->writes && !search->is_placed[i] &&
			has_its_turn(search, i) && fits(search->batches[i]))
			put_at_end(search, i);
	}
}

static bool has_writers_left(const struct search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		if (!search->is_placed[i] && search->batches[i]->writes)
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

/* The trial stands as after the order so far. */
static bool go_on(struct search *search)
{
	mem_auto char *state = state_of_trial();
	size_t placed = search->placed;
	place_readers(search);
	if (!has_writers_left(search))
		return strcmp(state, search->state) == 0 &&
			(!readers_too || search->placed == search->count);
	if (search->steps >= STEPS_MAX || is_known_place(search, state))
		return false;
	size_t level = search->placed;
	keep_level(level);
	for (size_t i = 0; i < search->count; i++) {
		if (search->is_placed[i] || !search->batches[i]->writes || !has_its_turn(search, i))
			continue;
		return_to_level(level);
		search->steps++;
		if (!fits(search->batches[i]))
			continue;
		put_at_end(search, i);
		if (go_on(search))
			return true;
		take_off(search, level);
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
		show("in order", search->longest[i]);
		if (!fits(search->longest[i]))
			abort();
	}
	for (size_t i = 0; i < search->count; i++) {
		bool is_placed = false;
		for (size_t j = 0; j < search->longest_count; j++)
			is_placed = is_placed || search->longest[j] == search->batches[i];
		if (is_placed)
			continue;
		show("not in order", search->batches[i]);
		memory_copy(trial, saved, nodes_site);
		mem_auto char *said = run(search->batches[i], 0);
		fprintf(stderr, "  would bring\n%s", said);
		memory_copy(saved, trial, nodes_site);
	}
	mem_auto char *own = state_of_trial();
	fprintf(stderr, "---- stored\n%s---- after that order\n%s---- %zu steps\n", search->state,
		own, search->steps);
}

bool oracle_judges(struct batch **batches, size_t count, const char *state)
{
	mem_auto bool *is_placed = mem_alloc_zero(count, sizeof(bool));
	mem_auto struct batch **order = mem_alloc_zero(count, sizeof(struct batch *));
	mem_auto struct batch **longest = mem_alloc_zero(count, sizeof(struct batch *));
	struct search search = {
		.batches = batches,
		.count = count,
		.state = state,
		.is_placed = is_placed,
		.order = order,
		.longest = longest,
		.dead = map_new((const uint8_t[16]){0}),
	};
	qsort(batches, count, sizeof(struct batch *), compare);
	memory_copy(base, trial, nodes_site);
	bool is_well = go_on(&search);
	map_free(search.dead);
	counts.batches += count;
	counts.steps += search.steps;
	for (size_t i = 0; i < count && is_well; i++)
		counts.astray += !is_placed[i];
	if (is_well)
		memory_copy(trial, base, nodes_site);
	else
		show_failure(&search);
	return is_well;
}

void oracle_start(const struct registry_settings *of_nodes, bool places_readers)
{
	readers_too = places_readers;
	settings = *of_nodes;
	ops = memory_ops;
	ops.find_suspended = find_suspended;
	ops.begin = begin;
	ops.put = put;
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
