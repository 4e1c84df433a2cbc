/*
 * session - what the plugin knows of a user whom a process of Dovecot serves.
 */
#ifndef MAILPUSH_DOVECOT_SESSION_H
#define MAILPUSH_DOVECOT_SESSION_H

#include "dovecot/api.h"
#include "dovecot/delivery.h"

struct session {
	union mail_user_module_context module_ctx;
	struct api_settings settings;
	struct delivery way;
	struct repeats *repeats; /* of lib25_mailpush_plugin, which makes it when it is needed */
};

/* NULL: the plugin is not in mail_plugins for this user, or its settings cannot be read. */
struct session *session_of(struct mail_user *user);

/*
 * From now on users get a session.  `at_end`, which may be NULL, is called while their mailboxes
 * still are there.
 */
void session_init(struct module *module, void (*at_end)(struct session *session));
void session_deinit(void);

#endif
