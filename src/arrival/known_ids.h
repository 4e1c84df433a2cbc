/*
 * known_ids - what an event on its way in means for the ids of mailboxes, and they for it.
 *
 * News says where its mailbox is, and so whether it moved.  A registration, a delete and a rename
 * name mailboxes by their names alone, and put in doubt what is known of their ids.
 *
 * Loop thread only.  Keeps nothing.
 */
#ifndef MAILPUSH_ARRIVAL_KNOWN_IDS_H
#define MAILPUSH_ARRIVAL_KNOWN_IDS_H

#include "arrival/arrival.h"
#include "event/mailbox_ids.h"

/* Before the registry is asked, in the order in which it is. */
void known_ids_consult(struct mailbox_ids *ids, struct arrival *arrival);
/* The registry has answered: mailboxes that somebody subscribes to are learnt. */
void known_ids_learn(struct mailbox_ids *ids, const struct arrival *arrival);

#endif
