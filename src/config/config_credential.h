/*
 * config_credential - a `credential "name" { }` section of mailpush.conf.
 *
 * Which keys belong together is checked here; what the files hold is credential.h's.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_CREDENTIAL_H
#define MAILPUSH_CONFIG_CONFIG_CREDENTIAL_H

#include "credential/credential.h"

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>

/* Fills `ret` with copies; or false, with what is wrong and what to write in `why`. */
bool config_credential_take(
	cfg_t *section, struct credential_files *ret, char *why, size_t why_size);
void config_credential_fini(struct credential_files *files);

#endif
