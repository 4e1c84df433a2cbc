#include "platform/peercred.h"

#include <errno.h>
#include <string.h>

_Static_assert(CMSG_SPACE(sizeof(struct ucred)) <= PEERCRED_CONTROL_MAX, "it must fit");

int peercred_of_stream(int fd, struct peercred *ret)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -errno;
	*ret = (struct peercred){credentials.uid, credentials.pid};
	return 0;
}

bool peercred_is_sent(void)
{
	return true;
}

int peercred_request(int fd)
{
	int on = 1;
	return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ? -errno : 0;
}

bool peercred_of_message(struct msghdr *message, struct peercred *ret)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		struct ucred credentials;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
			c->cmsg_len != CMSG_LEN(sizeof(credentials)))
			continue;
		memcpy(&credentials, CMSG_DATA(c), sizeof(credentials));
		*ret = (struct peercred){credentials.uid, credentials.pid};
		return true;
	}
	return false;
}

size_t peercred_control_size(void)
{
	return CMSG_SPACE(sizeof(struct ucred));
}
