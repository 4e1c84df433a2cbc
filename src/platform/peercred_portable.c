#include "platform/peercred.h"

#include <errno.h>
#include <unistd.h>

int peercred_of_stream(int fd, struct peercred *ret)
{
	gid_t gid;
	*ret = (struct peercred){0};
	return getpeereid(fd, &ret->uid, &gid) < 0 ? -errno : 0;
}

bool peercred_is_sent(void)
{
	return false;
}

int peercred_request(int fd)
{
	(void)fd;
	return 0;
}

bool peercred_of_message(struct msghdr *message, struct peercred *ret)
{
	(void)message;
	(void)ret;
	return false;
}

size_t peercred_control_size(void)
{
	return 0;
}
