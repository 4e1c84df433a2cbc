#include "platform/dgramlimit.h"

long dgramlimit_read(void)
{
	return -1;
}
