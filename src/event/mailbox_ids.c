#include "event/mailbox_ids.h"

#include "base/map.h"
#include "base/mem.h"

#include <stddef.h>
#include <string.h>

#define DOUBTS_KEPT 1024

struct owner {
	char **ids; /* the oldest first; the folder follows behind the NUL */
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

static const char *folder_of(const char *id)
{
	return id + strlen(id) + 1;
}

static void free_owner(struct owner *owner)
{
	for (size_t i = 0; i < owner->count; i++)
		free(owner->ids[i]);
	free(owner->ids);
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
	free(owner->ids[i]);
	owner->count--;
	ids->count--;
	memmove(owner->ids + i, owner->ids + i + 1, (owner->count - i) * sizeof(*owner->ids));
}

/* The folder is `parent` with `rest` behind it. */
static char *entry_new(const char *id, const char *parent, const char *rest)
{
	size_t id_size = strlen(id) + 1;
	size_t parent_size = strlen(parent);
	size_t rest_size = strlen(rest) + 1;
	char *entry = mem_alloc(id_size + parent_size + rest_size);
	memcpy(entry, id, id_size);
	memcpy(entry + id_size, parent, parent_size);
	memcpy(entry + id_size + parent_size, rest, rest_size);
	return entry;
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

void mailbox_ids_learn(
	struct mailbox_ids *ids, const struct mail_event *event, unsigned reading, uint64_t doubts)
{
	const struct mailbox *at = &event->at[reading];
	if (!is_kept(event, reading) || *last_doubt(ids, at->owner) > doubts)
		return;
	struct owner *owner = owner_get(ids, at->owner);
	for (size_t i = owner ? owner->count : 0; i-- > 0;) {
		bool is_id = strcmp(owner->ids[i], event->mailbox_id) == 0;
		bool is_there = strcmp(folder_of(owner->ids[i]), at->folder) == 0;
		if (is_id && is_there)
			return;
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
	owner->ids = mem_realloc_array(owner->ids, owner->count + 1, sizeof(*owner->ids));
	owner->ids[owner->count++] = entry_new(event->mailbox_id, at->folder, "");
	ids->count++;
}

static const char *find_folder(const struct owner *owner, const char *id)
{
	for (size_t i = 0; i < owner->count; i++) {
		if (strcmp(owner->ids[i], id) == 0)
			return folder_of(owner->ids[i]);
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
		const char *rest = rest_below(folder_of(owner->ids[i]), move->to, move->separator);
		for (size_t j = 0; rest && j < owner->count; j++) {
			const char *moving = moving_rest(move, folder_of(owner->ids[j]));
			if (i != j && moving && strcmp(moving, rest) == 0)
				return true;
		}
	}
	return false;
}

static void follow(struct mailbox_ids *ids, struct owner *owner, const struct move *move)
{
	for (size_t i = owner->count; i-- > 0;) {
		const char *rest = moving_rest(move, folder_of(owner->ids[i]));
		if (!rest)
			continue;
		if (strlen(move->to) + strlen(rest) > MAILBOX_NAME_MAX) {
			drop(ids, owner, i);
			continue;
		}
		char *moved = entry_new(owner->ids[i], move->to, rest);
		free(owner->ids[i]);
		owner->ids[i] = moved;
	}
}

bool mailbox_ids_follow(struct mailbox_ids *ids, const struct mail_event *event, char separator,
	struct mailbox *ret)
{
	for (unsigned i = 0; i < event->readings; i++) {
		const struct mailbox *at = &event->at[i];
		struct owner *owner = is_kept(event, i) ? owner_get(ids, at->owner) : NULL;
		const char *folder = owner ? find_folder(owner, event->mailbox_id) : NULL;
		if (!folder || strcmp(folder, at->folder) == 0)
			continue;
		struct move move = {.from = folder, .to = at->folder, .separator = separator};
		if (is_clash(owner, &move)) {
			mailbox_ids_forget_owner(ids, at->owner);
			continue;
		}
		doubt(ids, at->owner);
		move.from = mem_dup(folder);
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
		const char *folder = folder_of(owner->ids[i]);
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
