/*
 * mailbox_change - mailboxes that are deleted or renamed, and the accounts that go with an INBOX.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_REGISTRY_MAILBOX_CHANGE_H
#define MAILPUSH_REGISTRY_MAILBOX_CHANGE_H

#include "registry/rules.h"

/* MAILBOX_DELETE and MAILBOX_RENAME jobs. */
int mailbox_change_run(
	struct rules *rules, struct registry_job *const *jobs, size_t count, struct err *err);
/* Of NEWS with was_at: what comes before it is matched. */
int mailbox_change_follow(struct rules *rules, struct registry_job *job, struct err *err);

#endif
