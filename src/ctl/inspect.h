/*
 * inspect - examines files of certificates and keys, and which match, without the daemon.
 */
#ifndef MAILPUSH_CTL_INSPECT_H
#define MAILPUSH_CTL_INSPECT_H

#include <jansson.h>

/*
 * An object for each path, in order: `file` and `error`, if it is none of these or cannot be read;
 * else `file` and `kind`:
 *
 *   certificate  in PEM, perhaps with its key: `subject`, `issuer`, `topics`, `valid_from`,
 *                `expires`, `has_key`; `key`: the one of the other files that fits it
 *   pkcs12       the same of a PKCS#12 file
 *   p8           a key that signs provider tokens: `algorithm`, `key_id` if the file's name tells
 * it key          any other: `algorithm`; `certificates`: those of the other files that it fits;
 *                `may_sign`: it is of the kind that signs provider tokens, and fits none of them
 *   request      of a certificate
 *
 * and `why`, if it cannot be used as it is.  What is judged by the daemon's own rules: certificates
 * with their keys, whichever file they are in, and token keys.  `passphrase_file` NULL: no key is
 * encrypted.
 */
json_t *inspect_files(char **paths, const char *passphrase_file);

#endif
