/*
 * push_command - the command XAPPLEPUSHSERVICE, by which a phone asks to be woken.
 *
 * The answer is that of Cyrus IMAP: a line for each mailbox that exists and that the user may read,
 * by the name that the phone gave it, and one with the topic; a phone takes pushes for these
 * mailboxes alone.  OK only when mailpushd has the registration on disk, as the phone asks no
 * sooner than a day later; else NO [UNAVAILABLE].
 */
#ifndef MAILPUSH_DOVECOT_PUSH_COMMAND_H
#define MAILPUSH_DOVECOT_PUSH_COMMAND_H

#include "dovecot/imap_api.h"

#define PUSH_COMMAND "XAPPLEPUSHSERVICE"

/* Is the command offered to this client?  Asks mailpushd whether there is a topic. */
bool push_command_is_offered(struct client *client);

/* A command_func_t. */
bool push_command(struct client_command_context *cmd);

#endif
