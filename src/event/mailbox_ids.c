#include "event/mailbox_ids.h"

#include "base/map.h"
#include "base/mem.h"

#include <stddef.h>
#include <string.h>

#define DOUBTS_KEPT 1024

struct known {
	int64_t seen_ms;
	char id[]; /* the folder follows behind the NUL */
};

struct owner {
	struct known **known; /* the oldest first */
	size_t count;
	char name[];
};

struct mailbox_ids {
	uint8_t seed[16];
	struct map *owners; /* by name */
	size_t count;	    /* of all their ids */
	uint64_t doubts;
	/* By the hash of an owner's name: what `doubts` was at the last one.  Two that share one
	   learn a little less. */
	uint64_t last_doubts[DOUBTS_KEPT];
};

static const char *folder_of(const struct known *known)
{
	return known->id + strlen(known->id) + 1;
}

static void free_owner(struct owner *owner)
{
	for (size_t i = 0; i < owner->count; i++)
		free(owner->known[i]);
	free(owner->known);
	free(owner);
}

static void clear(struct mailbox_ids *ids)
{
	size_t position = 0;
	for (struct owner *owner; (owner = map_next(ids->owners, &position));)
		free_owner(owner);
	map_clear(ids->owners);
	ids->count = 0;
}

struct mailbox_ids *mailbox_ids_new(const uint8_t seed[16])
{
	struct mailbox_ids *ids = mem_alloc_zero(1, sizeof(*ids));
	memcpy(ids->seed, seed, sizeof(ids->seed));
	ids->owners = map_new(seed);
	return ids;
}

void mailbox_ids_free(struct mailbox_ids *ids)
{
	if (!ids)
		return;
	clear(ids);
	map_free(ids->owners);
	free(ids);
}

static struct owner *owner_get(const struct mailbox_ids *ids, const char *name)
{
	return map_get(ids->owners, name, strlen(name));
}

static uint64_t *last_doubt(struct mailbox_ids *ids, const char *name)
{
	return &ids->last_doubts[map_hash(ids->seed, name, strlen(name)) % DOUBTS_KEPT];
}

static void doubt(struct mailbox_ids *ids, const char *name)
{
	*last_doubt(ids, name) = ++ids->doubts;
}

static struct owner *owner_add(struct mailbox_ids *ids, const char *name)
{
	size_t size = strlen(name);
	struct owner *owner = mem_alloc(sizeof(*owner) + size + 1);
	*owner = (struct owner){0};
	memcpy(owner->name, name, size + 1);
	map_add(ids->owners, owner->name, size, owner);
	return owner;
}

static void drop(struct mailbox_ids *ids, struct owner *owner, size_t i)
{
	free(owner->known[i]);
	owner->count--;
	ids->count--;
	memmove(owner->known + i, owner->known + i + 1, (owner->count - i) * sizeof(*owner->known));
}

/* The folder is `parent` with `rest` behind it. */
static struct known *known_new(
	const char *id, const char *parent, const char *rest, int64_t seen_ms)
{
	size_t id_size = strlen(id) + 1;
	size_t parent_size = strlen(parent);
	size_t rest_size = strlen(rest) + 1;
	struct known *known = mem_alloc(sizeof(*known) + id_size + parent_size + rest_size);
	known->seen_ms = seen_ms;
	memcpy(known->id, id, id_size);
	memcpy(known->id + id_size, parent, parent_size);
	memcpy(known->id + id_size + parent_size, rest, rest_size);
	return known;
}

static bool is_kept(const struct mail_event *event, unsigned reading)
{
	return event->mailbox_id && !mailbox_is_inbox(&event->at[reading]) &&
		event_is_believed(event, event->at, event->readings, reading);
}

uint64_t mailbox_ids_doubts(const struct mailbox_ids *ids)
{
	return ids->doubts;
}

void mailbox_ids_learn(struct mailbox_ids *ids, const struct mail_event *event, unsigned reading,
	uint64_t doubts, int64_t at_ms)
{
	const struct mailbox *at = &event->at[reading];
	if (!is_kept(event, reading) || *last_doubt(ids, at->owner) > doubts)
		return;
	struct owner *owner = owner_get(ids, at->owner);
	for (size_t i = owner ? owner->count : 0; i-- > 0;) {
		struct known *known = owner->known[i];
		bool is_id = strcmp(known->id, event->mailbox_id) == 0;
		bool is_there = strcmp(folder_of(known), at->folder) == 0;
		if (is_id && is_there) {
			known->seen_ms = at_ms;
			return;
		}
		if (is_id || is_there)
			drop(ids, owner, i);
	}
	if (ids->count == MAILBOX_IDS_MAX) {
		clear(ids);
		owner = NULL;
	}
	if (!owner)
		owner = owner_add(ids, at->owner);
	if (owner->count == MAILBOX_IDS_PER_OWNER_MAX)
		drop(ids, owner, 0);
	owner->known = mem_realloc_array(owner->known, owner->count + 1, sizeof(struct known *));
	owner->known[owner->count++] = known_new(event->mailbox_id, at->folder, "", at_ms);
	ids->count++;
}

static const struct known *find(const struct owner *owner, const char *id)
{
	for (size_t i = 0; i < owner->count; i++) {
		if (strcmp(owner->known[i]->id, id) == 0)
			return owner->known[i];
	}
	return NULL;
}

/* What the name of a folder at `parent`, or below it, has behind that; NULL: it is elsewhere. */
static const char *rest_below(const char *folder, const char *parent, char separator)
{
	size_t size = strlen(parent);
	if (strncmp(folder, parent, size) != 0 || (folder[size] && folder[size] != separator))
		return NULL;
	return folder + size;
}

struct move {
	const char *from;
	const char *to;
	char separator;
};

/* The same of a folder that moves along; NULL: it stays, as one below the new place does, in the
   registry too. */
static const char *moving_rest(const struct move *move, const char *folder)
{
	const char *rest = rest_below(folder, move->from, move->separator);
	bool stays = rest && *rest && rest_below(folder, move->to, move->separator);
	return stays ? NULL : rest;
}

/* Would two known folders have one name by that? */
static bool is_clash(const struct owner *owner, const struct move *move)
{
	for (size_t i = 0; i < owner->count; i++) {
		const char *rest =
			rest_below(folder_of(owner->known[i]), move->to, move->separator);
		for (size_t j = 0; rest && j < owner->count; j++) {
			const char *moving = moving_rest(move, folder_of(owner->known[j]));
			if (i != j && moving && strcmp(moving, rest) == 0)
				return true;
		}
	}
	return false;
}

static void follow(struct mailbox_ids *ids, struct owner *owner, const struct move *move)
{
	for (size_t i = owner->count; i-- > 0;) {
		const char *rest = moving_rest(move, folder_of(owner->known[i]));
		if (!rest)
			continue;
		if (strlen(move->to) + strlen(rest) > MAILBOX_NAME_MAX) {
			drop(ids, owner, i);
			continue;
		}
		struct known *known = owner->known[i];
		owner->known[i] = known_new(known->id, move->to, rest, known->seen_ms);
		free(known);
	}
}

bool mailbox_ids_follow(struct mailbox_ids *ids, const struct mail_event *event, char separator,
	struct mailbox *ret, int64_t *ret_seen_ms)
{
	for (unsigned i = 0; i < event->readings; i++) {
		const struct mailbox *at = &event->at[i];
		struct owner *owner = is_kept(event, i) ? owner_get(ids, at->owner) : NULL;
		const struct known *known = owner ? find(owner, event->mailbox_id) : NULL;
		if (!known || strcmp(folder_of(known), at->folder) == 0)
			continue;
		struct move move = {
			.from = folder_of(known), .to = at->folder, .separator = separator};
		if (is_clash(owner, &move)) {
			mailbox_ids_forget_owner(ids, at->owner);
			continue;
		}
		doubt(ids, at->owner);
		move.from = mem_dup(move.from);
		*ret_seen_ms = known->seen_ms;
		follow(ids, owner, &move);
		*ret = (struct mailbox){.owner = at->owner, .folder = move.from};
		return true;
	}
	return false;
}

void mailbox_ids_forget(struct mailbox_ids *ids, const struct mailbox *mailbox, char separator)
{
	struct owner *owner = owner_get(ids, mailbox->owner);
	doubt(ids, mailbox->owner);
	for (size_t i = owner ? owner->count : 0; i-- > 0;) {
		const char *folder = folder_of(owner->known[i]);
		if (rest_below(folder, mailbox->folder, separator) ||
			rest_below(mailbox->folder, folder, separator))
			drop(ids, owner, i);
	}
	if (owner && !owner->count)
		mailbox_ids_forget_owner(ids, mailbox->owner);
}

void mailbox_ids_forget_owner(struct mailbox_ids *ids, const char *name)
{
	doubt(ids, name);
	struct owner *owner = map_remove(ids->owners, name, strlen(name));
	if (!owner)
		return;
	ids->count -= owner->count;
	free_owner(owner);
}
