/*
 * spool - takes in what mailpush-notify kept on disk (spoolfile.h).
 *
 * The folder is looked through at the start, when the system says that a file appeared, and every
 * SPOOL_LOOK_MS besides; its files are taken in the order of their names and removed once they are
 * answered.  A crash in between takes an event in again, which does no harm.
 *
 * Only regular files of allowed owners are taken: whoever may write into the folder must not speak
 * for Cyrus.  What is anything else, or no request, is moved to the folder SPOOLFILE_BAD inside,
 * where the SPOOLDISK_BAD_MAX newest names are kept; an empty folder is removed.  Files that cannot
 * be read, moved away or removed are trouble: they are tried again, and none is taken twice by the
 * same process.  What cannot be taken takes no place of what can, and is looked at again after
 * growing pauses (spool_retry.h).
 *
 * Loop thread only; all that touches the disk is done on libuv's pool, one piece of work at a time.
 * At most SPOOL_FILES_MAX files or SPOOL_BYTES_MAX bytes (and one file) are in memory.
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
/* Something was put into SPOOLFILE_BAD; `text` says what and why;
   `kind` is a literal. */
typedef void spool_rejected_fn(void *ctx, const char *kind, const char *text);
/* All that was kept before the start, `count` files, is taken. */
typedef void spool_taken_fn(void *ctx, size_t count);
/* What is wrong with the folder, and the remedy; NULL: nothing any more. */
typedef void spool_trouble_fn(void *ctx, const char *text);

struct spool_callbacks {
	spool_came_fn *came;
	spool_rejected_fn *rejected;
	spool_taken_fn *taken;
	spool_trouble_fn *trouble;
};

/*
 * The folder is made if it is not there, with SPOOLFILE_DIR_MODE and group `gid` unless
 * (gid_t)-1; if that fails too it is trouble, not an error.  `peers` is borrowed; `seed`: see
 * map.h.
 */
struct spool *spool_new(uv_loop_t *loop, const char *path, gid_t gid,
	const struct peer_rules *peers, const uint8_t seed[16],
	const struct spool_callbacks *callbacks, void *ctx);

/*
 * 0: it is on disk, the file goes.  -EAGAIN: it is not, the file stays for the next start.  Any
 * other: it is none, and `text` says why.
 */
void spool_answer(struct spool_file *file, int status, const char *text);

/* Takes in nothing more; what was taken may still be answered. */
void spool_stop(struct spool *spool);
/*
 * What was not answered stays in the folder; what was, is settled first: the loop must run until
 * that is done.  No callback but `rejected` is called any more.
 */
void spool_free(struct spool *spool);

#endif
