#include "platform/dgramlimit.h"

#include <stdio.h>

long dgramlimit_read(void)
{
	long limit;
	FILE *file = fopen("/proc/sys/net/unix/max_dgram_qlen", "re");
	if (!file)
		return -1;
	if (fscanf(file, "%ld", &limit) != 1)
		limit = -1;
	fclose(file);
	return limit;
}
