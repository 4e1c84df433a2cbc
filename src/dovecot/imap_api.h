/*
 * imap_api - the headers of Dovecot's imap, and what differs there between the releases (api.h).
 */
#ifndef MAILPUSH_DOVECOT_IMAP_API_H
#define MAILPUSH_DOVECOT_IMAP_API_H

#include "dovecot/api.h"

#include <imap-common.h>

#include <imap-client.h>
#include <imap-commands.h>

/*
 * The flag of a command that LOGOUT waits for, and with it SELECT, EXAMINE, CLOSE, UNSELECT,
 * DELETE, APPEND and IDLE; Dovecot drops the answer of any other that still runs at LOGOUT.  It is
 * one bit of COMMAND_FLAG_BREAKS_MAILBOX: the others would have it wait for commands, or be called
 * ambiguous beside them.
 */
#define IMAP_API_ENDS_BEFORE_LOGOUT \
	((enum command_flags)(COMMAND_FLAG_BREAKS_MAILBOX & ~COMMAND_FLAG_BREAKS_SEQS))

/*
 * The namespace of a name as the client sent it, which becomes Dovecot's own name in UTF-8.  NULL:
 * there is none, or it is not a name.
 */
static inline struct mail_namespace *imap_api_namespace(
	struct client_command_context *cmd, const char **name)
{
	const char *error;
#if DOVECOT_PREREQ(2, 4, 2)
	return client_find_namespace_full(cmd, name, &error);
#else
	return client_find_namespace_full(cmd->client, name, &error);
#endif
}

#endif
