#include "checkup/samepath.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool samepath(const char *left, const char *right)
{
	mem_auto char *folder = mem_dup(left);
	mem_auto char *other_folder = mem_dup(right);
	char *name = strrchr(folder, '/');
	char *other_name = strrchr(other_folder, '/');
	if (!name || !other_name || strcmp(name, other_name) != 0)
		return false;
	*name = *other_name = '\0';
	mem_auto char *real = realpath(folder, NULL);
	mem_auto char *other_real = realpath(other_folder, NULL);
	return !strcmp(real ? real : folder, other_real ? other_real : other_folder);
}
