/*
 * together - what is wrong in mailpush.conf only when two keys are looked at together.
 */
#ifndef MAILPUSH_DAEMON_TOGETHER_H
#define MAILPUSH_DAEMON_TOGETHER_H

#include "base/err.h"
#include "daemon/config.h"

/* -EINVAL: the text names the keys and what to do, but not the file. */
int together_check(const struct config *config, struct err *err);

#endif
