/*
 * config_file - mailpush.conf, read and checked.
 *
 * Every error that can be known before the daemon runs is found here; its text names the file, the
 * line or section, the key, the value and what to do.  The manual page mailpush.conf(5) has the
 * keys in the order of the table in config_file.c.
 *
 * One call at a time.
 */
#ifndef MAILPUSH_CONFIG_CONFIG_FILE_H
#define MAILPUSH_CONFIG_CONFIG_FILE_H

#include "config/config.h"

/*
 * `option`: the one of this program with which the user gives another path.  -EACCES: it, or a file
 * that it names and without which it cannot be read, may not be read by this user.
 */
int config_file_read(const char *path, const char *option, struct config **ret, struct err *err);
/* The same for text that was read from `path`, which errors name; it includes no other file. */
int config_file_read_text(
	const char *path, const char *bytes, size_t size, struct config **ret, struct err *err);
/* Only what input_files_read needs of it, for another thread. */
struct config *config_file_copy_inputs(const struct config *config);
void config_file_free(struct config *config); /* or NULL */

#endif
