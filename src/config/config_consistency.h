/*
 * config_consistency - checks of mailpush.conf that concern two keys together, or what keys and the
 * files that they name say of one matter.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_CONSISTENCY_H
#define MAILPUSH_CONFIG_CONFIG_CONSISTENCY_H

#include "base/err.h"
#include "config/config.h"
#include "config/input_files.h"

#include <stdbool.h>

/* -EINVAL: the text names the keys and what to do, but not the file. */
int config_consistency_check(const struct config *config, struct err *err);
/* Has the plugin for xapsd a door, by one way or the other? */
bool config_consistency_has_xaps(const struct config *config);

/*
 * What is allowed, but may not be meant: each key with what is wrong and what to do.  Of files
 * whose credentials were not taken.
 */
typedef void config_consistency_warning_fn(void *ctx, const char *key, const char *text);
void config_consistency_warn(const struct config *config, const struct input_files *input_files,
	config_consistency_warning_fn *warn, void *ctx);

#endif
