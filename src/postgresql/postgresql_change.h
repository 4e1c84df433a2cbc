/*
 * postgresql_change - accounts and folders that were deleted, renamed or woken, for PostgreSQL.
 *
 * All of one call go to the server in a row; a folder that moves is asked for first, since its
 * places are made here.
 */
#ifndef MAILPUSH_POSTGRESQL_POSTGRESQL_CHANGE_H
#define MAILPUSH_POSTGRESQL_POSTGRESQL_CHANGE_H

#include "postgresql/postgresql_transaction.h"

struct postgresql_teller {
	registry_effect_fn *on_effect;
	void *ctx;
};

int postgresql_change_mailboxes(struct registry_db *db,
	const struct registry_mailbox_change *changes, size_t count, registry_effect_fn *on_effect,
	void *ctx, struct err *err);
int postgresql_resume(struct registry_db *db, const struct registry_resume *resumes, size_t count,
	registry_effect_fn *on_effect, void *ctx, struct err *err);
/* The same without waiting; the teller must live until the answers are there. */
int postgresql_send_resumes(struct postgresql *p, const struct registry_resume *resumes,
	size_t count, struct postgresql_teller *teller, struct err *err);

#endif
