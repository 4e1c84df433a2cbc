/*
 * mailbox_ids - where mailboxes were when they were last seen, by the ids that Cyrus gave them.
 *
 * Cyrus tells of no rename that comes through JMAP.  But a mailbox keeps its id as long as it
 * lives, its id is no other's of that owner, and each event names it beside the name.  So an event
 * that names a known id under another name tells of the rename.
 *
 * An id is known until something tells of its owner's mailboxes by their names alone (a phone that
 * registers, a rename, a delete): by then another mailbox may have the name that is known here.  So
 * it is worth nothing on disk, and is kept in memory.  Bounded: the oldest of an owner makes place,
 * and all when there are too many in all.
 *
 * One owner, one thread.
 */
#ifndef MAILPUSH_EVENT_MAILBOX_IDS_H
#define MAILPUSH_EVENT_MAILBOX_IDS_H

#include "event/event.h"

#include <stdbool.h>
#include <stdint.h>

#define MAILBOX_IDS_MAX 65536
#define MAILBOX_IDS_PER_OWNER_MAX 256

struct mailbox_ids;

/* `seed`: 16 random bytes. */
struct mailbox_ids *mailbox_ids_new(const uint8_t seed[16]);
void mailbox_ids_free(struct mailbox_ids *ids);

/*
 * The mailbox of the event is there, in that reading, and so no other one is.  Not learnt: an
 * INBOX, which keeps its name, and a reading that is not believed.
 */
void mailbox_ids_learn(struct mailbox_ids *ids, const struct mail_event *event, unsigned reading);
/*
 * Was the mailbox of the event elsewhere?  `ret` lives until the next change, its owner as long as
 * the event.
 */
bool mailbox_ids_find_moved(
	const struct mailbox_ids *ids, const struct mail_event *event, struct mailbox *ret);
void mailbox_ids_forget(struct mailbox_ids *ids, const char *owner);

#endif
