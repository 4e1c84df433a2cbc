/*
 * api - Dovecot's headers, and all that differs between the releases that we build for: 2.3.19,
 * 2.4.1 and 2.4.5.
 *
 * Dovecot has one thread and a data stack; strings from t_*() live until the current frame ends.
 */
#ifndef MAILPUSH_DOVECOT_API_H
#define MAILPUSH_DOVECOT_API_H

#include <config.h>
#include <lib.h>

#include <mail-namespace.h>
#include <mail-storage-private.h>
#include <mail-user.h>
#include <notify-plugin.h>

#include <stdbool.h>

/* The settings, as docs/dovecot.md describes them; strings live as long as the user. */
struct api_settings {
	const char *socket;
	const char *spool;
	const char *keep;
	bool require_tls;
};

/* False, with a line in Dovecot's log: they cannot be read. */
bool api_settings_read(struct mail_user *user, struct api_settings *ret);

/* Is the connection between the client and the first of our servers encrypted? */
bool api_has_tls(const struct mail_user *user);

void api_unregister(struct notify_context **context);

#endif
