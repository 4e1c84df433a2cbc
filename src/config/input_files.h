/*
 * input_files - the files beside mailpush.conf that decide how events are read and pushes are sent:
 * imapd.conf and the credentials.
 *
 * Reading them waits for a disk: done before the loop runs, or on libuv's pool (SIGHUP).  It
 * changes by input_files_replace alone.
 */
#ifndef MAILPUSH_CONFIG_INPUT_FILES_H
#define MAILPUSH_CONFIG_INPUT_FILES_H

#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"
#include "credential/credential.h"
#include "event/imapdconf.h"

#include <stdbool.h>

struct input_files {
	/* NULL: it cannot be read, see imapdconf_error; without Cyrus, as if it were empty. */
	struct imapdconf *imapdconf;
	struct err imapdconf_error;
	int imapdconf_status;
	/* mailpush.conf's, or imapd.conf's servername, or the host's name; NULL: imapd.conf would
	 * have it and cannot be read. */
	char *site;
	struct credential *credentials[CONFIG_CREDENTIALS_MAX]; /* take them with mem_steal */
	int credential_status[CONFIG_CREDENTIALS_MAX];		/* of loading it */
	struct err credential_errors[CONFIG_CREDENTIALS_MAX];	/* where credentials[i] is NULL */
	unsigned credential_count;
	char **included; /* files that imapd.conf includes */
	size_t included_count;
};

/* Never NULL: the result has the error of each file that cannot be read. */
struct input_files *input_files_read(const struct config *config);
/*
 * Takes `fresh` (handed over) into the place of what was read before, so that whoever borrows
 * `input_files` sees it.  Where imapd.conf could not be read, what was known of it stays.
 */
void input_files_replace(struct input_files *input_files, struct input_files *fresh);
/*
 * Could a file not be read for a reason outside it, such as a lack of descriptors or a file server
 * that is away? No change of the files will show when that is over.
 */
bool input_files_failed_in_passing(const struct input_files *input_files);
/* Do the same files fail in the same way? */
bool input_files_fail_alike(const struct input_files *input_files, const struct input_files *other);
/*
 * The paths of the files that are read; `input_files` NULL: those that the configuration names.
 * The caller owns the array and borrows the texts.
 */
const char **input_files_paths(
	const struct config *config, const struct input_files *input_files, size_t *ret_count);
/*
 * The site of Dovecot's users (user_site.h), borrowed; "": they are those of `site`.  The same
 * until a restart.
 */
const char *input_files_dovecot_site(
	const struct config *config, const struct input_files *input_files);
/* A regular file of at most IMAPDCONF_TEXT_MAX bytes. */
int input_files_read_text(const char *path, struct buf *ret, struct err *err);
/*
 * The topic that phones get whose domain has none of its own, as keyring_topic: `otherwise`, or if
 * that is "", of the first credential without domains; "": there is none.  Of files whose
 * credentials were not taken.
 */
const char *input_files_topic(
	const struct config *config, const struct input_files *input_files, const char *otherwise);
void input_files_free(struct input_files *input_files);

#endif
