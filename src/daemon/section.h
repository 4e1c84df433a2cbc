/*
 * section - a `group` of mailpush.conf, checked whole.
 */
#ifndef MAILPUSH_DAEMON_SECTION_H
#define MAILPUSH_DAEMON_SECTION_H

#include "base/err.h"
#include "event/groups.h"

#include <confuse.h>

#define SECTION_GROUPS_MAX 256
#define SECTION_MEMBERS_MAX 10000 /* of one group */

/* -EINVAL, with a text that begins with the group's name. */
int section_take_group(cfg_t *section, struct groups *groups, struct err *err);

#endif
