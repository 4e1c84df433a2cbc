/*
 * config_diff - which keys of mailpush.conf changed since it was read.
 *
 * A record has of each key in turn its name, a newline and how it is written, then a NUL; an empty
 * one ends it.  Two records have the same keys in the same order.  What stands in a file that a key
 * names and that is not read again belongs to the key.
 *
 * Any thread.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_DIFF_H
#define MAILPUSH_CONFIG_CONFIG_DIFF_H

#include <confuse.h>

char *config_diff_record(cfg_t *cfg);

/*
 * The names of the keys that differ and that only a restart brings into force, as "a, b"; NULL if
 * there is none.
 */
char *config_diff_that_wait(const char *before, const char *after);

#endif
