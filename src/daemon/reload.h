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

#include "flow/core.h"
#include "flow/keyring.h"

#include <stdbool.h>

struct reload;

/* Before the files are read first, so that no change goes unseen. */
struct reload *reload_new(struct core *core, struct keyring *keyring);
/* core->input_files were read and the parts stand: puts them in force. */
void reload_first(struct reload *reload);
void reload_now(struct reload *reload);
/* No more; one that runs changes nothing when it comes back. */
void reload_stop(struct reload *reload);
bool reload_is_running(const struct reload *reload);
/* One that still runs changes nothing any more, but reads core->config. */
void reload_free(struct reload *reload);

#endif
