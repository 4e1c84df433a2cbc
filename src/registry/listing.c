#include "registry/listing.h"

#include "base/mem.h"
#include "registry/result.h"

#include <assert.h>
#include <string.h>

/* Registrations whose mailboxes are asked for at once: few, as each may have 1000 of them, and then
   twice as many each time, as most have some ten. */
#define LISTS_AT_FIRST 20
#define LISTS_AT_MOST 160

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct registry_listing *listing = ctx;
	(void)index;
	listing->listed =
		mem_realloc_array(listing->listed, listing->count + 1, sizeof(*listing->listed));
	listing->listed[listing->count++] = (struct registry_listed){
		.target = push_target_new(&row->key, row->user, row->token, row->account_id,
			row->topic, row->aps_version, row->confirmed, row->inbox_only,
			row->renewed_ms),
		.subtopic = mem_dup(row->subtopic),
		.stopped_reason = row->stopped_reason ? mem_dup(row->stopped_reason) : NULL,
		.created_ms = row->created_ms,
		.superseded_ms = row->superseded_ms,
		.suspended_ms = row->suspended_ms,
	};
}

/* Those of the registrations from `first` on that were asked for. */
struct mailboxes {
	struct registry_listing *listing;
	size_t first;
	size_t count;
};

static void on_subscription(
	void *ctx, size_t index, const struct registry_subscription *subscription)
{
	struct mailboxes *mailboxes = ctx;
	struct registry_listed *listed = &mailboxes->listing->listed[mailboxes->first + index];
	mailboxes->count++;
	listed->subscriptions = mem_realloc_array(listed->subscriptions,
		listed->subscription_count + 1, sizeof(*listed->subscriptions));
	struct registry_subscription *copy = &listed->subscriptions[listed->subscription_count++];
	*copy = *subscription;
	copy->name = mem_dup(subscription->name);
	copy->owner = mem_dup(subscription->owner);
	copy->folder = mem_dup(subscription->folder);
}

static void cut(struct registry_listing *listing, size_t limit)
{
	while (listing->count > limit) {
		registry_listed_fini(&listing->listed[--listing->count]);
		listing->has_more = true;
	}
}

/* Ends the page before the first registration beyond the limit, or beyond those that are loaded. */
static void cut_mailboxes(struct registry_listing *listing, size_t loaded)
{
	size_t mailboxes = 0;
	size_t kept = 0;
	while (kept < loaded && mailboxes < REGISTRY_LISTED_MAILBOXES_MAX)
		mailboxes += listing->listed[kept++].subscription_count;
	cut(listing, kept);
}

static int load_lists(struct rules *rules, struct registry_listing *listing, size_t first,
	size_t count, size_t *ret_mailboxes, struct err *err)
{
	mem_auto struct registry_key *keys = mem_alloc_zero(count, sizeof(*keys));
	for (size_t i = 0; i < count; i++)
		keys[i] = listing->listed[first + i].target->key;
	struct mailboxes mailboxes = {.listing = listing, .first = first};
	int failed = rules->db->ops->load_lists(
		rules->db, keys, count, on_subscription, &mailboxes, err);
	*ret_mailboxes = mailboxes.count;
	return failed;
}

/* Cuts the page where its mailboxes are too many; one registration is always there. */
static int load_mailboxes(struct rules *rules, struct registry_listing *listing, struct err *err)
{
	size_t loaded = 0;
	size_t at_once = LISTS_AT_FIRST;
	for (size_t first = 0; first < listing->count;) {
		size_t count = listing->count - first < at_once ? listing->count - first : at_once;
		size_t mailboxes;
		int failed = load_lists(rules, listing, first, count, &mailboxes, err);
		if (failed)
			return failed;
		loaded += mailboxes;
		first += count;
		at_once *= at_once < LISTS_AT_MOST ? 2 : 1;
		if (loaded >= REGISTRY_LISTED_MAILBOXES_MAX)
			cut_mailboxes(listing, first);
	}
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct registry_listed *left = a;
	const struct registry_listed *right = b;
	return memcmp(&left->target->key, &right->target->key, sizeof(left->target->key));
}

/* A user's registrations come in no order, all of them. */
static void take_page(struct registry_listing *listing, const struct registry_query *query)
{
	size_t kept = 0;
	for (size_t i = 0; i < listing->count; i++) {
		struct registry_listed *listed = &listing->listed[i];
		if (memcmp(&listed->target->key, &query->after_key, sizeof(query->after_key)) > 0)
			listing->listed[kept++] = *listed;
		else
			registry_listed_fini(listed);
	}
	listing->count = kept;
	if (kept)
		qsort(listing->listed, kept, sizeof(*listing->listed), compare_keys);
}

static int list(struct rules *rules, struct registry_job *job, struct err *err)
{
	const struct registry_ops *ops = rules->db->ops;
	const struct registry_query *query = job->query;
	struct registry_listing *listing = mem_alloc_zero(1, sizeof(*listing));
	job->listing = listing;
	int failed;
	if (query->key)
		failed = ops->load_keys(rules->db, query->key, 1, on_row, listing, err);
	else if (query->user)
		failed = ops->load_users(rules->db, &query->user, 1, on_row, listing, err);
	else
		/* One more, to know whether there is one. */
		failed = ops->list(rules->db, query->after_user ? query->after_user : "",
			&query->after_key, query->limit + 1, on_row, listing, err);
	if (!failed && query->user)
		take_page(listing, query);
	if (!failed && !query->key)
		cut(listing, query->limit);
	return failed ? failed : load_mailboxes(rules, listing, err);
}

static void on_found(void *ctx, size_t index, const struct registry_row *row)
{
	(void)index;
	result_add_gone(ctx, &row->key);
}

static bool is_gone(const struct registry_job *job, const struct registry_key *key)
{
	for (size_t i = 0; i < job->gone_count; i++) {
		if (!memcmp(&job->gone[i], key, sizeof(*key)))
			return true;
	}
	return false;
}

/* A key may be given twice. */
static void on_to_remove(void *ctx, size_t index, const struct registry_row *row)
{
	struct registry_job *job = ctx;
	(void)index;
	if ((!job->before_ms || row->renewed_ms < job->before_ms) && !is_gone(job, &row->key))
		result_add_gone(job, &row->key);
}

static int remove_listed(struct rules *rules, struct registry_job *job, struct err *err)
{
	const struct registry_ops *ops = rules->db->ops;
	int failed = ops->load_keys(rules->db, job->keys, job->key_count, on_to_remove, job, err);
	const struct registry_end end = {
		.why = REGISTRY_WHY_REMOVED, .at_ms = rules_time(rules, job)};
	return failed ? failed : ops->remove(rules->db, job->gone, job->gone_count, &end, err);
}

static void on_own_tombstone(void *ctx, const struct registry_tombstone *tombstone)
{
	if (!tombstone->is_back)
		result_add_gone(ctx, &tombstone->key);
}

static int remove_user(struct rules *rules, struct registry_job *job, struct err *err)
{
	const struct registry_ops *ops = rules->db->ops;
	const char *user = job->query->user;
	int failed = ops->load_users(rules->db, &user, 1, on_found, job, err);
	size_t registrations = job->gone_count;
	if (!failed)
		failed = ops->list_tombstones(rules->db, user, 0, REGISTRY_TOMBSTONES_PER_USER + 1,
			on_own_tombstone, job, err);
	const struct registry_end end = {
		.why = REGISTRY_WHY_REMOVED, .at_ms = rules_time(rules, job)};
	if (!failed)
		failed = ops->remove(rules->db, job->gone, registrations, &end, err);
	return failed ? failed : ops->remove_tombstones(rules->db, user, err);
}

static void on_tombstone(void *ctx, const struct registry_tombstone *tombstone)
{
	struct registry_tombstones *tombstones = ctx;
	tombstones->tombstones = mem_realloc_array(
		tombstones->tombstones, tombstones->count + 1, sizeof(*tombstones->tombstones));
	struct registry_tombstone *copy = &tombstones->tombstones[tombstones->count++];
	*copy = *tombstone;
	copy->user = mem_dup(tombstone->user);
	copy->token = mem_dup(tombstone->token);
	copy->account_id = mem_dup(tombstone->account_id);
	copy->topic = mem_dup(tombstone->topic);
	copy->reason = mem_dup(tombstone->reason);
}

static int list_forgotten(struct rules *rules, struct registry_job *job, struct err *err)
{
	const struct registry_query *query = job->query;
	struct registry_tombstones *tombstones = mem_alloc_zero(1, sizeof(*tombstones));
	job->tombstones = tombstones;
	/* One more, to know whether there is one. */
	int failed = rules->db->ops->list_tombstones(rules->db, query->user, query->after_id,
		query->limit + 1, on_tombstone, tombstones, err);
	if (!failed && tombstones->count > query->limit) {
		registry_tombstone_fini(&tombstones->tombstones[--tombstones->count]);
		tombstones->has_more = true;
	}
	return failed;
}

int listing_run(struct rules *rules, struct registry_job *job, struct err *err)
{
	switch (job->kind) {
	case REGISTRY_LIST:
		return list(rules, job, err);
	case REGISTRY_LIST_FORGOTTEN:
		return list_forgotten(rules, job, err);
	case REGISTRY_REMOVE:
		return remove_listed(rules, job, err);
	case REGISTRY_REMOVE_USER:
		return remove_user(rules, job, err);
	default:
		assert(job->kind == REGISTRY_COUNT);
		return rules->db->ops->count(rules->db, &job->totals, err);
	}
}
