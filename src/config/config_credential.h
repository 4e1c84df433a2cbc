/*
 * config_credential - a `credential "name" { }` section of mailpush.conf.
 *
 * It checks which keys belong together; credential.h checks the files.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_CREDENTIAL_H
#define MAILPUSH_CONFIG_CONFIG_CREDENTIAL_H

#include "credential/credential.h"

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>

/* Fills `ret` with copies.  False: `why` says what is wrong and what to write. */
bool config_credential_take(
	cfg_t *section, struct credential_files *ret, char *why, size_t why_size);
void config_credential_fini(struct credential_files *files);

#endif
