/*
 * place - whose mailbox it is and what it is called there: the same whoever looks at it.
 *
 * Dovecot shows one mailbox under several names: by the prefix and the separator of the namespace,
 * and to others below a namespace of shared mailboxes.  mailpushd knows it as owner and folder.
 */
#ifndef MAILPUSH_DOVECOT_PLACE_H
#define MAILPUSH_DOVECOT_PLACE_H

#include "dovecot/api.h"

struct place {
	const char *owner;  /* "": a public mailbox */
	const char *folder; /* UTF-8, "/" between levels alone; "": the owner's INBOX */
};

/*
 * False: the mailbox has none, because it is virtual (what happens there happens to the mailboxes
 * behind it) or of Dovecot's own, or because mailpushd refuses such a name (event/field.h): no
 * phone can have it.  Strings are on the data stack.
 */
bool place_of(struct mailbox *box, struct place *ret);

#endif
