/*
 * registering - prepares the registry's job of a registration: its mailboxes, their hashes, the
 * topic.
 *
 * Embedded in an arrival; the registry's job borrows from it.  Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_REGISTERING_H
#define MAILPUSH_ARRIVAL_REGISTERING_H

#include "config/config.h"
#include "config/input_files.h"
#include "registry/registry_job.h"

struct registering {
	struct registry_subscription *subscriptions;
	char *names; /* of the mailboxes */
	char *topic;
};

/*
 * `job`: REGISTER, with its event and received_ms.  Names by which a user of Cyrus means a mailbox
 * of a user of dovecot_site are left out.
 */
void registering_prepare(struct registering *registering, const struct config *config,
	const struct input_files *input_files, struct registry_job *job);
void registering_fini(struct registering *registering);

#endif
