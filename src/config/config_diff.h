/*
 * config_diff - which keys of mailpush.conf changed since it was read.
 *
 * A record has for each key its name, a newline, its value as written and a NUL; an empty entry
 * ends it.  All records have the same keys in the same order.  The content of a file that a key
 * names, and that is not read again, is part of its value.
 *
 * Any thread.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_DIFF_H
#define MAILPUSH_CONFIG_CONFIG_DIFF_H

#include <confuse.h>

char *config_diff_record(cfg_t *cfg);

/*
 * The names of the changed keys that only a restart brings into force, as "a, b"; NULL: none.
 */
char *config_diff_that_wait(const char *before, const char *after);

#endif
