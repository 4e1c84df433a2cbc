/*
 * bounds - how much of names and registrations is taken, wherever they come from.
 *
 * Apart from event.h for the plugins of Dovecot, which has a struct mailbox of its own.
 */
#ifndef MAILPUSH_EVENT_BOUNDS_H
#define MAILPUSH_EVENT_BOUNDS_H

#define EVENT_MAILBOXES_MAX 1000 /* names a registration */
#define EVENT_TOKEN_MIN 64	 /* hex digits */
#define EVENT_TOKEN_MAX 200
#define EVENT_ACCOUNT_ID_MAX 64
#define EVENT_SUBTOPIC_MAX 128

/* In bytes, without the NUL. */
#define MAILBOX_NAME_MAX 1024
#define MAILBOX_USER_MAX 512

#endif
