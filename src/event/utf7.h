/*
 * utf7 - the modified UTF-7 of IMAP mailbox names (RFC 3501 section 5.1.3), decoded.
 *
 * Strict: a printable ASCII character hidden in base64, U+0000, a lone surrogate, bits left over or
 * a missing `-` make a name invalid.  So a decoded name has a hierarchy separator only where
 * the encoded one has it.  Cyrus lets nobody create a mailbox whose name breaks these rules.
 *
 * Pure; any thread.
 */
#ifndef MAILPUSH_EVENT_UTF7_H
#define MAILPUSH_EVENT_UTF7_H

#include <stddef.h>

/* The room that a decoded name of `size` bytes needs, its NUL included. */
#define UTF7_DECODED_MAX(size) (2 * (size) + 1)

/*
 * Decodes into `ret`, which has room for UTF7_DECODED_MAX(size) bytes, as NUL-terminated UTF-8.
 * -EINVAL: not valid; the content of `ret` is undefined then.
 */
int utf7_decode(const char *name, size_t size, char *ret, size_t *ret_size);

#endif
