#include "daemon/backlog.h"

#include "base/log.h"
#include "platform/dgramlimit.h"

#define KERNELS_OWN 10

void backlog_check(const char *path)
{
	long limit = dgramlimit_read();
	if (limit >= 0 && limit <= KERNELS_OWN)
		log_event(LOG_LEVEL_WARN, "intake",
			"only a few datagrams can wait in the socket, and while it is full all of "
			"Cyrus waits; run sysctl -w net.unix.max_dgram_qlen=512, which the "
			"packaged sysctl.d/50-mailpush.conf does at each boot, and restart "
			"mailpushd",
			log_text("socket", path), log_number("max_dgram_qlen", limit));
}
