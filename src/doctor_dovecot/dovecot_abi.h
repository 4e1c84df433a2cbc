/*
 * dovecot_abi - for which Dovecot is a module built?
 *
 * Dovecot loads a module if the text of its version is that of DOVECOT_ABI_VERSION, as far as the
 * bracket: "2.3.ABIv19(2.3.19.1)".  That text stands in the module's file.
 */
#ifndef MAILPUSH_DOCTOR_DOVECOT_DOVECOT_ABI_H
#define MAILPUSH_DOCTOR_DOVECOT_DOVECOT_ABI_H

#include <stdbool.h>
#include <stddef.h>

#define DOVECOT_ABI_SIZE 32

/* Pure.  The first such text, without the bracket; false: there is none. */
bool dovecot_abi_find(const char *bytes, size_t size, char ret[DOVECOT_ABI_SIZE]);
/* Of a file.  False and errno; EBADMSG: it has none. */
bool dovecot_abi_read(const char *path, char ret[DOVECOT_ABI_SIZE]);

#endif
