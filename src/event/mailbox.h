/*
 * mailbox - the owner and folder that a name means, in whatever form it is written.
 *
 * Events name a mailbox by Cyrus' admin name in a uri (EVENTS.md section 4), registrations by what
 * the phone typed (section 5).  Both lead to the same key: the owner, lower case, with `@domain`
 * where virtdomains says so, and the folder in UTF-8 with the configured hierarchy separator.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_MAILBOX_H
#define MAILPUSH_EVENT_MAILBOX_H

#include "event/bounds.h"

#include <stdbool.h>
#include <stddef.h>

#define MAILBOX_READINGS 2
#define MAILBOX_HASH_SIZE 33 /* 32 hex digits, lower case, and a NUL */

/* How this Cyrus names things; the strings are borrowed and never NULL. */
struct mailbox_namespace {
	bool altnamespace;
	bool unixhierarchysep;
	bool virtdomains;	   /* any value but `off` */
	const char *defaultdomain; /* its users and shared folders have no domain; "" for none */
	const char *userprefix;	   /* "Other Users" */
	const char *sharedprefix;  /* "Shared Folders" */
	bool keeps_case;	   /* of users; Cyrus does not */
	/*
	 * The user who types the name is an administrator, who sees the names of the standard
	 * namespace whatever altnamespace says, and writes the domain of others at the end of a
	 * name.
	 */
	bool is_admins;
};

/* Strings are NUL-terminated and live in the caller's memory (see each function). */
struct mailbox {
	const char *owner;  /* "": a shared folder */
	const char *folder; /* "": the owner's INBOX */
};

bool mailbox_is_inbox(const struct mailbox *mailbox);

/*
 * The readings of a uri of an event: 0 when it does not parse or is beyond the bounds above, else
 * 1, or 2 where `@` is ambiguous (EVENTS.md 4.4).  The first is the likelier one: the domain,
 * unless that is the default domain, which Cyrus leaves out.  The strings are put into `memory`,
 * which must have room for 2 * (uri_size + 1) bytes; nothing is allocated.
 */
unsigned mailbox_from_uri(const struct mailbox_namespace *names, const char *uri, size_t uri_size,
	char *memory, struct mailbox ret[MAILBOX_READINGS]);

/*
 * The user in the form that mailboxes use: lower case unless it is kept, without the default
 * domain.  `ret` must have room for strlen(user) + 1 bytes.
 */
void mailbox_owner_of_user(const struct mailbox_namespace *names, const char *user, char *ret);

/*
 * The mailbox that `user`, who typed `name` (modified UTF-7, NUL-terminated, at most
 * MAILBOX_NAME_MAX), meant.  `memory` must have room for 4 * strlen(name) + strlen(user) + 2
 * bytes.  Where the name is not valid modified UTF-7 its raw bytes count.  Never fails.
 */
void mailbox_from_name(const struct mailbox_namespace *names, const char *name, const char *user,
	char *memory, struct mailbox *ret);

/*
 * The hash by which the phone knows a mailbox (APPLE-MAIL.md "The push"): MD5 of the name as typed,
 * decoded from modified UTF-7; of the raw bytes when it does not decode.
 */
void mailbox_hash(const char *name, char ret[MAILBOX_HASH_SIZE]);

#endif
