/*
 * peer - is this process allowed to send events?  Its uid decides, which the kernel vouches for.
 *
 * Where it cannot vouch for the sender of a datagram (peercred.h), the rights of the socket's file
 * decide: every user who may write to it may send.  Loop thread only.
 */
#ifndef MAILPUSH_INTAKE_PEER_H
#define MAILPUSH_INTAKE_PEER_H

#include "base/err.h"
#include "platform/peercred.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define PEER_UIDS_MAX 64
#define PEER_SELF_TEXT                                                                          \
	"a notification passed on to forward_socket came back: the socket is mailpushd's own; " \
	"name the socket of the program that should get it"

struct peer_rules {
	uid_t allowed[PEER_UIDS_MAX];
	size_t count;
	pid_t self; /* 0: only the uid counts */
};

/* Is it this process, which got its own notification back? */
bool peer_is_self(const struct peer_rules *rules, const struct peercred *peer);
bool peer_is_allowed(const struct peer_rules *rules, uid_t uid);
/* At most PEER_UIDS_MAX different uids. */
void peer_allow(struct peer_rules *rules, uid_t uid);

/* The other end of a connected stream socket. */
int peer_of_stream(int fd, struct peercred *ret, struct err *err);

/*
 * For both kinds of socket: binds a socket of `type` at `path`, which must fit sun_path, with
 * exactly `mode` whatever the umask, and group `gid` unless (gid_t)-1.  A datagram socket has the
 * sender's uid from the first datagram on; -EPERM: this system cannot do that, and `mode` lets
 * everybody write.  See datagram_new for a file that exists at `path`.  The descriptor is
 * non-blocking and close-on-exec.
 */
int peer_bind(const char *path, int type, mode_t mode, gid_t gid, int *ret_fd, struct err *err);

/*
 * Guests: peers of a socket that is open to every local user, and not in its rules.  None may have
 * more connections than its share, and all together not more than theirs, so that the others always
 * find a place.
 */
struct peer_guests {
	size_t each_max;
	size_t all_max; /* 0: there are no guests */
	size_t all;
	struct peer_guest {
		uid_t uid;
		size_t connections; /* not 0 */
	} * list;
	size_t count;
	size_t room;
};

void peer_guests_init(struct peer_guests *guests, size_t each_max, size_t all_max);
void peer_guests_fini(struct peer_guests *guests);
/* One connection more; false: that would be too many, and it does not count. */
bool peer_guests_enter(struct peer_guests *guests, uid_t uid);
/* One connection of those that entered is over. */
void peer_guests_leave(struct peer_guests *guests, uid_t uid);

/*
 * The file to which a socket was bound.  The kernel keeps its number in use while the socket is
 * open, so a later file at the path is the same one exactly if both members are equal.
 */
struct peer_file {
	uint64_t device;
	uint64_t number; /* 0: there was none */
};

/* The file at `path`, right after peer_bind. */
struct peer_file peer_file_at(const char *path);
bool peer_file_is(const struct peer_file *file, const struct peer_file *other);
/* Removes the file at `path` if it is still `file`, and not one that another process put there. */
void peer_unlink(const char *path, const struct peer_file *file);

#endif
