/*
 * registration - the arguments of XAPPLEPUSHSERVICE, read and checked.
 *
 *     tag XAPPLEPUSHSERVICE aps-version 2 aps-account-id ID aps-device-token HEX
 *         aps-subtopic com.apple.mobilemail mailboxes (INBOX Notes)
 *
 * Pairs of key and value in any order and case, each an atom, a quoted string or a literal.
 * Unknown keys are ignored, whatever their value; of a key that comes twice the last value counts.
 * A version that is absent or not 1 counts as 2.  The bounds are mailpushd's (event/event.h).
 */
#ifndef MAILPUSH_DOVECOT_REGISTRATION_H
#define MAILPUSH_DOVECOT_REGISTRATION_H

#include "dovecot/imap_api.h"

struct registration {
	const char *account_id;
	const char *device_token;
	const char *subtopic;
	unsigned version;		  /* 1 or 2 */
	const struct imap_arg *mailboxes; /* up to IMAP_ARG_EOL; NULL: none came */
};

/*
 * False: *ret_error is the answer to the client, which begins with BAD for what is not such a
 * command and with NO for a value that cannot be taken.  Strings live as long as `args`.
 */
bool registration_read(
	const struct imap_arg *args, struct registration *ret, const char **ret_error);

#endif
