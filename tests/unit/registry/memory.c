#include "memory.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "driver/malformed.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Immutable and counted, as most changes of a registration leave its list alone. */
struct list {
	unsigned references;
	size_t count;
	struct registry_subscription
		subscriptions[]; /* in order of names; their strings are ours */
};

struct registration {
	struct registry_row row; /* its strings are ours */
	struct list *list;
	uint64_t transaction; /* that made this copy */
};

struct undo {
	size_t slot;
	struct registration *old; /* NULL: it was not there */
};

/* What a site has stored at a place.  A slot is an id: in order of insertion, NULL when gone. */
struct site {
	struct site *next;
	char *place;
	char *name;
	struct registration **slots;
	size_t slot_count;
	struct undo *undos;
	size_t undo_count;
	uint64_t transaction;
	const struct registry_db *open; /* whose transaction; NULL: there is none */
	bool writes;
	/* In order of their ids; immutable. */
	struct registry_tombstone **tombstones;
	size_t tombstone_count;
	int64_t tombstone_id; /* the last one */
	/* As they were when the transaction began. */
	struct registry_tombstone **old_tombstones;
	size_t old_tombstone_count;
	int64_t old_tombstone_id;
	int64_t tidied_day, old_tidied_day;
	uint64_t tidied_count, old_tidied_count;
	int64_t seen_ms, old_seen_ms;
	int64_t spared_until_ms, old_spared_until_ms;
};

struct memory {
	struct registry_db db;
	struct site *site;
	atomic_uint_fast64_t *round_trips; /* each call is one; or NULL */
};

static struct site *sites;
static _Atomic(enum memory_failure) failure;
static atomic_uint failures_left; /* 0: no end of them */
static memory_unanswered_fn *on_unanswered;

static struct site *site_of(struct registry_db *db)
{
	struct memory *memory = MEM_CONTAINER(db, struct memory, db);
	if (memory->round_trips)
		atomic_fetch_add(memory->round_trips, 1);
	return memory->site;
}

static void list_free(struct list *list)
{
	if (!list || --list->references)
		return;
	for (size_t i = 0; i < list->count; i++) {
		free((char *)list->subscriptions[i].name);
		free((char *)list->subscriptions[i].owner);
		free((char *)list->subscriptions[i].folder);
	}
	free(list);
}

static int compare_names(const void *a, const void *b)
{
	const struct registry_subscription *left = a;
	const struct registry_subscription *right = b;
	return strcmp(left->name, right->name);
}

static struct list *list_new(const struct registry_subscription *subscriptions, size_t count)
{
	struct list *list =
		mem_alloc_zero(1, sizeof(*list) + count * sizeof(list->subscriptions[0]));
	list->references = 1;
	list->count = count;
	for (size_t i = 0; i < count; i++) {
		list->subscriptions[i] = subscriptions[i];
		list->subscriptions[i].name = mem_dup(subscriptions[i].name);
		list->subscriptions[i].owner = mem_dup(subscriptions[i].owner);
		list->subscriptions[i].folder = mem_dup(subscriptions[i].folder);
	}
	qsort(list->subscriptions, count, sizeof(list->subscriptions[0]), compare_names);
	return list;
}

static void registration_free(struct registration *registration)
{
	if (!registration)
		return;
	struct registry_row *row = &registration->row;
	free((char *)row->user);
	free((char *)row->token);
	free((char *)row->account_id);
	free((char *)row->topic);
	free((char *)row->subtopic);
	free((char *)row->stopped_reason);
	list_free(registration->list);
	free(registration);
}

/* Takes the list over. */
static struct registration *registration_new(const struct registry_row *row, struct list *list)
{
	struct registration *registration = mem_alloc_zero(1, sizeof(*registration));
	registration->row = *row;
	registration->row.user = mem_dup(row->user);
	registration->row.token = mem_dup(row->token);
	registration->row.account_id = mem_dup(row->account_id);
	registration->row.topic = mem_dup(row->topic);
	registration->row.subtopic = mem_dup(row->subtopic);
	registration->row.stopped_reason =
		row->stopped_reason ? mem_dup(row->stopped_reason) : NULL;
	registration->list = list;
	return registration;
}

/* The old one is kept until the end of the transaction. */
static void replace(struct site *site, size_t slot, struct registration *new)
{
	assert(site->open);
	site->undos = mem_realloc_array(site->undos, site->undo_count + 1, sizeof(*site->undos));
	site->undos[site->undo_count++] = (struct undo){slot, site->slots[slot]};
	site->slots[slot] = new;
	if (new)
		new->transaction = site->transaction;
}

/* That registration, to be changed. */
static struct registration *edit(struct site *site, size_t slot)
{
	struct registration *old = site->slots[slot];
	if (old->transaction != site->transaction) {
		old->list->references++;
		replace(site, slot, registration_new(&old->row, old->list));
	}
	return site->slots[slot];
}

static bool is_key(const struct registration *registration, const struct registry_key *key)
{
	return registration && memcmp(&registration->row.key, key, sizeof(*key)) == 0;
}

/* slot_count: it is not there. */
static size_t find(const struct site *site, const struct registry_key *key)
{
	size_t slot = 0;
	while (slot < site->slot_count && !is_key(site->slots[slot], key))
		slot++;
	return slot;
}

static void tombstone_free(struct registry_tombstone *tombstone)
{
	free((char *)tombstone->user);
	free((char *)tombstone->token);
	free((char *)tombstone->account_id);
	free((char *)tombstone->topic);
	free((char *)tombstone->reason);
	free(tombstone);
}

static bool has_tombstone(struct registry_tombstone *const *tombstones, size_t count,
	const struct registry_tombstone *tombstone)
{
	size_t i = 0;
	while (i < count && tombstones[i] != tombstone)
		i++;
	return i < count;
}

static void remember_tombstones(struct site *site)
{
	site->old_tombstones =
		mem_alloc_zero(site->tombstone_count, sizeof(struct registry_tombstone *));
	site->old_tombstone_count = site->tombstone_count;
	site->old_tombstone_id = site->tombstone_id;
	if (site->tombstone_count)
		memcpy(site->old_tombstones, site->tombstones,
			site->tombstone_count * sizeof(struct registry_tombstone *));
}

/* The transaction is over: what is in the one list and not in that which stays is freed. */
static void settle_tombstones(struct site *site, bool stays)
{
	if (!stays) {
		struct registry_tombstone **tombstones = site->tombstones;
		size_t count = site->tombstone_count;
		site->tombstones = site->old_tombstones;
		site->tombstone_count = site->old_tombstone_count;
		site->tombstone_id = site->old_tombstone_id;
		site->old_tombstones = tombstones;
		site->old_tombstone_count = count;
	}
	for (size_t i = 0; i < site->old_tombstone_count; i++) {
		if (!has_tombstone(
			    site->tombstones, site->tombstone_count, site->old_tombstones[i]))
			tombstone_free(site->old_tombstones[i]);
	}
	free(mem_steal(site->old_tombstones));
}

static void drop_tombstone(struct site *site, size_t at)
{
	struct registry_tombstone *tombstone = site->tombstones[at];
	memmove(site->tombstones + at, site->tombstones + at + 1,
		(--site->tombstone_count - at) * sizeof(struct registry_tombstone *));
	if (!has_tombstone(site->old_tombstones, site->old_tombstone_count, tombstone))
		tombstone_free(tombstone);
}

static struct registry_tombstone *add_tombstone(
	struct site *site, const struct registry_tombstone *tombstone)
{
	struct registry_tombstone *copy = mem_alloc_zero(1, sizeof(*copy));
	*copy = *tombstone;
	copy->user = mem_dup(tombstone->user);
	copy->token = mem_dup(tombstone->token);
	copy->account_id = mem_dup(tombstone->account_id);
	copy->topic = mem_dup(tombstone->topic);
	copy->reason = mem_dup(tombstone->reason);
	site->tombstones = mem_realloc_array(
		site->tombstones, site->tombstone_count + 1, sizeof(struct registry_tombstone *));
	return site->tombstones[site->tombstone_count++] = copy;
}

static void leave_tombstone(
	struct site *site, const struct registry_row *row, const struct registry_end *end)
{
	const char *reason = end->reason && *end->reason ? end->reason : row->stopped_reason;
	size_t of_user = 0;
	for (size_t i = site->tombstone_count; i-- > 0;) {
		const struct registry_tombstone *tombstone = site->tombstones[i];
		if (!memcmp(&tombstone->key, &row->key, sizeof(row->key)) ||
			(!strcmp(tombstone->user, row->user) &&
				++of_user >= REGISTRY_TOMBSTONES_PER_USER))
			drop_tombstone(site, i);
	}
	if (site->tombstone_count == REGISTRY_TOMBSTONES_MAX)
		drop_tombstone(site, 0);
	add_tombstone(site,
		&(struct registry_tombstone){
			.id = ++site->tombstone_id,
			.key = row->key,
			.user = row->user,
			.token = row->token,
			.account_id = row->account_id,
			.topic = row->topic,
			.renewed_ms = row->renewed_ms,
			.at_ms = end->at_ms,
			.why = end->why,
			.status = end->status,
			.reason = reason ? reason : "",
		});
}

static int fail_with(int code, struct err *err)
{
	if (failures_left && atomic_fetch_sub(&failures_left, 1) == 1)
		failure = MEMORY_WELL;
	return err_set(err, code, "registry in memory: told to fail; ask again");
}

static int fail(struct err *err)
{
	return fail_with(-EIO, err);
}

static bool is_refused(const char *text)
{
	return (failure == MEMORY_TEXT_ONLY || failure == MEMORY_TEXT_OR_UNKNOWN ||
		       failure == MEMORY_TEXT_OR_TAKEN) &&
		!utf8_is_valid(text, strlen(text));
}

static int refuse(struct err *err)
{
	return err_set(err,
		failure == MEMORY_TEXT_ONLY		  ? -EILSEQ
			: failure == MEMORY_TEXT_OR_TAKEN ? -EEXIST
							  : -EPROTO,
		"registry in memory: told to refuse it");
}

static int begin(struct registry_db *db, enum registry_access access, struct err *err)
{
	struct site *site = site_of(db);
	if (failure == MEMORY_NO_BEGIN)
		return fail(err);
	if (failure == MEMORY_REFUSED_BEGIN)
		return fail_with(-EILSEQ, err);
	if (failure == MEMORY_NO_RIGHTS)
		return fail_with(-EACCES, err);
	if (site->open)
		return err_set(err, -EAGAIN, "registry in memory: another has a transaction");
	site->writes = access == REGISTRY_WRITES;
	site->open = db;
	site->transaction++;
	remember_tombstones(site);
	site->old_tidied_day = site->tidied_day;
	site->old_tidied_count = site->tidied_count;
	site->old_seen_ms = site->seen_ms;
	site->old_spared_until_ms = site->spared_until_ms;
	return 0;
}

static void compact(struct site *site)
{
	size_t count = 0;
	for (size_t slot = 0; slot < site->slot_count; slot++) {
		if (site->slots[slot])
			site->slots[count++] = site->slots[slot];
	}
	site->slot_count = count;
}

static int commit(struct registry_db *db, struct err *err)
{
	struct site *site = site_of(db);
	if (failure == MEMORY_NO_COMMIT)
		return fail(err);
	if (failure == MEMORY_CONFLICT)
		return fail_with(-EAGAIN, err);
	if (failure == MEMORY_CONFLICT_THEN_UNKNOWN)
		return fail_with(failures_left == 1 ? -EPROTO : -EAGAIN, err);
	for (size_t i = 0; i < site->undo_count; i++)
		registration_free(site->undos[i].old);
	site->undo_count = 0;
	settle_tombstones(site, true);
	site->open = NULL;
	compact(site);
	if (failure != MEMORY_NO_ANSWER)
		return 0;
	if (site->writes)
		on_unanswered();
	return fail(err);
}

static void rollback(struct registry_db *db)
{
	struct site *site = site_of(db);
	if (site->open != db)
		return;
	while (site->undo_count) {
		const struct undo *undo = &site->undos[--site->undo_count];
		registration_free(site->slots[undo->slot]);
		site->slots[undo->slot] = undo->old;
	}
	settle_tombstones(site, false);
	site->tidied_day = site->old_tidied_day;
	site->tidied_count = site->old_tidied_count;
	site->seen_ms = site->old_seen_ms;
	site->spared_until_ms = site->old_spared_until_ms;
	site->open = NULL;
	compact(site);
}

static bool is_mailbox(
	const struct registry_subscription *subscription, const char *owner, const char *folder)
{
	return strcmp(subscription->folder, folder) == 0 && strcmp(subscription->owner, owner) == 0;
}

static int match(struct registry_db *db, const struct mailbox *const *mailboxes, size_t count,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	const struct site *site = site_of(db);
	for (size_t i = 0; i < count; i++) {
		if (is_refused(mailboxes[i]->owner))
			return refuse(err);
		for (size_t slot = 0; slot < site->slot_count; slot++) {
			const struct registration *registration = site->slots[slot];
			if (!registration || registration->row.stopped_reason)
				continue;
			const struct list *list = registration->list;
			for (size_t j = 0; j < list->count; j++) {
				const struct registry_subscription *subscription =
					&list->subscriptions[j];
				if (is_mailbox(subscription, mailboxes[i]->owner,
					    mailboxes[i]->folder) &&
					!malformed_row("memory", &registration->row) &&
					!malformed_hash("memory", subscription->hash))
					on_match(ctx, i, &registration->row, subscription->hash);
			}
		}
	}
	return 0;
}

static int load_users(struct registry_db *db, const char *const *users, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		for (size_t slot = 0; slot < site->slot_count; slot++) {
			const struct registration *registration = site->slots[slot];
			if (registration && strcmp(registration->row.user, users[i]) == 0 &&
				!malformed_row("memory", &registration->row))
				on_row(ctx, i, &registration->row);
		}
	}
	return 0;
}

static int load_lists(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_subscription_fn *on_subscription, void *ctx, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		size_t slot = find(site, &keys[i]);
		const struct list *list = slot < site->slot_count ? site->slots[slot]->list : NULL;
		for (size_t j = 0; list && j < list->count; j++) {
			if (!malformed_hash("memory", list->subscriptions[j].hash))
				on_subscription(ctx, i, &list->subscriptions[j]);
		}
	}
	return 0;
}

static int load_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	registry_row_fn *on_row, void *ctx, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		size_t slot = find(site, &keys[i]);
		if (slot < site->slot_count && !malformed_row("memory", &site->slots[slot]->row))
			on_row(ctx, i, &site->slots[slot]->row);
	}
	return 0;
}

static int compare_places(const char *user, const struct registry_key *key, const char *other_user,
	const struct registry_key *other_key)
{
	int order = strcmp(user, other_user);
	return order ? order : memcmp(key, other_key, sizeof(*key));
}

static int list_behind(struct registry_db *db, const char *user, const struct registry_key *key,
	size_t limit, registry_row_fn *on_row, void *ctx, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	for (size_t given = 0; given < limit;) {
		const struct registry_row *next = NULL;
		for (size_t slot = 0; slot < site->slot_count; slot++) {
			if (!site->slots[slot])
				continue;
			const struct registry_row *row = &site->slots[slot]->row;
			if (compare_places(row->user, &row->key, user, key) > 0 &&
				(!next ||
					compare_places(
						row->user, &row->key, next->user, &next->key) < 0))
				next = row;
		}
		if (!next)
			break;
		if (!malformed_row("memory", next))
			on_row(ctx, given++, next);
		user = next->user;
		key = &next->key;
	}
	return 0;
}

static int count_all(struct registry_db *db, struct registry_totals *ret, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	*ret = (struct registry_totals){0};
	for (size_t slot = 0; slot < site->slot_count; slot++) {
		if (!site->slots[slot])
			continue;
		const struct registry_row *row = &site->slots[slot]->row;
		ret->registrations++;
		ret->in_state[registry_state_of(
			row->stopped_reason, row->suspended_ms, row->superseded_ms)]++;
	}
	return 0;
}

static int put(
	struct registry_db *db, const struct registry_row *rows, size_t count, struct err *err)
{
	struct site *site = site_of(db);
	if (failure == MEMORY_SLOW && count > MEMORY_SLOW_ROWS)
		return fail_with(-ETIMEDOUT, err);
	for (size_t i = 0; i < count; i++) {
		if (is_refused(rows[i].user))
			return refuse(err);
		size_t slot = find(site, &rows[i].key);
		struct list *list = NULL;
		if (slot < site->slot_count) {
			list = site->slots[slot]->list;
			list->references++;
		} else {
			list = list_new(NULL, 0);
			site->slots = mem_realloc_array(
				site->slots, slot + 1, sizeof(struct registration *));
			site->slots[site->slot_count++] = NULL;
		}
		replace(site, slot, registration_new(&rows[i], list));
	}
	return 0;
}

static int put_lists(
	struct registry_db *db, const struct registry_list *lists, size_t count, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		size_t slot = find(site, &lists[i].key);
		assert(slot < site->slot_count);
		struct registration *registration = edit(site, slot);
		list_free(registration->list);
		registration->list = list_new(lists[i].subscriptions, lists[i].count);
	}
	return 0;
}

static int remove_keys(struct registry_db *db, const struct registry_key *keys, size_t count,
	const struct registry_end *end, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		size_t slot = find(site, &keys[i]);
		if (slot == site->slot_count)
			continue;
		leave_tombstone(site, &site->slots[slot]->row, end);
		replace(site, slot, NULL);
	}
	return 0;
}

static int list_tombstones(struct registry_db *db, const char *user, int64_t after_id, size_t limit,
	registry_tombstone_fn *on_tombstone, void *ctx, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	for (size_t i = site->tombstone_count; i-- > 0 && limit > 0;) {
		struct registry_tombstone tombstone = *site->tombstones[i];
		if ((after_id && tombstone.id >= after_id) ||
			(user && strcmp(tombstone.user, user) != 0))
			continue;
		tombstone.is_back = find(site, &tombstone.key) < site->slot_count;
		on_tombstone(ctx, &tombstone);
		limit--;
	}
	return 0;
}

static int remove_tombstones(struct registry_db *db, const char *user, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t i = site->tombstone_count; i-- > 0;) {
		if (!strcmp(site->tombstones[i]->user, user))
			drop_tombstone(site, i);
	}
	return 0;
}

static int prune_tombstones(struct registry_db *db, int64_t before_ms, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t i = site->tombstone_count; i-- > 0;) {
		if (site->tombstones[i]->at_ms < before_ms)
			drop_tombstone(site, i);
	}
	return 0;
}

static bool is_below(const char *folder, const char *parent, char separator)
{
	size_t size = strlen(parent);
	return strncmp(folder, parent, size) == 0 &&
		(folder[size] == '\0' || folder[size] == separator);
}

static bool moves(const struct registry_subscription *subscription,
	const struct registry_mailbox_change *change)
{
	if (strcmp(subscription->owner, change->owner) != 0 ||
		!is_below(subscription->folder, change->folder, change->separator))
		return false;
	return strcmp(change->owner, change->new_owner) != 0 ||
		!is_below(subscription->folder, change->new_folder, change->separator);
}

static bool goes(const struct registry_row *row, const struct registry_subscription *subscription,
	const struct registry_mailbox_change *change)
{
	if (change->kind == REGISTRY_OWNER_GONE)
		return strcmp(subscription->owner, change->owner) == 0 &&
			strcmp(row->user, change->owner) != 0;
	return change->kind == REGISTRY_FOLDER_GONE &&
		is_mailbox(subscription, change->owner, change->folder);
}

static bool concerns(
	const struct registration *registration, const struct registry_mailbox_change *change)
{
	for (size_t i = 0; i < registration->list->count; i++) {
		const struct registry_subscription *subscription =
			&registration->list->subscriptions[i];
		if (goes(&registration->row, subscription, change) ||
			(change->kind == REGISTRY_FOLDER_MOVED && moves(subscription, change)))
			return true;
	}
	return false;
}

struct effects {
	registry_effect_fn *on_effect;
	void *ctx;
	size_t index;
};

static void tell(const struct effects *effects, enum registry_effect_kind kind,
	const struct registration *registration, const char *hash)
{
	effects->on_effect(effects->ctx, effects->index, kind, &registration->row.key, hash);
}

static void change_list(struct site *site, size_t slot,
	const struct registry_mailbox_change *change, const struct effects *effects)
{
	if (!concerns(site->slots[slot], change))
		return;
	struct registration *registration = edit(site, slot);
	struct list *old = registration->list;
	mem_auto struct registry_subscription *kept = mem_alloc_zero(old->count, sizeof(*kept));
	mem_auto char **moved = mem_alloc_zero(old->count, sizeof(*moved));
	size_t count = 0;
	for (size_t i = 0; i < old->count; i++) {
		const struct registry_subscription *subscription = &old->subscriptions[i];
		if (goes(&registration->row, subscription, change)) {
			tell(effects, REGISTRY_EFFECT_LOST, registration, subscription->hash);
			continue;
		}
		kept[count] = *subscription;
		if (change->kind == REGISTRY_FOLDER_MOVED && moves(subscription, change)) {
			moved[count] = mem_printf("%s%s", change->new_folder,
				subscription->folder + strlen(change->folder));
			kept[count].owner = change->new_owner;
			kept[count].folder = moved[count];
		}
		count++;
	}
	registration->list = list_new(kept, count);
	for (size_t i = 0; i < count; i++)
		free(moved[i]);
	list_free(old);
}

static int change_mailboxes(struct registry_db *db, const struct registry_mailbox_change *changes,
	size_t count, registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		const struct registry_mailbox_change *change = &changes[i];
		const struct effects effects = {on_effect, ctx, i};
		for (size_t slot = 0; slot < site->slot_count; slot++) {
			const struct registration *registration = site->slots[slot];
			if (!registration)
				continue;
			const struct registry_row *row = &registration->row;
			if (row->renewed_ms > change->at_ms)
				continue;
			if (change->kind == REGISTRY_OWNER_GONE &&
				strcmp(row->user, change->owner) == 0 &&
				row->suspended_ms <= change->at_ms) {
				edit(site, slot)->row.suspended_ms = change->at_ms;
				tell(&effects, REGISTRY_EFFECT_SUSPENDED, site->slots[slot], NULL);
			}
			change_list(site, slot, change, &effects);
		}
	}
	return 0;
}

static void change_token(struct site *site, size_t slot, const struct registry_token_change *change)
{
	if (!change->stop_reason) {
		leave_tombstone(site, &site->slots[slot]->row, &change->end);
		replace(site, slot, NULL);
		return;
	}
	struct registration *registration = edit(site, slot);
	free((char *)registration->row.stopped_reason);
	registration->row.stopped_reason = mem_dup(change->stop_reason);
}

static int change_tokens(struct registry_db *db, const struct registry_token_change *changes,
	size_t count, registry_key_fn *on_gone, void *ctx, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		const struct registry_token_change *change = &changes[i];
		for (size_t slot = 0; slot < site->slot_count; slot++) {
			const struct registration *registration = site->slots[slot];
			if (!registration || registration->row.renewed_ms >= change->before_ms ||
				strcmp(registration->row.token, change->token) != 0 ||
				strcmp(registration->row.topic, change->topic) != 0)
				continue;
			struct registry_key key = registration->row.key;
			change_token(site, slot, change);
			on_gone(ctx, i, &key);
		}
	}
	return 0;
}

static int find_suspended(
	struct registry_db *db, registry_suspended_fn *on_suspended, void *ctx, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	/* A user comes more than once; of what is said the newest counts. */
	for (size_t slot = 0; slot < site->slot_count; slot++) {
		const struct registration *registration = site->slots[slot];
		if (registration && registration->row.suspended_ms > 0)
			on_suspended(ctx, registration->row.user, registration->row.suspended_ms);
	}
	return 0;
}

static int resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t i = 0; i < count; i++) {
		for (size_t slot = 0; slot < site->slot_count; slot++) {
			const struct registration *registration = site->slots[slot];
			if (!registration || strcmp(registration->row.user, resumes[i].user) != 0)
				continue;
			int64_t suspended_ms = registration->row.suspended_ms;
			if (suspended_ms > 0 && suspended_ms <= resumes[i].upto_ms) {
				const struct effects effects = {on_effect, ctx, i};
				edit(site, slot)->row.suspended_ms = 0;
				tell(&effects, REGISTRY_EFFECT_RESUMED, site->slots[slot], NULL);
			}
		}
	}
	return 0;
}

static int census(struct registry_db *db, struct registry_census *ret, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	*ret = (struct registry_census){0};
	for (size_t slot = 0; slot < site->slot_count; slot++) {
		if (!site->slots[slot])
			continue;
		const struct registry_row *row = &site->slots[slot]->row;
		ret->registrations++;
		if (row->renewed_ms > ret->newest_renewal_ms)
			ret->newest_renewal_ms = row->renewed_ms;
	}
	return 0;
}

static void put_time_right(int64_t *time_ms, int64_t after_ms, int64_t to_ms)
{
	if (*time_ms > after_ms)
		*time_ms = to_ms;
}

static int put_right(struct registry_db *db, int64_t after_ms, int64_t to_ms, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	for (size_t slot = 0; slot < site->slot_count; slot++) {
		if (!site->slots[slot])
			continue;
		const struct registry_row *now = &site->slots[slot]->row;
		if (now->renewed_ms <= after_ms && now->suspended_ms <= after_ms &&
			now->created_ms <= after_ms && now->superseded_ms <= after_ms)
			continue;
		struct registry_row *row = &edit(site, slot)->row;
		put_time_right(&row->renewed_ms, after_ms, to_ms);
		put_time_right(&row->suspended_ms, after_ms, to_ms);
		put_time_right(&row->created_ms, after_ms, to_ms);
		put_time_right(&row->superseded_ms, after_ms, to_ms);
	}
	for (size_t i = 0; i < site->tombstone_count; i++) {
		struct registry_tombstone *wrong = site->tombstones[i];
		if (wrong->at_ms <= after_ms)
			continue;
		struct registry_tombstone *right = add_tombstone(site, wrong);
		right->at_ms = to_ms;
		site->tombstones[i] = right;
		site->tombstone_count--;
		if (!has_tombstone(site->old_tombstones, site->old_tombstone_count, wrong))
			tombstone_free(wrong);
	}
	return 0;
}

static int put_tidied(struct registry_db *db, int64_t day, uint64_t count, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	site->tidied_day = day;
	site->tidied_count = count;
	return 0;
}

static int load_round(struct registry_db *db, struct registry_round *ret, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	*ret = (struct registry_round){.tidied_day = site->tidied_day,
		.tidied_count = site->tidied_count,
		.seen_ms = site->seen_ms,
		.spared_until_ms = site->spared_until_ms};
	return 0;
}

static int claim_round(struct registry_db *db, int64_t was_ms, int64_t seen_ms,
	int64_t spared_until_ms, bool *ret_is_ours, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	*ret_is_ours = site->seen_ms == was_ms;
	if (!*ret_is_ours)
		return 0;
	site->seen_ms = seen_ms;
	site->spared_until_ms = spared_until_ms;
	return 0;
}

static bool is_to_be_nudged(const struct registration *registration)
{
	return !registration->row.is_nudged && !registration->row.suspended_ms &&
		!registration->row.stopped_reason && registration->list->count > 0;
}

enum time { RENEWED, SLEEPING, NUDGEABLE };

/* When, or 0 if that is no time of this registration. */
static int64_t time_of(const struct registration *registration, enum time which)
{
	if (which == SLEEPING)
		return registration->row.suspended_ms;
	if (which == NUDGEABLE && !is_to_be_nudged(registration))
		return 0;
	return registration->row.renewed_ms;
}

/* The oldest before `before_ms` that is none of the first `seen` in `slots`; slot_count: none. */
static size_t find_oldest(const struct site *site, enum time which, int64_t before_ms,
	const size_t *slots, size_t seen)
{
	size_t oldest = site->slot_count;
	for (size_t slot = 0; slot < site->slot_count; slot++) {
		const struct registration *registration = site->slots[slot];
		int64_t ms = registration ? time_of(registration, which) : 0;
		if (!ms || ms >= before_ms)
			continue;
		bool is_seen = false;
		for (size_t i = 0; i < seen; i++)
			is_seen = is_seen || slots[i] == slot;
		if (!is_seen &&
			(oldest == site->slot_count || ms < time_of(site->slots[oldest], which)))
			oldest = slot;
	}
	return oldest;
}

/* Returns how many there are, with the slots of the `limit` oldest in `*ret_slots`. */
static size_t find_before(const struct site *site, enum time which, int64_t before_ms, size_t limit,
	size_t **ret_slots)
{
	size_t *slots = mem_alloc_zero(site->slot_count, sizeof(*slots));
	size_t count = 0;
	size_t slot;
	while (count < limit &&
		(slot = find_oldest(site, which, before_ms, slots, count)) < site->slot_count)
		slots[count++] = slot;
	*ret_slots = slots;
	return count;
}

static void tell_keys(const struct site *site, enum time which, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx)
{
	mem_auto size_t *slots = NULL;
	size_t count = find_before(site, which, before_ms, limit, &slots);
	for (size_t i = 0; i < count; i++)
		on_key(ctx, i, &site->slots[slots[i]]->row.key);
}

static int find_expired(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, uint64_t *ret_total, struct err *err)
{
	const struct site *site = site_of(db);
	(void)err;
	*ret_total = 0;
	for (size_t slot = 0; slot < site->slot_count; slot++)
		*ret_total += site->slots[slot] && site->slots[slot]->row.renewed_ms < before_ms;
	tell_keys(site, RENEWED, before_ms, limit, on_key, ctx);
	return 0;
}

static int find_longest_suspended(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_key_fn *on_key, void *ctx, struct err *err)
{
	(void)err;
	tell_keys(site_of(db), SLEEPING, before_ms, limit, on_key, ctx);
	return 0;
}

static int claim_nudges(struct registry_db *db, int64_t before_ms, size_t limit,
	registry_match_fn *on_match, void *ctx, struct err *err)
{
	struct site *site = site_of(db);
	(void)err;
	mem_auto size_t *slots = NULL;
	size_t count = find_before(site, NUDGEABLE, before_ms, limit, &slots);
	size_t given = 0;
	for (size_t i = 0; i < count; i++) {
		struct registration *registration = edit(site, slots[i]);
		const struct list *list = registration->list;
		bool is_given = false;
		registration->row.is_nudged = true;
		if (malformed_row("memory", &registration->row))
			continue;
		for (size_t j = 0; j < list->count; j++) {
			if (malformed_hash("memory", list->subscriptions[j].hash))
				continue;
			is_given = true;
			on_match(ctx, given, &registration->row, list->subscriptions[j].hash);
		}
		given += is_given;
	}
	return 0;
}

static struct site *site_at(const char *place, const char *name)
{
	struct site *site = sites;
	while (site && (strcmp(site->place, place) != 0 || strcmp(site->name, name) != 0))
		site = site->next;
	if (!site) {
		site = mem_alloc_zero(1, sizeof(*site));
		site->place = mem_dup(place);
		site->name = mem_dup(name);
		site->next = sites;
		sites = site;
	}
	return site;
}

static int open_memory(const char *place, const struct registry_settings *settings,
	struct registry_db **ret, struct err *err)
{
	(void)err;
	struct site *site = site_at(place, settings->site);
	struct memory *memory = mem_alloc_zero(1, sizeof(*memory));
	memory->db.ops = &memory_ops;
	memory->site = site;
	memory->round_trips = settings->round_trips;
	*ret = &memory->db;
	return 0;
}

static void close_memory(struct registry_db *db)
{
	if (!db)
		return;
	rollback(db);
	free(MEM_CONTAINER(db, struct memory, db));
}

void memory_fail(enum memory_failure how, memory_unanswered_fn *unanswered)
{
	failure = how;
	failures_left = 0;
	on_unanswered = unanswered;
}

void memory_fail_times(enum memory_failure how, unsigned times)
{
	failures_left = times;
	failure = how;
}

static void empty(struct site *site)
{
	for (size_t slot = 0; slot < site->slot_count; slot++)
		registration_free(site->slots[slot]);
	for (size_t i = 0; i < site->tombstone_count; i++)
		tombstone_free(site->tombstones[i]);
	free(mem_steal(site->tombstones));
	free(mem_steal(site->slots));
	site->tombstone_count = 0;
	site->slot_count = 0;
}

void memory_copy(const char *from_place, const char *to_place, const char *name)
{
	const struct site *from = site_at(from_place, name);
	struct site *to = site_at(to_place, name);
	assert(!from->open && !to->open);
	empty(to);
	to->slots = mem_alloc_zero(from->slot_count, sizeof(struct registration *));
	for (size_t slot = 0; slot < from->slot_count; slot++) {
		const struct registration *registration = from->slots[slot];
		registration->list->references++;
		to->slots[to->slot_count++] =
			registration_new(&registration->row, registration->list);
	}
	for (size_t i = 0; i < from->tombstone_count; i++)
		add_tombstone(to, from->tombstones[i]);
	to->tombstone_id = from->tombstone_id;
	to->tidied_day = from->tidied_day;
	to->tidied_count = from->tidied_count;
	to->seen_ms = from->seen_ms;
	to->spared_until_ms = from->spared_until_ms;
}

void memory_forget(void)
{
	while (sites) {
		struct site *site = sites;
		sites = site->next;
		empty(site);
		free(site->undos);
		free(site->place);
		free(site->name);
		free(site);
	}
}

const struct registry_ops memory_ops = {
	.scheme = "memory",
	.open = open_memory,
	.close = close_memory,
	.begin = begin,
	.commit = commit,
	.rollback = rollback,
	.match = match,
	.load_users = load_users,
	.load_lists = load_lists,
	.load = ops_load_each,
	.load_keys = load_keys,
	.list = list_behind,
	.list_tombstones = list_tombstones,
	.count = count_all,
	.put = put,
	.put_lists = put_lists,
	.remove = remove_keys,
	.change_mailboxes = change_mailboxes,
	.change_tokens = change_tokens,
	.find_suspended = find_suspended,
	.resume = resume,
	.census = census,
	.put_right = put_right,
	.put_tidied = put_tidied,
	.load_round = load_round,
	.claim_round = claim_round,
	.remove_tombstones = remove_tombstones,
	.prune_tombstones = prune_tombstones,
	.find_expired = find_expired,
	.find_longest_suspended = find_longest_suspended,
	.claim_nudges = claim_nudges,
};
