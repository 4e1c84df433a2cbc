#include "platform/receive.h"

#include <errno.h>

int receive_waiting(int fd, struct receive *list, unsigned count)
{
	unsigned taken = 0;
	while (taken < count) {
		ssize_t size = recvmsg(fd, &list[taken].header, MSG_DONTWAIT);
		if (size >= 0)
			list[taken++].size = (unsigned)size;
		else if (errno != EINTR)
			break;
	}
	return taken ? (int)taken : -errno;
}
