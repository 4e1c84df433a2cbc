/*
 * setting - the value of each key of mailpush.conf and its source, for people.
 *
 * Values are as written; those of a list one after another.  Passphrases are in files of their own,
 * so no value is secret.
 */
#ifndef MAILPUSH_CONFIG_SETTING_H
#define MAILPUSH_CONFIG_SETTING_H

#include "config/config.h"

/* `file` NULL: mailpush.conf itself.  `line` 0: the default. */
void setting_add(
	struct config *config, const char *key, const char *value, const char *file, int line);
/* For a list with an empty default, or the lists of the policy of events. */
void setting_add_default_list(struct config *config, const char *key);
/* NULL: it has none, also no default. */
struct config_setting *setting_find(const struct config *config, const char *key);
void setting_free_all(struct config *config);

#endif
