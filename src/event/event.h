/*
 * event - what happened, and to whose mailbox: the JSON that Cyrus emits, understood.
 *
 * Everything here comes from outside and is not trusted: sizes are bounded, strings validated.  The
 * owner is taken from `uri`, never from `user` (EVENTS.md section 3).  Unknown keys are ignored;
 * unknown events become EVENT_OTHER.  dovecot_event.h makes the same struct of Dovecot's JSON.
 *
 * Pure; the loop thread parses (it is the hottest code there: one allocation an event beside
 * jansson's).
 */
#ifndef MAILPUSH_EVENT_EVENT_H
#define MAILPUSH_EVENT_EVENT_H

#include "base/err.h"
#include "event/bounds.h"
#include "event/field.h"
#include "event/groups.h"
#include "event/mailbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_JSON_MAX (1024 * 1024) /* bytes */
#define EVENT_URI_MAX 8192	 /* Cyrus' longest name, every byte percent-encoded, fits well */
#define EVENT_MAILBOX_ID_MAX 255 /* a longer one counts as unknown */
#define EVENT_ACL_MAX                                                              \
	(64 * 1024) /* a longer one counts as unknown; the owner still gets pushes \
		     */

enum event_source { EVENT_OF_CYRUS, EVENT_OF_XAPS, EVENT_OF_DOVECOT, EVENT_SOURCES };

enum event_kind { /* with and without `vnd.cmu.` */
	EVENT_OTHER,
	EVENT_APPLE_PUSH_SERVICE,
	EVENT_APPLE_PUSH_SERVICE_DAV,
	EVENT_MESSAGE_NEW,
	EVENT_MESSAGE_APPEND,
	EVENT_MESSAGE_COPY,
	EVENT_MESSAGE_MOVE,
	EVENT_MESSAGE_EXPUNGE,
	EVENT_MESSAGE_EXPIRE,
	EVENT_MESSAGE_READ,
	EVENT_MESSAGE_TRASH,
	EVENT_FLAGS_SET,
	EVENT_FLAGS_CLEAR,
	EVENT_MAILBOX_CREATE,
	EVENT_MAILBOX_DELETE,
	EVENT_MAILBOX_RENAME,
	EVENT_MAILBOX_MODSEQ,
	EVENT_ACL_CHANGE,
	EVENT_KINDS
};

/* A registration as the phone made it; strings as they came, but validated. */
struct event_registration {
	const char *user;	/* who is logged in, as mailbox_owner_of_user has it */
	const char *token;	/* lower-cased */
	const char *account_id; /* [A-Za-z0-9-]{1,64} */
	const char *subtopic;
	int aps_version; /* 1 or 2 */
	/*
	 * Names as typed, without exact duplicates: INBOX and the first others, at most
	 * EVENT_MAILBOXES_MAX together, of at most MAILBOX_NAME_MAX bytes each.
	 */
	const char **mailboxes;
	/* Dovecot: the mailbox that each of the names means; NULL: see mailbox_from_name. */
	struct mailbox *places;
	size_t mailbox_count;
	size_t left_out; /* names beyond these bounds, odd ones, or of others that do not count */
	/* The answer for the phone; NULL: Cyrus has its own. */
	const char *topic;
	/* Dovecot: the answer if mailboxes of others do not count; NULL: it is the same. */
	const char *topic_own;
	bool is_own_alone;
};

struct mail_event {
	enum event_source source;
	enum event_kind kind;
	bool clears_seen; /* EVENT_FLAGS_CLEAR: \Seen is among the flags */
	char mbtype;	  /* first letter of vnd.cmu.mbtype; 'e' when absent */

	/*
	 * The mailbox it happened to; for a rename its new name.  No readings: the event is not
	 * about a mailbox, its uri names none (unexpunge), or its name alone has it ignored.
	 */
	struct mailbox at[MAILBOX_READINGS];
	unsigned readings;
	/* EVENT_MAILBOX_RENAME: the old name. */
	struct mailbox from[MAILBOX_READINGS];
	unsigned from_readings;

	const char *mailbox_id; /* of the mailbox it happened to, whatever its name; or NULL */
	const char *acl;	/* vnd.cmu.mailboxACL, or NULL */
	/* Dovecot: who may read the mailbox beside its owner, sorted; NULL: it does not say. */
	const char **readers;
	size_t reader_count;
	const char *user; /* who acted, for the log only; "" when absent */

	struct event_registration registration; /* EVENT_APPLE_PUSH_SERVICE */
	void *site_names;			/* of user_site.h; or NULL */
};

const char *event_kind_name(enum event_kind kind);
/* `name` is with or without `vnd.cmu.`; EVENT_OTHER: no kind has it. */
enum event_kind event_kind_of(const char *name);
extern const char *const event_source_names[EVENT_SOURCES]; /* "cyrus", ... */

/*
 * Where `@` makes a name ambiguous, another user's mailbox may be meant, and any user can make a
 * folder with an `@` in its name.  So of several readings (`at`, or `from`) one is believed only if
 * its owner may read the mailbox, as an owner nearly always may.  Without an ACL, and for shared
 * folders, which have no owner, the first is believed.
 */
bool event_is_believed(
	const struct mail_event *event, const struct mailbox *readings, unsigned count, unsigned i);

/*
 * Does the event show that `user`, who is not the owner, may read the mailbox?  Cyrus' by its ACL.
 * Dovecot's by the readers that it names; if it names none, by the registration, which holds only
 * what the user may read.
 */
bool event_lets_read(const struct mail_event *event, const struct groups *groups, const char *user);

/*
 * Parses one event.  Fails with -EINVAL and a text that says what is wrong with which key (quoting
 * at most a few escaped bytes); with -EMSGSIZE beyond a bound.  An event ignored by its name
 * (EVENT_OTHER, EVENT_APPLE_PUSH_SERVICE_DAV, EVENT_MAILBOX_MODSEQ) needs no valid rest;
 * MailboxModseq, half of all that Cyrus sends, is recognised by its first bytes and not parsed.
 */
int event_parse(const struct mailbox_namespace *names, const char *json, size_t size,
	struct mail_event **ret, struct err *err);
/* What the sender of a registration is told; NULL: nothing. */
const char *event_registration_answer(const struct event_registration *registration);

void event_free(struct mail_event *event);

struct json_t;
/*
 * A registration that comes from elsewhere than Cyrus: an object with the keys user, token,
 * account_id, subtopic, version and mailboxes, as strictly validated as an event.  ret: of
 * EVENT_APPLE_PUSH_SERVICE, with a copy of `topic`, which may be NULL.
 */
int event_from_registration(const struct mailbox_namespace *names, const struct json_t *json,
	const char *topic, struct mail_event **ret, struct err *err);

#endif
