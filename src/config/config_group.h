/*
 * config_group - a section of mailpush.conf about people, checked whole: a `group`, or the
 * `user_settings` of one user.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_GROUP_H
#define MAILPUSH_CONFIG_CONFIG_GROUP_H

#include "base/err.h"
#include "event/groups.h"
#include "event/user_settings.h"

#include <confuse.h>

#define CONFIG_GROUP_GROUPS_MAX 256
#define CONFIG_GROUP_USERS_MAX 10000
#define CONFIG_GROUP_MEMBERS_MAX 10000 /* of one group */

/* -EINVAL, with a text that begins with the group's name. */
int config_group_take(cfg_t *section, struct groups *groups, struct err *err);
/* The same of user_settings. */
int config_group_take_user(cfg_t *section, struct user_settings *users, struct err *err);

#endif
