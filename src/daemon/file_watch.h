/*
 * file_watch - tells when files have changed: `settle_ms` after the last change of any of them.
 *
 * A change is another device, inode, size, mode or time of what a path leads to, so every way of
 * replacing counts: writing in place, renaming over it, switching a link anywhere on the way.  It
 * looks at all files every `look_ms`, and again `settle_ms` after a look that found a change.  If
 * that look finds no further change, it reports the first one.  So it reports a change within both
 * times together, on every file system.
 *
 * A look waits for a disk, so it runs on libuv's pool, except for the first one, in file_watch_new.
 * A look takes one thread of the pool, even if many files hang.  libuv's uv_fs_poll takes one for
 * each file, and does not say from when on it sees changes.
 *
 * Loop thread only.
 */
#ifndef MAILPUSH_DAEMON_FILE_WATCH_H
#define MAILPUSH_DAEMON_FILE_WATCH_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define FILE_WATCH_PATHS_MAX 256 /* it does not watch further ones */

struct file_watch_settings {
	int64_t settle_ms; /* 2 s */
	int64_t look_ms;   /* 5 s */
};

typedef void file_watch_changed_fn(void *ctx);

struct file_watch;

/*
 * Reports changes after this call; read the files after it, so that no change goes unseen.  Waits
 * for a disk: call it before the loop runs.
 */
struct file_watch *file_watch_new(uv_loop_t *loop, const struct file_watch_settings *settings,
	const char *const *paths, size_t count, file_watch_changed_fn *changed, void *ctx);
/* Watches other paths; new ones count as changed. */
void file_watch_set_paths(struct file_watch *watch, const char *const *paths, size_t count);
/* The loop must run once more for the handles to close. */
void file_watch_free(struct file_watch *watch);

#endif
