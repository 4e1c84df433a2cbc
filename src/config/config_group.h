/*
 * config_group - a `group` of mailpush.conf, checked whole.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_GROUP_H
#define MAILPUSH_CONFIG_CONFIG_GROUP_H

#include "base/err.h"
#include "event/groups.h"

#include <confuse.h>

#define CONFIG_GROUP_GROUPS_MAX 256
#define CONFIG_GROUP_MEMBERS_MAX 10000 /* of one group */

/* -EINVAL, with a text that begins with the group's name. */
int config_group_take(cfg_t *section, struct groups *groups, struct err *err);

#endif
