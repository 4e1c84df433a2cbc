/*
 * push_target - all that is needed to push to one registration, without asking the registry again.
 *
 * One allocation, immutable once made, and counted: it is handed over by pointer, or shared with
 * push_target_ref, also between threads; the last push_target_free frees it.
 */
#ifndef MAILPUSH_REGISTRY_PUSH_TARGET_H
#define MAILPUSH_REGISTRY_PUSH_TARGET_H

#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REGISTRY_KEY_SIZE 16

/*
 * First 16 bytes of SHA-256 over site, user, token, account id and subtopic, NUL-separated: the
 * same on every node, the same when the registration is made again.
 */
struct registry_key {
	uint8_t bytes[REGISTRY_KEY_SIZE];
};

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

/* May a registration have these?  Not so what a damaged file says. */
bool push_target_is_possible(const char *token, const char *account_id);
struct push_target *push_target_new(const struct registry_key *key, const char *user,
	const char *token, const char *account_id, const char *topic, int aps_version,
	bool confirmed, bool inbox_only, int64_t renewed_ms);
/* The same once more, to be freed by itself. */
struct push_target *push_target_ref(struct push_target *target);
void push_target_free(struct push_target *target);
MEM_DEFINE_CLEANUP(push_target_cleanup, struct push_target, push_target_free)

struct registry_key registry_key_make(const char *site, const char *user, const char *token,
	const char *account_id, const char *subtopic);

#endif
