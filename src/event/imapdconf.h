/*
 * imapdconf - the settings of Cyrus' imapd.conf that change what its events mean and where they go.
 *
 * The daemon reads the file, at the start and at a reload; this parses the text.  A missing key has
 * the default of Cyrus itself (imapd.conf(5) of 3.6); Debian's different values are written out in
 * its file.  Pure but for the caller's `read`; any thread.
 */
#ifndef MAILPUSH_EVENT_IMAPDCONF_H
#define MAILPUSH_EVENT_IMAPDCONF_H

#include "base/buf.h"
#include "base/err.h"
#include "event/groups.h"
#include "event/mailbox.h"

#include <stddef.h>

#define IMAPDCONF_TEXT_MAX (1024 * 1024) /* bytes, a file */
#define IMAPDCONF_FILES_MAX 64		 /* with all that is included */

/* A setting that decides whether and where events go, with its line. */
struct imapdconf_setting {
	const char *key; /* static */
	char *value;	 /* NULL: not set */
	char *file;
	unsigned line;
};

#define IMAPDCONF_SETTINGS 16

struct imapdconf {
	struct mailbox_namespace names; /* borrows from the strings below */
	char *servername;		/* "" when not set: the host's name counts */
	char *aps_topic; /* "" when not set: Cyrus does not offer XAPPLEPUSHSERVICE */
	char *defaultdomain;
	char *userprefix;
	char *sharedprefix;
	/*
	 * The administrators, who see names of the internal namespace, in all services or in one;
	 * NULL when not set.
	 */
	char *admins;
	char *imap_admins;
	char *imaps_admins;
	struct imapdconf_setting settings[IMAPDCONF_SETTINGS]; /* see imapdconf_find */
	unsigned setting_count;
	/*
	 * The last line that sets one of them for one service of Cyrus: "lmtp_event_groups in
	 * FILE:LINE"; NULL: none does.
	 */
	char *of_one_service;
	/*
	 * The first line that keeps Cyrus from starting, and why: "FILE:LINE has no value"; NULL:
	 * none is known.
	 */
	char *fatal_line;
	/*
	 * The first line with a key that was set before, which keeps Cyrus from starting too:
	 * "FILE:LINE sets KEY, as FILE:LINE does"; NULL: none does.
	 */
	char *doubled;
};

/* Reads the file at `path`, which imapd.conf names in `@include: path`, into `ret`. */
typedef int imapdconf_read_fn(void *ctx, const char *path, struct buf *ret, struct err *err);

/*
 * `file` is for messages only.  Other keys are skipped without judging them; a value that Cyrus
 * would refuse for a key of struct imapdconf is -EINVAL.  A file is included once, however often it
 * is named.
 */
int imapdconf_parse(const char *file, const char *text, size_t size, imapdconf_read_fn *read,
	void *ctx, struct imapdconf **ret, struct err *err);
/*
 * As it is in the file.  `key` is servername, cyrus_user, configdirectory, aps_topic,
 * notifysocket, notify_external, sievenotifier, mailnotifier, suppress_capabilities or one that
 * begins with event_.
 */
const struct imapdconf_setting *imapdconf_find(const struct imapdconf *conf, const char *key);
/*
 * Is `user` (in the form of mailbox_owner_of_user) an administrator, in one of Cyrus' services for
 * phones? `groups`: who is in one that is named there as `group:NAME`; NULL for none.
 */
bool imapdconf_is_admin(
	const struct imapdconf *conf, const struct groups *groups, const char *user);
void imapdconf_free(struct imapdconf *conf);

#endif
