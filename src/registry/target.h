/*
 * target - all that is needed to push to one registration, without asking the registry again.
 *
 * One allocation, immutable once made, and counted: it is handed over by pointer, or shared with
 * target_ref, also between threads; the last target_free frees it.
 */
#ifndef MAILPUSH_REGISTRY_TARGET_H
#define MAILPUSH_REGISTRY_TARGET_H

#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REGISTRY_KEY_SIZE 16

/*
 * First 16 bytes of SHA-256 over site, user, token, account id and subtopic, NUL-separated: the
 * same on every node, the same when the registration is made again.  A registration for a former
 * topic beside it has a key of its own, so it is told, forgotten and stopped by itself.
 */
struct registry_key {
	uint8_t bytes[REGISTRY_KEY_SIZE];
};

struct target {
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
bool target_is_possible(const char *token, const char *account_id);
struct target *target_new(const struct registry_key *key, const char *user, const char *token,
	const char *account_id, const char *topic, int aps_version, bool confirmed, bool inbox_only,
	int64_t renewed_ms);
/* The same once more, to be freed by itself. */
struct target *target_ref(struct target *target);
void target_free(struct target *target);
MEM_DEFINE_CLEANUP(target_cleanup, struct target, target_free)

struct registry_key registry_key_make(const char *site, const char *user, const char *token,
	const char *account_id, const char *subtopic);
/* Of the registration beside `key`: the first 16 bytes of SHA-256 over that and the topic. */
struct registry_key registry_key_former(const struct registry_key *key, const char *topic);

#endif
