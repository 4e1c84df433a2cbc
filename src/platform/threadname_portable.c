#include "platform/threadname.h"

void threadname_set(const char *name)
{
	(void)name; /* POSIX knows none */
}
