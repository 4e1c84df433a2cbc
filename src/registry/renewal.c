#include "registry/renewal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "driver/mailbox_place.h"
#include "registry/result.h"

#include <string.h>

#define SUPERSEDED_FOR_MS (3 * CLOCK_DAY_MS)

/* A registration of the user. */
struct known {
	struct registry_row row;
	char *memory; /* its strings; NULL: borrowed from the job */
	bool is_changed;
	bool is_gone;
	enum registry_why why; /* if it is gone */
};

struct renewal {
	struct registry_job *job;
	size_t position; /* among the jobs of the run */
	int64_t time_ms; /* the job's */
	struct registry_key key;
	struct known *known;
	size_t known_count;
	/* What the phone sent, in order of names, and how what is stored compares. */
	const struct registry_subscription **list;
	size_t stored_count;
	bool other_names;
	bool other_places;
};

/* A mailbox of a list that a phone sent. */
struct place {
	struct mailbox_place place;
	const struct renewal *renewal;
	const struct registry_subscription *subscription;
};

struct renewals {
	struct rules *rules;
	struct renewal *items;
	size_t count;
	/* Of each: */
	const char **users;
	struct registry_key *keys;
	/* In order of places, then of jobs; only if there is news to be matched. */
	struct place *places;
	size_t place_count;
	bool has_news;
};

static const char *pack(char **memory, const char *text)
{
	if (!text)
		return NULL;
	char *copy = *memory;
	*memory = stpcpy(copy, text) + 1;
	return copy;
}

static size_t packed_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static struct known *add_known(struct renewal *renewal, const struct registry_row *row)
{
	renewal->known = mem_realloc_array(
		renewal->known, renewal->known_count + 1, sizeof(*renewal->known));
	struct known *known = &renewal->known[renewal->known_count++];
	*known = (struct known){.row = *row};
	return known;
}

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct renewals *renewals = ctx;
	struct renewal *renewal = &renewals->items[index];
	struct known *known = add_known(renewal, row);
	known->memory = mem_alloc(packed_size(row->user) + packed_size(row->token) +
		packed_size(row->account_id) + packed_size(row->topic) +
		packed_size(row->subtopic) + packed_size(row->stopped_reason));
	char *memory = known->memory;
	known->row.user = pack(&memory, row->user);
	known->row.token = pack(&memory, row->token);
	known->row.account_id = pack(&memory, row->account_id);
	known->row.topic = pack(&memory, row->topic);
	known->row.subtopic = pack(&memory, row->subtopic);
	known->row.stopped_reason = pack(&memory, row->stopped_reason);
}

/* Both lists come in order of their names, so they are compared as they pass. */
static void on_subscription(void *ctx, size_t index, const struct registry_subscription *stored)
{
	struct renewals *renewals = ctx;
	struct renewal *renewal = &renewals->items[index];
	size_t position = renewal->stored_count++;
	if (position >= renewal->job->subscription_count)
		return;
	const struct registry_subscription *sent = renewal->list[position];
	if (strcmp(sent->name, stored->name) != 0)
		renewal->other_names = true;
	if (strcmp(sent->owner, stored->owner) != 0 || strcmp(sent->folder, stored->folder) != 0 ||
		strcmp(sent->hash, stored->hash) != 0)
		renewal->other_places = true;
}

static int compare_names(const void *a, const void *b)
{
	const struct registry_subscription *const *left = a;
	const struct registry_subscription *const *right = b;
	return strcmp((*left)->name, (*right)->name);
}

static void sort_list(struct renewal *renewal)
{
	size_t count = renewal->job->subscription_count;
	renewal->list = mem_alloc_zero(count, sizeof(*renewal->list));
	for (size_t i = 0; i < count; i++)
		renewal->list[i] = &renewal->job->subscriptions[i];
	qsort(renewal->list, count, sizeof(*renewal->list), compare_names);
}

static struct known *find_known(const struct renewal *renewal, const struct registry_key *key)
{
	for (size_t i = 0; i < renewal->known_count; i++) {
		if (memcmp(&renewal->known[i].row.key, key, sizeof(*key)) == 0)
			return &renewal->known[i];
	}
	return NULL;
}

static bool is_inbox_only(const struct registry_job *job)
{
	for (size_t i = 0; i < job->subscription_count; i++) {
		const struct registry_subscription *subscription = &job->subscriptions[i];
		if (subscription->folder[0] ||
			strcmp(subscription->owner, job->event->registration.user) != 0)
			return false;
	}
	return true;
}

static struct known *insert(struct renewal *renewal)
{
	const struct registry_job *job = renewal->job;
	const struct event_registration *sent = &job->event->registration;
	int64_t created_ms = renewal->time_ms;
	if (job->kind == REGISTRY_IMPORT && job->past->created_ms &&
		job->past->created_ms < created_ms)
		created_ms = job->past->created_ms;
	return add_known(renewal,
		&(struct registry_row){
			.key = renewal->key,
			.user = sent->user,
			.token = sent->token,
			.account_id = sent->account_id,
			.subtopic = sent->subtopic,
			.topic = job->topic,
			.created_ms = created_ms,
		});
}

static bool is_undated(const struct registry_job *job)
{
	return job->kind == REGISTRY_IMPORT && job->past->is_undated;
}

static enum registry_imported judge_import(
	const struct rules *rules, const struct renewal *renewal, const struct known *self)
{
	int64_t time_ms = renewal->time_ms;
	bool undated = is_undated(renewal->job);
	if (self)
		return undated || time_ms <= self->row.renewed_ms ? REGISTRY_IMPORTED_KNOWN
								  : REGISTRY_IMPORTED_RENEWED;
	if (time_ms < rules->now_ms - rules->registration_ttl_ms)
		return REGISTRY_IMPORTED_EXPIRED;
	size_t newer = 0;
	for (size_t i = 0; i < renewal->known_count; i++)
		newer += undated || renewal->known[i].row.renewed_ms >= time_ms;
	return newer < rules->registrations_per_user ? REGISTRY_IMPORTED_NEW
						     : REGISTRY_IMPORTED_LIMIT;
}

static bool is_taken(enum registry_imported imported)
{
	return imported == REGISTRY_IMPORTED_NEW || imported == REGISTRY_IMPORTED_RENEWED;
}

/* After renew. */
static void bring_past(
	const struct renewal *renewal, struct known *self, struct suspended_users *suspended)
{
	const struct registry_past *past = renewal->job->past;
	struct registry_row *row = &self->row;
	row->stopped_reason = past->stopped_reason;
	if (past->superseded_ms)
		row->superseded_ms = past->superseded_ms;
	if (past->suspended_ms) {
		row->suspended_ms = past->suspended_ms;
		suspended_users_add(suspended, row->user, row->suspended_ms);
		result_add_effect(renewal->job, REGISTRY_EFFECT_SUSPENDED, &row->key, NULL);
	}
}

static void renew(const struct renewal *renewal, struct known *self)
{
	const struct registry_job *job = renewal->job;
	struct registry_row *row = &self->row;
	/* The same job done again is no sign of life. */
	if (renewal->time_ms > row->renewed_ms) {
		row->stopped_reason = NULL;
		row->is_nudged = false;
	}
	if (renewal->time_ms > row->superseded_ms)
		row->superseded_ms = 0;
	if (*job->topic)
		row->topic = job->topic;
	row->aps_version = job->event->registration.aps_version;
	row->confirmed = job->confirmed;
	row->inbox_only = is_inbox_only(job);
	row->renewed_ms = renewal->time_ms;
	self->is_changed = true;
}

static void resume(struct renewal *renewal)
{
	for (size_t i = 0; i < renewal->known_count; i++) {
		struct known *known = &renewal->known[i];
		if (known->row.suspended_ms == 0 || known->row.suspended_ms > renewal->time_ms)
			continue;
		known->row.suspended_ms = 0;
		known->is_changed = true;
		result_add_effect(renewal->job, REGISTRY_EFFECT_RESUMED, &known->row.key, NULL);
	}
}

/* `other`: another account id of the same device. */
static void supersede(const struct renewal *renewal, struct known *self, struct known *other)
{
	const struct registry_job *job = renewal->job;
	int64_t now = renewal->time_ms;
	if (job->is_new && other->row.renewed_ms <= self->row.created_ms) {
		if (other->row.superseded_ms == 0) {
			other->row.superseded_ms = self->row.created_ms;
			other->is_changed = true;
		}
		return;
	}
	if (job->is_new) {
		/* This job comes late: the other one appeared after it, the first one of all. */
		if (other->row.created_ms > now &&
			(self->row.superseded_ms == 0 ||
				other->row.created_ms < self->row.superseded_ms))
			self->row.superseded_ms = other->row.created_ms;
		return;
	}
	/* A clock put right can have moved that time before its last renewal. */
	bool is_alive = other->row.renewed_ms > self->row.created_ms;
	if (other->row.superseded_ms > 0 && self->row.created_ms >= other->row.superseded_ms &&
		!is_alive && now - self->row.created_ms >= SUPERSEDED_FOR_MS) {
		other->is_gone = true;
		other->why = REGISTRY_WHY_SUPERSEDED;
	}
}

static void supersede_others(struct renewal *renewal, struct known *self)
{
	for (size_t i = 0; i < renewal->known_count; i++) {
		struct known *other = &renewal->known[i];
		if (other != self && strcmp(other->row.token, self->row.token) == 0 &&
			strcmp(other->row.subtopic, self->row.subtopic) == 0)
			supersede(renewal, self, other);
	}
}

static void evict(struct renewal *renewal, const struct known *self, size_t limit)
{
	for (;;) {
		struct known *oldest = NULL;
		size_t count = 0;
		for (size_t i = 0; i < renewal->known_count; i++) {
			struct known *known = &renewal->known[i];
			if (known->is_gone)
				continue;
			count++;
			if (known != self &&
				(!oldest || known->row.renewed_ms < oldest->row.renewed_ms))
				oldest = known;
		}
		if (count <= limit || !oldest)
			return;
		oldest->is_gone = true;
		oldest->why = REGISTRY_WHY_LIMIT;
	}
}

static void report(struct renewal *renewal, const struct known *self)
{
	struct registry_job *job = renewal->job;
	result_add_match(job, &self->row, job->subscription_count)->is_own = true;
	for (size_t i = 0; i < job->subscription_count; i++)
		result_add_hash(job, job->subscriptions[i].hash);
	for (size_t i = 0; i < renewal->known_count; i++) {
		if (renewal->known[i].is_gone)
			result_add_gone(job, &renewal->known[i].row.key);
	}
}

/* It came once, before the start: the push that was to prove it may have been lost in a crash. */
static bool may_be_unproven(const struct rules *rules, const struct registry_row *row)
{
	return row->created_ms == row->renewed_ms && row->renewed_ms < rules->started_ms;
}

static void decide(const struct rules *rules, struct renewal *renewal)
{
	struct registry_job *job = renewal->job;
	struct known *self = find_known(renewal, &renewal->key);
	/* A batch is done whole or not at all: of what it did before, nothing was lost. */
	bool is_renewed = map_get(rules->renewed, &renewal->key, sizeof(renewal->key));
	if (job->kind == REGISTRY_IMPORT) {
		job->imported = judge_import(rules, renewal, self);
		job->is_stale = job->is_dry_run || !is_taken(job->imported);
	} else {
		job->is_stale = self && renewal->time_ms < self->row.renewed_ms;
	}
	if (job->is_stale)
		return;
	if (renewal->stored_count != job->subscription_count)
		renewal->other_names = true;
	job->is_new = !self;
	job->is_again = self && !is_renewed &&
		((job->may_be_done && self->row.renewed_ms == renewal->time_ms) ||
			may_be_unproven(rules, &self->row));
	job->list_changed = self &&
		(renewal->other_names || (*job->topic && strcmp(self->row.topic, job->topic) != 0));
	job->is_double = is_renewed && !job->is_new && !job->list_changed &&
		self->row.aps_version == job->event->registration.aps_version;
	if (!self)
		self = insert(renewal);
	renew(renewal, self);
	if (!is_undated(job)) {
		resume(renewal);
		supersede_others(renewal, self);
	}
	if (job->kind == REGISTRY_IMPORT)
		bring_past(renewal, self, rules->suspended);
	evict(renewal, self, rules->registrations_per_user);
	report(renewal, self);
	if (!is_renewed && job->kind == REGISTRY_REGISTER)
		map_add(rules->renewed, &job->matches[0].target->key, sizeof(renewal->key), job);
}

static int remove_gone(
	struct rules *rules, const struct known *known, int64_t at_ms, struct err *err)
{
	const struct registry_end end = {.why = known->why, .at_ms = at_ms};
	return rules->db->ops->remove(rules->db, &known->row.key, 1, &end, err);
}

int renewals_write(struct renewals *renewals, struct err *err)
{
	struct rules *rules = renewals->rules;
	size_t most = 0;
	for (size_t i = 0; i < renewals->count; i++)
		most += renewals->items[i].known_count;
	mem_auto struct registry_row *rows = mem_alloc_zero(most, sizeof(*rows));
	mem_auto struct registry_list *lists = mem_alloc_zero(renewals->count, sizeof(*lists));
	size_t row_count = 0;
	size_t list_count = 0;
	int failed = 0;
	for (size_t i = 0; i < renewals->count && !failed; i++) {
		const struct renewal *renewal = &renewals->items[i];
		const struct registry_job *job = renewal->job;
		for (size_t j = 0; j < renewal->known_count && !failed && !job->is_dry_run; j++) {
			const struct known *known = &renewal->known[j];
			if (known->is_gone)
				failed = remove_gone(rules, known, renewal->time_ms, err);
			else if (known->is_changed)
				rows[row_count++] = known->row;
		}
		if (!job->is_stale && (renewal->other_names || renewal->other_places))
			lists[list_count++] = (struct registry_list){
				.key = renewal->key,
				.subscriptions = job->subscriptions,
				.count = job->subscription_count,
			};
	}
	const struct registry_ops *ops = rules->db->ops;
	if (!failed)
		failed = ops->put(rules->db, rows, row_count, err);
	if (!failed)
		failed = ops->put_lists(rules->db, lists, list_count, err);
	for (size_t i = 0; i < renewals->count && !failed; i++) {
		const struct registry_job *job = renewals->items[i].job;
		bool resumes = job->kind == REGISTRY_REGISTER ||
			(!job->is_stale && !is_undated(job) && !job->past->suspended_ms);
		if (resumes &&
			suspended_users_resumes(
				rules->suspended, renewals->users[i], renewals->items[i].time_ms))
			suspended_users_remove(rules->suspended, renewals->users[i]);
	}
	return failed;
}

struct renewals *renewals_new(struct rules *rules, struct registry_job *const *jobs, size_t count)
{
	struct renewals *renewals = mem_alloc_zero(1, sizeof(*renewals));
	renewals->rules = rules;
	size_t most = 0;
	for (size_t i = 0; i < count; i++)
		most += jobs[i]->kind != REGISTRY_NEWS;
	renewals->items = mem_alloc_zero(most, sizeof(*renewals->items));
	renewals->users = mem_alloc_zero(most, sizeof(*renewals->users));
	renewals->keys = mem_alloc_zero(most, sizeof(*renewals->keys));
	renewals->has_news = most < count;
	for (size_t i = 0; i < count; i++) {
		if (jobs[i]->kind == REGISTRY_NEWS)
			continue;
		const struct event_registration *sent = &jobs[i]->event->registration;
		struct renewal *renewal = &renewals->items[renewals->count];
		renewal->job = jobs[i];
		renewal->position = i;
		renewal->time_ms = rules_time(rules, jobs[i]);
		renewal->key = registry_key_make(
			rules->site, sent->user, sent->token, sent->account_id, sent->subtopic);
		sort_list(renewal);
		renewals->users[renewals->count] = sent->user;
		renewals->keys[renewals->count++] = renewal->key;
		map_add(rules->users, sent->user, strlen(sent->user), renewal);
	}
	return renewals;
}

void renewals_free(struct renewals *renewals)
{
	map_clear(renewals->rules->users);
	for (size_t i = 0; i < renewals->count; i++) {
		struct renewal *renewal = &renewals->items[i];
		for (size_t j = 0; j < renewal->known_count; j++)
			free(renewal->known[j].memory);
		free(renewal->known);
		free(renewal->list);
	}
	free(renewals->items);
	free(renewals->users);
	free(renewals->keys);
	free(renewals->places);
	free(renewals);
}

void renewals_ask(struct renewals *renewals, struct registry_load *load)
{
	load->users = renewals->users;
	load->keys = renewals->keys;
	load->user_count = renewals->count;
	load->on_row = on_row;
	load->on_subscription = on_subscription;
	load->users_ctx = renewals;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *left = a;
	const struct place *right = b;
	int order = memcmp(&left->place, &right->place, sizeof(left->place));
	return order ? order : left->renewal < right->renewal ? -1 : left->renewal > right->renewal;
}

static void sort_places(struct renewals *renewals)
{
	size_t most = 0;
	for (size_t i = 0; i < renewals->count; i++)
		most += renewals->items[i].job->subscription_count;
	renewals->places = mem_alloc_zero(most, sizeof(*renewals->places));
	for (size_t i = 0; i < renewals->count; i++) {
		const struct renewal *renewal = &renewals->items[i];
		for (size_t j = 0; j < renewal->job->subscription_count && !renewal->job->is_stale;
			j++) {
			const struct registry_subscription *subscription = renewal->list[j];
			renewals->places[renewals->place_count++] = (struct place){
				.place = mailbox_place_of(renewals->rules->site,
					subscription->owner, subscription->folder),
				.renewal = renewal,
				.subscription = subscription,
			};
		}
	}
	if (renewals->place_count)
		qsort(renewals->places, renewals->place_count, sizeof(*renewals->places),
			compare_places);
}

static bool is_from_wrong_clock(const struct rules *rules, const struct renewal *renewal)
{
	for (size_t i = 0; i < renewal->known_count; i++) {
		const struct registry_row *row = &renewal->known[i].row;
		if (row->renewed_ms > rules->wrong_ms || row->created_ms > rules->wrong_ms ||
			row->suspended_ms > rules->wrong_ms || row->superseded_ms > rules->wrong_ms)
			return true;
	}
	return false;
}

bool renewals_are_surprised(const struct renewals *renewals)
{
	for (size_t i = 0; i < renewals->count; i++)
		if (is_from_wrong_clock(renewals->rules, &renewals->items[i]))
			return true;
	return false;
}

void renewals_decide(struct renewals *renewals)
{
	for (size_t i = 0; i < renewals->count; i++)
		decide(renewals->rules, &renewals->items[i]);
	if (renewals->has_news)
		sort_places(renewals);
}

const struct renewal *renewals_before(
	const struct renewals *renewals, const char *user, size_t position)
{
	if (!renewals->count)
		return NULL;
	const struct renewal *renewal = map_get(renewals->rules->users, user, strlen(user));
	return renewal && renewal->position < position ? renewal : NULL;
}

const struct registry_row *renewal_other(
	const struct renewal *renewal, const struct registry_key *key)
{
	const struct known *known = find_known(renewal, key);
	bool is_renewed = !renewal->job->is_stale && memcmp(key, &renewal->key, sizeof(*key)) == 0;
	return known && !known->is_gone && !is_renewed ? &known->row : NULL;
}

void renewals_match(const struct renewals *renewals, const struct mailbox *mailbox, size_t position,
	registry_match_fn *on_match, void *ctx, size_t index)
{
	if (!renewals->place_count)
		return;
	struct mailbox_place sought =
		mailbox_place_of(renewals->rules->site, mailbox->owner, mailbox->folder);
	size_t first = 0;
	for (size_t end = renewals->place_count; first < end;) {
		size_t middle = first + (end - first) / 2;
		if (memcmp(&renewals->places[middle].place, &sought, sizeof(sought)) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	for (size_t i = first; i < renewals->place_count &&
		memcmp(&renewals->places[i].place, &sought, sizeof(sought)) == 0;
		i++) {
		const struct place *place = &renewals->places[i];
		const struct known *self = find_known(place->renewal, &place->renewal->key);
		if (place->renewal->position < position && !self->row.stopped_reason)
			on_match(ctx, index, &self->row, place->subscription->hash);
	}
}
