/*
 * config_consistency - checks of mailpush.conf that concern two keys together.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_CONSISTENCY_H
#define MAILPUSH_CONFIG_CONFIG_CONSISTENCY_H

#include "base/err.h"
#include "config/config.h"

/* -EINVAL: the text names the keys and what to do, but not the file. */
int config_consistency_check(const struct config *config, struct err *err);

#endif
