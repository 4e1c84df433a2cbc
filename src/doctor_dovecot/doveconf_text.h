/*
 * doveconf_text - what doveconf prints: values, and lists in the forms of 2.3 and 2.4.
 *
 * Pure.  Any text is taken; what cannot be understood is as if it were not there.
 */
#ifndef MAILPUSH_DOCTOR_DOVECOT_DOVECONF_TEXT_H
#define MAILPUSH_DOCTOR_DOVECOT_DOVECONF_TEXT_H

#include <stdbool.h>

/* "2.3.19.1 (9b53102964)"; false: that is no version. */
bool doveconf_text_version(const char *text, unsigned *ret_major, unsigned *ret_minor);

/* Of the first line "key = value"; free it.  NULL: there is none. */
char *doveconf_text_value(const char *text, const char *key);

/*
 * The names that count, with blanks between and around; free it.  2.3 prints them in one
 * line.  2.4 prints such a line if a section sets all of them anew, and else a block "KEY { NAME =
 * yes }" of those that it adds to the ones of the whole, `inherited` (NULL: none), or takes out.
 */
char *doveconf_text_list(const char *text, const char *key, const char *inherited);
bool doveconf_text_has(const char *list, const char *name);

/* As whom mail processes run by a static userdb, for the key uid or gid: "uid=vmail" or "uid =
 * vmail"; free it.  NULL: it does not say. */
char *doveconf_text_id(const char *userdb, const char *key);

/* Is each userdb of the system's users: "driver = passwd", or "userdb passwd { }" of 2.4? */
bool doveconf_text_is_passwd(const char *userdb);

/* The line in which doveconf says why it failed, or the first one; free it. */
char *doveconf_text_error(const char *text);

#endif
