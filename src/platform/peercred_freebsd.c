#include "platform/peercred.h"

#include <errno.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define CREDENTIALS_MIN offsetof(struct sockcred, sc_groups)
#define CREDENTIALS_MAX SOCKCREDSIZE((size_t)CMGROUP_MAX)

_Static_assert(CMSG_SPACE(CREDENTIALS_MAX) <= PEERCRED_CONTROL_MAX, "it must fit");

int peercred_of_stream(int fd, struct peercred *ret)
{
	gid_t gid;
	*ret = (struct peercred){0};
	return getpeereid(fd, &ret->uid, &gid) < 0 ? -errno : 0;
}

bool peercred_is_sent(void)
{
	return true;
}

int peercred_request(int fd)
{
	int on = 1;
	return setsockopt(fd, SOL_LOCAL, LOCAL_CREDS, &on, sizeof(on)) < 0 ? -errno : 0;
}

/*
 * The last message may be cut at the buffer's end, and still says how long it was.  What it passed
 * the kernel has closed then (truncated_rights in FreeBSD's tests/sys/kern/unix_passfd_test.c).
 */
static bool is_whole(const struct msghdr *message, const struct cmsghdr *c)
{
	const char *end = (const char *)message->msg_control + message->msg_controllen;
	return c->cmsg_len <= (size_t)(end - (const char *)c);
}

static void close_passed(const struct cmsghdr *c)
{
	for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
		int fd;
		memcpy(&fd, (const char *)c + at, sizeof(fd));
		close(fd);
	}
}

bool peercred_of_message(struct msghdr *message, struct peercred *ret)
{
	bool is_found = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct sockcred credentials;
		if (c->cmsg_level != SOL_SOCKET || !is_whole(message, c))
			continue;
		if (c->cmsg_type == SCM_RIGHTS)
			close_passed(c);
		/* How long it is depends on the number of groups that it ends with. */
		if (c->cmsg_type != SCM_CREDS || c->cmsg_len < CMSG_LEN(CREDENTIALS_MIN))
			continue;
		memcpy(&credentials, CMSG_DATA(c), CREDENTIALS_MIN);
		*ret = (struct peercred){.uid = credentials.sc_euid};
		is_found = true;
	}
	return is_found;
}

size_t peercred_control_size(void)
{
	return CMSG_SPACE(CREDENTIALS_MAX);
}
