/*
 * mailbox_ids - where mailboxes were when they were last seen, by the ids that Cyrus gave them.
 *
 * Cyrus tells of no rename that comes through JMAP.  But a mailbox keeps its id as long as it
 * lives, no other mailbox of that owner has it, and each event gives it beside the name.  So an
 * event that gives a known id with another name tells of the rename.
 *
 * An id is known until something tells of the folder by its name alone (a phone that registers, a
 * rename, a delete): by then another mailbox may have that name.  So it is worth nothing on disk,
 * and is kept in memory.  Bounded: the oldest of an owner makes place, and all when there are too
 * many in all.
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
 * INBOX, which keeps its name, a reading that is not believed, and, where something about the
 * owner came in doubt since the event came, anything.  `doubts`: mailbox_ids_doubts by then;
 * `at_ms`: Unix, when the event came.
 */
void mailbox_ids_learn(struct mailbox_ids *ids, const struct mail_event *event, unsigned reading,
	uint64_t doubts, int64_t at_ms);
/* How often something came in doubt, or moved. */
uint64_t mailbox_ids_doubts(const struct mailbox_ids *ids);
/*
 * Was the mailbox of the event elsewhere?  Then it is known here from now on, and what is below it
 * too.  `ret`: where it was; its owner lives as long as the event, its folder is the caller's to
 * free.  `ret_seen_ms`: when an event last came that showed it there.
 *
 * If two known folders would have one name by that, they have swapped names or the like.  Then
 * it counts as not moved, and all that is known of the owner is forgotten: the names alone count.
 */
bool mailbox_ids_follow(struct mailbox_ids *ids, const struct mail_event *event, char separator,
	struct mailbox *ret, int64_t *ret_seen_ms);
/*
 * A mailbox was named: what is there is in doubt, and so is what is below it, and above it,
 * as the named one would move with that.  An INBOX has nothing below it.
 */
void mailbox_ids_forget(struct mailbox_ids *ids, const struct mailbox *mailbox, char separator);
void mailbox_ids_forget_owner(struct mailbox_ids *ids, const char *owner);

#endif
