#include "platform/descriptors.h"

long descriptors_count(void)
{
	return -1;
}
