/*
 * config_credential - a `credential "name" { }` section of mailpush.conf.
 *
 * It checks which keys belong together; credential.h checks the files.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_CREDENTIAL_H
#define MAILPUSH_CONFIG_CONFIG_CREDENTIAL_H

#include "config/config.h"
#include "credential/credential.h"

#include <confuse.h>
#include <stdbool.h>
#include <stddef.h>

/* Fills `ret` with copies.  False: `why` says what is wrong and what to write. */
bool config_credential_take(
	cfg_t *section, struct credential_files *ret, char *why, size_t why_size);
/* Its domains, for the last of `config->credentials`.  False: as above. */
bool config_credential_take_domains(
	cfg_t *section, struct config *config, char *why, size_t why_size);
/*
 * The place of the credential that lists the domain of this user, `local@domain`, in any case; -1:
 * none does.
 */
int config_credential_of(const struct config *config, const char *user);
/* Does this one list any? */
bool config_credential_has_domains(const struct config *config, unsigned credential);
/* Is there one, and none without? */
bool config_credential_all_have_domains(const struct config *config);
void config_credential_copy(const struct credential_files *files, struct credential_files *ret);
void config_credential_fini(struct credential_files *files);

#endif
