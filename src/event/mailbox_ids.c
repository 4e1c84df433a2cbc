#include "event/mailbox_ids.h"

#include "base/map.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct owner {
	char **ids; /* the oldest first; the folder follows behind the NUL */
	size_t count;
	char name[];
};

struct mailbox_ids {
	struct map *owners; /* by name */
	size_t count;	    /* of all their ids */
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

static void add(struct mailbox_ids *ids, struct owner *owner, const char *id, const char *folder)
{
	size_t id_size = strlen(id) + 1;
	size_t folder_size = strlen(folder) + 1;
	char *memory = mem_alloc(id_size + folder_size);
	memcpy(memory, id, id_size);
	memcpy(memory + id_size, folder, folder_size);
	owner->ids = mem_realloc_array(owner->ids, owner->count + 1, sizeof(*owner->ids));
	owner->ids[owner->count++] = memory;
	ids->count++;
}

static bool is_kept(const struct mail_event *event, unsigned reading)
{
	return event->mailbox_id && !mailbox_is_inbox(&event->at[reading]) &&
		event_is_believed(event, event->at, event->readings, reading);
}

void mailbox_ids_learn(struct mailbox_ids *ids, const struct mail_event *event, unsigned reading)
{
	const struct mailbox *at = &event->at[reading];
	if (!is_kept(event, reading))
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
	add(ids, owner, event->mailbox_id, at->folder);
}

static const char *find_folder(const struct mailbox_ids *ids, const char *id, const char *name)
{
	const struct owner *owner = owner_get(ids, name);
	for (size_t i = 0; owner && i < owner->count; i++) {
		if (strcmp(owner->ids[i], id) == 0)
			return folder_of(owner->ids[i]);
	}
	return NULL;
}

bool mailbox_ids_find_moved(
	const struct mailbox_ids *ids, const struct mail_event *event, struct mailbox *ret)
{
	for (unsigned i = 0; i < event->readings; i++) {
		const struct mailbox *at = &event->at[i];
		const char *folder =
			is_kept(event, i) ? find_folder(ids, event->mailbox_id, at->owner) : NULL;
		if (folder && strcmp(folder, at->folder) != 0) {
			*ret = (struct mailbox){.owner = at->owner, .folder = folder};
			return true;
		}
	}
	return false;
}

void mailbox_ids_forget(struct mailbox_ids *ids, const char *owner)
{
	struct owner *forgotten = map_remove(ids->owners, owner, strlen(owner));
	if (!forgotten)
		return;
	ids->count -= forgotten->count;
	free_owner(forgotten);
}
