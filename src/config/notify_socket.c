#include "config/notify_socket.h"

#include <string.h>

static const char dlist_prefix[] = "dlist:";

const char *notify_socket_path(const char *target, bool *ret_is_dlist)
{
	size_t size = sizeof(dlist_prefix) - 1;
	*ret_is_dlist = !strncmp(target, dlist_prefix, size);
	return *ret_is_dlist ? target + size : *target ? target : NULL;
}
