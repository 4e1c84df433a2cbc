/*
 * usage - what `mailpushctl COMMAND --help` says beside the command's line: its options, and an
 * example to type.
 *
 * All texts are literals.
 */
#ifndef MAILPUSH_CTL_USAGE_H
#define MAILPUSH_CTL_USAGE_H

#include "console/client.h"

/* `second` NULL: the command is one word.  NULL: there is none. */
const char *usage_example(const char *first, const char *second);
/*
 * What the argument `number` (from 0) of a command is, in plain words; NULL: the command needs no
 * such argument.
 */
const char *usage_argument(const char *first, const char *second, unsigned number);
/* What a long option does, and its argument ("U"); NULL: the option is not known. */
const char *usage_option(const char *name, const char **ret_argument);

/* Says on standard error what is wrong with the command line; CLIENT_USAGE. */
enum client_exit usage_fail(const char *format, const char *text);

#endif
