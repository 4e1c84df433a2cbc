#include "platform/receive.h"

#include <errno.h>
#include <stddef.h>

_Static_assert(sizeof(struct receive) == sizeof(struct mmsghdr) &&
		offsetof(struct receive, size) == offsetof(struct mmsghdr, msg_len),
	"the kernel fills it in");

int receive_waiting(int fd, struct receive *list, unsigned count)
{
	int n;
	do {
		n = recvmmsg(fd, (struct mmsghdr *)list, count, MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
