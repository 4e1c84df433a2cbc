/*
 * schema - the tables of a registry as SQL, for sites where the daemon may not make them.
 *
 * It asks no daemon and no database.
 */
#ifndef MAILPUSH_CTL_SCHEMA_H
#define MAILPUSH_CTL_SCHEMA_H

#include "console/client.h"

/* `kind`: "sqlite" and the like; NULL: that of the registry in the configuration, which is at
   `config_path`; NULL: in the usual place. */
enum client_exit schema_print(const char *kind, const char *config_path);

#endif
