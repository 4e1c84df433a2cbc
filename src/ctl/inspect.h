/*
 * inspect - what a file of a certificate or key says, without the daemon.
 */
#ifndef MAILPUSH_CTL_INSPECT_H
#define MAILPUSH_CTL_INSPECT_H

#include "base/err.h"

#include <jansson.h>

/*
 * `kind` is as mailpush.conf calls it: certificate (PEM, perhaps with its key), pkcs12 or p8.  Of a
 * certificate: whom it is for, its topics, its dates, `has_key`; of a p8: `key_id`, if the file's
 * name tells it; and `why`, if it cannot be used as it is.  `passphrase_file` NULL: none is needed.
 */
int inspect_file(const char *path, const char *passphrase_file, json_t **ret, struct err *err);

#endif
