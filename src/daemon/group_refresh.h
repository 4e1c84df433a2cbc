/*
 * group_refresh - who is in the groups of the system that mailpush.conf names (`system = yes`).
 *
 * The system may ask a directory, which takes its time: it is asked on libuv's pool, at the start,
 * after a reload and every ten minutes.  Until it has answered, and while it does not, a group has
 * the members that it had.  A group that does not exist is logged when that begins and ends.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_GROUP_REFRESH_H
#define MAILPUSH_DAEMON_GROUP_REFRESH_H

#include "config/config.h"

#include <uv.h>

struct group_refresh;

/* `config` is read again each time.  Begins the first look. */
struct group_refresh *group_refresh_new(uv_loop_t *loop, struct config *config);
void group_refresh_now(struct group_refresh *refresh);
/* A look that is under way has no effect any more. */
void group_refresh_free(struct group_refresh *refresh);

#endif
