#include "transfer/copy_page.h"

#include "base/mem.h"

#include <string.h>

/* Which rows of a page are asked about. */
struct slice {
	struct copy_page *page;
	size_t at[COPY_PAGE_SLICE];
	struct registry_key keys[COPY_PAGE_SLICE];
	size_t count;
};

static void free_row(struct copy_page_row *row)
{
	for (size_t i = 0; i < row->subscription_count; i++) {
		free((char *)row->subscriptions[i].name);
		free((char *)row->subscriptions[i].owner);
		free((char *)row->subscriptions[i].folder);
	}
	free(row->subscriptions);
	free((char *)row->row.user);
	free((char *)row->row.token);
	free((char *)row->row.account_id);
	free((char *)row->row.topic);
	free((char *)row->row.subtopic);
	free((char *)row->row.stopped_reason);
}

static void cut(struct copy_page *page, size_t count)
{
	while (page->count > count)
		free_row(&page->rows[--page->count]);
}

void copy_page_clear(struct copy_page *page)
{
	cut(page, 0);
	page->bytes = 0;
}

static void on_row(void *ctx, size_t index, const struct registry_row *row)
{
	struct copy_page *page = ctx;
	(void)index;
	if (page->count == COPY_PAGE_ROWS)
		return;
	page->keys[page->count] = row->key;
	struct copy_page_row *copy = &page->rows[page->count++];
	*copy = (struct copy_page_row){.row = *row};
	copy->row.user = mem_dup(row->user);
	copy->row.token = mem_dup(row->token);
	copy->row.account_id = mem_dup(row->account_id);
	copy->row.topic = mem_dup(row->topic);
	copy->row.subtopic = mem_dup(row->subtopic);
	copy->row.stopped_reason = row->stopped_reason ? mem_dup(row->stopped_reason) : NULL;
}

static void on_subscription(
	void *ctx, size_t index, const struct registry_subscription *subscription)
{
	struct slice *slice = ctx;
	struct copy_page_row *row = &slice->page->rows[slice->at[index]];
	row->subscriptions = mem_realloc_array(
		row->subscriptions, row->subscription_count + 1, sizeof(*row->subscriptions));
	struct registry_subscription *copy = &row->subscriptions[row->subscription_count++];
	*copy = *subscription;
	copy->name = mem_dup(subscription->name);
	copy->owner = mem_dup(subscription->owner);
	copy->folder = mem_dup(subscription->folder);
	slice->page->bytes +=
		sizeof(*copy) + strlen(copy->name) + strlen(copy->owner) + strlen(copy->folder);
}

static void add(struct slice *slice, size_t at)
{
	slice->keys[slice->count] = slice->page->keys[at];
	slice->at[slice->count++] = at;
}

static int read_lists(struct copy_page *page, struct registry_db *db, struct err *err)
{
	for (size_t at = 0; at < page->count;) {
		struct slice slice = {.page = page};
		if (page->bytes > COPY_PAGE_BYTES) {
			cut(page, at);
			return 0;
		}
		while (slice.count < COPY_PAGE_SLICE && at < page->count)
			add(&slice, at++);
		int failed = db->ops->load_lists(
			db, slice.keys, slice.count, on_subscription, &slice, err);
		if (failed)
			return failed;
	}
	return 0;
}

int copy_page_read(struct copy_page *page, struct registry_db *db, const char *user,
	const struct registry_key *key, struct err *err)
{
	copy_page_clear(page);
	int failed = db->ops->begin(db, REGISTRY_READS, err);
	if (!failed)
		failed = db->ops->list(db, user, key, COPY_PAGE_ROWS, on_row, page, err);
	if (!failed)
		failed = read_lists(page, db, err);
	return failed ? failed : db->ops->commit(db, err);
}

static bool is_same_text(const char *one, const char *other)
{
	return one && other ? !strcmp(one, other) : one == other;
}

/* The key says that they are of the same phone. */
static bool is_same_row(const struct registry_row *one, const struct registry_row *other)
{
	return is_same_text(one->topic, other->topic) &&
		is_same_text(one->stopped_reason, other->stopped_reason) &&
		one->aps_version == other->aps_version && one->confirmed == other->confirmed &&
		one->inbox_only == other->inbox_only && one->created_ms == other->created_ms &&
		one->suspended_ms == other->suspended_ms &&
		one->superseded_ms == other->superseded_ms && one->is_nudged == other->is_nudged;
}

static void on_known(void *ctx, size_t index, const struct registry_row *there)
{
	struct copy_page *page = ctx;
	struct copy_page_row *row = &page->rows[index];
	if (there->renewed_ms != row->row.renewed_ms)
		row->state =
			there->renewed_ms < row->row.renewed_ms ? COPY_PAGE_OLDER : COPY_PAGE_NEWER;
	else
		row->state = is_same_row(&row->row, there) ? COPY_PAGE_SAME : COPY_PAGE_DIFFERENT;
}

static void on_known_subscription(
	void *ctx, size_t index, const struct registry_subscription *there)
{
	struct slice *slice = ctx;
	struct copy_page_row *row = &slice->page->rows[slice->at[index]];
	size_t at = row->compared++;
	const struct registry_subscription *here = &row->subscriptions[at];
	if (at >= row->subscription_count || strcmp(here->name, there->name) != 0 ||
		strcmp(here->owner, there->owner) != 0 ||
		strcmp(here->folder, there->folder) != 0 || strcmp(here->hash, there->hash) != 0)
		row->state = COPY_PAGE_DIFFERENT;
}

/* Both lists come in order of their names, so they are compared as they pass. */
static int compare_lists(struct slice *slice, struct registry_db *db, struct err *err)
{
	int failed = db->ops->load_lists(
		db, slice->keys, slice->count, on_known_subscription, slice, err);
	for (size_t i = 0; i < slice->count && !failed; i++) {
		struct copy_page_row *row = &slice->page->rows[slice->at[i]];
		if (row->compared != row->subscription_count)
			row->state = COPY_PAGE_DIFFERENT;
	}
	return failed;
}

int copy_page_compare(
	struct copy_page *page, struct registry_db *db, bool has_lists, struct err *err)
{
	for (size_t i = 0; i < page->count; i++) {
		page->rows[i].state = COPY_PAGE_NEW;
		page->rows[i].compared = 0;
	}
	int failed = db->ops->load_keys(db, page->keys, page->count, on_known, page, err);
	for (size_t at = 0; at < page->count && has_lists && !failed;) {
		struct slice slice = {.page = page};
		for (; slice.count < COPY_PAGE_SLICE && at < page->count; at++) {
			if (page->rows[at].state == COPY_PAGE_SAME)
				add(&slice, at);
		}
		failed = slice.count ? compare_lists(&slice, db, err) : 0;
	}
	return failed;
}
