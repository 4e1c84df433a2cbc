/*
 * config_diff - which keys of mailpush.conf changed since it was read, and what of that a reload
 * takes over.
 *
 * A record has for each key its name, a newline, its value as written and a NUL; an empty entry
 * ends it.  All records have the same keys in the same order.  The content of a file that a key
 * names, and that is not read again, is part of its value.
 *
 * Any thread, but for config_diff_take.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_DIFF_H
#define MAILPUSH_CONFIG_CONFIG_DIFF_H

#include "config/config.h"

#include <confuse.h>
#include <stdbool.h>

/* Of all keys but `except`. */
char *config_diff_record(cfg_t *cfg, const char *except);

/*
 * The names of the changed keys that only a restart brings into force, as "a, b"; NULL: none.
 */
char *config_diff_that_wait(const char *before, const char *after);
/* Does a change of this key, as a setting names it, wait for a restart? */
bool config_diff_waits(const char *key);
/* Did one of these keys change?  `keys` ends in NULL. */
bool config_diff_concerns(const char *before, const char *after, const char *const *keys);

/*
 * Brings into force what need not wait for a restart: those values and their sources change places
 * in the two, and the caller frees `fresh`.  Loop thread: whoever borrowed such a value from
 * `config` must take it again.
 */
void config_diff_take(struct config *config, struct config *fresh);
/* Only what people see of this key: after config_diff_take, for a value that could not be used. */
void config_diff_swap_shown(const struct config *one, const struct config *other, const char *key);

#endif
