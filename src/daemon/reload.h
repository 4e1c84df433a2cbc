/*
 * reload - imapd.conf and the credentials' files are read again: at SIGHUP, and when they change;
 * at SIGHUP also mailpush.conf, of which the level of the log is taken.
 *
 * Reading waits for a disk and is done on libuv's pool.  What cannot be read leaves in force what
 * was, with an alarm.  A pair that is replaced one file at a time does not fit for a while: after a
 * change (not at SIGHUP, when somebody waits for the answer) that is said only if it lasts.  What
 * could not be read for want of descriptors or memory, or by a fault of the disk, is tried again
 * every 10 s.
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
};

/* Before the files are read first, so that no change goes unseen. */
struct reload *reload_new(uv_loop_t *loop, const struct config *config);
/* They were read and the parts stand: puts them in force.  Before all of the following. */
void reload_first(struct reload *reload, const struct reload_needs *needs);
void reload_now(struct reload *reload);
/* No more; one that runs changes nothing when it comes back. */
void reload_stop(struct reload *reload);
bool reload_is_running(const struct reload *reload);
/* One that still runs changes nothing any more, but reads the configuration. */
void reload_free(struct reload *reload);

#endif
