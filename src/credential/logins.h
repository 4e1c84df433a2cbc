/*
 * logins - who may look at people's phones on the page: names with a secret each, or whoever a web
 * server in front names.
 *
 * The secret is the password of HTTP Basic (RFC 7617): every browser asks for it, and nothing needs
 * a cookie, a session or a form.  Secrets are compared in constant time, and names are as well, as
 * all of them are compared.
 *
 * logins_of reads a file: on libuv's pool, or before the loop runs.  The rest is pure.
 */
#ifndef MAILPUSH_CREDENTIAL_LOGINS_H
#define MAILPUSH_CREDENTIAL_LOGINS_H

#include <stdbool.h>
#include <stddef.h>

#define LOGINS_MAX 64
#define LOGINS_NAME_MAX 64
#define LOGINS_TOKEN_MIN 20 /* characters: more than can be guessed */
#define LOGINS_TOKEN_MAX 128

struct logins;

/*
 * `setting`: "" is none (`*ret` is NULL), "header:NAME", or "token:PATH" of a file with a line
 * "name:token" for each person.  False: `why` says what is wrong, and `*ret` is untouched.
 */
bool logins_of(const char *setting, struct logins **ret, char *why, size_t why_size);
/* The lines of that file. */
bool logins_parse(const char *text, size_t size, struct logins **ret, char *why, size_t why_size);
void logins_free(struct logins *logins);

/* The header of a request that names the person; NULL: a token is wanted. */
const char *logins_header(const struct logins *logins);
/* Is it a name that a web server may give? */
bool logins_is_name(const char *name);
/* The name that belongs to the value of the header Authorization; NULL: none. */
const char *logins_find(const struct logins *logins, const char *authorization);

#endif
