/*
 * renewal - a phone registers: what becomes of its registration and of the user's others.
 *
 * The phone's own is inserted or renewed, its list of mailboxes replaced; the user's others are
 * resumed, are superseded (the same device has a newer account id), or go: superseded long enough,
 * or one too many.  A registration that is brought from elsewhere (IMPORT) is treated alike, once
 * it is clear that nothing newer is known.
 *
 * News of the same run is matched with what the database had before the run.  So news that comes
 * behind a registration asks here what has become of that user's.
 *
 * Registry thread only.
 */
#ifndef MAILPUSH_REGISTRY_RENEWAL_H
#define MAILPUSH_REGISTRY_RENEWAL_H

#include "registry/rules.h"

struct renewals;
struct renewal;

/* Of the REGISTER and IMPORT jobs among these, each of another user. */
struct renewals *renewals_new(struct rules *rules, struct registry_job *const *jobs, size_t count);
void renewals_free(struct renewals *renewals);

/* What is to be known first. */
void renewals_ask(struct renewals *renewals, struct registry_load *load);
/* With what was loaded: has another node's wrong clock stored a time?  Then the batch is to be done
 * again with times put right.  Before renewals_decide. */
bool renewals_are_surprised(const struct renewals *renewals);
/* With what was loaded; the jobs say what follows. */
void renewals_decide(struct renewals *renewals);
int renewals_write(struct renewals *renewals, struct err *err);

/* That of this user, if it is by a job before `position`; else NULL. */
const struct renewal *renewals_before(
	const struct renewals *renewals, const char *user, size_t position);
/* After renewals_decide: what the user's registration with this key is then; NULL: it is gone, or
   the one that was renewed, which renewals_match gives. */
const struct registry_row *renewal_other(
	const struct renewal *renewal, const struct registry_key *key);
/* After renewals_decide: each subscription to the mailbox by a registration that a job before
   `position` renewed, with `index`. */
void renewals_match(const struct renewals *renewals, const struct mailbox *mailbox, size_t position,
	registry_match_fn *on_match, void *ctx, size_t index);

#endif
