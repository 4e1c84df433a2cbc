/*
 * spool - takes in the files that mailpush-notify kept on disk (spoolfile.h).
 *
 * The folder is read at the start, when the system reports a new file, and every SPOOL_LOOK_MS.
 * Its files are taken in the order of their names and removed once they are answered.  After a
 * crash in between an event is taken in again, which does no harm.
 *
 * Only regular files of allowed owners are taken: the right to write into the folder is not the
 * right to speak for Cyrus.  Anything else is moved to the folder SPOOLFILE_BAD inside, which keeps
 * the SPOOLDISK_BAD_MAX newest names; an empty folder is removed.  Files that cannot be read, moved
 * or removed are trouble: they are retried after growing pauses (spool_retry.h), do not take the
 * place of others, and none is taken twice by the same process.
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
typedef void spool_rejected_fn(void *ctx, const char *kind, const char *text);
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
 * A missing folder is made, with SPOOLFILE_DIR_MODE and group `gid` unless (gid_t)-1; a failure of
 * that is trouble, not an error.  `peers` is borrowed; `seed`: see map.h.
 */
struct spool *spool_new(uv_loop_t *loop, const char *path, gid_t gid,
	const struct peer_rules *peers, const uint8_t seed[16],
	const struct spool_callbacks *callbacks, void *ctx);

/*
 * 0: the event is on disk, and the file is removed.  -EAGAIN: it is not, and the file stays for the
 * next start.  Other: the file is not a notification, and `text` says why.
 */
void spool_answer(struct spool_file *file, int status, const char *text);

/* Takes in nothing more; files taken may still be answered. */
void spool_stop(struct spool *spool);
/*
 * Files not answered stay in the folder; answered ones are removed first: the loop must run until
 * that is done.  Only the callback `rejected` is still called.
 */
void spool_free(struct spool *spool);

#endif
