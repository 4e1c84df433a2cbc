/*
 * mailbox_change - mailboxes that are deleted or renamed, and the accounts that go with an INBOX.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_REGISTRY_MAILBOX_CHANGE_H
#define MAILPUSH_REGISTRY_MAILBOX_CHANGE_H

#include "registry/rules.h"

/* MAILBOX_DELETE and MAILBOX_RENAME jobs, and NEWS with was_at. */
int mailbox_change_run(
	struct rules *rules, struct registry_job *const *jobs, size_t count, struct err *err);

#endif
