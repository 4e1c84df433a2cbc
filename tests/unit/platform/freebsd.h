/*
 * freebsd - what FreeBSD declares for credentials on local sockets, as far as Linux lacks it.
 */
#ifndef MAILPUSH_TESTS_PLATFORM_FREEBSD_H
#define MAILPUSH_TESTS_PLATFORM_FREEBSD_H

#include <sys/socket.h>
#include <sys/types.h>

#define SOL_LOCAL 0
#define LOCAL_CREDS 2
#define SCM_CREDS 3
#define CMGROUP_MAX 16

struct sockcred {
	uid_t sc_uid;
	uid_t sc_euid;
	gid_t sc_gid;
	gid_t sc_egid;
	int sc_ngroups;
	gid_t sc_groups[1];
};

#define SOCKCREDSIZE(count) (sizeof(struct sockcred) + sizeof(gid_t) * ((count)-1))

int getpeereid(int fd, uid_t *ret_uid, gid_t *ret_gid);

#endif
