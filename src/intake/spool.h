/*
 * spool - takes in the files of mailpush-notify (spoolfile.h).
 *
 * It reads the folder at the start, when the system reports a new file, and every SPOOL_LOOK_MS. It
 * takes files in the order of their names and removes them once they are answered.  After a crash
 * in between it takes an event in again, which does no harm.
 *
 * It takes only regular files of allowed owners: permission to write into the folder is not
 * permission to speak for Cyrus.  With guests it takes files of others too, if they are of class
 * DOVECOT; the notification says whose they are, and the caller judges for whom that counts.  It
 * moves everything else to the folder SPOOLFILE_BAD inside, which keeps the SPOOLDISK_BAD_MAX
 * newest names; but of folders it removes the empty ones, and leaves the others.  Those, and files
 * that cannot be read, moved or removed, are trouble: it retries them after growing pauses
 * (spool_retry.h), they do not take the place of others, and one process takes no file twice.
 *
 * Loop thread only; the disk is used on libuv's pool, one piece of work at a time. At most
 * SPOOL_FILES_MAX files or SPOOL_BYTES_MAX bytes (and one file) are in memory.
 */
#ifndef MAILPUSH_INTAKE_SPOOL_H
#define MAILPUSH_INTAKE_SPOOL_H

#include "base/err.h"
#include "intake/notification.h"
#include "intake/peer.h"

#include <uv.h>

#define SPOOL_LOOK_MS 5000
#define SPOOL_FILES_MAX 1024
#define SPOOL_BYTES_MAX (16 * 1024 * 1024)

struct spool;
struct spool_file;

/*
 * received_ms is set, and never less than that of the file before.  Answer `file` with
 * spool_answer, now or later, exactly once.
 */
typedef void spool_came_fn(
	void *ctx, const struct notification *notification, struct spool_file *file);
/* A file was moved to SPOOLFILE_BAD; `text` says which and why; `kind` is a literal. */
typedef void spool_rejected_fn(
	void *ctx, enum notification_fault fault, const char *kind, const char *text);
/* All `count` files from before the start are taken. */
typedef void spool_taken_fn(void *ctx, size_t count);
/* What is wrong with the folder, and the remedy; NULL: the trouble is over. */
typedef void spool_trouble_fn(void *ctx, const char *text);

struct spool_callbacks {
	spool_came_fn *came;
	spool_rejected_fn *rejected;
	spool_taken_fn *taken;
	spool_trouble_fn *trouble;
};

/*
 * Creates a missing folder, with SPOOLFILE_DIR_MODE and group `gid` unless (gid_t)-1; a failure of
 * that is trouble, not an error.  `peers` is borrowed; `seed`: see map.h.
 */
struct spool *spool_new(uv_loop_t *loop, const char *path, gid_t gid,
	const struct peer_rules *peers, bool has_guests, const uint8_t seed[16],
	const struct spool_callbacks *callbacks, void *ctx);

/*
 * 0: the event is on disk, and the file is removed.  -EAGAIN: it is not, and the file stays: it is
 * taken again after a rest (spool_retry.h), or at the next start.  Other: it is rejected, as `text`
 * says: -EPERM for whose it is, else because it is not a notification.
 */
void spool_answer(struct spool_file *file, int status, const char *text);

/* Takes in nothing more; files taken may still be answered. */
void spool_stop(struct spool *spool);
/*
 * Unanswered files stay in the folder.  The loop must run until the answered ones are removed. From
 * now on only `rejected` is called.
 */
void spool_free(struct spool *spool);

#endif
