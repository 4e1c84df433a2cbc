/*
 * sources - the files beside mailpush.conf that decide how events are read and pushes are sent:
 * imapd.conf and the credentials.
 *
 * Reading them waits for a disk: done before the loop runs, or on libuv's pool (SIGHUP).  Immutable
 * once read.
 */
#ifndef MAILPUSH_DAEMON_SOURCES_H
#define MAILPUSH_DAEMON_SOURCES_H

#include "apns/credential.h"
#include "base/err.h"
#include "daemon/config.h"
#include "event/imapdconf.h"

struct sources {
	struct imapdconf *imapdconf;
	char *site; /* mailpush.conf's, or imapd.conf's servername, or the host's name */
	struct credential *credentials[CONFIG_CREDENTIALS_MAX]; /* take them with mem_steal */
	struct err credential_errors[CONFIG_CREDENTIALS_MAX];	/* where credentials[i] is NULL */
	unsigned credential_count;
};

/*
 * Fails if imapd.conf cannot be read.  A credential that cannot be loaded is no failure: Apple
 * takes a month to issue one, and phones register meanwhile; its error stands in credential_errors.
 */
int sources_read(const struct config *config, struct sources **ret, struct err *err);
void sources_free(struct sources *sources);

#endif
