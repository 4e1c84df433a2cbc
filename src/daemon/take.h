/*
 * take - the values of mailpush.conf: each kind of value checked and put where it belongs.
 *
 * What a value of a list of events or of a section means stands in config.c.
 */
#ifndef MAILPUSH_DAEMON_TAKE_H
#define MAILPUSH_DAEMON_TAKE_H

#include "daemon/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAKE_WHY_SIZE 256

struct key;

/* Takes one value over; false and a text of what is wrong and what to write instead. */
typedef bool take_fn(struct config *config, const struct key *key, const char *value, char *why);

/*
 * One row a key.  libconfuse does the syntax and hands every value over as a string; what it means,
 * its bounds and its default stand here.
 */
struct key {
	const char *name;
	const char *fallback; /* the default, as it would be written; for lists in { } */
	bool is_list;
	take_fn *take;
	size_t offset;
	int64_t least;
	int64_t most;
};

void *take_place(struct config *config, const struct key *key);

take_fn take_duration;
take_fn take_unsigned;
take_fn take_max_waiting;
take_fn take_port;
take_fn take_priority;
take_fn take_proxy;
take_fn take_yes_no;
take_fn take_text;
take_fn take_path;
take_fn take_forward_socket;
take_fn take_host;
take_fn take_registry;
take_fn take_site;
take_fn take_mode;
take_fn take_group;
take_fn take_listen;
take_fn take_allowed_user;
take_fn take_subtopic;
take_fn take_log_level;
take_fn take_log_target;
take_fn take_user;

#endif
