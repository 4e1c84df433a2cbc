/*
 * user_names - the names of uids, as the system knows them.
 *
 * A directory may be slow to answer, or away, so a thread of libuv's pool asks the system: for one
 * uid at a time, so that the others of the pool stay free.  What it says is remembered for
 * USER_NAMES_KEEP_MS, and that there is no such user for USER_NAMES_KEEP_NONE_MS.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ARRIVAL_USER_NAMES_H
#define MAILPUSH_ARRIVAL_USER_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <uv.h>

#define USER_NAMES_KEEP_MS 60000
#define USER_NAMES_KEEP_NONE_MS 5000
#define USER_NAMES_KEPT_MAX 1024 /* the oldest goes */
#define USER_NAMES_WAIT_MS 1000

struct user_names;

/* The caller's, until it is answered or dropped. */
struct user_names_query {
	TAILQ_ENTRY(user_names_query) link;
	uid_t uid;
	/*
	 * Once; it may ask, and drop others.  `name` is borrowed; "": there is no such user, or its
	 * name is longer than a user's may be; NULL: it was not found out within
	 * USER_NAMES_WAIT_MS.
	 */
	void (*answered)(struct user_names_query *query, const char *name);
	int64_t deadline_ms;
	bool is_to_answer; /* the name is there */
};

struct user_names *user_names_new(uv_loop_t *loop);
/* No query waits.  The loop must run until the thread is done. */
void user_names_free(struct user_names *names);

/* Is it remembered?  *ret as in `answered`, never NULL. */
bool user_names_know(const struct user_names *names, uid_t uid, const char **ret);
/* With uid and `answered` set; it is not called from within. */
void user_names_ask(struct user_names *names, struct user_names_query *query);
/* It is not answered any more. */
void user_names_drop(struct user_names *names, struct user_names_query *query);

#endif
