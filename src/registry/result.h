/*
 * result - what a job brings back: matches and keys, built row by row.
 *
 * Registry thread while the job is being done, then the loop thread.
 */
#ifndef MAILPUSH_REGISTRY_RESULT_H
#define MAILPUSH_REGISTRY_RESULT_H

#include "driver/ops.h"
#include "registry/registry_job.h"

/* A match with no hash yet; room for `hashes` of them is made. */
struct registry_match *result_add_match(
	struct registry_job *job, const struct registry_row *row, size_t hashes);
/* To the match that was added last. */
void result_add_hash(struct registry_job *job, const char *hash);
/* The match that was added last, or NULL. */
struct registry_match *result_last_match(struct registry_job *job);

/* `hash`: of REGISTRY_EFFECT_LOST, else NULL. */
void result_add_effect(struct registry_job *job, enum registry_effect_kind kind,
	const struct registry_key *key, const char *hash);

void result_add_gone(struct registry_job *job, const struct registry_key *key);

/*
 * The commit failed, and may have been one all the same.  Then another attempt finds no more what
 * this one found before it: a mailbox that was renamed since, a phone that was nudged or removed.
 * What this one found is kept, and added to what the attempt finds that succeeds.  An import that
 * then finds itself says what it brought.
 */
void result_keep(struct registry_job *job);
/* By index of the kept keys that are gone: those that the other attempt finds alive are not. */
void result_spare_kept(struct registry_job *job, const bool *is_alive);
void result_add_kept(struct registry_job *job);

#endif
