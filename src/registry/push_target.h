/*
 * push_target - all that is needed to push to one registration, without asking the registry again.
 *
 * One allocation, immutable once made, and counted: it is handed over by pointer, or shared with
 * push_target_ref, also between threads; the last push_target_free frees it.
 */
#ifndef MAILPUSH_REGISTRY_PUSH_TARGET_H
#define MAILPUSH_REGISTRY_PUSH_TARGET_H

#include "base/mem.h"
#include "driver/registry_row.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct push_target {
	struct registry_key key;
	const char *user;
	const char *token; /* lower case hex */
	const char *account_id;
	const char *topic;
	int aps_version;
	bool confirmed;	 /* the server confirmed the mailboxes to the phone */
	bool inbox_only; /* no mailbox but the user's INBOX is registered */
	int64_t renewed_ms;
	atomic_uint references;
	char memory[]; /* the strings */
};

struct push_target *push_target_new(const struct registry_key *key, const char *user,
	const char *token, const char *account_id, const char *topic, int aps_version,
	bool confirmed, bool inbox_only, int64_t renewed_ms);
/* The same once more, to be freed by itself. */
struct push_target *push_target_ref(struct push_target *target);
void push_target_free(struct push_target *target);
MEM_DEFINE_CLEANUP(push_target_cleanup, struct push_target, push_target_free)

#endif
