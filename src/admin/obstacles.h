/*
 * obstacles - why pushes cannot leave now, counted for the person who flushes them.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_ADMIN_OBSTACLES_H
#define MAILPUSH_ADMIN_OBSTACLES_H

#include "monitor/services.h"

#include <jansson.h>

struct obstacle;

/* Embedded; all zero is empty. */
struct obstacles {
	struct obstacle *all;
	size_t count;
};

void obstacles_fini(struct obstacles *obstacles);
/*
 * Counts what keeps the push to this registration back, if anything does: its state in the
 * schedule, or the credential of its topic.  Returns whether something does.
 */
bool obstacles_add(struct obstacles *obstacles, const struct services *services,
	const struct push_target *target, const char *state);
/*
 * A list of objects with `why`, `count`, `topic` (or null) and `meaning`.  Where the topic's
 * credential is on hold, with the members that held_credential_name adds.
 */
json_t *obstacles_json(const struct obstacles *obstacles, const struct services *services);

#endif
