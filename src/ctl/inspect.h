/*
 * inspect - what a certificate's file says, without the daemon.
 */
#ifndef MAILPUSH_CTL_INSPECT_H
#define MAILPUSH_CTL_INSPECT_H

#include "base/err.h"

#include <jansson.h>

/*
 * Of a PEM file with a certificate, and perhaps its key: whom it is for, its topics, its dates;
 * `has_key`; and `why`, if it cannot be used as it is.
 */
int inspect_file(const char *path, json_t **ret, struct err *err);

#endif
