/*
 * config_file - mailpush.conf, read and checked.
 *
 * Everything that can be known to be wrong before the daemon runs is found here, and each error
 * names the file, the line or section, the key, the value and what to do.  `mailpushd -n` is this
 * and nothing else.  The manual page is mailpush.conf(5); its order is that of the table in
 * config_file.c.
 *
 * One call at a time.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_FILE_H
#define MAILPUSH_CONFIG_CONFIG_FILE_H

#include "config/config.h"

int config_file_read(const char *path, struct config **ret, struct err *err);
/* The same of what was read from `path`, which errors name. */
int config_file_read_text(
	const char *path, const char *bytes, size_t size, struct config **ret, struct err *err);
void config_file_free(struct config *config); /* or NULL */

#endif
