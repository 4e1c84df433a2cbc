/*
 * reload - reads imapd.conf and the credentials' files again at SIGHUP and when they change; at
 * SIGHUP also mailpush.conf, of which all takes effect that need not wait for a restart
 * (config_diff.h).
 *
 * Reading waits for a disk, so it runs on libuv's pool.  If a file cannot be read, the previous
 * state stays in force, with an alarm.  While somebody replaces a pair one file at a time, the
 * files do not match for a moment: after a change an alarm comes only if that lasts (at SIGHUP at
 * once, as somebody waits for the result).  A file that could not be read for lack of descriptors
 * or memory, or because of the disk, is tried again every 10 s; the log has a line when that
 * changes something.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_RELOAD_H
#define MAILPUSH_DAEMON_RELOAD_H

#include "daemon/systemd.h"
#include "flow/credential_check.h"
#include "flow/keyring.h"
#include "monitor/services.h"

#include <stdbool.h>

struct reload;

struct reload_needs {
	const char *config_path;
	struct input_files *input_files;
	struct systemd *systemd;
	struct keyring *keyring;
	struct credential_check *credential_check;
	const struct services *services;
	/*
	 * The configuration was changed: all parts take it.  `trust` as in pipeline_configure.  On
	 * failure `err` says what is as it was.
	 */
	int (*configured)(void *ctx, X509_STORE *trust, const struct sockaddr_storage *http_listen,
		struct err *err);
	void *ctx;
};

/* Before the files are read for the first time, so that no change goes unseen. */
struct reload *reload_new(uv_loop_t *loop, struct config *config);
/* Applies the files once the parts exist.  Before all functions below. */
void reload_first(struct reload *reload, const struct reload_needs *needs);
/* With mailpush.conf, which an administrator may be writing: only when asked to. */
void reload_now(struct reload *reload);
/* The files that mailpush.conf names. */
void reload_files(struct reload *reload);
/* Ends reloading; a reload that runs has no effect any more. */
void reload_stop(struct reload *reload);
bool reload_is_running(const struct reload *reload);
/* A reload that still runs has no effect any more, but reads the configuration. */
void reload_free(struct reload *reload);

#endif
