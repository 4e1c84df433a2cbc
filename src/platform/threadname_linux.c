#include "platform/threadname.h"

#include <pthread.h>

void threadname_set(const char *name)
{
	pthread_setname_np(pthread_self(), name);
}
