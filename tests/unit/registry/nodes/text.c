#include "nodes.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "driver/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AWAY_MS (2 * CLOCK_MINUTE_MS)

/* Lines that come in no order. */
struct lines {
	char **lines;
	size_t count;
};

static void add_line(struct lines *lines, char *line)
{
	lines->lines = mem_realloc_array(lines->lines, lines->count + 1, sizeof(char *));
	lines->lines[lines->count++] = line;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In order; they are gone then. */
static void append_sorted(struct buf *text, struct lines *lines)
{
	if (lines->count)
		qsort(lines->lines, lines->count, sizeof(char *), compare);
	for (size_t i = 0; i < lines->count; i++) {
		buf_append_text(text, lines->lines[i]);
		free(lines->lines[i]);
	}
	free(mem_steal(lines->lines));
	lines->count = 0;
}

static char *taken(struct buf *text)
{
	char *copy = mem_dup(buf_text(text));
	buf_fini(text);
	return copy;
}

const char *text_of_key(const struct registry_key *key)
{
	static _Thread_local char text[2 * REGISTRY_KEY_SIZE + 1];
	for (size_t i = 0; i < REGISTRY_KEY_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", key->bytes[i]);
	return text;
}

static char *line_of_match(const struct registry_match *match)
{
	const struct push_target *target = match->target;
	struct lines hashes = {0};
	for (unsigned i = 0; i < match->hash_count; i++)
		add_line(&hashes, mem_printf(" %s", match->hashes[i]));
	struct buf text;
	buf_init(&text);
	mem_auto char *begin =
		mem_printf("\tmatch %s %s %.1s %s %s %d %d %d %lld reading %u own %d:",
			text_of_key(&target->key), target->user, target->token, target->account_id,
			target->topic, target->aps_version, target->confirmed, target->inbox_only,
			(long long)target->renewed_ms, match->reading, match->is_own);
	buf_append_text(&text, begin);
	append_sorted(&text, &hashes);
	buf_append_text(&text, "\n");
	return taken(&text);
}

static char *line_of_tombstone(const struct registry_tombstone *tombstone)
{
	return mem_printf("\ttombstone %s %s %.1s %s %s %lld %lld %d %d %s %d\n",
		text_of_key(&tombstone->key), tombstone->user, tombstone->token,
		tombstone->account_id, tombstone->topic, (long long)tombstone->renewed_ms,
		(long long)tombstone->at_ms, (int)tombstone->why, tombstone->status,
		tombstone->reason, tombstone->is_back);
}

static char *line_of_subscription(
	const struct registry_key *key, const struct registry_subscription *subscription)
{
	return mem_printf("\tsubscription %s %s = %s:%s %s\n", text_of_key(key), subscription->name,
		subscription->owner, subscription->folder, subscription->hash);
}

static void add_listing(struct lines *lines, const struct registry_listing *listing)
{
	for (size_t i = 0; listing && i < listing->count; i++) {
		const struct registry_listed *listed = &listing->listed[i];
		const struct push_target *target = listed->target;
		add_line(lines,
			mem_printf("\tlisted %s %lld %s %lld %lld %lld\n",
				text_of_key(&target->key), (long long)target->renewed_ms,
				listed->stopped_reason ? listed->stopped_reason : "-",
				(long long)listed->created_ms, (long long)listed->superseded_ms,
				(long long)listed->suspended_ms));
		for (size_t j = 0; j < listed->subscription_count; j++)
			add_line(lines,
				line_of_subscription(&target->key, &listed->subscriptions[j]));
	}
	if (listing && listing->has_more)
		add_line(lines, mem_dup("\tand more\n"));
}

static void append_results(struct buf *text, const struct registry_job *job)
{
	struct lines lines = {0};
	for (size_t i = 0; i < job->match_count; i++)
		add_line(&lines, line_of_match(&job->matches[i]));
	for (size_t i = 0; i < job->gone_count; i++)
		add_line(&lines, mem_printf("\tgone %s\n", text_of_key(&job->gone[i])));
	for (size_t i = 0; i < job->effect_count; i++)
		add_line(&lines,
			mem_printf("\teffect %d %s %s\n", (int)job->effects[i].kind,
				text_of_key(&job->effects[i].key), job->effects[i].hash));
	add_listing(&lines, job->listing);
	for (size_t i = 0; job->tombstones && i < job->tombstones->count; i++)
		add_line(&lines, line_of_tombstone(&job->tombstones->tombstones[i]));
	mem_auto char *flags = mem_printf(
		"kind %d: status %d new %d changed %d stale %d again %d double %d imported %d "
		"elsewhere %d kept %llu moved %lld totals %llu %llu %llu %llu %llu\n",
		(int)job->kind, job->status, job->is_new, job->list_changed, job->is_stale,
		job->is_again, job->is_double, (int)job->imported, job->is_done_elsewhere,
		(unsigned long long)job->kept_back, (long long)job->moved_ms,
		(unsigned long long)job->totals.registrations,
		(unsigned long long)job->totals.in_state[0],
		(unsigned long long)job->totals.in_state[1],
		(unsigned long long)job->totals.in_state[2],
		(unsigned long long)job->totals.in_state[3]);
	buf_append_text(text, flags);
	append_sorted(text, &lines);
}

static const char *or_dash(const char *text)
{
	return text ? text : "-";
}

static char *line_of_row(const struct registry_row *row)
{
	return mem_printf("registration %s %s %.1s %s %s %s %d %d %d %d created %lld renewed %lld"
			  " suspended %lld superseded %lld stopped %s\n",
		text_of_key(&row->key), row->user, row->token, row->account_id, row->topic,
		row->subtopic, row->aps_version, row->confirmed, row->inbox_only, row->is_nudged,
		(long long)row->created_ms, (long long)row->renewed_ms,
		(long long)row->suspended_ms, (long long)row->superseded_ms,
		or_dash(row->stopped_reason));
}

static _Thread_local struct lines noted;

void text_forget_rows(void)
{
	struct buf text;
	buf_init(&text);
	append_sorted(&text, &noted);
	buf_fini(&text);
}

void text_note_rows(const struct registry_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_line(&noted, line_of_row(&rows[i]));
}

char *text_of_results(const struct batch *batch)
{
	struct buf text;
	buf_init(&text);
	for (size_t i = 0; i < batch->count; i++)
		append_results(&text, &batch->jobs[i].job);
	append_sorted(&text, &noted);
	return taken(&text);
}

char *text_of_jobs(const struct batch *batch)
{
	struct buf text;
	buf_init(&text);
	for (size_t i = 0; i < batch->count; i++) {
		const struct played *played = &batch->jobs[i];
		const struct registry_job *job = &played->job;
		const struct event_registration *of = &played->event.registration;
		mem_auto char *line = mem_printf("\tkind %d at %lld before %lld: user %s token %.1s"
						 " account %s topic %s, from %s:%s to %s:%s\n",
			(int)job->kind, (long long)job->received_ms, (long long)job->before_ms,
			or_dash(of->user ? of->user : played->query.user),
			or_dash(job->token ? job->token : of->token), or_dash(of->account_id),
			or_dash(job->topic),
			or_dash(job->was_at ? job->was_at->owner : played->event.from[0].owner),
			or_dash(job->was_at ? job->was_at->folder : played->event.from[0].folder),
			or_dash(played->event.at[0].owner), or_dash(played->event.at[0].folder));
		buf_append_text(&text, line);
		for (size_t j = 0; j < job->subscription_count; j++) {
			mem_auto char *box = line_of_subscription(
				&(struct registry_key){{0}}, &job->subscriptions[j]);
			buf_append_text(&text, box);
		}
	}
	return taken(&text);
}

/* ---- what is stored ---- */

struct dump {
	struct lines lines;
	struct registry_key *keys;
	size_t key_count;
};

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct dump *dump = ctx;
	(void)index;
	dump->keys = mem_realloc_array(dump->keys, dump->key_count + 1, sizeof(*dump->keys));
	dump->keys[dump->key_count++] = row->key;
	add_line(&dump->lines, line_of_row(row));
}

static void on_subscription(
	void *ctx, size_t index, const struct registry_subscription *subscription)
{
	struct dump *dump = ctx;
	add_line(&dump->lines, line_of_subscription(&dump->keys[index], subscription));
}

static void on_tombstone(void *ctx, const struct registry_tombstone *tombstone)
{
	struct dump *dump = ctx;
	add_line(&dump->lines, line_of_tombstone(tombstone));
}

static int read_site(
	struct registry_db *db, struct dump *dump, struct registry_round *round, struct err *err)
{
	const struct registry_ops *ops = db->ops;
	const struct registry_key none = {{0}};
	int failed = ops->begin(db, REGISTRY_READS, err);
	if (!failed)
		failed = ops->load_round(db, round, err);
	if (!failed)
		failed = ops->list(db, "", &none, SIZE_MAX / 4, on_row, dump, err);
	if (!failed)
		failed = ops->load_lists(
			db, dump->keys, dump->key_count, on_subscription, dump, err);
	if (!failed)
		failed = ops->list_tombstones(db, NULL, 0, SIZE_MAX / 4, on_tombstone, dump, err);
	return failed ? failed : ops->commit(db, err);
}

static void forget(struct dump *dump)
{
	for (size_t i = 0; i < dump->lines.count; i++)
		free(dump->lines.lines[i]);
	free(dump->lines.lines);
	free(dump->keys);
	*dump = (struct dump){0};
}

char *text_of_site(struct registry_db *db)
{
	struct dump dump = {0};
	struct err err = {"no text"};
	struct registry_round round = {0};
	int64_t until_ms = clock_monotonic_ms() + AWAY_MS;
	int failed;
	while ((failed = read_site(db, &dump, &round, &err))) {
		db->ops->rollback(db);
		if (!failure_is_open(failed) || clock_monotonic_ms() > until_ms) {
			fprintf(stderr, "cannot read the site: %s\n", err.text);
			exit(1);
		}
		forget(&dump);
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	}
	struct buf text;
	buf_init(&text);
	mem_auto char *begin = mem_printf("round %lld %lld %lld %llu\n", (long long)round.seen_ms,
		(long long)round.spared_until_ms, (long long)round.tidied_day,
		(unsigned long long)round.tidied_count);
	buf_append_text(&text, begin);
	append_sorted(&text, &dump.lines);
	forget(&dump);
	return taken(&text);
}
