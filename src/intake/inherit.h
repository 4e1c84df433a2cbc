/*
 * inherit - a listening socket that the service manager passed in.
 *
 * systemd's protocol, as sd_listen_fds(3) describes it: LISTEN_PID is the process meant, LISTEN_FDS
 * the number of descriptors from 3 on, LISTEN_FDNAMES their names.  Only the stream socket may be
 * passed in.  While the daemon is away, the service manager keeps the socket open: Cyrus waits and
 * nothing is lost.  If no daemon comes back, Cyrus waits without end with its locks held.
 *
 * Called at the start, before other threads run, as it changes the environment.
 */
#ifndef MAILPUSH_INTAKE_INHERIT_H
#define MAILPUSH_INTAKE_INHERIT_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

#define INHERIT_FIRST_FD 3
#define INHERIT_FDS_MAX 1024

/*
 * The number of descriptors for process `self`; also 0 if they are for another process, or if a
 * variable is not set (NULL).  Pure.
 */
int inherit_count(
	const char *listen_pid, const char *listen_fds, pid_t self, unsigned *ret, struct err *err);
/*
 * The name of descriptor `index` (from 0) in LISTEN_FDNAMES, cut; "unknown" if it has none.  Pure.
 */
void inherit_name(const char *listen_fdnames, unsigned index, char *name, size_t size);

/*
 * The stream socket that was passed in, which must listen at `path`; 0 if none was.  Any other
 * descriptor passed in is an error.  Makes the socket non-blocking and close-on-exec, and removes
 * the variables from the environment.
 */
int inherit_stream(const char *path, int *ret_fd, struct err *err);

#endif
