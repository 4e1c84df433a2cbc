/*
 * setting - which value each key of mailpush.conf has, and where it comes from: for people.
 *
 * Values stand as written; those of a list one after another.  Passphrases are in files of their
 * own, so nothing here is secret.
 */
#ifndef MAILPUSH_CONFIG_SETTING_H
#define MAILPUSH_CONFIG_SETTING_H

#include "config/config.h"

/* `line` 0: the default. */
void setting_add(struct config *config, const char *key, const char *value, int line);
/* Of a list whose default is empty, or what the policy of events is made with. */
void setting_add_default_list(struct config *config, const char *key);
void setting_free_all(struct config *config);

#endif
