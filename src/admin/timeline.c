#include "admin/timeline.h"

#include "admin/deferred_request.h"
#include "admin/forgotten.h"
#include "admin/obstacles.h"
#include "base/mem.h"
#include "monitor/response.h"
#include "monitor/trace_json.h"
#include "trace/trace.h"

#include <string.h>
#include <strings.h>

#define DEVICES_MAX 1000
#define HASHES_MAX 64
#define SECONDS_MAX 4102444800 /* the year 2100 */

struct timeline {
	struct deferred_request deferred;
	struct trace_question question;
	char *mailbox; /* NULL: all */
	int64_t forgotten_after_ms;
	bool has_registry;		   /* it answered */
	struct registry_job forgotten_job; /* has its first answer */
	struct registry_key *keys;
	uint64_t hashes[HASHES_MAX]; /* of the mailbox that is asked for */
	size_t hash_count;
};

static struct timeline *timeline_of(struct db_query *db_query)
{
	return MEM_CONTAINER(db_query, struct timeline, deferred.db_query);
}

static void timeline_free(struct timeline *timeline)
{
	registry_job_fini(&timeline->forgotten_job);
	trace_question_fini(&timeline->question);
	deferred_request_fini(&timeline->deferred);
	free(timeline->mailbox);
	free(timeline->keys);
	free(timeline);
}

static bool is_over(struct timeline *timeline, int status)
{
	if (!deferred_request_is_over(&timeline->deferred, status))
		return false;
	timeline_free(timeline);
	return true;
}

static const struct registry_listing *listing_of(const struct timeline *timeline)
{
	static const struct registry_listing none;
	const struct registry_listing *listing = timeline->deferred.db_query.job.listing;
	return listing ? listing : &none;
}

static const struct registry_tombstones *forgotten_of(const struct timeline *timeline)
{
	static const struct registry_tombstones none;
	const struct registry_tombstones *tombstones = timeline->forgotten_job.tombstones;
	return tombstones ? tombstones : &none;
}

static const char *token_of(const struct timeline *timeline, const struct registry_key *key)
{
	const struct registry_listing *listing = listing_of(timeline);
	const struct registry_tombstones *forgotten = forgotten_of(timeline);
	for (size_t i = 0; i < listing->count; i++)
		if (!memcmp(&listing->listed[i].target->key, key, sizeof(*key)))
			return listing->listed[i].target->token;
	for (size_t i = 0; i < forgotten->count; i++)
		if (!memcmp(&forgotten->tombstones[i].key, key, sizeof(*key)))
			return forgotten->tombstones[i].token;
	return NULL;
}

/* One mailbox alone. */

/* Whatever separator it is written with; INBOX and what is below it in any of the namespaces. */
static bool is_folder(const char *asked, const char *folder)
{
	if (!strncasecmp(asked, "INBOX", 5) && (!asked[5] || asked[5] == '.' || asked[5] == '/'))
		asked += asked[5] ? 6 : 5;
	size_t i = 0;
	for (; asked[i] && folder[i]; i++) {
		bool are_separators = (asked[i] == '.' || asked[i] == '/') &&
			(folder[i] == '.' || folder[i] == '/');
		if (asked[i] != folder[i] && !are_separators)
			return false;
	}
	return !asked[i] && !folder[i];
}

static void add_hash(struct timeline *timeline, uint64_t hash)
{
	for (size_t i = 0; i < timeline->hash_count; i++)
		if (timeline->hashes[i] == hash)
			return;
	if (timeline->hash_count < HASHES_MAX)
		timeline->hashes[timeline->hash_count++] = hash;
}

/* A push names mailboxes by their hashes.  Phones that are gone may have called it as it is asked
   for; what else they called it, the events before the push show. */
static void add_known_hashes(struct timeline *timeline)
{
	const struct registry_listing *listing = listing_of(timeline);
	char hash[MAILBOX_HASH_SIZE];
	mailbox_hash(timeline->mailbox, hash);
	add_hash(timeline, trace_entry_hash(hash));
	for (size_t i = 0; i < listing->count; i++) {
		const struct registry_listed *listed = &listing->listed[i];
		for (size_t j = 0; j < listed->subscription_count; j++)
			if (is_folder(timeline->mailbox, listed->subscriptions[j].folder))
				add_hash(timeline, trace_entry_hash(listed->subscriptions[j].hash));
	}
}

static bool is_of_mailbox(struct timeline *timeline, const struct trace_entry *entry)
{
	if (entry->kind == TRACE_EVENT) {
		if (!is_folder(timeline->mailbox, entry->folder))
			return false;
		for (unsigned i = 0; i < entry->hash_count; i++)
			add_hash(timeline, entry->hashes[i]);
		return true;
	}
	if (entry->kind != TRACE_ANSWER || entry->count > entry->hash_count)
		return true;
	for (unsigned i = 0; i < entry->hash_count; i++)
		for (size_t j = 0; j < timeline->hash_count; j++)
			if (entry->hashes[i] == timeline->hashes[j])
				return true;
	return false;
}

/* The answer. */

static json_t *describe_entries(struct timeline *timeline)
{
	const struct buf *found = &timeline->question.found;
	json_t *entries = json_array();
	struct trace_entry entry;
	if (timeline->mailbox)
		add_known_hashes(timeline);
	for (size_t at = 0, n; at < found->used; at += n) {
		n = trace_entry_read(found->data + at, found->used - at, &entry);
		if (!n)
			break;
		if (timeline->mailbox && !is_of_mailbox(timeline, &entry))
			continue;
		json_array_append_new(
			entries, trace_json_of(&entry, token_of(timeline, &entry.key)));
	}
	return entries;
}

static json_t *describe_forgotten(const struct registry_tombstone *tombstone)
{
	return json_pack("{so,ss,ss,so,so,ss,ss,si}", "time", response_time(tombstone->at_ms),
		"kind", "forgotten", "what", registry_why_names[tombstone->why], "key",
		response_key(&tombstone->key), "token", response_secret(tombstone->token, false),
		"text", "registration forgotten", "meaning", forgotten_meaning(tombstone),
		"left_out", 0);
}

/* Each behind the entries of its time. */
static void put_forgotten(const struct timeline *timeline, json_t *entries)
{
	const struct registry_tombstones *forgotten = forgotten_of(timeline);
	for (size_t i = forgotten->count; i-- > 0;) {
		const struct registry_tombstone *tombstone = &forgotten->tombstones[i];
		size_t at = json_array_size(entries);
		if (tombstone->at_ms <= timeline->forgotten_after_ms)
			continue;
		while (at &&
			json_number_value(json_object_get(json_array_get(entries, at - 1),
				"time")) > (double)tombstone->at_ms / 1000)
			at--;
		json_array_insert_new(entries, at, describe_forgotten(tombstone));
	}
}

/* The time of the newest, which are no longer news. */
static int64_t forgotten_end(const struct timeline *timeline)
{
	const struct registry_tombstones *forgotten = forgotten_of(timeline);
	int64_t end_ms = timeline->forgotten_after_ms;
	for (size_t i = 0; i < forgotten->count; i++)
		if (forgotten->tombstones[i].at_ms > end_ms)
			end_ms = forgotten->tombstones[i].at_ms;
	return end_ms;
}

static bool cut(json_t *entries)
{
	bool is_cut = false;
	if (json_array_size(entries) > TIMELINE_ENTRIES_MAX) {
		json_t *newest = json_array();
		size_t count = json_array_size(entries);
		for (size_t i = count - TIMELINE_ENTRIES_MAX; i < count; i++)
			json_array_append(newest, json_array_get(entries, i));
		json_array_clear(entries);
		json_array_extend(entries, newest);
		json_decref(newest);
		is_cut = true;
	}
	return is_cut;
}

static json_t *describe_device(
	const struct services *services, const struct registry_listed *listed)
{
	const struct push_target *target = listed->target;
	const char *waits = queue_state(services->queue, &target->key);
	struct obstacles obstacles = {0};
	json_t *because = json_null();
	bool is_waiting = waits && strcmp(waits, "resting") != 0;
	if (is_waiting && obstacles_add(&obstacles, services, target, waits)) {
		json_t *list = obstacles_json(&obstacles, services);
		json_decref(because);
		because = json_incref(json_object_get(json_array_get(list, 0), "meaning"));
		json_decref(list);
	}
	obstacles_fini(&obstacles);
	return json_pack("{so,so,ss,so,so,so,sb,so,so,so}", "key", response_key(&target->key),
		"token", response_secret(target->token, false), "state",
		registry_state_names[registry_state_of(
			listed->stopped_reason, listed->suspended_ms, listed->superseded_ms)],
		"stopped_reason",
		listed->stopped_reason ? response_text(listed->stopped_reason) : json_null(),
		"created", response_time(listed->created_ms), "renewed",
		response_time(target->renewed_ms), "push",
		user_settings_is_pushed_to(services->config->users, target->user), "queue",
		is_waiting ? json_string(waits) : json_null(), "limited_until",
		response_time(queue_limited_until_ms(services->queue, &target->key)), "because",
		because);
}

static void answer(struct timeline *timeline)
{
	const struct services *services = timeline->deferred.services;
	const struct registry_listing *listing = listing_of(timeline);
	const struct trace_question *question = &timeline->question;
	const char *trouble = trace_trouble(services->trace);
	json_t *devices = json_array();
	for (size_t i = 0; i < listing->count; i++)
		json_array_append_new(devices, describe_device(services, &listing->listed[i]));
	json_t *entries = describe_entries(timeline);
	put_forgotten(timeline, entries);
	bool is_cut = question->is_cut || (!timeline->deferred.full && cut(entries));
	response_json(timeline->deferred.request, 200,
		json_pack("{so,so,sb,so,so,sb,sI,sI,sI,sI,so,so,so}", "user",
			response_text(timeline->deferred.user), "now",
			response_time(clock_unix_ms()), "registry", timeline->has_registry,
			"devices", devices, "entries", entries, "cut", is_cut, "left_out",
			(json_int_t)trace_left_out(services->trace, timeline->deferred.user), "end",
			(json_int_t)question->end, "forgotten_end",
			(json_int_t)forgotten_end(timeline), "damaged",
			(json_int_t)question->damaged, "trouble",
			trouble ? response_text(trouble) : json_null(), "keep",
			json_real((double)services->config->trace_keep_ms / 1000), "mailbox",
			timeline->mailbox ? response_text(timeline->mailbox) : json_null()));
}

static void on_found(struct trace_question *question)
{
	struct timeline *timeline = MEM_CONTAINER(question, struct timeline, question);
	struct http_request *request = timeline->deferred.request;
	if (request && question->status)
		response_error(request, 503, "%s", question->err.text);
	else if (request)
		answer(timeline);
	timeline_free(timeline);
}

static void ask_trace(struct timeline *timeline)
{
	const struct registry_listing *listing = listing_of(timeline);
	const struct registry_tombstones *forgotten = forgotten_of(timeline);
	struct trace_question *question = &timeline->question;
	timeline->keys =
		mem_alloc_zero(listing->count + forgotten->count + 1, sizeof(*timeline->keys));
	for (size_t i = 0; i < listing->count; i++)
		timeline->keys[question->key_count++] = listing->listed[i].target->key;
	for (size_t i = 0; i < forgotten->count; i++)
		timeline->keys[question->key_count++] = forgotten->tombstones[i].key;
	question->keys = timeline->keys;
	question->user = timeline->deferred.user;
	question->done = on_found;
	trace_ask(timeline->deferred.services->trace, question);
}

static void on_listed(struct db_query *db_query, int status)
{
	struct timeline *timeline = timeline_of(db_query);
	if (is_over(timeline, status))
		return;
	timeline->has_registry = true;
	ask_trace(timeline);
}

static void on_forgotten(struct db_query *db_query, int status)
{
	struct timeline *timeline = timeline_of(db_query);
	if (is_over(timeline, status))
		return;
	/* The next answer takes its place. */
	timeline->forgotten_job.tombstones = mem_steal(db_query->job.tombstones);
	registry_job_fini(&db_query->job);
	db_query->query.limit = DEVICES_MAX;
	db_query_ask_registry(timeline->deferred.services, db_query, REGISTRY_LIST, on_listed);
}

static bool read_request(struct http_request *request, struct timeline *timeline)
{
	const char *user = NULL;
	const char *mailbox = NULL;
	int64_t since = 0;
	int64_t forgotten_after = 0;
	if (!request_params_text(http_query(request, "user"), &user) || !user || !*user) {
		response_error(request, 400,
			"%s: name a user as the mail server has it, in UTF-8 and at most %d bytes",
			!http_query(request, "user") || !*http_query(request, "user")
				? "the user's name is empty"
				: "no user has this name",
			REQUEST_PARAMS_TEXT_MAX);
		return false;
	}
	if (!request_params_text(http_query(request, "mailbox"), &mailbox)) {
		response_error(request, 400,
			"no mailbox has this name: give it in UTF-8 and at most %d bytes",
			REQUEST_PARAMS_TEXT_MAX);
		return false;
	}
	if (!request_params_number(http_query(request, "since"), 0, SECONDS_MAX, &since) ||
		!request_params_number(
			http_query(request, "forgotten_after"), 0, INT64_MAX, &forgotten_after) ||
		!request_params_number(
			http_query(request, "after"), 0, INT64_MAX, &timeline->question.after)) {
		response_error(request, 400,
			"since is a time in Unix seconds, after and forgotten_after are end and "
			"forgotten_end of an answer");
		return false;
	}
	timeline->deferred.user = mem_dup(user);
	timeline->mailbox = mailbox && *mailbox ? mem_dup(mailbox) : NULL;
	timeline->question.since_ms = since * CLOCK_SECOND_MS;
	timeline->forgotten_after_ms = forgotten_after > timeline->question.since_ms
		? forgotten_after
		: timeline->question.since_ms;
	return true;
}

/* It is asked when it answers: the trace is wanted most when something is in trouble. */
static bool registry_answers(struct registry *registry)
{
	struct registry_health health;
	registry_health(registry, &health);
	return !health.is_away && !registry_is_held(registry, REGISTRY_HELD_FOR_COPY);
}

void timeline_show(const struct services *services, struct http_request *request, const char *tail)
{
	(void)tail;
	if (!services->trace) {
		response_error(request, 409,
			"there is no trace: trace_keep is 0s in mailpush.conf; give it a time, as "
			"\"7d\", and restart mailpushd");
		return;
	}
	struct timeline *timeline = mem_alloc_zero(1, sizeof(*timeline));
	deferred_request_init(&timeline->deferred, services, request);
	if (!read_request(request, timeline)) {
		timeline_free(timeline);
		return;
	}
	if (!registry_answers(services->registry)) {
		ask_trace(timeline);
		return;
	}
	struct db_query *db_query = &timeline->deferred.db_query;
	db_query->query = (struct registry_query){
		.user = timeline->deferred.user, .limit = REGISTRY_TOMBSTONES_PER_USER};
	db_query_ask_registry(services, db_query, REGISTRY_LIST_FORGOTTEN, on_forgotten);
}
